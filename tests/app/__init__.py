"""The whole gateway in one process, put together as `serve` does it."""
