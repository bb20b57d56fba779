"""Minutes while people talk: exact stops, resuming, lost messages, dead workers, restarts."""

import asyncio
import itertools
from typing import Any

import pytest

from gateway.core.errors import MediaAway, MediaRefused, StoreDown
from gateway.core.ids import AccountId, CallId, NodeId
from gateway.core.quota.balance import THRESHOLDS, Balance
from gateway.core.quota.charge import Recorded
from gateway.core.quota.lease import BudgetId, BudgetState, Refusal, WorkerId
from gateway.core.quota.live import LiveBudget, LiveCapture
from gateway.ports import Json
from gateway.ports.live import LiveEvent
from gateway.runtime.quota_keeper_news import BusQuotaNews
from tests.runtime.quota_room import ACCOUNT, FRAME_MS, Room
from tests.runtime.virtual_time import in_virtual_time

A, B, C = CallId("a"), CallId("b"), CallId("c")


@in_virtual_time
async def test_one_minute_left_and_a_call_of_ten_minutes_record_sixty_seconds() -> None:
    async with Room(60_000) as room:
        worker = await room.worker()
        assert await room.keeper.hold(ACCOUNT, A)
        talk = await worker.capture(A)
        began = room.clock.monotonic()
        await room.talk(600)
        assert talk.file_ms == 60_000
        assert talk.segments == 1
        assert talk.stops[0] - began == pytest.approx(60, abs=0.1)
        assert set(worker.refusals) == {Refusal.QUOTA_USED_UP}
        recorded = worker.hang_up(A)
        await room.settle(A, recorded)
        await room.clock.sleep(2)
        assert room.balance == Balance(60_000, 60_000, 0)
        assert room.news.thresholds == list(THRESHOLDS)


@in_virtual_time
async def test_thirty_captures_in_two_workers_share_the_last_minute_and_stop_together() -> None:
    async with Room(60_000) as room:
        talks = []
        for name in ("one", "two"):
            worker = await room.worker(name)
            talks += [await worker.capture(CallId(f"{name}-{n}")) for n in range(15)]
        await room.talk(20)
        total = sum(talk.file_ms for talk in talks)
        assert 60_000 - 2 * FRAME_MS <= total <= 60_000
        stops = [talk.stops[-1] for talk in talks]
        assert max(stops) - min(stops) <= 1.0


@in_virtual_time
async def test_more_minutes_resume_a_stopped_capture_within_a_second() -> None:
    async with Room(10_000) as room:
        worker = await room.worker()
        talk = await worker.capture(A)
        await room.talk(30)
        assert (talk.file_ms, talk.is_stopped) == (10_000, True)
        room.book.set_capacity(ACCOUNT, 15_000)
        await room.talk(1.5)
        assert talk.segments == 2
        assert talk.file_ms > 10_400
        await room.talk(10)
        assert talk.file_ms == 15_000


@in_virtual_time
async def test_crumbs_do_not_make_segments_of_a_few_frames() -> None:
    async with Room(10_000) as room:
        worker = await room.worker()
        talk = await worker.capture(A)
        await room.talk(12)
        room.book.set_capacity(ACCOUNT, 10_900)
        await room.talk(3)
        assert (talk.file_ms, talk.segments) == (10_000, 1)


@in_virtual_time
async def test_a_short_outage_of_the_database_makes_no_hole() -> None:
    async with Room(600_000) as room:
        worker = await room.worker()
        talk = await worker.capture(A)
        await room.talk(5)
        room.book.is_down = True
        for _ in range(2):
            await room.talk(9)
            room.book.is_down = not room.book.is_down
        await room.talk(5)
        assert talk.stops == []
        assert talk.file_ms + talk.waiting_ms == 28_000


@in_virtual_time
async def test_a_long_outage_ends_the_capture_with_its_lease_and_its_own_reason() -> None:
    async with Room(600_000) as room:
        worker = await room.worker()
        talk = await worker.capture(A)
        await room.talk(1)
        room.book.is_down = True
        granted = worker.budgets[talk.budget_id].granted_ms
        await room.talk(60)
        assert talk.file_ms == granted
        assert worker.refusals == [Refusal.LEDGER_UNREACHABLE]
        room.book.is_down = False
        await room.talk(3)
        assert talk.segments == 2
        assert not talk.is_stopped


@in_virtual_time
async def test_lost_grants_are_told_again_and_never_granted_twice() -> None:
    async with Room(600_000) as room:
        worker = await room.worker()
        talk = await worker.capture(A)
        await room.talk(1)
        for _ in range(6):
            worker.grants_lost = 2
            await room.talk(11)
            budget = room.book.budgets[talk.budget_id]
            assert budget.outstanding_ms - talk.file_ms <= 30_000
        assert talk.stops == []
        assert talk.file_ms + talk.waiting_ms == 67_000
        held = worker.budgets[talk.budget_id]
        assert room.book.budgets[talk.budget_id].granted_ms == held.granted_ms


@in_virtual_time
async def test_an_ended_call_gives_its_share_back_while_others_go_on() -> None:
    async with Room(600_000) as room:
        worker = await room.worker()
        for call in (A, B, C):
            await worker.capture(call)
        await room.talk(2)
        assert room.balance.reserved_ms == 45_000
        for call in (B, C):
            await room.settle(call, worker.hang_up(call))
        await room.talk(1)
        held = room.balance.reserved_ms - worker.talks[A].file_ms
        assert held <= 15_000
        await room.settle(A, worker.hang_up(A))
        await room.clock.sleep(1)
        assert room.balance == Balance(600_000, 2_000 + 2_000 + 3_000, 0)
        assert worker.budgets == {}


@in_virtual_time
async def test_a_paused_capture_strands_nothing() -> None:
    async with Room(40_000) as room:
        paused, other = await room.worker("one"), await room.worker("two")
        talk = await paused.capture(A)
        await room.talk(2)
        talk.is_paused = True
        room.keeper.capture_stopped(A, for_want_of_minutes=False)
        going = await other.capture(B)
        await room.talk(60)
        assert going.file_ms == 38_000
        assert (talk.file_ms, room.balance.free_ms) == (2_000, 0)


@pytest.mark.parametrize("pause_ms", [0, 1, 2, 3, 4, 5])
@in_virtual_time
async def test_a_capture_that_begins_while_the_budget_closes_has_one(pause_ms: int) -> None:
    async with Room(600_000) as room:
        worker = await room.worker()
        await worker.capture(A)
        await room.talk(3)
        recorded = worker.hang_up(A)
        await room.clock.sleep(pause_ms / 1000)
        talk = await worker.capture(B)
        await room.talk(4)
        assert talk.file_ms == 4_000
        await room.settle(A, recorded)
        await room.settle(B, worker.hang_up(B))
        await room.clock.sleep(1)
        assert room.balance == Balance(600_000, 7_000, 0)


@in_virtual_time
async def test_a_close_that_the_database_missed_is_told_later() -> None:
    async with Room(600_000) as room:
        worker = await room.worker()
        await worker.capture(A)
        await room.talk(3)
        room.book.is_down = True
        recorded = worker.hang_up(A)
        await room.clock.sleep(5)
        with pytest.raises(StoreDown):
            await worker.capture(B)
        room.book.is_down = False
        await worker.capture(B)
        await room.settle(A, recorded)
        await room.settle(B, worker.hang_up(B))
        await room.clock.sleep(2)
        assert room.balance == Balance(600_000, 3_000, 0)


@in_virtual_time
async def test_a_killed_workers_minutes_wait_for_its_files_and_all_come_back() -> None:
    async with Room(600_000) as room:
        worker = await room.worker()
        talks = {call: await worker.capture(call) for call in (A, B)}
        await room.talk(7)
        worker.is_away = True
        await room.keeper.worker_gone(worker.worker_id)
        (budget,) = room.book.budgets.values()
        assert budget.state is BudgetState.SUSPENSE
        reserved = room.balance.reserved_ms
        assert reserved >= 14_000
        for _ in range(2):
            await room.settle(A, Recorded(talks[A].file_ms - 200))
            assert not await room.keeper.recovered(worker.worker_id)
            assert room.balance.used_ms == 6_800
            assert room.balance.reserved_ms > 0, "nobody knows yet what the other holds"
        await room.settle(B, Recorded(0))
        assert await room.keeper.recovered(worker.worker_id)
        assert room.balance == Balance(600_000, 6_800, 0)


@in_virtual_time
async def test_a_worker_that_dies_during_an_outage_is_suspended_after_it() -> None:
    async with Room(600_000) as room:
        worker = await room.worker()
        await worker.capture(A)
        await room.talk(7)
        room.book.is_down = worker.is_away = True
        await room.keeper.worker_gone(worker.worker_id)
        await room.clock.sleep(20)
        room.book.is_down = False
        await room.clock.sleep(3)
        assert [b.state for b in room.book.budgets.values()] == [BudgetState.SUSPENSE]


@in_virtual_time
async def test_a_restarted_gateway_takes_over_what_is_being_captured() -> None:
    async with Room(600_000) as room:
        worker = await room.worker()
        talk = await worker.capture(A)
        for _ in range(3):
            await room.talk(9)
            await room.restart()
        await room.talk(13)
        assert talk.stops == []
        assert talk.file_ms + talk.waiting_ms == 40_000
        assert room.book.budgets[talk.budget_id].granted_ms <= 40_000 + 2 * 15_000
        await room.settle(A, worker.hang_up(A))
        await room.clock.sleep(2)
        assert room.balance == Balance(600_000, 40_000, 0)


@in_virtual_time
async def test_a_restarted_gateway_feeds_what_the_one_before_had_stopped() -> None:
    async with Room(10_000) as room:
        worker = await room.worker()
        talk = await worker.capture(A)
        await room.talk(12)
        assert talk.is_stopped
        await room.restart()
        room.book.set_capacity(ACCOUNT, 20_000)
        await room.talk(3)
        assert talk.segments == 2


@in_virtual_time
async def test_budgets_that_only_one_side_knows_are_closed() -> None:
    async with Room(600_000) as room:
        worker = await room.worker()
        talk = await worker.capture(A)
        await room.talk(3)
        lost = worker.budgets.pop(talk.budget_id)
        worker.talks.clear()
        worker.budgets[BudgetId("stranger")] = lost
        await room.restart()
        assert worker.refusals == [Refusal.BUDGET_CLOSED]
        assert room.book.budgets[talk.budget_id].state is BudgetState.CLOSED
        assert room.balance.reserved_ms == 15_000
        await room.settle(A, Recorded(3_000))
        assert room.balance == Balance(600_000, 3_000, 0)


@in_virtual_time
async def test_a_recording_is_promised_only_if_it_can_be_kept() -> None:
    async with Room(11_000) as room:
        assert await room.keeper.hold(ACCOUNT, A)
        assert await room.keeper.hold(ACCOUNT, B)
        assert not await room.keeper.hold(ACCOUNT, C)
        await room.keeper.release(ACCOUNT, B)
        assert await room.keeper.hold(ACCOUNT, C)
        room.book.is_down = True
        with pytest.raises(StoreDown):
            await room.keeper.hold(ACCOUNT, CallId("d"))
        room.book.is_down = False
        await room.clock.sleep(1000)
        assert room.balance.reserved_ms == 0


@in_virtual_time
async def test_a_capture_that_cannot_start_costs_nothing() -> None:
    async with Room(60_000) as room:
        with pytest.raises(MediaAway):
            await room.keeper.open_capture(A, ACCOUNT, WorkerId("nobody"))
        worker = await room.worker()
        assert await room.keeper.hold(ACCOUNT, B)
        worker.refuses_to_open = True
        with pytest.raises(MediaRefused):
            await worker.capture(B)
        worker.is_away = True
        await room.keeper.worker_gone(worker.worker_id)
        await room.settle(B, Recorded(0))
        assert room.balance == Balance(60_000, 0, 0)


@in_virtual_time
async def test_what_an_outage_keeps_from_being_captured_holds_nothing_back() -> None:
    async with Room(60_000) as room:
        worker = await room.worker()
        unclear: list[CallId] = []
        room.keeper.unclear = unclear.append
        assert await room.keeper.hold(ACCOUNT, A)
        room.book.is_down = True
        with pytest.raises(StoreDown):
            await worker.capture(A)
        room.book.is_down = False
        await room.clock.sleep(3)
        assert room.balance == Balance(60_000, 0, 0)
        assert unclear == [A], "what was written in an earlier life is to be looked for"


@in_virtual_time
async def test_supervisors_see_every_second_and_every_change() -> None:
    async with Room(60_000) as room:
        worker = await room.worker()
        await worker.capture(A)
        await room.talk(10)
        pictures = room.news.pictures
        assert len(pictures) >= 10
        assert all(0 <= b.at - a.at <= 1.3 for a, b in itertools.pairwise(pictures))
        assert all(p.shown.capacity_ms == 60_000 for p in pictures)
        last = pictures[-1]
        assert 8_000 <= last.shown.used_ms <= 10_000
        assert last.empty_at == pytest.approx(last.at + (60_000 - last.shown.used_ms) / 1000)
        assert [c.call_id for c in last.captures] == [A]
        worker.talks[A].is_paused = True
        await room.talk(60)
        count = len(pictures)
        room.keeper.balance_changed(ACCOUNT)
        await room.clock.sleep(0.25)
        assert len(pictures) > count


@in_virtual_time
async def test_other_nodes_numbers_are_part_of_the_picture() -> None:
    async with Room(60_000) as room:
        await room.book.open_capture(B, ACCOUNT, WorkerId("far"), fresh=BudgetId("far"))
        await room.book.take_hold(ACCOUNT, C, now=0.0)
        await room.book.open_capture(C, ACCOUNT, WorkerId("far"), fresh=BudgetId("-"))
        for drawn in (700, 300):
            told = LiveBudget(drawn, (LiveCapture(B, drawn, is_stopped=False),))
            room.keeper.hear(
                ACCOUNT, {BudgetId("far"): told, BudgetId("gone"): LiveBudget(9_000)}
            )
        picture = await room.keeper.picture(ACCOUNT)
        assert picture.shown == Balance(60_000, 700, 300)
        assert [capture.call_id for capture in picture.captures] == [B]
        assert picture.empty_at is not None
        await room.clock.sleep(60)
        picture = await room.keeper.picture(ACCOUNT)
        assert picture.shown == Balance(60_000, 700, 300), "what was written stays written"
        assert picture.captures == (), "a node that is silent may be gone"
        other = await room.keeper.picture(AccountId("other"))
        assert other.shown == Balance()


class Bus:
    """Collects what is published."""

    def __init__(self) -> None:
        self.events: list[LiveEvent] = []

    def publish(self, event: LiveEvent) -> None:
        self.events.append(event)

    def subscribe(self, account_id: AccountId) -> Any:
        raise NotImplementedError


@in_virtual_time
async def test_the_bus_gets_the_picture_for_supervisors_only() -> None:
    async with Room(60_000) as room:
        worker = await room.worker()
        await worker.capture(A)
        await room.talk(1)
        bus = Bus()
        news = BusQuotaNews(bus, NodeId("node"), room.clock.wall)
        news.picture(await room.keeper.picture(ACCOUNT))
        news.crossed(ACCOUNT, 80)
        picture, budgets, threshold = bus.events
        assert (budgets.audience, budgets.is_personal) == ((), True), "for other nodes alone"
        assert (picture.kind, picture.audience) == ("quota", ())
        total: Json = picture.body["capacity_ms"]
        parts = [picture.body[k] for k in ("free_ms", "reserved_ms", "used_ms")]
        assert total == sum(part for part in parts if isinstance(part, int)) == 60_000
        assert threshold.kind == "quota_threshold"
        assert threshold.body["threshold"] == 80
        await asyncio.sleep(0)
