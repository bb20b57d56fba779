"""The table of jobs in memory, and work that goes as it is told."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gateway.core.errors import StoreDown
from gateway.core.ids import AccountId, InboxId
from gateway.ports import Json
from gateway.ports.clock import Clock
from gateway.ports.jobs import Job, JobId, JobKind, LateJobs, LeaseId, NewJob, WaitingJob


@dataclass(slots=True)
class Row:
    """One job."""

    job: Job
    key: str
    account_id: AccountId | None
    due_at: float
    lease_until: float = 0.0
    trouble: str = ""
    state: str = "waiting"


class FakeJobs:
    """The port `Jobs`; a port's contract is proved on the real ones."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.is_down = False
        self._ids = itertools.count(1)

    async def _reach(self) -> None:
        await asyncio.sleep(0.001)
        if self.is_down:
            raise StoreDown("the fake store is down")

    async def add(self, job: NewJob, *, now: float, inbox_id: InboxId | None = None) -> bool:
        await self._reach()
        if job.key in self.rows:
            return False
        payload: Mapping[str, Json] = dict(job.payload)
        made = Job(
            JobId(next(self._ids)), LeaseId(""), job.kind, payload, now, job.expires_at, 0
        )
        self.rows[job.key] = Row(made, job.key, job.account_id, due_at=now)
        return True

    async def claim(
        self, kinds: Sequence[JobKind], *, now: float, lease_s: float, limit: int
    ) -> Sequence[Job]:
        await self._reach()
        free = [
            row
            for row in self.rows.values()
            if row.state == "waiting"
            and row.job.kind in kinds
            and row.due_at <= now
            and row.lease_until <= now
        ]
        free.sort(key=lambda row: (row.job.created_at, row.job.job_id))
        for row in free[:limit]:
            row.job = replace(row.job, lease_id=LeaseId(str(next(self._ids))))
            row.lease_until = now + lease_s
        return [row.job for row in free[:limit]]

    async def extend(self, job: Job, *, until: float) -> bool:
        return await self._change(job, lambda row: setattr(row, "lease_until", until))

    async def done(self, job: Job, *, now: float) -> bool:
        return await self._change(job, lambda row: setattr(row, "state", "done"))

    async def put_back(self, job: Job, *, due_at: float, trouble: str) -> bool:
        def change(row: Row) -> None:
            row.job = replace(row.job, tries=row.job.tries + 1, lease_id=LeaseId(""))
            row.lease_until, row.due_at, row.trouble = 0.0, due_at, trouble

        return await self._change(job, change)

    async def give_up(self, job: Job, *, now: float, trouble: str) -> bool:
        return await self._change(job, lambda row: setattr(row, "state", "failed"))

    async def waiting(
        self, *, created_before: float, account_id: AccountId | None = None, limit: int = 100
    ) -> Sequence[WaitingJob]:
        await self._reach()
        return [
            WaitingJob(
                row.job.job_id,
                row.job.kind,
                row.account_id,
                row.job.payload,
                row.job.created_at,
                row.job.expires_at,
                row.due_at,
                row.job.tries,
                row.trouble,
            )
            for row in self.rows.values()
            if row.state == "waiting" and row.job.created_at < created_before
        ][:limit]

    async def late(
        self, kinds: Sequence[JobKind], *, expires_before: float
    ) -> Sequence[LateJobs]:
        await self._reach()
        found: dict[tuple[AccountId | None, JobKind], LateJobs] = {}
        for row in self.rows.values():
            is_late = row.state == "waiting" and row.job.expires_at < expires_before
            if is_late and row.job.kind in kinds:
                key = (row.account_id, row.job.kind)
                known = found.get(key, LateJobs(*key, 0, row.job.expires_at, 0))
                found[key] = LateJobs(
                    *key,
                    known.count + 1,
                    min(known.first_until, row.job.expires_at),
                    known.tries + row.job.tries,
                )
        return list(found.values())

    async def waiting_counts(self) -> Mapping[JobKind, int]:
        await self._reach()
        return Counter(row.job.kind for row in self.rows.values() if row.state == "waiting")

    async def _change(self, job: Job, change: Callable[[Row], None]) -> bool:
        await self._reach()
        for row in self.rows.values():
            if row.job.job_id == job.job_id and row.state == "waiting":
                if row.job.lease_id != job.lease_id:
                    return False
                change(row)
                return True
        return False


@dataclass(slots=True)
class ToldWork:
    """Carries out jobs as `act` says; remembers when each was done, tried and lost."""

    clock: Clock
    act: Callable[[Job], Exception | None] = lambda _: None
    takes_s: float = 1.0
    done: dict[JobId, float] = field(default_factory=dict)
    begun: list[JobId] = field(default_factory=list)
    gone: list[JobId] = field(default_factory=list)
    tries: int = 0
    at_once: int = 0
    at_once_max: int = 0

    async def carry_out(self, job: Job) -> None:
        self.tries += 1
        self.begun.append(job.job_id)
        self.at_once += 1
        self.at_once_max = max(self.at_once_max, self.at_once)
        try:
            await self.clock.sleep(self.takes_s)
        finally:
            self.at_once -= 1
        error = self.act(job)
        if error is not None:
            raise error
        self.done[job.job_id] = self.clock.wall()

    async def lost(self, job: Job) -> None:
        self.gone.append(job.job_id)
