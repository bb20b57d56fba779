"""What has served its time is forgotten, now and then, whatever else happens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.core.errors import StoreDown
from gateway.runtime.tasks import Tasks
from gateway.runtime.upkeep import Purge, Upkeep
from tests.runtime.virtual_time import VirtualClock, in_virtual_time


class FakePurge:
    """Notes when it was asked, and does as it is told."""

    def __init__(self, clock: VirtualClock) -> None:
        self.asked_at: list[float] = []
        self.is_down = False
        self.hangs = False
        self._start = clock.wall()

    async def __call__(self, *, now: float) -> int:
        self.asked_at.append(round(now - self._start))
        if self.is_down:
            raise StoreDown("gone")
        if self.hangs:
            await asyncio.Event().wait()
        return 1


@asynccontextmanager
async def keeping(clock: VirtualClock, **purges: Purge) -> AsyncIterator[None]:
    tasks = Tasks(clock)
    upkeep = Upkeep(purges, clock, every_s=3600, max_s=600)
    tasks.keep_running(upkeep.run, name="upkeep")
    try:
        yield
        assert tasks.crash_count == 0
    finally:
        await tasks.close()


@in_virtual_time
async def test_it_begins_at_once_and_goes_on() -> None:
    clock = VirtualClock()
    purge = FakePurge(clock)
    async with keeping(clock, purge=purge):
        await asyncio.sleep(2.5 * 3600)
    assert purge.asked_at == [0, 3600, 7200]


@in_virtual_time
async def test_a_store_that_is_down_is_asked_again_soon() -> None:
    clock = VirtualClock()
    purge = FakePurge(clock)
    purge.is_down = True
    async with keeping(clock, purge=purge):
        await asyncio.sleep(90)
        purge.is_down = False
        await asyncio.sleep(3600)
    assert purge.asked_at == [0, 60, 120]


@in_virtual_time
async def test_one_that_takes_too_long_does_not_keep_the_others_waiting() -> None:
    clock = VirtualClock()
    endless, other = FakePurge(clock), FakePurge(clock)
    endless.hangs = True
    async with keeping(clock, endless=endless, other=other):
        await asyncio.sleep(601)
    assert (endless.asked_at, other.asked_at) == ([0], [600])
