"""Housekeeping: what has served its time is forgotten, now and then, beside the calls."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

import structlog

from gateway.core.errors import StoreDown
from gateway.ports.clock import Clock

_log = structlog.get_logger(__name__)

STORE_PAUSE_S = 60.0


class Purge(Protocol):
    """Forgets one kind of thing."""

    async def __call__(self, *, now: float) -> int:
        """Forget what is over and return how many. Raises `StoreDown`."""


class Upkeep:
    """Runs all purges in turn, again and again; several nodes may do so side by side."""

    def __init__(
        self, purges: Mapping[str, Purge], clock: Clock, *, every_s: float, max_s: float
    ) -> None:
        """Each purge may take `max_s`; what it has not reached by then waits for the next."""
        self._purges = dict(purges)
        self._clock = clock
        self._every_s = every_s
        self._max_s = max_s

    async def run(self) -> None:
        """Go on until cancelled, beginning at once; a store that is down is soon asked anew."""
        while True:
            is_done = await self._once()
            pause_s = self._every_s if is_done else min(self._every_s, STORE_PAUSE_S)
            await self._clock.sleep(pause_s)

    async def _once(self) -> bool:
        for what, purge in self._purges.items():
            try:
                async with asyncio.timeout(self._max_s):
                    count = await purge(now=self._clock.wall())
            except StoreDown:
                return False
            except TimeoutError:
                _log.warning("there is more to forget than time for it", what=what)
                continue
            if count:
                _log.info("forgot what has served its time", what=what, count=count)
        return True
