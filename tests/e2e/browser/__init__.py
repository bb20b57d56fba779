"""People at browsers: the built app in Chromium, the real gateway, real audio."""
