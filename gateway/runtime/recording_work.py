"""Makes recordings of captures that are over: assembled, then noted and charged as one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from gateway.core.errors import StoreDown
from gateway.core.ids import AccountId, CallId
from gateway.core.quota.charge import Charge, Recorded, Stamp
from gateway.ports.clock import Clock
from gateway.ports.quota import ChargedCall
from gateway.ports.recordings import (
    Assembled,
    Assembler,
    GivenUp,
    NotAssembled,
    NothingRecorded,
    Recording,
    RecordingStore,
)
from gateway.runtime.quota_keeper import QuotaKeeper
from gateway.runtime.tasks import Tasks

_log = structlog.get_logger(__name__)

RETRY_FIRST_S = 1.0
RETRY_MAX_S = 300.0

Tell = Callable[[CallId, int], Awaitable[None]]
"""Tells a call how long its recording is, ms; raises `StoreDown` to be asked again."""


class _NotYet(Exception):
    """The files cannot be made a recording now."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class RecordingWork:
    """One per node. What fails is tried again for as long as the gateway runs.

    After a crash every part may be repeated: a recording is charged once, and its capture
    files go only when all is done.
    """

    def __init__(  # noqa: PLR0913 (each is a part it joins)
        self,
        store: RecordingStore,
        assembler: Assembler,
        keeper: QuotaKeeper,
        *,
        clock: Clock,
        tasks: Tasks,
        tell: Tell,
        at_once_max: int,
    ) -> None:
        self._store = store
        self._assembler = assembler
        self._keeper = keeper
        self._clock = clock
        self._tasks = tasks
        self._tell = tell
        self._slots = asyncio.Semaphore(at_once_max)
        self._under_way: dict[CallId, asyncio.Event] = {}

    @property
    def waiting_count(self) -> int:
        """Recordings being made, for the metrics."""
        return len(self._under_way)

    def begin(self, call_id: CallId, account_id: AccountId) -> None:
        """Make the recording of a capture that is over; asked for twice it is made once."""
        if call_id in self._under_way:
            return
        self._under_way[call_id] = asyncio.Event()
        self._tasks.spawn(
            self._until_done(call_id, account_id),
            name="recording",
            on_crash=lambda: self._done(call_id),
        )

    async def all_of(self, charges: Sequence[Charge]) -> None:
        """Make the recordings of these calls, and return when all are made."""
        for charge in charges:
            self.begin(charge.call_id, charge.account_id)
        for charge in charges:
            is_done = self._under_way.get(charge.call_id)
            if is_done is not None:
                await is_done.wait()

    async def clean_up(self) -> None:
        """Finish what a crash left between the charge and the end of the capture files.

        Raises `StoreDown`.
        """
        for call_id in await self._assembler.left_over():
            recording = await self._store.find(call_id)
            if recording is not None and call_id not in self._under_way:
                await self._tell(call_id, recording.assembled.duration_ms)
                await self._assembler.discard(call_id)

    async def _until_done(self, call_id: CallId, account_id: AccountId) -> None:
        pause_s = RETRY_FIRST_S
        while obstacle := await self._tasks.attempt(self._make(call_id, account_id)):
            self._tell_obstacle(call_id, obstacle)
            await self._clock.sleep(pause_s)
            pause_s = min(pause_s * 2, RETRY_MAX_S)
        self._done(call_id)

    def _tell_obstacle(self, call_id: CallId, obstacle: Exception) -> None:
        match obstacle:
            case StoreDown():
                pass
            case GivenUp():
                _log.warning("a recording is made once more", call_id=call_id)
            case _NotYet():
                _log.warning(
                    "a recording cannot be made yet", call_id=call_id, code=obstacle.code
                )
            case _:
                # A fault of ours; the files are there still.
                self._tasks.report("recording", obstacle)

    async def _make(self, call_id: CallId, account_id: AccountId) -> None:
        async with self._slots:
            await self._store.expect(call_id, account_id, now=self._clock.wall())
            made = await self._assembler.assemble(call_id, account_id)
            if isinstance(made, NotAssembled):
                # What may hold minutes is never given up by itself: it stays reserved.
                raise _NotYet(made.code)
            charged = await self._charge(call_id, account_id, made)
            if charged.uncovered_ms:
                _log.error(
                    "a recording is longer than what was granted",
                    call_id=call_id,
                    uncovered_ms=charged.uncovered_ms,
                )
            duration_ms = made.duration_ms if isinstance(made, Assembled) else 0
            await self._tell(call_id, duration_ms)
            await self._assembler.discard(call_id)

    async def _charge(
        self, call_id: CallId, account_id: AccountId, made: Assembled | NothingRecorded
    ) -> ChargedCall:
        now = self._clock.wall()
        if isinstance(made, NothingRecorded):
            stamp = Stamp(now, note="nothing was recorded")
            return await self._keeper.settle(call_id, account_id, Recorded(0), stamp)
        recording = Recording(call_id, account_id, made, finished_at=now)
        charged = await self._store.keep(recording, Recorded(made.duration_ms), Stamp(now))
        self._keeper.balance_changed(account_id)
        return charged

    def _done(self, call_id: CallId) -> None:
        is_done = self._under_way.pop(call_id, None)
        if is_done is not None:
            is_done.set()
