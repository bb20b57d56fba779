"""What became of calls' recordings, as far as a person may see it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from gateway.core.errors import NotFound
from gateway.core.ids import CallId
from gateway.core.recording.outlook import Outlook, Patience, outlook
from gateway.core.recording.report import ReconciledDay
from gateway.core.recording.transcript import Transcript
from gateway.ports.accounts import Person, Role
from gateway.ports.case_books import CaseBooks, OpenCase
from gateway.ports.cases import Transcripts
from gateway.ports.clock import Clock
from gateway.ports.jobs import JobKind, Jobs, WaitingJob
from gateway.runtime.call_view import CallView

JOBS_MAX = 1_000
"""Of an account's jobs the oldest so many are looked at."""

See = Callable[[Person, CallId], Awaitable[CallView]]
"""Shows a call; raises `NotFound` also for what is not the person's to see."""


@dataclass(frozen=True, slots=True)
class OpenRecording:
    """A recording that is not settled, why, and until when."""

    of: OpenCase
    outlook: Outlook
    job: WaitingJob | None
    """The work on it, if it waits for a file of Meta's."""


class OpenRecordings(NamedTuple):
    """One page, the oldest call first; `next_cursor` is None on the last."""

    items: Sequence[OpenRecording]
    next_cursor: str | None


class AfterCalls:
    """Used by HTTP handlers, concurrently, which let in only whom the policy names."""

    def __init__(
        self,
        *,
        see: See,
        books: CaseBooks,
        jobs: Jobs,
        transcripts: Transcripts,
        clock: Clock,
        patience: Patience,
    ) -> None:
        self._see = see
        self._books = books
        self._jobs = jobs
        self._transcripts = transcripts
        self._clock = clock
        self._patience = patience

    async def transcript(self, person: Person, call_id: CallId) -> Transcript:
        """Return what was said; agents read their own calls only. Raises `NotFound`."""
        call = await self._see(person, call_id)
        is_own = call.agent is not None and call.agent.id == person.user_id
        if person.role is Role.AGENT and not is_own:
            raise NotFound("no such call")
        found = await self._transcripts.find(call_id)
        if found is None:
            raise NotFound("no transcript of this call")
        return found

    async def open(
        self, person: Person, *, at_risk_only: bool, cursor: str | None, limit: int
    ) -> OpenRecordings:
        """List what of the account is open. Raises `BadInput`, `StoreDown`."""
        now = self._clock.wall()
        page = await self._books.open_cases(
            person.account_id,
            now=now,
            patience=self._patience,
            at_risk_only=at_risk_only,
            cursor=cursor,
            limit=limit,
        )
        waiting = await self._jobs.waiting(
            created_before=now + 1.0, account_id=person.account_id, limit=JOBS_MAX
        )
        by_call = {
            str(job.payload.get("wacid")): job
            for job in reversed(waiting)
            if job.kind is JobKind.FETCH_RECORDING
        }
        items = [
            OpenRecording(each, found, by_call.get(each.wacid or ""))
            for each in page.items
            if (found := self._outlook(each, now)) is not None
        ]
        return OpenRecordings(items, page.next_cursor)

    def _outlook(self, of: OpenCase, now: float) -> Outlook | None:
        return outlook(of.case.facts, of.case.conclusion, now=now, patience=self._patience)

    async def days(
        self, person: Person, *, since: date, until: date, zone: str
    ) -> Sequence[ReconciledDay]:
        """Add up the account's recorded calls by day. Raises `BadInput`, `StoreDown`."""
        return await self._books.days(person.account_id, since=since, until=until, zone=zone)
