"""Leases and charges in SQL, where the model does not reach: outages, rows, foreign calls."""

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import DBAPIError

from gateway.adapters import sql_migrate
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_quota_leases import is_live, is_unfinished
from gateway.adapters.sql_quota_minutes import SqlMinutes
from gateway.adapters.sql_quota_rows import change_balance, lock_account
from gateway.adapters.sql_quota_schema import budgets, ledger_entries
from gateway.core.errors import NotFound, Refused, StoreDown, StoreError, VersionConflict
from gateway.core.ids import AccountId, CallId
from gateway.core.quota.balance import Balance
from gateway.core.quota.charge import Recorded, Stamp
from gateway.core.quota.lease import Ask, BudgetId, BudgetState, LeaseTerms, WorkerId
from gateway.core.quota.ledger import EntryKind
from tests.adapters.quota.conftest import Bench
from tests.adapters.sql.conftest import Wall
from tests.adapters.sql.rows import an_account, fresh_id
from tests.services.postgres import private_postgres

pytestmark = pytest.mark.services

WORKER = WorkerId("worker-1")
CALL = CallId("call-1")
LITERALLY = {"literal_binds": True}


async def balance(bench: Bench) -> Balance:
    return (await bench.minutes.view(bench.account_id, now=bench.wall.now)).balance


async def capture(bench: Bench, call: CallId = CALL) -> BudgetId:
    budget = await bench.minutes.open_capture(
        call, bench.account_id, WORKER, fresh=BudgetId(fresh_id())
    )
    return budget.budget_id


async def test_an_account_that_never_had_minutes_has_none(bench: Bench) -> None:
    assert await balance(bench) == Balance()
    assert not await bench.minutes.take_hold(bench.account_id, CALL, now=bench.wall.now)
    budget_id = await capture(bench)
    ask = Ask(bench.account_id, budget_id, 1, 1, 0)
    assert (await bench.minutes.renew(ask, now=bench.wall.now)).granted_ms == 0


async def test_an_unknown_account_or_budget_is_not_found(bench: Bench) -> None:
    nobody = AccountId("0" * 26)
    assert (await bench.minutes.view(nobody, now=0.0)).balance == Balance()
    with pytest.raises(NotFound, match="no such account"):
        await bench.minutes.take_hold(nobody, CALL, now=0.0)
    with pytest.raises(NotFound, match="no such budget"):
        await bench.minutes.renew(Ask(bench.account_id, BudgetId("b"), 1, 1, 0), now=0.0)
    await bench.minutes.give_back(BudgetId("b"), returned_ms=5, drawn_ms=0)
    await bench.minutes.close_budget(BudgetId("b"), drawn_ms=None)
    assert await bench.minutes.suspend_worker(WORKER) == []


async def test_a_call_of_another_account_is_not_found(bench: Bench) -> None:
    await bench.own(100_000)
    await capture(bench)
    other = (await an_account(bench.database, bench.wall)).account_id
    stamp = Stamp(bench.wall.now)
    with pytest.raises(NotFound):
        await bench.minutes.settle(CALL, other, Recorded(5), stamp)
    with pytest.raises(NotFound):
        await bench.minutes.return_minutes(CALL, other, kind=EntryKind.DELETE, stamp=stamp)
    with pytest.raises(NotFound):
        await bench.minutes.open_capture(CALL, other, WORKER, fresh=BudgetId("x"))


async def test_a_capture_opened_twice_draws_from_one_budget(bench: Bench) -> None:
    await bench.own(100_000)
    await bench.minutes.take_hold(bench.account_id, CALL, now=bench.wall.now)
    first, again = await capture(bench), await capture(bench)
    assert first == again == await capture(bench, CallId("call-2"))
    assert (await balance(bench)).reserved_ms == 1_000
    with pytest.raises(Refused, match="another worker"):
        await bench.minutes.open_capture(
            CALL, bench.account_id, WorkerId("worker-2"), fresh=BudgetId("x")
        )
    await bench.minutes.settle(CALL, bench.account_id, Recorded(1_000), Stamp(bench.wall.now))
    with pytest.raises(Refused, match="charged already"):
        await capture(bench)


async def test_forgotten_holds_are_released_by_age(bench: Bench) -> None:
    await bench.own(100_000)
    start = bench.wall.now
    for n in range(3):
        assert await bench.minutes.take_hold(
            bench.account_id, CallId(f"c{n}"), now=start + n * 100
        )
    assert await bench.minutes.release_holds_before(start + 150) == [bench.account_id] * 2
    assert (await balance(bench)).reserved_ms == 1_000


async def test_a_dead_workers_budgets_are_listed_with_what_they_wait_for(
    bench: Bench,
) -> None:
    await bench.own(100_000)
    budget_id = await capture(bench)
    await capture(bench, CallId("call-2"))
    await bench.minutes.renew(Ask(bench.account_id, budget_id, 1, 2, 0), now=bench.wall.now)
    suspended = await bench.minutes.suspend_worker(WORKER)
    assert [b.state for b in suspended] == [BudgetState.SUSPENSE]
    assert await bench.minutes.suspend_worker(WORKER) == []
    assert await bench.books.suspended(bench.account_id) == [(suspended[0], 2)]
    view = await bench.minutes.view(bench.account_id, now=bench.wall.now)
    assert view.suspense_ms == view.balance.reserved_ms == 30_000
    for charge in await bench.minutes.unsettled(WORKER):
        await bench.minutes.settle(
            charge.call_id, bench.account_id, Recorded(700), Stamp(bench.wall.now)
        )
    assert await balance(bench) == Balance(100_000, 1_400, 0)
    assert await bench.books.suspended(bench.account_id) == []


async def test_the_statement_itself_refuses_to_take_more_than_is_free(bench: Bench) -> None:
    await bench.own(10_000)

    async def take_too_much() -> None:
        async with bench.database.writing() as connection:
            locked = await lock_account(connection, bench.database, bench.account_id)
            await change_balance(connection, locked, locked.balance.moved(reserved_ms=10_001))

    with pytest.raises(VersionConflict):
        await take_too_much()
    assert (await balance(bench)).reserved_ms == 0


@pytest.mark.parametrize(
    "change", [update(ledger_entries).values(amount_ms=1), delete(ledger_entries)]
)
async def test_the_ledger_refuses_to_be_changed(bench: Bench, change: object) -> None:
    await bench.own(10_000)
    with pytest.raises((DBAPIError, StoreError)):
        async with bench.database.writing() as connection:
            await connection.execute(change)  # type: ignore[call-overload]  # either statement
    page = await bench.books.ledger(bench.account_id, cursor=None, limit=5)
    assert [line.entry.amount_ms for line in page.lines] == [10_000]


async def test_a_failed_transaction_leaves_nothing_behind(bench: Bench) -> None:
    await bench.own(10_000)
    await bench.minutes.settle(CALL, bench.account_id, Recorded(4_000), Stamp(bench.wall.now))
    before = await balance(bench)
    with pytest.raises(Refused):
        await bench.contracts.replan(bench.account_id, now=bench.wall.now)
    assert await balance(bench) == before
    assert await bench.books.verify(bench.account_id) == []


async def test_a_corrected_call_keeps_its_correction(bench: Bench) -> None:
    await bench.own(10_000)
    stamp = Stamp(bench.wall.now, note="surplus head")
    await bench.minutes.settle(CALL, bench.account_id, Recorded(4_000), stamp)
    for target in (3_500, 100):
        done = await bench.minutes.correct(CALL, target_ms=target, key="head", stamp=stamp)
        assert done.charge.charged_ms == 3_500
    with pytest.raises(NotFound):
        await bench.minutes.correct(CallId("?"), target_ms=1, key="head", stamp=stamp)
    page = await bench.books.ledger(bench.account_id, cursor=None, limit=1)
    assert page.lines[0].entry.note == "surplus head"
    assert page.lines[0].totals.used_ms == 3_500


async def test_a_server_that_goes_away_is_store_down_and_nothing_is_lost(wall: Wall) -> None:
    with private_postgres() as server:
        database = Database(server.url())
        await sql_migrate.upgrade(database)
        account = await an_account(database, wall)
        minutes = SqlMinutes(database, LeaseTerms())
        budget = await minutes.open_capture(
            CALL, account.account_id, WORKER, fresh=BudgetId(fresh_id())
        )
        server.stop()
        ask = Ask(account.account_id, budget.budget_id, 1, 1, 0)
        with pytest.raises(StoreDown):
            await minutes.renew(ask, now=wall.now)
        with pytest.raises(StoreDown):
            await minutes.view(account.account_id, now=wall.now)
        server.start()
        assert (await minutes.renew(ask, now=wall.now)).ask_number == 1
        await database.close()


async def test_leases_and_pictures_do_not_read_the_budgets_of_the_past(bench: Bench) -> None:
    queries = (
        select(budgets).where(budgets.c.account_id == bench.account_id, is_unfinished),
        select(budgets.c.worker_id).where(is_live),
    )
    async with bench.database.writing() as connection:
        if not bench.database.is_sqlite:
            await connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        for query in queries:
            sql = str(query.compile(connection.engine.sync_engine, compile_kwargs=LITERALLY))
            explain = "EXPLAIN QUERY PLAN " if bench.database.is_sqlite else "EXPLAIN "
            plan = str((await connection.exec_driver_sql(explain + sql)).all())
            assert "ix_budgets_unfinished" in plan or "ix_budgets_one_per_worker" in plan
