"""Contracts in SQL: capacity by date, bad orders, clocks; and the ledger that explains it."""

from dataclasses import replace
from datetime import date

import pytest

from gateway.adapters.sql_audit import SqlAudit
from gateway.adapters.sql_quota_contracts import SqlContracts
from gateway.core.errors import BadInput, NotFound, Refused
from gateway.core.ids import AccountId, CallId
from gateway.core.quota.charge import Recorded, Stamp
from gateway.core.quota.contract import SubscriptionTerm, lapses_at
from gateway.core.quota.ledger import EntryKind, ExplainedEntry
from gateway.core.quota.plan import MS_PER_MINUTE
from gateway.core.zones import start_of_day
from gateway.ports.quota import DayUse, Purchase
from tests.adapters.quota.conftest import BOOK, Bench
from tests.adapters.sql.rows import fresh_id

pytestmark = pytest.mark.services

ZONE = "Asia/Jakarta"
START = start_of_day(date(2026, 2, 6), ZONE)
END = date(2026, 12, 31)
DAY = 86_400.0


@pytest.fixture(autouse=True)
def _on_the_first_day(bench: Bench) -> None:
    bench.wall.now = START + 3600


async def subscribe(
    bench: Bench,
    package: str | None = "sales-suite-plus",
    users: int = 5,
    *,
    starts_at: float | None = None,
    ends_on: date | None = END,
    name: str | None = None,
    allow_overdrawn: bool = False,
) -> None:
    now = bench.wall.now
    term = SubscriptionTerm(
        name or fresh_id(), package, users, now if starts_at is None else starts_at, ends_on
    )
    await bench.contracts.subscribe(
        bench.account_id, term, stamp=Stamp(now), allow_overdrawn=allow_overdrawn
    )


async def buy(bench: Bench, packs: int = 1, key: str | None = None, **more: object) -> str:
    order = {"packs": packs, "starts_at": bench.wall.now, "ends_on": None} | more
    bought = await bench.contracts.add_on(
        bench.account_id,
        Purchase(**order),  # type: ignore[arg-type]  # any field of the order
        key=key or fresh_id(),
        stamp=Stamp(bench.wall.now),
    )
    return bought.add_on_id


async def minutes(bench: Bench, at: float | None = None) -> int:
    now = bench.wall.now if at is None else at
    view = await bench.minutes.view(bench.account_id, now=now)
    total, rest = divmod(view.balance.capacity_ms, MS_PER_MINUTE)
    assert rest == 0
    return total


async def kinds(bench: Bench) -> list[EntryKind]:
    page = await bench.books.ledger(bench.account_id, cursor=None, limit=100)
    return [line.entry.kind for line in reversed(page.lines)]


async def test_five_plus_users_and_an_add_on_have_1400_minutes(bench: Bench) -> None:
    await subscribe(bench)
    assert await minutes(bench) == 400
    await buy(bench)
    assert await minutes(bench) == 1400
    assert await kinds(bench) == [EntryKind.CAPACITY_CHANGE, EntryKind.TOP_UP]
    contract = await bench.contracts.contract(bench.account_id)
    assert contract.add_ons[0].ends_on == END
    assert contract.add_ons[0].price_idr == 50_000


async def test_all_of_it_lapses_after_the_grace_without_anybody_doing_anything(
    bench: Bench,
) -> None:
    await subscribe(bench)
    await buy(bench)
    lapse = lapses_at(END, ZONE, 30)
    assert await minutes(bench, lapse - 1) == 1400
    assert await minutes(bench, lapse) == 0
    assert (await kinds(bench))[2:] == [EntryKind.EXPIRY] * 2
    assert await bench.books.verify(bench.account_id) == []


async def test_a_due_change_comes_before_the_lease_that_meets_it(bench: Bench) -> None:
    await subscribe(bench)
    later = bench.wall.now + 30 * DAY
    await subscribe(bench, users=1, starts_at=later)
    assert await bench.minutes.take_hold(bench.account_id, CallId("a"), now=later - 1)
    await bench.minutes.settle(
        CallId("b"), bench.account_id, Recorded(80 * MS_PER_MINUTE), Stamp(later - 1)
    )
    assert not await bench.minutes.take_hold(bench.account_id, CallId("c"), now=later)
    view = await bench.minutes.view(bench.account_id, now=later)
    assert view.balance.overdrawn_ms == 1_000


async def test_a_clock_a_day_ahead_is_forgiven_when_it_is_set_right(bench: Bench) -> None:
    await subscribe(bench)
    await buy(bench)
    lapse = lapses_at(END, ZONE, 30)
    for _ in range(2):
        assert await minutes(bench, lapse + 1) == 0
        assert await minutes(bench, lapse - DAY + 1) == 1400
    assert await bench.books.verify(bench.account_id) == []


async def test_clocks_of_nodes_that_differ_a_little_do_not_turn_a_change_over_and_over(
    bench: Bench,
) -> None:
    await subscribe(bench)
    lapse = lapses_at(END, ZONE, 30)
    for skew in (0.5, -2.0, 0.0, -30.0):
        assert await minutes(bench, lapse + skew) == 0
    assert len(await kinds(bench)) == 2


async def test_the_same_order_twice_is_one_order(bench: Bench) -> None:
    await subscribe(bench, name="contract-7")
    await subscribe(bench, name="contract-7", users=50)
    assert await buy(bench, key="order-1") == await buy(bench, packs=9, key="order-1")
    assert await minutes(bench) == 1400


async def test_orders_that_cannot_be_change_nothing(bench: Bench) -> None:
    with pytest.raises(BadInput, match="needs a subscription"):
        await buy(bench)
    with pytest.raises(BadInput, match="no package 'plus'"):
        await subscribe(bench, "plus")
    with pytest.raises(BadInput, match="licensed users"):
        await subscribe(bench, users=-1)
    await subscribe(bench)
    for packs in (0, -1, 10**9):
        with pytest.raises(BadInput, match="packs"):
            await buy(bench, packs)
    with pytest.raises(BadInput, match="no longer than the contract"):
        await buy(bench, ends_on=date(2027, 1, 1))
    with pytest.raises(NotFound):
        await bench.contracts.contract(AccountId("0" * 26))
    assert await minutes(bench) == 400
    assert len(await SqlAudit(bench.database).recent(bench.account_id, limit=9)) == 2


async def test_seats_that_shrink_below_use_are_refused_unless_meant(bench: Bench) -> None:
    await subscribe(bench)
    stamp = Stamp(bench.wall.now)
    used = 300 * MS_PER_MINUTE
    await bench.minutes.settle(CallId("a"), bench.account_id, Recorded(used), stamp)
    with pytest.raises(Refused, match=r"until 220\.0 min are freed"):
        await subscribe(bench, users=1)
    assert await minutes(bench) == 400
    await subscribe(bench, users=1, allow_overdrawn=True)
    view = await bench.minutes.view(bench.account_id, now=bench.wall.now)
    assert view.balance.overdrawn_ms == 220 * MS_PER_MINUTE
    assert not await bench.minutes.take_hold(bench.account_id, CallId("b"), now=bench.wall.now)


async def test_an_add_on_is_renewed_without_counting_twice(bench: Bench) -> None:
    await subscribe(bench)
    first = await buy(bench)
    bench.wall.now += 100 * DAY
    await subscribe(bench, ends_on=date(2027, 12, 31))
    await buy(bench, renews=first, starts_at=lapses_at(END, ZONE, 0))
    for day in range(0, 400, 25):
        assert await minutes(bench, bench.wall.now + day * DAY) == 1400
    with pytest.raises(BadInput, match="renewed already"):
        await buy(bench, renews=first)


async def test_a_customer_who_leaves_owns_nothing_and_keeps_what_is_used(
    bench: Bench,
) -> None:
    await subscribe(bench)
    await buy(bench)
    stamp = Stamp(bench.wall.now)
    await bench.minutes.settle(CallId("a"), bench.account_id, Recorded(60_000), stamp)
    bench.wall.now += DAY
    await subscribe(bench, None, 0, ends_on=None, allow_overdrawn=True)
    view = await bench.minutes.view(bench.account_id, now=bench.wall.now)
    assert (view.balance.capacity_ms, view.balance.used_ms) == (0, 60_000)


async def test_a_changed_price_list_takes_effect_when_planned_anew(bench: Bench) -> None:
    await subscribe(bench)
    await buy(bench)
    plus = replace(BOOK.package("sales-suite-plus"), free_ms_per_user=90 * MS_PER_MINUTE)
    richer = replace(BOOK, packages={**BOOK.packages, plus.code: plus})
    contracts = SqlContracts(bench.database, richer, fresh_id)
    for _ in range(2):
        await contracts.replan(bench.account_id, now=bench.wall.now + 60)
        assert await minutes(bench) == 1450
    assert await bench.books.verify(bench.account_id) == []


async def test_the_ledger_explains_every_minute_page_by_page(bench: Bench) -> None:
    await subscribe(bench)
    for n in range(5):
        stamp = Stamp(bench.wall.now + n)
        await bench.minutes.settle(CallId(f"c{n}"), bench.account_id, Recorded(1000), stamp)
    seen: list[ExplainedEntry] = []
    cursor = None
    while True:
        page = await bench.books.ledger(bench.account_id, cursor=cursor, limit=4)
        seen += page.lines
        cursor = page.next_cursor
        if cursor is None:
            break
    assert [line.totals.used_ms for line in seen] == [5000, 4000, 3000, 2000, 1000, 0]
    assert {line.totals.capacity_ms for line in seen} == {400 * MS_PER_MINUTE}
    for bad in ("", "x", "-1", "1.5", "9" * 30, "²"):
        with pytest.raises(BadInput, match="cursor"):
            await bench.books.ledger(bench.account_id, cursor=bad, limit=4)


async def test_use_is_told_by_the_accounts_own_days(bench: Bench) -> None:
    await subscribe(bench)
    first = date(2026, 2, 6)
    midnight = start_of_day(date(2026, 2, 7), ZONE)
    account = bench.account_id
    for name, at in (("a", midnight - 1), ("b", midnight), ("c", midnight + 60)):
        await bench.minutes.settle(CallId(name), account, Recorded(1000), Stamp(at))
    await bench.minutes.correct(
        CallId("b"), target_ms=900, key="head", stamp=Stamp(midnight + 90)
    )
    await bench.minutes.return_minutes(
        CallId("a"), account, kind=EntryKind.DELETE, stamp=Stamp(midnight + DAY)
    )
    found = await bench.books.usage(account, since=first, until=date(2026, 2, 8), zone=ZONE)
    assert found == [
        DayUse(first, 1000, 0, 1),
        DayUse(date(2026, 2, 7), 1900, 0, 2),
        DayUse(date(2026, 2, 8), 0, 1000, 0),
    ]
    for since, until in ((first, date(2026, 2, 5)), (first, date(2028, 2, 6))):
        with pytest.raises(BadInput, match="days"):
            await bench.books.usage(account, since=since, until=until, zone=ZONE)
