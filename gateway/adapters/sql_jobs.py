"""The table of jobs in SQL (port `Jobs`)."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, func, literal_column, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from gateway.adapters.sql_engine import Database, rows_changed
from gateway.adapters.sql_inbox import mark_done
from gateway.adapters.sql_job_schema import jobs
from gateway.core.ids import AccountId, InboxId
from gateway.ports.clock import NewId
from gateway.ports.jobs import Job, JobId, JobKind, Jobs, LateJobs, LeaseId, NewJob, WaitingJob

_is_waiting = jobs.c.state == literal_column("'waiting'")


async def close_job(
    connection: AsyncConnection, job: Job, *, now: float, state: str = "done", trouble: str = ""
) -> bool:
    """Close a job inside the caller's transaction; False: it is no longer the caller's."""
    closed = await connection.execute(
        update(jobs)
        .where(jobs.c.job_id == job.job_id, jobs.c.lease_id == job.lease_id, _is_waiting)
        .values(state=state, closed_at=now, lease_id=None, trouble=trouble)
    )
    return rows_changed(closed) == 1


class SqlJobs(Jobs):
    """Jobs of all nodes; leases keep two from doing the same."""

    def __init__(self, database: Database, new_id: NewId) -> None:
        self._database = database
        self._new_id = new_id

    @override
    async def add(self, job: NewJob, *, now: float, inbox_id: InboxId | None = None) -> bool:
        insert = self._database.insert_new(jobs).on_conflict_do_nothing(index_elements=["key"])
        async with self._database.writing() as connection:
            added = await connection.execute(
                insert.values(
                    kind=job.kind.value,
                    key=job.key,
                    account_id=job.account_id,
                    payload=dict(job.payload),
                    created_at=now,
                    expires_at=job.expires_at,
                    due_at=now,
                    tries=0,
                    state="waiting",
                    lease_until=0.0,
                    trouble="",
                )
            )
            is_new = rows_changed(added) == 1
            if inbox_id is not None:
                note = f"{job.kind} ordered" if is_new else "ordered before"
                await mark_done(connection, inbox_id, at=now, note=note)
        return is_new

    @override
    async def claim(
        self, kinds: Sequence[JobKind], *, now: float, lease_s: float, limit: int
    ) -> Sequence[Job]:
        lease_id = LeaseId(self._new_id())
        free = (
            select(jobs)
            .where(
                _is_waiting,
                jobs.c.kind.in_([kind.value for kind in kinds]),
                jobs.c.due_at <= now,
                jobs.c.lease_until <= now,
            )
            .order_by(jobs.c.created_at, jobs.c.job_id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        async with self._database.writing() as connection:
            rows = (await connection.execute(free)).all()
            if rows:
                await connection.execute(
                    update(jobs)
                    .where(jobs.c.job_id.in_([row.job_id for row in rows]))
                    .values(lease_id=lease_id, lease_until=now + lease_s)
                )
        return [_job_of(row, lease_id) for row in rows]

    @override
    async def extend(self, job: Job, *, until: float) -> bool:
        return await self._change(job, lease_until=until)

    @override
    async def done(self, job: Job, *, now: float) -> bool:
        async with self._database.writing() as connection:
            return await close_job(connection, job, now=now)

    @override
    async def put_back(self, job: Job, *, due_at: float, trouble: str) -> bool:
        return await self._change(
            job,
            lease_id=None,
            lease_until=0.0,
            due_at=due_at,
            trouble=trouble,
            tries=jobs.c.tries + 1,
        )

    @override
    async def give_up(self, job: Job, *, now: float, trouble: str) -> bool:
        async with self._database.writing() as connection:
            return await close_job(connection, job, now=now, state="failed", trouble=trouble)

    @override
    async def waiting(
        self, *, created_before: float, account_id: AccountId | None = None, limit: int = 100
    ) -> Sequence[WaitingJob]:
        query = (
            select(jobs)
            .where(_is_waiting, jobs.c.created_at < created_before)
            .order_by(jobs.c.created_at, jobs.c.job_id)
            .limit(limit)
        )
        if account_id is not None:
            query = query.where(jobs.c.account_id == account_id)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [_waiting_of(row) for row in rows]

    @override
    async def late(
        self, kinds: Sequence[JobKind], *, expires_before: float
    ) -> Sequence[LateJobs]:
        query = (
            select(
                jobs.c.account_id,
                jobs.c.kind,
                func.count().label("jobs"),
                func.min(jobs.c.expires_at).label("first_until"),
                func.sum(jobs.c.tries).label("tries"),
            )
            .where(
                _is_waiting,
                jobs.c.kind.in_([kind.value for kind in kinds]),
                jobs.c.expires_at < expires_before,
            )
            .group_by(jobs.c.account_id, jobs.c.kind)
            .order_by(func.min(jobs.c.expires_at))
        )
        async with self._database.reading() as connection:
            return [
                LateJobs(
                    account_id=None if row.account_id is None else AccountId(row.account_id),
                    kind=JobKind(row.kind),
                    count=row.jobs,
                    first_until=row.first_until,
                    tries=int(row.tries),
                )
                for row in await connection.execute(query)
            ]

    @override
    async def waiting_counts(self) -> Mapping[JobKind, int]:
        query = select(jobs.c.kind, func.count()).where(_is_waiting).group_by(jobs.c.kind)
        async with self._database.reading() as connection:
            return {JobKind(kind): count for kind, count in await connection.execute(query)}

    async def _change(self, job: Job, **values: object) -> bool:
        async with self._database.writing() as connection:
            changed = await connection.execute(
                update(jobs)
                .where(
                    jobs.c.job_id == job.job_id, jobs.c.lease_id == job.lease_id, _is_waiting
                )
                .values(**values)
            )
            return rows_changed(changed) == 1


def _job_of(row: Row[Any], lease_id: LeaseId) -> Job:
    return Job(
        job_id=JobId(row.job_id),
        lease_id=lease_id,
        kind=JobKind(row.kind),
        payload=dict(row.payload),
        created_at=row.created_at,
        expires_at=row.expires_at,
        tries=row.tries,
    )


def _waiting_of(row: Row[Any]) -> WaitingJob:
    return WaitingJob(
        job_id=JobId(row.job_id),
        kind=JobKind(row.kind),
        account_id=None if row.account_id is None else AccountId(row.account_id),
        payload=dict(row.payload),
        created_at=row.created_at,
        expires_at=row.expires_at,
        due_at=row.due_at,
        tries=row.tries,
        trouble=row.trouble,
    )
