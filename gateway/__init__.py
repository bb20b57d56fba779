"""The control plane: decides, signals, remembers."""
