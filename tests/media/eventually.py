"""Waiting for what another process or the network brings about."""

import asyncio
from collections.abc import Callable

WAIT_S = 30.0


async def eventually(holds: Callable[[], bool], *, timeout_s: float = WAIT_S) -> None:
    """Return as soon as `holds()`; raises `TimeoutError` if it never does."""
    async with asyncio.timeout(timeout_s):
        while not holds():  # noqa: ASYNC110  (there is no event to wait for)
            await asyncio.sleep(0.02)
