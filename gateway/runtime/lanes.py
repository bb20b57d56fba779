"""A call's commands under way: in order within a lane, the lanes side by side.

Media orders take milliseconds, requests to Meta seconds, and minutes wait for the database; a
hang-up must not wait for one to make another's way free. Within a lane order matters:
`terminate` follows `pre_accept`.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from enum import StrEnum

from gateway.core.call.commands import (
    Accept,
    Command,
    Connect,
    HoldMinutes,
    PreAccept,
    Reject,
    ReleaseMinutes,
    StartCapture,
    StopCapture,
    Terminate,
)
from gateway.core.call.events import Event
from gateway.core.ids import CommandId
from gateway.runtime.tasks import Tasks


class LaneName(StrEnum):
    """The ways out."""

    GRAPH = "graph"
    MEDIA = "media"
    MINUTES = "minutes"


CarryOutOne = Callable[[Command], Awaitable[Event | None]]
Done = Callable[[CommandId, Event | None], None]


class Lanes:
    """Carries out one call's commands and reports each by `done`; bounded by the machine."""

    def __init__(
        self, tasks: Tasks, carry_out: CarryOutOne, *, done: Done, crashed: Callable[[], None]
    ) -> None:
        self._tasks = tasks
        self._carry_out = carry_out
        self._done = done
        self._crashed = crashed
        self._queues: dict[LaneName, deque[tuple[CommandId, Command]]] = {}

    def submit(self, command_id: CommandId, command: Command) -> None:
        """Carry out a command after those before it in its lane."""
        lane = _lane_of(command)
        queue = self._queues.get(lane)
        if queue is not None:
            queue.append((command_id, command))
            return
        self._queues[lane] = deque([(command_id, command)])
        self._tasks.spawn(
            self._drain(lane), name=f"{lane} lane", on_crash=lambda: self._stalled(lane)
        )

    def clear(self) -> None:
        """Forget what has not begun: the call is over, or somebody else's."""
        for queue in self._queues.values():
            while len(queue) > 1:
                queue.pop()

    async def _drain(self, lane: LaneName) -> None:
        queue = self._queues[lane]
        while queue:
            command_id, command = queue[0]
            event = await self._carry_out(command)
            queue.popleft()
            self._done(command_id, event)
        del self._queues[lane]

    def _stalled(self, lane: LaneName) -> None:
        """Give up the command that crashed, go on with the others, and report."""
        queue = self._queues.pop(lane)
        command_id, _ = queue.popleft()
        self._crashed()
        self._done(command_id, None)
        for later_id, command in queue:
            self.submit(later_id, command)


def _lane_of(command: Command) -> LaneName:
    match command:
        case Connect() | PreAccept() | Accept() | Reject() | Terminate():
            return LaneName.GRAPH
        case HoldMinutes() | ReleaseMinutes() | StartCapture() | StopCapture():
            return LaneName.MINUTES
        case _:
            return LaneName.MEDIA
