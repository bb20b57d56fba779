"""The rules of recordings."""
