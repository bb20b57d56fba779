"""Virtual time that stands still while a database works.

The clock of these loops jumps to the next timer whenever nobody has anything to do. A thread
that executes SQL is somebody who has, so the loop is told, and waits for it in real time. Then
a run with the same seed takes the same course, however busy the machine is.
"""

import asyncio
import random
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

from typing_extensions import override

from gateway.core.errors import StoreDown
from tests.runtime.office import Fuse
from tests.runtime.virtual_time import VirtualClock, VirtualTimeLoop

SQL_MAX_S = 30.0


class FrozenTimeLoop(VirtualTimeLoop):
    """Counts what is being done outside of its time."""

    def __init__(self) -> None:
        super().__init__()
        self.outside = 0
        self.one_at_a_time = asyncio.Lock()
        self._plain_select = self._jumping.select
        self._jumping.select = self._select  # type: ignore[method-assign]

    def _select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if not self.outside:
            return self._plain_select(timeout)
        # The real selector: what is done outside wakes it.
        wait_s = 0.0 if timeout == 0 else SQL_MAX_S
        return selectors.DefaultSelector.select(self._jumping, wait_s)


def frozen_loop() -> FrozenTimeLoop:
    """Return the loop that runs now."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, FrozenTimeLoop)
    return loop


async def outside(work: Coroutine[Any, Any, Any]) -> Any:
    """Do what needs real time while the virtual clock stands, one such thing at a time."""
    loop = frozen_loop()
    async with loop.one_at_a_time:
        loop.outside += 1
        try:
            return await work
        finally:
            loop.outside -= 1


class SkewedClock(VirtualClock):
    """A node's clock: its wall may be wrong and jump, its monotonic time may not."""

    def __init__(self) -> None:
        super().__init__()
        self.skew_s = 0.0

    @override
    def wall(self) -> float:
        return super().wall() + self.skew_s


class Weather:
    """How the way from one node to its databases is."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.is_cut = False
        self.loses_answers = 0.0

    def swallows(self) -> bool:
        """Whether an answer gets lost now."""
        return self.is_cut or self.chance.random() < self.loses_answers


class Distance:
    """A port in SQL as one node reaches it: it takes a while, may be cut off, and may not tell.

    What was sent has its effect also if the node dies meanwhile, as a transaction does.
    """

    def __init__(self, port: object, weather: Weather, fuse: Fuse) -> None:
        self._port = port
        self._weather = weather
        self._fuse = fuse
        self._under_way: set[asyncio.Task[Any]] = set()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._port, name)

        async def reach(*arguments: Any, **named: Any) -> Any:
            self._fuse.burn()
            chance = self._weather.chance
            await asyncio.sleep(chance.choice((0.0, 0.001, 0.004, 0.02)))
            if self._weather.is_cut:
                await asyncio.sleep(chance.choice((0.01, 1.0)))
                raise StoreDown("the way to the database is cut")
            task = asyncio.ensure_future(outside(method(*arguments, **named)))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
            try:
                result = await asyncio.shield(task)
            except asyncio.CancelledError:
                # Killed: nobody hears how it went.
                task.add_done_callback(_forget)
                raise
            self._fuse.burn()
            await asyncio.sleep(chance.choice((0.0, 0.001, 0.02)))
            if self._weather.swallows():
                raise StoreDown("the answer was lost")
            return result

        return reach

    async def rest(self) -> None:
        """Wait for what a dead node had sent."""
        await asyncio.gather(*self._under_way, return_exceptions=True)


def _forget(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled():
        _ = task.exception()
