"""Jobs over days of virtual time: outages, crashes, leases, lateness."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from gateway.core.jobs import Setback
from gateway.ports.jobs import JobKind, NewJob, NotWanted, TryLater
from gateway.runtime.job_runner import JobRunner
from gateway.runtime.tasks import Tasks
from gateway.runtime.world import JobBounds
from tests.runtime.fake_jobs import FakeJobs, ToldWork
from tests.runtime.virtual_time import VirtualClock, in_virtual_time

DAY = 86_400.0
HOUR = 3_600.0


@dataclass
class Plant:
    """A runner at work."""

    clock: VirtualClock
    jobs: FakeJobs
    work: ToldWork
    runner: JobRunner
    tasks: Tasks

    async def order(self, count: int = 1, *, lasts_s: float = 7 * DAY) -> None:
        now = self.clock.wall()
        for _ in range(count):
            key = f"job {len(self.jobs.rows)}"
            job = NewJob(JobKind.FETCH_RECORDING, key, {}, expires_at=now + lasts_s)
            await self.jobs.add(job, now=now)
            self.runner.wake()

    def states(self) -> set[str]:
        return {row.state for row in self.jobs.rows.values()}


@asynccontextmanager
async def plant(jobs: FakeJobs | None = None, *, poll_s: float = 5.0) -> AsyncIterator[Plant]:
    clock = VirtualClock()
    tasks = Tasks(clock)
    table = jobs or FakeJobs()
    work = ToldWork(clock)
    runner = JobRunner(
        table,
        {JobKind.FETCH_RECORDING: work},
        clock=clock,
        tasks=tasks,
        chance=random.Random(1).random,
        bounds=JobBounds(poll_s=poll_s),
    )
    tasks.keep_running(runner.run, name="jobs")
    try:
        yield Plant(clock, table, work, runner, tasks)
    finally:
        await tasks.close()


@in_virtual_time
async def test_with_graph_dead_for_six_days_all_is_fetched_within_an_hour_of_its_return() -> (
    None
):
    async with plant(poll_s=60.0) as at:
        began = at.clock.wall()
        back = began + 6 * DAY
        at.work.takes_s = 10.0
        at.work.act = lambda _: (
            TryLater(Setback.OUTAGE, "no answer") if at.clock.wall() < back else None
        )
        for _ in range(200):
            await at.order()
            await at.clock.sleep(60)
        await at.clock.sleep(back - at.clock.wall())
        assert not at.work.done
        tries_while_dead = at.work.tries
        await at.clock.sleep(HOUR)
        assert at.states() == {"done"}
        assert len(at.work.done) == 200
        assert max(at.work.done.values()) < began + 7 * DAY
        assert at.work.at_once_max <= 4
        # One asks every few minutes, whatever the queue.
        assert tries_while_dead < 6 * DAY / 60


@in_virtual_time
async def test_jobs_are_done_a_few_at_a_time() -> None:
    async with plant() as at:
        await at.order(40)
        await at.clock.sleep(30)
        assert at.states() == {"done"}
        assert at.work.at_once_max == 4
        assert at.work.begun == sorted(at.work.begun)


@pytest.mark.parametrize("setback", [Setback.REFUSED, Setback.DAMAGED, Setback.NOT_YET])
def test_one_job_in_trouble_does_not_hold_up_the_others(setback: Setback) -> None:
    @in_virtual_time
    async def run() -> None:
        async with plant() as at:
            await at.order(20)
            bad = at.jobs.rows["job 0"].job.job_id
            at.work.act = lambda job: TryLater(setback, "x") if job.job_id == bad else None
            await at.clock.sleep(10)
            assert len(at.work.done) == 19
            at.work.act = lambda _: None
            await at.clock.sleep(HOUR)
            assert at.states() == {"done"}

    run()


@in_virtual_time
async def test_what_is_too_late_is_lost_once() -> None:
    async with plant() as at:
        at.work.act = lambda _: TryLater(Setback.REFUSED, "status 401")
        await at.order(2, lasts_s=2 * DAY)
        await at.clock.sleep(1.5 * DAY)
        assert {row.trouble for row in at.jobs.rows.values()} == {"status 401"}
        assert at.states() == {"waiting"}
        await at.clock.sleep(DAY)
        assert at.states() == {"failed"}
        assert len(at.work.gone) == 2


@in_virtual_time
async def test_a_job_that_is_not_wanted_any_more_is_closed() -> None:
    async with plant() as at:
        at.work.act = lambda _: NotWanted("deleted")
        await at.order()
        await at.clock.sleep(10)
        assert at.states() == {"done"}
        assert not at.work.gone


@in_virtual_time
async def test_a_mistake_of_ours_is_reported_and_tried_again() -> None:
    async with plant() as at:
        at.work.act = lambda _: ZeroDivisionError()
        await at.order()
        await at.clock.sleep(10)
        assert at.tasks.crash_count >= 1
        at.work.act = lambda _: None
        await at.clock.sleep(HOUR)
        assert at.states() == {"done"}


@in_virtual_time
async def test_a_long_job_keeps_its_lease_and_a_dead_nodes_job_is_done_by_another() -> None:
    async with plant() as first:
        first.work.takes_s = 3 * HOUR
        await first.order()
        await first.clock.sleep(HOUR)
        async with plant(first.jobs) as second:
            await second.clock.sleep(HOUR)
            assert second.work.tries == 0
            # The first one dies: nothing is said, nothing put back.
            await first.tasks.close()
            await second.clock.sleep(200)
            assert second.work.tries == 1
            assert second.states() == {"done"}


@in_virtual_time
async def test_a_store_that_is_down_delays_and_loses_nothing() -> None:
    async with plant() as at:
        at.work.takes_s = 20
        await at.order(3)
        await at.clock.sleep(5)
        at.jobs.is_down = True
        await at.clock.sleep(HOUR)
        at.jobs.is_down = False
        await at.clock.sleep(300)
        assert at.states() == {"done"}


@in_virtual_time
async def test_the_other_side_may_ask_for_patience() -> None:
    async with plant() as at:
        at.work.act = lambda _: TryLater(Setback.OUTAGE, "status 429", after_s=120)
        await at.order(4)
        await at.clock.sleep(60)
        asked = at.work.tries
        await at.clock.sleep(50)
        assert at.work.tries == asked <= 4


def test_the_job_of_a_kind_nobody_does_stays() -> None:
    @in_virtual_time
    async def run() -> None:
        async with plant() as at:
            now = at.clock.wall()
            other = NewJob(JobKind.FETCH_TRANSCRIPT, "t", {}, expires_at=now + DAY)
            await at.jobs.add(other, now=now)
            at.runner.wake()
            await at.clock.sleep(60)
            assert at.states() == {"waiting"}
            assert not at.work.tries

    run()
