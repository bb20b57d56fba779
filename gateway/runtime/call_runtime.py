"""The runtime as one thing: made from the ports, started, used through its desk, stopped."""

from types import TracebackType
from typing import Self

import structlog

from gateway.runtime.agent_legs import AgentLegs
from gateway.runtime.call_desk import CallDesk
from gateway.runtime.call_trace import TraceBook
from gateway.runtime.inbox_work import InboxWork
from gateway.runtime.live_calls import LiveCalls
from gateway.runtime.media_news import MediaNews
from gateway.runtime.notices import Notices
from gateway.runtime.phone_line import Lines
from gateway.runtime.presence_board import PresenceBoard
from gateway.runtime.recording_runtime import RecordingRuntime
from gateway.runtime.recovery import Recovery
from gateway.runtime.tasks import Tasks
from gateway.runtime.world import NodeLife, RuntimeSettings, World

_log = structlog.get_logger(__name__)

MEDIA_AWAY = (
    "The media worker is not reachable. Calls that go on may still talk; new ones wait."
)


class CallRuntime:
    """Drives this node's calls while its context is open.

    The ports must be open before and be closed after it. `trace` is made first, so that the
    WhatsApp adapter can be given `trace.note` as its `on_request`.
    """

    def __init__(
        self, world: World, life: NodeLife, settings: RuntimeSettings, trace: TraceBook
    ) -> None:
        limits = settings.limits
        self._world = world
        self._limits = limits
        self._trace = trace
        self._tasks = Tasks(world.clock)
        legs = AgentLegs(world, life, legs_max=limits.agent_legs_max)
        recording = RecordingRuntime(world, life, settings, self._tasks)
        self.quota = recording.keeper
        """Accounts' recording minutes as they stand."""
        self._calls = LiveCalls(
            world,
            life,
            limits,
            tasks=self._tasks,
            trace=trace,
            legs=legs,
            recorder=recording.recorder,
            board=recording.board,
        )
        captures = recording.join(self._calls, trace)
        self._media = MediaNews(world, self._calls, legs, captures, trace, self._tasks)
        self._board = PresenceBoard(
            world, self._calls, self._tasks, poll_s=limits.presence_poll_s
        )
        self._notices = Notices(world.bus, self._board.accounts)
        lines = Lines(settings, recording.official.terms)
        self._inbox = InboxWork(
            world, lines, self._calls, self._board, self._notices, self._tasks
        )
        self._official = recording.official
        self._inbox.on_file = recording.official.on_file
        self._recovery = Recovery(world, life, self._calls, self._media)
        self.desk = CallDesk(world, self._calls, legs, self._board, lines)
        """The calls as people act on them; for the HTTP handlers."""

    async def __aenter__(self) -> Self:
        """Begin: hear the media worker, take up the calls of an earlier life, then the rest."""
        run = self._tasks.keep_running
        try:
            run(self._trace.run, name="trace")
            run(self._media.run, name="media news")
            await self._media.first_snapshot(self._limits.worker_wait_s)
            count = await self._recovery.run()
            self._media.go_on()
            run(self._inbox.run, name="inbox")
            run(self._board.run, name="presence poll")
            run(self.quota.run, name="quota keeper")
            self._official.start()
        except BaseException:
            await self._tasks.close()
            raise
        self._inbox.wake()
        _log.info("calls are driven here now", taken_up=count)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop driving. Calls are left as they are: the worker holds them for the next life."""
        await self._tasks.close()
        await self._trace.flush()

    def wake_inbox(self) -> None:
        """Say that a delivery was stored; called by the webhook endpoint after its commit."""
        self._inbox.wake()

    def media_link_changed(self, is_up: bool) -> None:
        """Say that the media worker came or went; fits the engine's `on_link`."""
        if is_up:
            self._notices.up("media_away", "The media worker is back.")
        else:
            self._notices.down("media_away", "media_back", MEDIA_AWAY)

    @property
    def live_count(self) -> int:
        """Calls driven here now, for the metrics."""
        return len(self._calls.actors())

    @property
    def crash_count(self) -> int:
        """Crashed tasks since the start, for the metrics."""
        return self._tasks.crash_count
