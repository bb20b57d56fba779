"""All parts of recording, joined with the calls that are recorded."""

import random

import structlog

from gateway.core.call.events import RecordingDone
from gateway.core.errors import NotOwner, VersionConflict
from gateway.core.ids import CallId
from gateway.runtime.call_recorder import CallRecorder
from gateway.runtime.call_trace import TraceBook
from gateway.runtime.capture_board import CaptureBoard
from gateway.runtime.captures import CaptureParts, Captures
from gateway.runtime.live_calls import LiveCalls
from gateway.runtime.notices import Notices
from gateway.runtime.official_runtime import OfficialRuntime
from gateway.runtime.quota_ears import QuotaEars
from gateway.runtime.quota_keeper import QuotaKeeper
from gateway.runtime.quota_keeper_news import BusQuotaNews
from gateway.runtime.recording_work import RecordingWork
from gateway.runtime.tasks import Tasks
from gateway.runtime.world import NodeLife, RuntimeSettings, World

_log = structlog.get_logger(__name__)
_chance = random.SystemRandom()


class RecordingRuntime:
    """Made before the calls, which order through `recorder` and look at `board`; then joined.

    `keeper.run` and `ears.run` must be kept running.
    """

    def __init__(
        self,
        world: World,
        life: NodeLife,
        settings: RuntimeSettings,
        tasks: Tasks,
        notices: Notices,
    ) -> None:
        self._world = world
        self._life = life
        self._limits = settings.limits
        self._tasks = tasks
        self._calls: LiveCalls | None = None
        self.board = CaptureBoard(self._capture_changed)
        self.keeper = QuotaKeeper(
            minutes=world.minutes,
            news=BusQuotaNews(world.bus, life.node_id, world.clock.wall, self.board.forecast),
            clock=world.clock,
            tasks=tasks,
            new_id=world.new_id,
            bounds=settings.keeper,
        )
        self.ears = QuotaEars(self.keeper, world, life, tasks)
        self.recorder = CallRecorder(world, life, self.keeper)
        self.official = OfficialRuntime(
            world,
            tasks,
            bounds=settings.jobs,
            chance=_chance.random,
            balance_changed=self.keeper.balance_changed,
            alarm=settings.alarm,
            notices=notices,
        )
        self.recorder.official = self.official

    def join(self, calls: LiveCalls, trace: TraceBook) -> Captures:
        """Join with the calls; return what has to hear of the media worker's captures."""
        self._calls = calls
        work = RecordingWork(
            self._world.recordings,
            self._world.assembler,
            self.keeper,
            clock=self._world.clock,
            tasks=self._tasks,
            tell=self._tell_recorded,
            at_once_max=self._limits.assemblies_max,
        )
        parts = CaptureParts(
            keeper=self.keeper,
            recorder=self.recorder,
            calls=calls,
            board=self.board,
            work=work,
            trace=trace,
            tasks=self._tasks,
        )
        return Captures(self._world, self._life, parts)

    def _capture_changed(self, call_id: CallId) -> None:
        if self._calls is not None:
            self._calls.publish_recording(call_id)

    async def _tell_recorded(self, call_id: CallId, duration_ms: int) -> None:
        """Tell a call of its recording; one that another node drives by now is left alone."""
        assert self._calls is not None
        try:
            await self._calls.deliver(call_id, RecordingDone(duration_ms))
        except (NotOwner, VersionConflict):
            _log.info("a recording was made for a call of another node", call_id=call_id)
        await self.official.local_made(call_id)
