"""The runtime as one thing: made from the ports, started, used through its desk, stopped."""

from collections import Counter
from types import TracebackType
from typing import Self

import structlog

from gateway.core.call.call import Outcome, State
from gateway.core.ids import AccountId
from gateway.core.recording.reconcile import Verdict
from gateway.core.whatsapp import Direction
from gateway.runtime.call_desk import CallDesk
from gateway.runtime.call_trace import TraceBook
from gateway.runtime.inbox_work import InboxWork
from gateway.runtime.live_calls import LiveCalls
from gateway.runtime.media_news import MediaNews
from gateway.runtime.notices import Notice, Notices
from gateway.runtime.phone_line import Lines
from gateway.runtime.presence_board import PresenceBoard
from gateway.runtime.recording_alarm import AlarmFigures
from gateway.runtime.recording_runtime import RecordingRuntime
from gateway.runtime.recovery import Recovery
from gateway.runtime.tasks import Tasks
from gateway.runtime.world import NodeLife, RuntimeSettings, World

_log = structlog.get_logger(__name__)

MEDIA_AWAY = (
    "The media worker is not reachable. Calls that go on may still talk; new ones wait."
)
MEDIA_BACK = Notice("media_back", "The media worker is back.")
REDIS_DOWN = (
    "Redis is not reachable. Calls go on; who is on other nodes of the gateway is not known."
)
REDIS_BACK = Notice("redis_back", "Redis is back.")


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
        self._notices = Notices(world.bus, self._accounts_here)
        recording = RecordingRuntime(world, life, settings, self._tasks, self._notices)
        self._ears = recording.ears
        self.quota = recording.keeper
        """Accounts' recording minutes as they stand."""
        self._calls = LiveCalls(
            world,
            life,
            limits,
            tasks=self._tasks,
            trace=trace,
            notices=self._notices,
            recorder=recording.recorder,
            board=recording.board,
        )
        legs = self._calls.legs
        captures = recording.join(self._calls, trace)
        self._media = MediaNews(world, self._calls, legs, captures, trace, self._tasks)
        self._board = PresenceBoard(
            world, self._calls, self._tasks, poll_s=limits.presence_poll_s
        )
        lines = Lines(settings, recording.official.terms)
        self._inbox = InboxWork(
            world, lines, self._calls, self._board, self._notices, self._tasks
        )
        self._official = recording.official
        self._inbox.on_file = recording.official.on_file
        self._recovery = Recovery(world, life, self._calls, self._media)
        self.desk = CallDesk(
            world, self._calls, self._board, lines=lines, notices=self._notices
        )
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
            run(self._ears.run, name="quota ears")
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
            self._notices.up("media_away", MEDIA_BACK)
        else:
            self._notices.down("media_away", MEDIA_AWAY)

    def redis_link_changed(self, is_up: bool) -> None:
        """Say that Redis came or went; fits the link's `on_change`."""
        if is_up:
            self._notices.up("redis_down", REDIS_BACK)
        else:
            self._notices.down("redis_down", REDIS_DOWN)

    def presence_changed(self, account_id: AccountId) -> None:
        """Say that somebody of an account came, went or chose, on any node."""
        self._board.refresh(account_id)

    def _accounts_here(self) -> frozenset[AccountId]:
        return self._board.accounts()

    @property
    def live_count(self) -> int:
        """Calls driven here now, for the metrics."""
        return len(self._calls.actors())

    @property
    def leg_count(self) -> int:
        """Agents' legs on this node now."""
        return len(self._calls.legs)

    def live_counts(self) -> Counter[tuple[Direction, State]]:
        """Return the calls driven here now by direction and state."""
        return Counter((a.call.direction, a.call.state) for a in self._calls.actors())

    def ended_counts(self) -> Counter[tuple[Direction, Outcome]]:
        """Return the calls that ended here since the start by direction and outcome."""
        return self._calls.ended

    @property
    def alarm_figures(self) -> AlarmFigures | None:
        """What of recordings is at risk or lost; None while nobody knows."""
        alarm = self._official.alarm
        return None if alarm is None else alarm.figures

    def concluded_counts(self) -> Counter[Verdict]:
        """Return how recordings compared here since the start."""
        return self._official.concluded

    @property
    def crash_count(self) -> int:
        """Crashed tasks since the start, for the metrics."""
        return self._tasks.crash_count
