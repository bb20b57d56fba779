"""The ledger of minutes, read: pages, use by day, and whether all numbers agree."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_quota_leases import budget_of, is_unfinished
from gateway.adapters.sql_quota_rows import entry_of, locked_of
from gateway.adapters.sql_quota_schema import balances, budgets, charges, holds, ledger_entries
from gateway.core.errors import BadInput
from gateway.core.ids import AccountId
from gateway.core.quota.lease import Budget, BudgetState
from gateway.core.quota.ledger import CAPACITY_KINDS, EntryKind, Totals, explain
from gateway.core.zones import local_day, start_of_day
from gateway.ports.quota import DayUse, Discrepancy, LedgerPage, QuotaBooks

PAGE_ROWS_MAX = 200
USAGE_DAYS_MAX = 366
_RETURNS = (EntryKind.DELETE.value, EntryKind.PURGE.value)
_is_capacity = ledger_entries.c.kind.in_([kind.value for kind in CAPACITY_KINDS])


class SqlQuotaBooks(QuotaBooks):
    """What happened to an account's minutes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @override
    async def ledger(
        self, account_id: AccountId, *, cursor: str | None, limit: int
    ) -> LedgerPage:
        limit = max(1, min(limit, PAGE_ROWS_MAX))
        column = ledger_entries.c
        query = select(ledger_entries).where(column.account_id == account_id)
        if cursor is not None:
            query = query.where(column.position < _position(cursor))
        query = query.order_by(column.position.desc()).limit(limit + 1)
        async with self._database.reading() as connection:
            rows = list(await connection.execute(query))
            shown = rows[:limit]
            if not shown:
                return LedgerPage((), None)
            before = await _totals_before(connection, account_id, shown[-1].position)
        lines = list(explain((entry_of(row) for row in reversed(shown)), before))
        next_cursor = str(shown[-1].position) if len(rows) > limit else None
        return LedgerPage(tuple(reversed(lines)), next_cursor)

    @override
    async def usage(
        self, account_id: AccountId, *, since: date, until: date, zone: str
    ) -> Sequence[DayUse]:
        if not timedelta(0) <= until - since < timedelta(days=USAGE_DAYS_MAX):
            raise BadInput(f"ask for 1 to {USAGE_DAYS_MAX} days, the earlier first")
        column = ledger_entries.c
        query = select(column.at, column.kind, column.amount_ms, column.call_id).where(
            column.account_id == account_id,
            ~_is_capacity,
            column.at >= start_of_day(since, zone),
            column.at < start_of_day(until + timedelta(days=1), zone),
        )
        days: dict[date, DayUse] = {}
        async with self._database.reading() as connection:
            async for row in await connection.stream(query):
                day = local_day(row.at, zone)
                days[day] = _add(days.get(day, DayUse(day, 0, 0, 0)), row)
        return [days[day] for day in sorted(days)]

    @override
    async def verify(self, account_id: AccountId) -> Sequence[Discrepancy]:
        # One transaction that sees one moment, also while others write.
        async with self._database.reading() as connection:
            if not self._database.is_sqlite:
                await connection.exec_driver_sql(
                    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
                )
            known = select(balances).where(balances.c.account_id == account_id)
            row = (await connection.execute(known)).first()
            if row is None:
                return []
            stored = locked_of(row).balance
            totals = await _totals_before(connection, account_id, None)
            found = [
                Discrepancy("capacity", stored.capacity_ms, totals.capacity_ms),
                Discrepancy("used", stored.used_ms, totals.used_ms),
                Discrepancy(
                    "reserved", stored.reserved_ms, await _leased(connection, account_id)
                ),
                *await _charges(connection, account_id),
            ]
        return [each for each in found if each.stored_ms != each.derived_ms]

    @override
    async def suspended(self, account_id: AccountId) -> Sequence[tuple[Budget, int]]:
        unsettled = (
            select(func.count())
            .where(charges.c.budget_id == budgets.c.budget_id, charges.c.settled_at.is_(None))
            .scalar_subquery()
            .label("unsettled")
        )
        query = (
            select(budgets, unsettled)
            .where(
                budgets.c.account_id == account_id,
                is_unfinished,
                budgets.c.state == BudgetState.SUSPENSE.value,
            )
            .order_by(budgets.c.worker_id)
        )
        async with self._database.reading() as connection:
            return [
                (budget_of(row), int(row.unsettled)) for row in await connection.execute(query)
            ]


async def _totals_before(
    connection: AsyncConnection, account_id: AccountId, position: int | None
) -> Totals:
    column = ledger_entries.c
    query = select(
        _sum(case((_is_capacity, column.amount_ms), else_=0)),
        _sum(case((_is_capacity, 0), else_=column.amount_ms)),
    ).where(column.account_id == account_id)
    if position is not None:
        query = query.where(column.position < position)
    row = (await connection.execute(query)).one()
    return Totals(int(row[0]), int(row[1]))


async def _leased(connection: AsyncConnection, account_id: AccountId) -> int:
    column = budgets.c
    leased = select(_sum(column.granted_ms - column.returned_ms - column.settled_ms)).where(
        column.account_id == account_id, is_unfinished
    )
    held = select(_sum(holds.c.amount_ms)).where(holds.c.account_id == account_id)
    total = 0
    for query in (leased, held):
        total += int((await connection.execute(query)).scalar_one())
    return total


async def _charges(connection: AsyncConnection, account_id: AccountId) -> Sequence[Discrepancy]:
    folded = (
        select(
            ledger_entries.c.call_id, func.sum(ledger_entries.c.amount_ms).label("folded_ms")
        )
        .where(ledger_entries.c.account_id == account_id, ~_is_capacity)
        .group_by(ledger_entries.c.call_id)
        .subquery()
    )
    derived = func.coalesce(folded.c.folded_ms, 0)
    query = (
        select(charges.c.call_id, charges.c.charged_ms, derived.label("derived_ms"))
        .outerjoin(folded, folded.c.call_id == charges.c.call_id)
        .where(charges.c.account_id == account_id, charges.c.charged_ms != derived)
    )
    return [
        Discrepancy("charge", row.charged_ms, int(row.derived_ms), row.call_id)
        for row in await connection.execute(query)
    ]


def _sum(amount: ColumnElement[int]) -> ColumnElement[Any]:
    return func.coalesce(func.sum(amount), 0)


def _add(day: DayUse, row: Any) -> DayUse:  # noqa: ANN401 (a row of four columns)
    is_return = row.kind in _RETURNS
    return DayUse(
        day=day.day,
        recorded_ms=day.recorded_ms + (0 if is_return else row.amount_ms),
        returned_ms=day.returned_ms - (row.amount_ms if is_return else 0),
        calls=day.calls + (row.kind == EntryKind.SETTLE.value),
    )


def _position(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit()) or len(cursor) > 18:  # noqa: PLR2004 (64 bit)
        raise BadInput("this cursor was not made here; begin without one")
    return int(cursor)
