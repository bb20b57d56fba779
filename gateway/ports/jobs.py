"""Work that must be done some time, survives every crash, and is done by one at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType, Protocol

from gateway.core.ids import AccountId, InboxId
from gateway.core.jobs import Setback
from gateway.ports import Json

JobId = NewType("JobId", int)
LeaseId = NewType("LeaseId", str)


class JobKind(StrEnum):
    """What has to be done."""

    FETCH_RECORDING = "fetch_recording"
    FETCH_TRANSCRIPT = "fetch_transcript"
    STORE = "store"
    """Move a recording's file to where it is to be kept."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """Work as it is ordered."""

    kind: JobKind
    key: str
    """The same work ordered twice is one job; up to 200 characters."""
    payload: Mapping[str, Json]
    expires_at: float
    """Wall clock; afterwards there is nothing left to be done."""
    account_id: AccountId | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """Work in hand. `lease_id` must be shown to report on it."""

    job_id: JobId
    lease_id: LeaseId
    kind: JobKind
    payload: Mapping[str, Json]
    created_at: float
    expires_at: float
    tries: int
    """Tries before this one."""


@dataclass(frozen=True, slots=True)
class WaitingJob:
    """Work that nobody has finished, as a person sees it."""

    job_id: JobId
    kind: JobKind
    account_id: AccountId | None
    payload: Mapping[str, Json]
    created_at: float
    expires_at: float
    due_at: float
    tries: int
    trouble: str
    """What the last try said; empty before the first."""


@dataclass(frozen=True, slots=True)
class LateJobs:
    """Work of one account and kind that will soon be too late."""

    account_id: AccountId | None
    kind: JobKind
    count: int
    first_until: float
    """When the first of it is lost."""
    tries: int
    """Tries so far, of all of it."""


class Jobs(Protocol):
    """The table of jobs. Every method is one transaction and raises `StoreDown`.

    Times are wall clock, in seconds.
    """

    async def add(self, job: NewJob, *, now: float, inbox_id: InboxId | None = None) -> bool:
        """Order work, due at once; close the inbox row it came from in the same transaction.

        False: it had been ordered before.
        """

    async def claim(
        self, kinds: Sequence[JobKind], *, now: float, lease_s: float, limit: int
    ) -> Sequence[Job]:
        """Lease jobs that are due and that nobody holds, the oldest first.

        A job whose holder let its lease run out is free again.
        """

    async def extend(self, job: Job, *, until: float) -> bool:
        """Hold a job for longer; False: it is no longer ours."""

    async def done(self, job: Job, *, now: float) -> bool:
        """Close a job; False: it was no longer ours, and nothing changed."""

    async def put_back(self, job: Job, *, due_at: float, trouble: str) -> bool:
        """Count a try that failed and release the job; False as in `done`."""

    async def give_up(self, job: Job, *, now: float, trouble: str) -> bool:
        """Close a job as failed for good; False as in `done`."""

    async def waiting(
        self, *, created_before: float, account_id: AccountId | None = None, limit: int = 100
    ) -> Sequence[WaitingJob]:
        """List unfinished jobs older than a moment, the oldest first."""

    async def late(
        self, kinds: Sequence[JobKind], *, expires_before: float
    ) -> Sequence[LateJobs]:
        """Count unfinished jobs that will be too late then, by account and kind."""

    async def waiting_counts(self) -> Mapping[JobKind, int]:
        """Count all unfinished jobs by kind, for the metrics; none of a kind is left out."""


class TryLater(Exception):
    """A job could not be done now."""

    def __init__(self, setback: Setback, trouble: str, *, after_s: float | None = None) -> None:
        """`trouble` is a stable word or two for people, without personal data."""
        super().__init__(trouble)
        self.setback = setback
        self.trouble = trouble
        self.after_s = after_s


class NotWanted(Exception):
    """A job has become pointless: it is closed, and nothing is lost."""


class JobWork(Protocol):
    """Does the jobs of one kind. May be called again for a job that it has done."""

    async def carry_out(self, job: Job) -> None:
        """Do it. Raises `TryLater`, `NotWanted` or `StoreDown`."""

    async def lost(self, job: Job) -> None:
        """It is too late for it: draw the conclusions. Raises `StoreDown`."""
