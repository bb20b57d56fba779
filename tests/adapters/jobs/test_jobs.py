"""Jobs: ordered once, done by one at a time, oldest first, never forgotten."""

import asyncio
from dataclasses import replace

import pytest

from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_inbox import SqlInbox
from gateway.adapters.sql_jobs import SqlJobs
from gateway.core.jobs import Setback, pause_s
from gateway.ports.jobs import Job, JobKind, NewJob
from tests.adapters.sql.conftest import Wall
from tests.adapters.sql.rows import an_account, an_item, fresh_id

pytestmark = pytest.mark.services
KINDS = list(JobKind)
NOW = 1_790_000_000.0
LEASE_S = 60.0


def a_job(key: str, **changes: object) -> NewJob:
    job = NewJob(JobKind.FETCH_RECORDING, key, {"media_id": key}, expires_at=NOW + 7 * 86_400)
    return replace(job, **changes)  # type: ignore[arg-type]  # any field of the job


async def claim(jobs: SqlJobs, now: float = NOW, limit: int = 10) -> list[Job]:
    return list(await jobs.claim(KINDS, now=now, lease_s=LEASE_S, limit=limit))


async def test_the_same_work_ordered_twice_is_one_job(jobs: SqlJobs) -> None:
    assert await jobs.add(a_job("a"), now=NOW)
    assert not await jobs.add(a_job("a", payload={"other": 1}), now=NOW + 1)
    [job] = await claim(jobs, NOW + 2)
    assert job.payload == {"media_id": "a"}
    assert (job.tries, job.created_at) == (0, NOW)
    await jobs.done(job, now=NOW)
    assert not await jobs.add(a_job("a"), now=NOW + 3)
    assert await claim(jobs, NOW + 4) == []


async def test_a_job_and_its_webhook_are_settled_together(
    database: Database, jobs: SqlJobs, wall: Wall
) -> None:
    inbox = SqlInbox(database, wall)
    await inbox.add([an_item("one")], received_at=wall.now)
    [row] = await inbox.waiting(limit=5)
    assert await jobs.add(a_job("a"), now=wall.now, inbox_id=row.inbox_id)
    assert list(await inbox.waiting(limit=5)) == []


async def test_the_oldest_comes_first_and_only_what_is_due_and_asked_for(jobs: SqlJobs) -> None:
    for index in range(4):
        await jobs.add(a_job(f"{index}"), now=NOW - index)
    await jobs.add(a_job("words", kind=JobKind.FETCH_TRANSCRIPT), now=NOW - 100)
    found = await jobs.claim([JobKind.FETCH_RECORDING], now=NOW, lease_s=LEASE_S, limit=3)
    assert [job.payload["media_id"] for job in found] == ["3", "2", "1"]
    assert [job.payload["media_id"] for job in await claim(jobs)] == ["words", "0"]


async def test_a_lease_keeps_others_away_until_it_runs_out(jobs: SqlJobs) -> None:
    await jobs.add(a_job("a"), now=NOW)
    [first] = await claim(jobs)
    assert await claim(jobs, NOW + LEASE_S - 1) == []
    assert await jobs.extend(first, until=NOW + 2 * LEASE_S)
    assert await claim(jobs, NOW + LEASE_S + 1) == []
    [second] = await claim(jobs, NOW + 2 * LEASE_S)
    for report in (
        jobs.extend(first, until=NOW),
        jobs.done(first, now=NOW),
        jobs.put_back(first, due_at=NOW, trouble="x"),
        jobs.give_up(first, now=NOW, trouble="x"),
    ):
        assert not await report
    assert await jobs.done(second, now=NOW)
    assert not await jobs.done(second, now=NOW)


async def test_a_failed_try_is_counted_and_waits(jobs: SqlJobs) -> None:
    await jobs.add(a_job("a"), now=NOW)
    [job] = await claim(jobs)
    assert await jobs.put_back(job, due_at=NOW + 30, trouble="no answer")
    assert await claim(jobs, NOW + 29) == []
    [waiting] = await jobs.waiting(created_before=NOW + 1)
    assert (waiting.tries, waiting.trouble, waiting.due_at) == (1, "no answer", NOW + 30)
    [again] = await claim(jobs, NOW + 30)
    assert again.tries == 1
    assert await jobs.give_up(again, now=NOW + 30, trouble="too late")
    assert await claim(jobs, NOW + 10_000) == []


async def test_what_waits_is_listed_by_account_and_age(
    database: Database, jobs: SqlJobs, wall: Wall
) -> None:
    account = await an_account(database, wall)
    await jobs.add(a_job("old", account_id=account.account_id), now=NOW - 100)
    await jobs.add(a_job("new", account_id=account.account_id), now=NOW)
    await jobs.add(a_job("others"), now=NOW - 100)
    listed = await jobs.waiting(created_before=NOW, account_id=account.account_id)
    assert [job.payload["media_id"] for job in listed] == ["old"]
    assert len(await jobs.waiting(created_before=NOW)) == 2


async def test_what_will_soon_be_too_late_is_counted_by_account(
    database: Database, jobs: SqlJobs, wall: Wall
) -> None:
    account = (await an_account(database, wall)).account_id
    for key, lasts_s in (("first", 50.0), ("second", 60.0), ("patient", 500.0)):
        await jobs.add(a_job(key, account_id=account, expires_at=NOW + lasts_s), now=NOW)
    await jobs.add(a_job("nobody's", expires_at=NOW + 10), now=NOW)
    await jobs.add(a_job("done", account_id=account, expires_at=NOW + 1), now=NOW - 1)
    [done] = await jobs.claim(KINDS, now=NOW, lease_s=LEASE_S, limit=1)
    assert await jobs.done(done, now=NOW)
    late = await jobs.late([JobKind.FETCH_RECORDING], expires_before=NOW + 100)
    assert [(each.account_id, each.count, each.first_until) for each in late] == [
        (None, 1, NOW + 10),
        (account, 2, NOW + 50),
    ]
    assert await jobs.late([JobKind.FETCH_TRANSCRIPT], expires_before=NOW + 100) == []
    assert await jobs.waiting_counts() == {JobKind.FETCH_RECORDING: 4}


async def test_many_claimants_never_get_the_same_job(rivals: list[Database]) -> None:
    tables = [SqlJobs(each, fresh_id) for each in rivals]
    for index in range(24):
        await tables[0].add(a_job(str(index)), now=NOW)

    async def claim_all(jobs: SqlJobs) -> list[int]:
        found: list[int] = []
        while batch := await claim(jobs, limit=3):
            found += [job.job_id for job in batch]
            await asyncio.sleep(0)
        return found

    found = [job for each in await asyncio.gather(*map(claim_all, tables)) for job in each]
    assert len(found) == len(set(found)) == 24


@pytest.mark.parametrize("setback", Setback)
def test_pauses_grow_to_a_bound_and_never_below_what_was_asked(setback: Setback) -> None:
    pauses = [pause_s(setback, tries, chance=1.0) for tries in range(1, 60)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == pauses[-2] <= 6 * 3_600
    assert pause_s(setback, 1, chance=0.0) == pauses[0] / 2
    assert pause_s(setback, 1, chance=0.0, asked_s=100.0) == 100.0
    assert pause_s(setback, 1, chance=0.0, asked_s=1e9) == pauses[-1]
