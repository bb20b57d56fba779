"""What the media worker tells about captures, on its way to minutes, calls and recordings.

The keeper answers budgets, the board shows people what happens, and a capture that is over
becomes a recording. A worker that died leaves files; its minutes stay reserved until they are
recordings too.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import assert_never

import structlog

from gateway.core.errors import MediaError, StoreDown
from gateway.core.ids import AccountId, CallId
from gateway.core.quota.charge import Charge
from gateway.core.quota.lease import WorkerId
from gateway.core.recording.stage import RecordingStage
from gateway.ports import Json
from gateway.ports.calls import TraceLine
from gateway.ports.media import (
    BudgetRanLow,
    CaptureEvent,
    CaptureState,
    CaptureStopped,
    CapturesWrote,
    CaptureWent,
    SegmentFinished,
    WorkerBack,
)
from gateway.runtime.call_recorder import CallRecorder
from gateway.runtime.call_trace import TraceBook
from gateway.runtime.capture_board import CaptureBoard
from gateway.runtime.live_calls import LiveCalls
from gateway.runtime.quota_keeper import QuotaKeeper
from gateway.runtime.recording_work import RecordingWork
from gateway.runtime.tasks import Cancel, Tasks
from gateway.runtime.world import NodeLife, World

_log = structlog.get_logger(__name__)

RETRY_S = 1.0
RETRY_MAX_S = 30.0
FILES_WAIT_S = 3.0
"""After its end a capture's last file may be on its way to the disk so long."""
WANTING = frozenset({"quota", "grant_late", "ledger_unreachable", "budget_closed"})
"""Reasons of stops that end by themselves when more minutes are granted."""
NEWS_MAX = 10_000
"""News that may wait while a worker is taken over: a few for each capture."""


@dataclass(slots=True)
class _Ending:
    """A capture's files as they are finished."""

    finished: int = 0
    expected: int | None = None
    """Known once the capture is over."""


@dataclass(slots=True)
class _Worker:
    """The worker that is connected."""

    worker_id: WorkerId
    is_taken_over: bool = False
    waiting: deque[CaptureEvent] = field(default_factory=lambda: deque(maxlen=NEWS_MAX))


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at the files of dead workers."""

    began_at: float
    has_closed_all: bool


@dataclass(frozen=True, slots=True)
class CaptureParts:
    """What captures concern."""

    keeper: QuotaKeeper
    recorder: CallRecorder
    calls: LiveCalls
    board: CaptureBoard
    work: RecordingWork
    trace: TraceBook
    tasks: Tasks


class Captures:
    """One per node, for its media worker."""

    def __init__(self, world: World, life: NodeLife, parts: CaptureParts) -> None:
        self._world = world
        self._life = life
        self._keeper = parts.keeper
        self._recorder = parts.recorder
        self._calls = parts.calls
        self._board = parts.board
        self._work = parts.work
        self._trace = parts.trace
        self._tasks = parts.tasks
        self._worker: _Worker | None = None
        self._endings: dict[CallId, _Ending] = {}
        self._taking_over: Cancel | None = None
        self._recovering: set[WorkerId] = set()
        self._looking = asyncio.Lock()
        self._last_look: _Look | None = None
        parts.recorder.over = self._find_and_finish
        parts.recorder.unanswered = parts.keeper.unclear = self._clear_up

    # --- a worker is back --------------------------------------------------------------------

    def worker_back(self, event: WorkerBack) -> None:
        """Take over what a worker has; what it tells meanwhile waits."""
        former = self._worker
        is_same = former is not None and former.worker_id == event.worker_id
        self._worker = _Worker(event.worker_id)
        if former is not None and is_same and not former.is_taken_over:
            # The snapshot may be older than what waits, and both may be told again.
            self._worker.waiting.extend(former.waiting)
        if self._taking_over is not None:
            self._taking_over()
        self._taking_over = self._tasks.spawn(
            self._take_over(self._worker, event),
            name="take over captures",
            on_crash=lambda: None,
        )

    async def _take_over(self, worker: _Worker, event: WorkerBack) -> None:
        while True:
            try:
                await self._world.recordings.note_worker(
                    event.worker_id, self._life.node_id, now=self._world.clock.wall()
                )
                await self._leave_former(event.worker_id)
                await self._keeper.worker_back(
                    event.worker_id, self._world.budgets, event.budgets
                )
                break
            except (StoreDown, MediaError) as error:
                _log.warning("captures are taken over later", reason=type(error).__name__)
                await self._world.clock.sleep(RETRY_S)
        self._show(event)
        worker.is_taken_over = True
        self._recorder.worker_is(event.worker_id)
        while worker.waiting:
            self._tell(worker.waiting.popleft())
        await self._mend(event)
        await self._recover()

    async def _leave_former(self, worker_id: WorkerId) -> None:
        """What an earlier worker of this node held waits for its files from now on."""
        for other in await self._world.recordings.unrecovered(self._life.node_id):
            if other != worker_id:
                await self._keeper.worker_gone(other)

    def _show(self, event: WorkerBack) -> None:
        for capture in event.captures:
            self._keeper.written({capture.call_id: capture.written_ms}, {})
            if capture.state is CaptureState.ENDED:
                self._endings.setdefault(capture.call_id, _Ending())
                self._await_files(capture.call_id)
                continue
            self._state(capture.call_id, capture.state, capture.reason)
            self._board.wrote(capture.call_id, capture.written_ms)

    async def _mend(self, event: WorkerBack) -> None:
        """Stop captures of calls that are over, and finish what ended while nobody listened."""
        seen = {capture.call_id for capture in event.captures}
        for call_id in seen:
            if not self._is_wanted(call_id):
                await self._recorder.end(call_id)
        for charge in await self._unsettled(event.worker_id):
            if charge.call_id not in seen and not self._is_wanted(charge.call_id):
                self._over(charge.call_id, charge.account_id)

    def _is_wanted(self, call_id: CallId) -> bool:
        """Whether a live call is being captured, or is about to be."""
        if self._recorder.is_starting(call_id):
            return True
        actor = self._calls.actor(call_id)
        if actor is None or actor.call.is_ended:
            return False
        return actor.call.recording.stage is RecordingStage.CAPTURING

    def _clear_up(self, call_id: CallId) -> None:
        """Ask until the worker tells that a call's capture is over."""
        self._tasks.spawn(
            self._until_ended(call_id), name="unclear capture", on_crash=lambda: None
        )

    async def _until_ended(self, call_id: CallId) -> None:
        while not await self._recorder.ask_to_end(call_id):
            await self._world.clock.sleep(RETRY_S)

    # --- workers that died -------------------------------------------------------------------

    async def _recover(self) -> None:
        """Make recordings of all that dead workers of this node wrote."""
        for worker_id in await self._dead_workers():
            self._recovering.add(worker_id)
            self._tasks.spawn(
                self._recover_worker(worker_id),
                name="recovery of captures",
                on_crash=partial(self._recovering.discard, worker_id),
            )

    async def _dead_workers(self) -> list[WorkerId]:
        """Return those that nobody looks after yet."""
        living = None if self._worker is None else self._worker.worker_id
        while True:
            try:
                await self._work.clean_up()
                known = await self._world.recordings.unrecovered(self._life.node_id)
                return [e for e in known if e != living and e not in self._recovering]
            except StoreDown:
                await self._world.clock.sleep(RETRY_S)

    async def _recover_worker(self, worker_id: WorkerId) -> None:
        pause_s = RETRY_S
        while not await self._is_recovered(worker_id):
            await self._world.clock.sleep(pause_s)
            pause_s = min(pause_s * 2, RETRY_MAX_S)
        self._recovering.discard(worker_id)

    async def _is_recovered(self, worker_id: WorkerId) -> bool:
        """Return once all is a recording and charged; False: try again from the start.

        What could not be made a recording is never charged with nothing for that.
        """
        try:
            if not await self._are_files_closed():
                return False
            await self._work.all_of(await self._world.minutes.unsettled(worker_id))
            if not await self._keeper.recovered(worker_id):
                return False
            now = self._world.clock.wall()
            await self._world.recordings.note_recovered(worker_id, now=now)
        except StoreDown:
            return False
        return True

    async def _are_files_closed(self) -> bool:
        """Close what dead workers left open; a look that began after the asking is enough.

        Lives that ended early leave many dead workers, and each look is at the files of all.
        """
        asked_at = self._world.clock.monotonic()
        async with self._looking:
            if self._last_look is None or self._last_look.began_at < asked_at:
                began_at = self._world.clock.monotonic()
                self._last_look = _Look(began_at, await self._world.assembler.recover())
            return self._last_look.has_closed_all

    # --- single events -----------------------------------------------------------------------

    def note(self, event: CaptureEvent) -> None:
        """Take what the worker tells."""
        worker = self._worker
        if worker is None:
            return
        if worker.is_taken_over:
            self._tell(event)
        elif not isinstance(event, BudgetRanLow | CapturesWrote):
            # Those two are said again.
            worker.waiting.append(event)

    def _tell(self, event: CaptureEvent) -> None:
        self._trace_of(event)
        match event:
            case BudgetRanLow(low):
                self._keeper.budget_low(low)
            case CapturesWrote(captures, budgets):
                self._keeper.written(captures, budgets)
                for call_id, written_ms in captures.items():
                    self._board.wrote(call_id, written_ms)
            case CaptureWent(call_id):
                self._state(call_id, CaptureState.RECORDING, None)
            case CaptureStopped():
                self._stopped(event)
            case SegmentFinished(call_id):
                self._segment_finished(call_id)
            case _:
                assert_never(event)

    def _trace_of(self, event: CaptureEvent) -> None:
        match event:
            case CaptureWent(call_id, at, segment):
                line = TraceLine(
                    call_id,
                    at,
                    "media",
                    "capture_went",
                    {"segment": segment},
                    is_evidence=True,
                )
            case CaptureStopped(call_id, at, reason, recorded_ms):
                fields: dict[str, Json] = {"reason": reason, "recorded_ms": recorded_ms}
                line = TraceLine(
                    call_id, at, "media", "capture_stopped", fields, is_evidence=True
                )
            case _:
                return
        self._trace.note(line)

    def _state(self, call_id: CallId, state: CaptureState, reason: str | None) -> None:
        if state is CaptureState.RECORDING:
            self._keeper.capture_going(call_id)
        else:
            self._keeper.capture_stopped(call_id, for_want_of_minutes=reason in WANTING)
        self._board.set_state(call_id, state, reason)

    def _stopped(self, event: CaptureStopped) -> None:
        self._board.wrote(event.call_id, event.recorded_ms)
        if not event.is_final:
            self._state(event.call_id, CaptureState.STOPPED, event.reason)
            return
        ending = self._endings.setdefault(event.call_id, _Ending())
        ending.expected = event.files
        self._board.forget(event.call_id)
        if not self._is_over(event.call_id, ending):
            self._await_files(event.call_id)

    def _segment_finished(self, call_id: CallId) -> None:
        ending = self._endings.setdefault(call_id, _Ending())
        ending.finished += 1
        self._is_over(call_id, ending)

    def _is_over(self, call_id: CallId, ending: _Ending) -> bool:
        if ending.expected is None or ending.finished < ending.expected:
            return False
        self._find_and_finish(call_id)
        return True

    def _await_files(self, call_id: CallId) -> None:
        self._tasks.spawn(
            self._give_up_waiting(call_id), name="last file", on_crash=lambda: None
        )

    async def _give_up_waiting(self, call_id: CallId) -> None:
        """Files that were finished while nobody listened are not told of again."""
        await self._world.clock.sleep(FILES_WAIT_S)
        if call_id in self._endings:
            self._find_and_finish(call_id)

    def _find_and_finish(self, call_id: CallId) -> None:
        self._endings.pop(call_id, None)
        self._tasks.spawn(self._finish(call_id), name="capture is over", on_crash=lambda: None)

    async def _finish(self, call_id: CallId) -> None:
        if self._worker is None:
            return
        for charge in await self._unsettled(self._worker.worker_id):
            if charge.call_id == call_id:
                self._over(call_id, charge.account_id)

    async def _unsettled(self, worker_id: WorkerId) -> Sequence[Charge]:
        """Return the calls of a worker that are not charged yet, however long that takes."""
        while True:
            try:
                return await self._world.minutes.unsettled(worker_id)
            except StoreDown:
                await self._world.clock.sleep(RETRY_S)

    def _over(self, call_id: CallId, account_id: AccountId) -> None:
        """A capture has ended and its files are closed."""
        self._endings.pop(call_id, None)
        self._board.forget(call_id)
        self._keeper.capture_over(call_id)
        self._work.begin(call_id, account_id)
