"""All parts of official recordings, joined with the calls they are made of."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import structlog

from gateway.core.call.call import Call
from gateway.core.call.recording import plan
from gateway.core.ids import AccountId, CallId
from gateway.core.recording.announcement import Kind, capture_delay_ms
from gateway.core.recording.facts import MISSING, LocalCopy, Mode, Segment, local_copy
from gateway.core.recording.reconcile import Verdict
from gateway.core.recording.stage import NotRecorded
from gateway.core.recording.wish import Terms, Wish
from gateway.ports.accounts import Number
from gateway.ports.cases import Case, FilesDown, Opening
from gateway.ports.jobs import JobKind
from gateway.runtime.codec import call_from_json
from gateway.runtime.job_runner import JobRunner
from gateway.runtime.notices import Notices
from gateway.runtime.official_intake import OfficialIntake, OnFile
from gateway.runtime.official_work import FetchRecording, FetchTranscript, OfficialCalls
from gateway.runtime.reconciler import Reconciler
from gateway.runtime.recording_alarm import RecordingAlarm
from gateway.runtime.recording_news import tell_outcome
from gateway.runtime.tasks import Tasks
from gateway.runtime.world import AlarmBounds, JobBounds, Official, World

_log = structlog.get_logger(__name__)

QUOTA = "quota"
"""Why a segment ended that nothing more was granted for (`StopReason` of the worker)."""


class OfficialRuntime:
    """One per node; without the ports of official recordings it asks and expects nothing."""

    def __init__(  # noqa: PLR0913 (each is a part it joins)
        self,
        world: World,
        tasks: Tasks,
        *,
        bounds: JobBounds,
        chance: Callable[[], float],
        balance_changed: Callable[[AccountId], None],
        alarm: AlarmBounds,
        notices: Notices,
    ) -> None:
        self._world = world
        self._tasks = tasks
        self._bounds = bounds
        self._balance_changed = balance_changed
        self.alarm: RecordingAlarm | None = None
        """Knows what is at risk."""
        self.concluded: Counter[Verdict] = Counter()
        """Conclusions that were drawn here."""
        self._runner: JobRunner | None = None
        self._reconciler: Reconciler | None = None
        self.on_file: OnFile | None = None
        """Takes note of files that Meta announces."""
        if world.official is not None:
            self._join(world.official, chance)
            self.alarm = RecordingAlarm(
                world.official.jobs, world.official.books, notices, world.clock, alarm
            )

    def _join(self, official: Official, chance: Callable[[], float]) -> None:
        world, clock = self._world, self._world.clock
        reconciler = Reconciler(
            official.cases,
            official.files,
            clock,
            free_ms=self._free_ms,
            concluded=self._concluded,
        )
        calls = OfficialCalls(world.calls, official.cases, world.directory, clock)
        runner = JobRunner(
            official.jobs,
            {
                JobKind.FETCH_RECORDING: FetchRecording(
                    calls, official.media, official.files, reconciler
                ),
                JobKind.FETCH_TRANSCRIPT: FetchTranscript(
                    calls, official.media, official.transcripts, clock
                ),
            },
            clock=clock,
            tasks=self._tasks,
            chance=chance,
            bounds=self._bounds,
        )
        self._runner, self._reconciler = runner, reconciler
        self.on_file = OfficialIntake(
            official.jobs, world.inbox, world.directory, clock, wake=runner.wake
        )

    def start(self) -> None:
        """Begin to fetch, and to look at what is due."""
        for part, name in (
            (self._runner, "jobs"),
            (self._reconciler, "recordings compared"),
            (self.alarm, "recordings at risk"),
        ):
            if part is not None:
                self._tasks.keep_running(part.run, name=name)

    # --- when a call begins ------------------------------------------------------------------

    async def terms(self, number: Number) -> Terms:
        """Return what a new call of a number takes along. Raises `StoreDown`."""
        official = self._world.official
        if official is None:
            return Terms(records=number.records)
        wish = (await official.wishes.of_account(number.account_id)).wish
        if wish.mode is Mode.LOCAL:
            own = await official.announcements.current(number.account_id)
            return Terms(
                wish, number.records, own_announcement=None if own is None else own.own
            )
        return Terms(wish, number.records, await self._delay_ms(official, wish))

    async def _delay_ms(self, official: Official, wish: Wish) -> int:
        if not wish.purpose:
            return 0
        announcement = wish.announcement(Kind.BOTH if wish.transcribes else Kind.RECORDING)
        measured = await official.cases.announcement_times(announcement)
        return capture_delay_ms(announcement, measured)

    # --- when a call is over -----------------------------------------------------------------

    async def open_case(self, call: Call, *, is_declined: bool) -> None:
        """Expect what Meta makes of a call that is over. Raises `StoreDown`."""
        official = self._world.official
        if official is None or call.end.at is None:
            return
        await official.cases.open(opening_of(call, is_declined=is_declined))
        if is_declined:
            # There was no capture whose file one could wait for.
            await self._tell_local(call.call_id, MISSING)

    async def local_made(self, call_id: CallId) -> None:
        """Our own recording is made, or there was nothing to make. Raises `StoreDown`."""
        if self._world.official is None:
            return
        await self._ensure_case(call_id)
        recording = await self._world.recordings.find(call_id)
        segments = () if recording is None else recording.assembled.segments
        await self._tell_local(call_id, local_copy(_segments(segments)))

    async def _ensure_case(self, call_id: CallId) -> None:
        """Open the case of a call whose own order to do so was lost."""
        official = self._world.official
        assert official is not None
        if await official.cases.load(call_id) is not None:
            return
        row = await self._world.calls.load(call_id)
        if row is not None and row.ended_at is not None:
            call = call_from_json(row.snapshot)
            is_declined = call.recording.reason is NotRecorded.DECLINED
            await official.cases.open(opening_of(call, is_declined=is_declined))

    async def _tell_local(self, call_id: CallId, copy: LocalCopy) -> None:
        assert self._reconciler is not None
        # A file that cannot be cut now is cut when its case is looked at again.
        with suppress(FilesDown):
            await self._reconciler.tell(call_id, copy)

    async def _free_ms(self, account_id: AccountId) -> int:
        minutes = await self._world.minutes.view(account_id, now=self._world.clock.wall())
        return minutes.balance.free_ms

    def _concluded(self, case: Case) -> None:
        conclusion = case.conclusion
        assert conclusion is not None
        _log.info(
            "recordings were compared",
            call_id=case.opening.call_id,
            verdict=conclusion.verdict,
            stored_ms=conclusion.stored_ms,
        )
        self.concluded[conclusion.verdict] += 1
        self._tasks.spawn(
            tell_outcome(self._world, case), name="recording news", on_crash=_nobody_is_told
        )
        self._balance_changed(case.opening.account_id)


def _nobody_is_told() -> None:
    """News that failed: whoever reads the call later is told the same."""


def opening_of(call: Call, *, is_declined: bool = False) -> Opening:
    """Return what a case begins with, for a call that has ended."""
    asked = plan(call).asked
    assert call.end.at is not None
    return Opening(
        call_id=call.call_id,
        account_id=call.identity.account_id,
        mode=Mode.LOCAL if asked.recording is None else Mode.OFFICIAL,
        ended_at=call.end.at,
        is_declined=is_declined,
        announcement=None if asked.recording is None else asked.announcement,
        delay_ms=call.terms.delay_ms,
    )


def _segments(stored: Sequence[Any]) -> list[Segment]:
    return [
        Segment(
            begins_ms=each["offset_ms"],
            duration_ms=each["duration_ms"],
            pauses=tuple((place, length) for place, length in each.get("pauses", ())),
            stopped_by_quota=each.get("end_reason") == QUOTA,
            started_at=each["started_unix_ms"] / 1000 if "started_unix_ms" in each else None,
        )
        for each in stored
        if isinstance(each, dict) and "offset_ms" in each
    ]
