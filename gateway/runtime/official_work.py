"""The jobs that fetch what Meta has made of a call."""

import json
import os

import structlog

from gateway.core.errors import BadInput
from gateway.core.ids import CallId
from gateway.core.jobs import Setback
from gateway.core.recording.announcement import MARGIN_MS
from gateway.core.recording.facts import (
    Announced,
    Failed,
    Mode,
    OfficialCopy,
    OfficialFailure,
)
from gateway.core.recording.intervals import Intervals, shifted
from gateway.core.recording.reconcile import AWAITED_S, Conclusion, Verdict
from gateway.core.recording.transcript import read_transcript, within
from gateway.ports.accounts import Directory, Number
from gateway.ports.calls import CallRow, CallStore
from gateway.ports.cases import Case, Cases, FilesDown, FileWork, Transcripts, Unsound
from gateway.ports.clock import Clock
from gateway.ports.jobs import Job, JobWork, NotWanted, TryLater
from gateway.ports.official import FetchedFile, FetchFailed, FetchFault, MediaFiles
from gateway.runtime.official_intake import WantedFile, wanted_file
from gateway.runtime.reconciler import Fetched, Reconciler, laid_out

_log = structlog.get_logger(__name__)

DAMAGED_TRIES = 4
"""A file that came damaged so often counts as corrupt; it is asked for all the same."""
UNASKED_AFTER_S = 3_600.0
"""A call that ended so long ago and has no case was not to be recorded."""
OURS_NOT_READY = "our own recording is being made"
TRANSCRIPT_BYTES_MAX = 16 << 20
_SETBACKS = {
    FetchFault.NO_ANSWER: Setback.OUTAGE,
    FetchFault.NO_SPACE: Setback.OUTAGE,
    FetchFault.REFUSED: Setback.REFUSED,
    FetchFault.FOREIGN_HOST: Setback.REFUSED,
    FetchFault.TOO_LARGE: Setback.DAMAGED,
    FetchFault.WRONG_DIGEST: Setback.DAMAGED,
}


class OfficialCalls:
    """Finds what a file is about."""

    def __init__(
        self, calls: CallStore, cases: Cases, directory: Directory, clock: Clock
    ) -> None:
        self._calls = calls
        self.cases = cases
        self._directory = directory
        self._clock = clock

    async def number(self, wanted: WantedFile) -> Number:
        """Return the business number with its token. Raises `TryLater`."""
        number = await self._directory.number(wanted.phone_number_id)
        if number is None:
            raise TryLater(Setback.REFUSED, "number not configured")
        return number

    async def call(self, wanted: WantedFile) -> CallRow:
        """Return the call, once it has ended. Raises `TryLater`."""
        row = await self._calls.by_wacid(wanted.phone_number_id, wanted.wacid)
        if row is None:
            raise TryLater(Setback.NOT_YET, "call unknown")
        if row.ended_at is None:
            raise TryLater(Setback.NOT_YET, "call not over")
        return row

    def check_ours(self, case: Case) -> None:
        """Raise `TryLater` while our own recording, to compare with, is still being made."""
        is_early = self._clock.wall() < case.facts.ended_at + AWAITED_S
        if case.facts.local is None and is_early:
            raise TryLater(Setback.NOT_YET, OURS_NOT_READY)

    async def case(self, row: CallRow) -> Case | None:
        """Return the call's case; None: it was not to be recorded. Raises `TryLater`."""
        case = await self.cases.load(row.call_id)
        if case is None and self._clock.wall() < (row.ended_at or 0.0) + UNASKED_AFTER_S:
            raise TryLater(Setback.NOT_YET, "call not over")
        return case


class FetchRecording(JobWork):
    """Fetches a recording, compares it with ours, and keeps what may be kept."""

    def __init__(
        self,
        calls: OfficialCalls,
        media: MediaFiles,
        files: FileWork,
        reconciler: Reconciler,
    ) -> None:
        self._calls = calls
        self._media = media
        self._files = files
        self._reconciler = reconciler

    async def carry_out(self, job: Job) -> None:
        """See the port."""
        wanted = wanted_file(job)
        number = await self._calls.number(wanted)
        row = await self._calls.call(wanted)
        case = await self._calls.case(row)
        if case is None or case.facts.mode is Mode.LOCAL:
            raise NotWanted("nobody asked for it")
        if case.facts.is_deleted or _is_closed(case.conclusion):
            raise NotWanted("the books of its call are closed")
        if case.facts.announced_until < wanted.until:
            await self._reconciler.tell(row.call_id, Announced(wanted.until))
        self._calls.check_ours(case)
        try:
            async with self._media.hold(number, wanted.media) as fetched:
                await self._keep(case, fetched)
        except FetchFailed as failed:
            await self._note_damage(row.call_id, job, failed)
            raise TryLater(
                _SETBACKS[failed.fault], str(failed), after_s=failed.retry_after_s
            ) from failed
        except FilesDown as down:
            raise TryLater(Setback.OUTAGE, str(down)) from down

    async def lost(self, job: Job) -> None:
        """See the port."""
        wanted = wanted_file(job)
        try:
            row = await self._calls.call(wanted)
        except TryLater:
            _log.error("a recording of an unknown call was lost", job_id=job.job_id)
            return
        await self._reconciler.tell(row.call_id, Failed(OfficialFailure.EXPIRED))

    async def _keep(self, case: Case, fetched: FetchedFile) -> None:
        call_id = case.opening.call_id
        try:
            found = await self._files.inspect(
                fetched.fd,
                ours=case.files.local,
                laid_out=laid_out(case.facts.local),
                ends_ms=case.facts.ends_ms,
            )
        except Unsound as error:
            # Its digest is right, so it will never be another one.
            _log.warning("an official recording is not sound", call_id=call_id, code=str(error))
            await self._reconciler.tell(call_id, Failed(OfficialFailure.CORRUPT))
            return
        has_ours = case.facts.local is not None and case.facts.local.is_there
        copy = OfficialCopy(
            fetched.sha256,
            found.duration_ms,
            found.channels,
            offset_ms=found.offset_ms if has_ours else None,
        )
        if not await self._reconciler.settle(call_id, Fetched(fetched.fd, copy)):
            raise TryLater(Setback.NOT_YET, OURS_NOT_READY)

    async def _note_damage(self, call_id: CallId, job: Job, failed: FetchFailed) -> None:
        is_damage = _SETBACKS[failed.fault] is Setback.DAMAGED
        if is_damage and job.tries + 1 >= DAMAGED_TRIES:
            await self._reconciler.tell(call_id, Failed(OfficialFailure.CORRUPT))


class FetchTranscript(JobWork):
    """Fetches a transcript and keeps the words that were said in what is kept."""

    def __init__(
        self, calls: OfficialCalls, media: MediaFiles, transcripts: Transcripts, clock: Clock
    ) -> None:
        self._calls = calls
        self._media = media
        self._transcripts = transcripts
        self._clock = clock

    async def carry_out(self, job: Job) -> None:
        """See the port."""
        wanted = wanted_file(job)
        number = await self._calls.number(wanted)
        row = await self._calls.call(wanted)
        case = await self._calls.case(row)
        kept = None if case is None else _kept(case)
        try:
            async with self._media.hold(number, wanted.media) as fetched:
                content = _read(fetched)
        except FetchFailed as failed:
            raise TryLater(
                _SETBACKS[failed.fault], str(failed), after_s=failed.retry_after_s
            ) from failed
        try:
            transcript = read_transcript(json.loads(content))
        except (BadInput, ValueError, RecursionError) as error:
            _log.warning("a transcript is not readable", call_id=row.call_id)
            raise NotWanted("not readable") from error
        if kept is not None:
            transcript = within(transcript, kept)
        await self._transcripts.keep(
            row.call_id, row.account_id, transcript, now=self._clock.wall()
        )

    async def lost(self, job: Job) -> None:
        """See the port."""
        _log.error("a transcript was lost", job_id=job.job_id)


def _kept(case: Case) -> Intervals:
    """Return which words may be kept, in the official recording's time. Raises `TryLater`."""
    if case.facts.is_deleted:
        raise NotWanted("deleted")
    conclusion = case.conclusion
    if conclusion is None:
        raise TryLater(Setback.NOT_YET, "its recording is being compared")
    if conclusion.kept_official:
        return conclusion.kept_official
    # Without a file of Meta's, its time began as long before ours as we waited.
    return shifted(conclusion.kept_local, MARGIN_MS)


def _is_closed(conclusion: Conclusion | None) -> bool:
    if conclusion is None or not conclusion.is_final:
        return False
    return conclusion.verdict is not Verdict.LOST


def _read(fetched: FetchedFile) -> bytes:
    if fetched.bytes > TRANSCRIPT_BYTES_MAX:
        raise NotWanted("too large")
    return os.pread(fetched.fd, fetched.bytes, 0)
