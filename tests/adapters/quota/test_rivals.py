"""Truly concurrent connections that want the same minutes."""

import asyncio
import random
from dataclasses import dataclass, field

import pytest

from gateway.core.ids import CallId
from gateway.core.quota.balance import FRAME_MS, Balance
from gateway.core.quota.charge import Recorded, Stamp
from gateway.core.quota.lease import Ask, BudgetId, WorkerId
from gateway.core.quota.ledger import EntryKind
from tests.adapters.quota.conftest import Bench
from tests.adapters.sql.rows import fresh_id
from tests.conftest import Rounds

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

WORKERS = 8


@dataclass
class Capturing:
    """A worker on its own connection that writes all it is granted, until refused."""

    bench: Bench
    worker_id: WorkerId
    calls: list[CallId]
    chance: random.Random
    written_ms: int = 0
    budget_ids: list[BudgetId] = field(default_factory=list)

    async def run(self) -> None:
        opened = [
            await self.bench.minutes.open_capture(
                call, self.bench.account_id, self.worker_id, fresh=BudgetId(fresh_id())
            )
            for call in self.calls
        ]
        self.budget_ids = [budget.budget_id for budget in opened]
        budget_id, limit = self.budget_ids[0], opened[-1].granted_ms
        for number in range(1, 10_000):
            self.written_ms = limit
            ask = Ask(
                self.bench.account_id, budget_id, number, len(self.calls), self.written_ms
            )
            # A message may come twice, also at the same time on two connections.
            answers = await asyncio.gather(
                *(
                    self.bench.minutes.renew(ask, now=self.bench.wall.now)
                    for _ in range(self.chance.choice([1, 1, 2]))
                )
            )
            assert len(set(answers)) == 1
            if answers[0].refusal is not None:
                break
            assert answers[0].limit_ms > limit, "no grant without progress"
            limit = answers[0].limit_ms

    async def settle(self) -> None:
        await self.bench.minutes.close_budget(self.budget_ids[0], drawn_ms=self.written_ms)
        share, rest = divmod(self.written_ms, len(self.calls))
        for index, call in enumerate(self.calls):
            held = share + (rest if index == 0 else 0)
            done = await self.bench.minutes.settle(
                call, self.bench.account_id, Recorded(held, held), Stamp(self.bench.wall.now)
            )
            assert (done.charge.charged_ms, done.uncovered_ms) == (held, 0)


async def test_rivals_never_take_more_than_there_is_and_leave_less_than_a_frame(
    rival_benches: list[Bench], rounds: Rounds, seed: int
) -> None:
    chance = random.Random(seed)
    bench = rival_benches[0]
    for _ in range(rounds(quick=2, soak=25)):
        before = (await bench.minutes.view(bench.account_id, now=bench.wall.now)).balance
        await bench.own(before.used_ms + chance.randint(1, 70_000))
        capturing = [
            Capturing(
                rival_benches[n % len(rival_benches)],
                WorkerId(f"worker-{n}-{fresh_id()}"),
                [CallId(fresh_id()) for _ in range(chance.randint(1, 3))],
                random.Random(chance.random()),
            )
            for n in range(WORKERS)
        ]
        await asyncio.gather(*(each.run() for each in capturing))
        dry = (await bench.minutes.view(bench.account_id, now=bench.wall.now)).balance
        assert dry.overdrawn_ms == 0
        assert dry.free_ms < FRAME_MS
        assert sum(each.written_ms for each in capturing) == dry.reserved_ms
        assert all(len(set(each.budget_ids)) == 1 for each in capturing)
        await asyncio.gather(*(each.settle() for each in capturing))
        after = (await bench.minutes.view(bench.account_id, now=bench.wall.now)).balance
        assert after == Balance(dry.capacity_ms, dry.used_ms + dry.reserved_ms, 0)
        assert await bench.books.verify(bench.account_id) == []


async def test_the_last_second_is_promised_to_one_of_many(rival_benches: list[Bench]) -> None:
    bench = rival_benches[0]
    await bench.own(10_000)
    promised = await asyncio.gather(
        *(
            each.minutes.take_hold(bench.account_id, CallId(fresh_id()), now=bench.wall.now)
            for each in rival_benches * 4
        )
    )
    assert promised.count(True) == 1


async def test_a_call_settled_by_many_at_once_is_charged_once(
    rival_benches: list[Bench],
) -> None:
    bench, call = rival_benches[0], CallId(fresh_id())
    await bench.own(600_000)
    settled = await asyncio.gather(
        *(
            each.minutes.settle(
                call, bench.account_id, Recorded(1_000 * n), Stamp(bench.wall.now)
            )
            for n, each in enumerate(rival_benches * 2, 1)
        )
    )
    assert sum(not each.is_repeat for each in settled) == 1
    assert len({each.charge.charged_ms for each in settled}) == 1
    view = await bench.minutes.view(bench.account_id, now=bench.wall.now)
    assert view.balance.used_ms == settled[0].charge.charged_ms


async def test_minutes_deleted_by_many_at_once_return_once(rival_benches: list[Bench]) -> None:
    bench, call = rival_benches[0], CallId(fresh_id())
    await bench.own(600_000)
    stamp = Stamp(bench.wall.now)
    for each in (call, CallId(fresh_id())):
        await bench.minutes.settle(each, bench.account_id, Recorded(30_000), stamp)
    await asyncio.gather(
        *(
            each.minutes.return_minutes(call, bench.account_id, kind=kind, stamp=stamp)
            for each in rival_benches
            for kind in (EntryKind.DELETE, EntryKind.PURGE)
        )
    )
    view = await bench.minutes.view(bench.account_id, now=bench.wall.now)
    assert view.balance.used_ms == 30_000
    assert await bench.books.verify(bench.account_id) == []


async def test_a_change_that_is_due_is_applied_once_by_many(
    rival_benches: list[Bench],
) -> None:
    bench = rival_benches[0]
    await bench.own(0)
    later = bench.wall.now + 10
    await bench.schedule(later, 60_000)
    views = await asyncio.gather(
        *(each.minutes.view(bench.account_id, now=later) for each in rival_benches * 3)
    )
    assert {view.balance.capacity_ms for view in views} == {60_000}
    assert await bench.books.verify(bench.account_id) == []


async def test_one_threshold_is_told_by_one_node(rival_benches: list[Bench]) -> None:
    bench = rival_benches[0]
    await bench.own(1_000)
    noted = await asyncio.gather(
        *(
            each.minutes.note_level(bench.account_id, seen=0, reached=80)
            for each in rival_benches
        )
    )
    assert noted.count(True) == 1
