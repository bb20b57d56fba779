"""The examples of the guide to call recording, each by its name."""

import pytest

from gateway.core.ids import CallId
from gateway.core.quota.lease import Ask, BudgetId, Refusal, WorkerId
from gateway.core.recording.lifecycle import Deletion, Life, Why
from gateway.core.recording.retention import KeepingRules, WhenFull
from gateway.ports.audit import Order
from tests.adapters.recordings.shelf import MINUTE_MS, Shelf
from tests.adapters.sql.rows import fresh_id

pytestmark = pytest.mark.services

FREE_MINUTES = 80
"""Of one user with the Plus package."""


async def retention(shelf: Shelf) -> int:
    """What housekeeping does."""
    over = await shelf.life.over(now=shelf.wall.now, limit=100)
    for _, call_id in over:
        await shelf.delete(call_id, Why.RETENTION)
    await shelf.sweep()
    return len(over)


async def next_call_is_recorded(shelf: Shelf) -> bool:
    return await shelf.minutes.take_hold(
        shelf.account_id, CallId(fresh_id()), now=shelf.wall.now
    )


async def fill(shelf: Shelf, minutes: int, each: int = 10) -> None:
    for _ in range(minutes // each):
        await shelf.keep(each)
        shelf.wall.now += 60


async def test_created_6_feb_2026_purged_7_feb_2028_and_not_one_day_earlier(
    shelf: Shelf,
) -> None:
    shelf.move_to("2026-02-06", "09:30")
    await shelf.subscribe()
    await shelf.keep(10)
    for day, time in (
        ("2028-02-05", "23:59"),
        ("2028-02-06", "00:01"),
        ("2028-02-06", "23:59"),
    ):
        shelf.move_to(day, time)
        assert await retention(shelf) == 0
        assert await shelf.states() == [Life.AVAILABLE]
    shelf.move_to("2028-02-07", "00:00")
    assert await retention(shelf) == 1
    assert await shelf.states() == [Life.PURGED]
    assert (await shelf.balance()).used_ms == 0


async def test_deleted_by_hand_gone_after_24_hours(shelf: Shelf) -> None:
    shelf.move_to("2026-02-06", "09:30")
    await shelf.subscribe()
    call_id = await shelf.keep(10)
    assert (await shelf.delete(call_id)).outcome is Deletion.DELETED
    shelf.move_to("2026-02-07", "09:29")
    await shelf.sweep()
    assert await shelf.states() == [Life.TRASHED]
    shelf.move_to("2026-02-07", "09:30")
    await shelf.sweep()
    assert await shelf.states() == [Life.PURGED]


async def test_full_quota_while_subscribed_stops(shelf: Shelf) -> None:
    shelf.move_to("2026-02-06")
    await shelf.subscribe(until="2027-02-05")
    await shelf.buy(until="2027-02-05")
    await fill(shelf, 1000 + FREE_MINUTES, each=120)
    assert (await shelf.balance()).free_ms == 0
    assert not await next_call_is_recorded(shelf)
    assert set(await shelf.states()) == {Life.AVAILABLE}


async def test_a_running_capture_is_refused_when_full_while_subscribed(shelf: Shelf) -> None:
    shelf.move_to("2026-02-06")
    await shelf.subscribe()
    await fill(shelf, FREE_MINUTES)
    answer = await ask(shelf)
    assert answer is Refusal.QUOTA_USED_UP
    assert set(await shelf.states()) == {Life.AVAILABLE}


async def test_during_the_grace_a_lapsed_add_on_still_counts_and_full_stops(
    shelf: Shelf,
) -> None:
    shelf.move_to("2026-02-06")
    await shelf.subscribe(until="2027-12-31")
    await shelf.buy(until="2026-03-31")
    await fill(shelf, 1000 + FREE_MINUTES, each=120)
    shelf.move_to("2026-04-30", "23:59")
    assert (await shelf.balance()).capacity_ms == (1000 + FREE_MINUTES) * MINUTE_MS
    assert not await next_call_is_recorded(shelf)
    assert set(await shelf.states()) == {Life.AVAILABLE}


async def test_after_the_30_day_grace_of_a_lapsed_add_on_the_oldest_make_room_and_no_more(
    shelf: Shelf,
) -> None:
    shelf.move_to("2026-02-06")
    await shelf.subscribe(until="2027-12-31")
    await shelf.buy(until="2026-03-31")
    await fill(shelf, 110)
    shelf.move_to("2026-05-01", "00:00")
    assert (await shelf.balance()).overdrawn_ms == 30 * MINUTE_MS
    assert set(await shelf.states()) == {Life.AVAILABLE}, "no date alone deletes anything"
    assert await next_call_is_recorded(shelf)
    gone, kept = (await shelf.states())[:4], (await shelf.states())[4:]
    assert gone == [Life.TRASHED] * 4, "three for what was overdrawn, one to make room"
    assert set(kept) == {Life.AVAILABLE}
    assert await next_call_is_recorded(shelf)
    assert (await shelf.states())[4:] == kept, "there is room by now"
    assert await shelf.deeds() == [
        "subscription.begun",
        "add_on.bought",
        *["recording.rotated"] * 4,
    ]


async def test_a_refused_lease_of_a_running_capture_makes_room_too(shelf: Shelf) -> None:
    shelf.move_to("2026-02-06")
    await shelf.subscribe(until="2027-12-31")
    await shelf.buy(until="2026-03-31")
    await fill(shelf, FREE_MINUTES)
    shelf.move_to("2026-05-01")
    assert await ask(shelf) is None
    assert await shelf.states() == [Life.TRASHED, *[Life.AVAILABLE] * 7]


async def test_what_is_held_never_makes_room(shelf: Shelf) -> None:
    shelf.move_to("2026-02-06")
    await shelf.subscribe(until="2027-12-31")
    await shelf.buy(until="2026-03-31")
    await fill(shelf, FREE_MINUTES)
    for call_id in shelf.made[:3]:
        await shelf.life.hold(
            shelf.account_id, call_id, reason="case", order=Order(shelf.wall.now)
        )
    shelf.move_to("2026-05-01")
    assert await next_call_is_recorded(shelf)
    states = await shelf.states()
    assert states[:4] == [*[Life.AVAILABLE] * 3, Life.TRASHED]


async def test_with_everything_held_recording_stops_and_nothing_goes_in_vain(
    shelf: Shelf,
) -> None:
    shelf.move_to("2026-02-06")
    await shelf.subscribe(until="2027-12-31")
    await shelf.buy(until="2026-03-31")
    await fill(shelf, 110)
    for call_id in shelf.made[2:]:
        await shelf.life.hold(
            shelf.account_id, call_id, reason="case", order=Order(shelf.wall.now)
        )
    shelf.move_to("2026-05-01")
    assert not await next_call_is_recorded(shelf)
    assert set(await shelf.states()) == {Life.AVAILABLE}, "two would not have been enough"


async def test_only_so_many_go_at_a_time(shelf: Shelf) -> None:
    small = Shelf(shelf.bench, rotation_max=2)
    small.move_to("2026-02-06")
    await small.subscribe(until="2027-12-31")
    await small.buy(until="2026-03-31")
    await fill(small, 110)
    small.move_to("2026-05-01")
    assert not await next_call_is_recorded(small)
    assert not (await small.states())[2:].count(Life.TRASHED)
    assert await next_call_is_recorded(small), "the next goes on where the first ended"
    assert (await small.states()).count(Life.TRASHED) == 4


@pytest.mark.parametrize(
    ("when_full", "is_recorded"), [(WhenFull.ROTATE, True), (WhenFull.STOP, False)]
)
async def test_an_account_may_choose_what_happens_when_full(
    shelf: Shelf, when_full: WhenFull, is_recorded: bool
) -> None:
    shelf.move_to("2026-02-06")
    await shelf.subscribe(until="2027-12-31")
    if when_full is WhenFull.STOP:
        await shelf.buy(until="2026-03-31")
    await shelf.life.change_rules(
        shelf.account_id, KeepingRules(when_full), seen=0, order=Order(shelf.wall.now)
    )
    await fill(shelf, FREE_MINUTES)
    shelf.move_to("2026-06-01")
    assert await next_call_is_recorded(shelf) is is_recorded
    assert (Life.TRASHED in await shelf.states()) is is_recorded


async def test_churned_nothing_new_is_recorded_and_all_is_kept_two_years(
    shelf: Shelf,
) -> None:
    shelf.move_to("2026-02-06")
    await shelf.subscribe(until="2027-12-31")
    await shelf.keep(10)
    await shelf.life.change_rules(
        shelf.account_id, KeepingRules(WhenFull.ROTATE), seen=0, order=Order(shelf.wall.now)
    )
    shelf.move_to("2026-06-01")
    await shelf.subscribe(package=None)
    assert not await next_call_is_recorded(shelf)
    shelf.move_to("2028-02-06", "23:59")
    assert await retention(shelf) == 0
    assert not await next_call_is_recorded(shelf)
    assert await shelf.states() == [Life.AVAILABLE]
    shelf.move_to("2028-02-07", "00:00")
    assert await retention(shelf) == 1
    assert await shelf.states() == [Life.PURGED]


async def ask(shelf: Shelf) -> Refusal | None:
    """A capture that goes on asks for more."""
    budget = await shelf.minutes.open_capture(
        CallId(fresh_id()), shelf.account_id, WorkerId("worker"), fresh=BudgetId(fresh_id())
    )
    answer = await shelf.minutes.renew(
        Ask(shelf.account_id, budget.budget_id, 1, 1, 0), now=shelf.wall.now
    )
    again = await shelf.minutes.renew(
        Ask(shelf.account_id, budget.budget_id, 1, 1, 0), now=shelf.wall.now
    )
    assert again == answer, "asked twice nothing more goes"
    return answer.refusal
