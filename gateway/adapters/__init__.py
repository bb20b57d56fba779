"""One technology each, behind one port each."""
