"""The deadlines of one call, armed on the monotonic clock."""

from collections.abc import Callable, Iterable
from functools import partial

from gateway.core.call.call import Deadline
from gateway.ports.clock import Clock
from gateway.runtime.tasks import Cancel, Tasks


class Alarms:
    """Calls `ring` when a deadline passes.

    A deadline is a point on the wall clock, so that it survives a restart. It is turned into a
    duration once, when it is armed: a wall clock that jumps later moves nothing.
    """

    def __init__(self, tasks: Tasks, clock: Clock, *, ring: Callable[[Deadline], None]) -> None:
        self._tasks = tasks
        self._clock = clock
        self._ring = ring
        self._armed: dict[Deadline, Cancel] = {}

    def set(self, deadlines: Iterable[Deadline]) -> None:
        """Arm what is new, disarm what is gone."""
        wanted = set(deadlines)
        for gone in self._armed.keys() - wanted:
            self._armed.pop(gone)()
        for deadline in wanted - self._armed.keys():
            self._armed[deadline] = self._tasks.spawn(
                self._wait(deadline),
                name="deadline",
                on_crash=partial(self._ring, deadline),
            )

    async def _wait(self, deadline: Deadline) -> None:
        await self._clock.sleep(max(0.0, deadline.at - self._clock.wall()))
        self._ring(deadline)
