"""An account's balance under its lock: read, bring up to date, change with a guard.

Whoever changes anything about minutes locks the account's balance first. So all changes of an
account happen one after the other, on every node, and what is read after the lock is true.
"""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row, and_, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.adapters.sql_engine import Database, rows_changed
from gateway.adapters.sql_quota_schema import balances, capacity_changes, ledger_entries
from gateway.adapters.sql_schema import accounts
from gateway.core.errors import NotFound, VersionConflict
from gateway.core.ids import AccountId
from gateway.core.quota.balance import Balance
from gateway.core.quota.contract import (
    CLOCK_SKEW_MAX_S,
    CapacityStep,
    PlannedChange,
    due,
)
from gateway.core.quota.ledger import Entry, EntryKind


@dataclass(frozen=True, slots=True)
class LockedAccount:
    """A balance that nobody else changes before this transaction ends."""

    account_id: AccountId
    balance: Balance
    level: int = 0
    version: int = 0
    next_change_at: float | None = None
    applied_until: float | None = None

    def has_changes_due(self, now: float) -> bool:
        """Whether the capacity must be brought up to date before anything else."""
        return (self.next_change_at is not None and self.next_change_at <= now) or (
            self.applied_until is not None and self.applied_until > now + CLOCK_SKEW_MAX_S
        )


async def lock_account(
    connection: AsyncConnection,
    database: Database,
    account_id: AccountId,
    *,
    now: float | None = None,
) -> LockedAccount:
    """Lock an account's balance and apply what is due at `now`. Raises `NotFound`."""
    query = select(balances).where(balances.c.account_id == account_id).with_for_update()
    row = (await connection.execute(query)).first()
    if row is None:
        await _begin_balance(connection, database, account_id)
        row = (await connection.execute(query)).one()
    locked = locked_of(row)
    if now is not None and locked.has_changes_due(now):
        return await apply_due(connection, locked, now)
    return locked


async def change_balance(
    connection: AsyncConnection, locked: LockedAccount, after: Balance
) -> LockedAccount:
    """Write a changed balance; the statement itself refuses to take more than is free."""
    before = locked.balance
    if after == before:
        return locked
    column = balances.c
    taken = (after.used_ms + after.reserved_ms) - (before.used_ms + before.reserved_ms)
    statement = (
        update(balances)
        .where(column.account_id == locked.account_id)
        .values(
            capacity_ms=column.capacity_ms + (after.capacity_ms - before.capacity_ms),
            used_ms=column.used_ms + (after.used_ms - before.used_ms),
            reserved_ms=column.reserved_ms + (after.reserved_ms - before.reserved_ms),
            version=column.version + 1,
        )
    )
    if taken > 0:
        statement = statement.where(
            column.capacity_ms - column.used_ms - column.reserved_ms >= taken
        )
    if rows_changed(await connection.execute(statement)) != 1:
        raise VersionConflict("the balance changed under its lock")
    return replace(locked, balance=after, version=locked.version + 1)


async def apply_due(
    connection: AsyncConnection, locked: LockedAccount, now: float
) -> LockedAccount:
    """Turn over the capacity changes whose time has come, each with its ledger entry."""
    column = capacity_changes.c
    rows = await connection.execute(
        select(capacity_changes).where(
            column.account_id == locked.account_id,
            or_(
                and_(column.applied_at.is_(None), column.effective_at <= now),
                and_(
                    column.applied_at.is_not(None),
                    column.effective_at > now + CLOCK_SKEW_MAX_S,
                ),
            ),
        )
    )
    turns = {row.change_id: row for row in rows}
    changes = [planned_of(row) for row in turns.values()]
    total = 0
    for change in due(changes, now):
        turn = turns[change.change_id].turns + 1
        entry = _capacity_entry(change, turn, now)
        total += entry.amount_ms
        await add_entry(connection, locked.account_id, entry)
        await connection.execute(
            update(capacity_changes)
            .where(column.change_id == change.change_id)
            .values(applied_at=None if change.is_applied else now, turns=turn)
        )
    locked = await change_balance(connection, locked, locked.balance.moved(capacity_ms=total))
    return await note_next_change(connection, locked)


async def note_next_change(connection: AsyncConnection, locked: LockedAccount) -> LockedAccount:
    """Keep on the balance when a change is due next, so that a lease need not look."""
    column = capacity_changes.c
    is_pending = column.applied_at.is_(None)
    row = (
        await connection.execute(
            select(
                func.min(column.effective_at).filter(is_pending),
                func.max(column.effective_at).filter(~is_pending, column.was_scheduled),
            ).where(column.account_id == locked.account_id)
        )
    ).one()
    await connection.execute(
        update(balances)
        .where(balances.c.account_id == locked.account_id)
        .values(next_change_at=row[0], applied_until=row[1])
    )
    return replace(locked, next_change_at=row[0], applied_until=row[1])


async def add_entry(connection: AsyncConnection, account_id: AccountId, entry: Entry) -> None:
    """Append to the ledger. A key that is there already fails the whole transaction."""
    await connection.execute(
        insert(ledger_entries).values(
            account_id=account_id,
            key=entry.key,
            kind=entry.kind.value,
            amount_ms=entry.amount_ms,
            at=entry.at,
            call_id=entry.call_id,
            actor=entry.actor,
            note=entry.note,
        )
    )


def entry_of(row: Row[Any]) -> Entry:
    """Read a ledger row."""
    return Entry(
        key=row.key,
        kind=EntryKind(row.kind),
        amount_ms=row.amount_ms,
        at=row.at,
        call_id=row.call_id,
        actor=row.actor,
        note=row.note,
    )


def locked_of(row: Row[Any]) -> LockedAccount:
    """Read a balance row."""
    return LockedAccount(
        account_id=row.account_id,
        balance=Balance(row.capacity_ms, row.used_ms, row.reserved_ms),
        level=row.level,
        version=row.version,
        next_change_at=row.next_change_at,
        applied_until=row.applied_until,
    )


def planned_of(row: Row[Any]) -> PlannedChange:
    """Read a capacity change."""
    return PlannedChange(
        change_id=row.change_id,
        step=CapacityStep(row.effective_at, row.source, EntryKind(row.kind), row.amount_ms),
        is_applied=row.applied_at is not None,
        was_scheduled=row.was_scheduled,
    )


async def _begin_balance(
    connection: AsyncConnection, database: Database, account_id: AccountId
) -> None:
    known = select(accounts.c.account_id).where(accounts.c.account_id == account_id)
    if (await connection.execute(known)).first() is None:
        raise NotFound("there is no such account")
    await connection.execute(
        database.insert_new(balances)
        .values(
            account_id=account_id,
            capacity_ms=0,
            used_ms=0,
            reserved_ms=0,
            level=0,
            version=0,
        )
        .on_conflict_do_nothing()
    )


def _capacity_entry(change: PlannedChange, turn: int, now: float) -> Entry:
    key = f"capacity:{change.change_id}:{turn}"
    step = change.step
    if change.is_applied:
        note = f"{step.source}: taken back, a clock was ahead"
        return Entry(key, EntryKind.CAPACITY_CHANGE, -step.amount_ms, now, note=note)
    return Entry(key, step.kind, step.amount_ms, now, note=step.source)
