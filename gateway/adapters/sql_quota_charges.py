"""Charges written within a transaction that holds the account's lock."""

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.adapters.sql_quota_leases import (
    drawing,
    find_budget,
    find_charge,
    save_budget,
    save_charge,
)
from gateway.adapters.sql_quota_rows import LockedAccount, add_entry, change_balance
from gateway.adapters.sql_quota_schema import holds, ledger_entries
from gateway.core.ids import CallId
from gateway.core.quota import charge as charging
from gateway.core.quota.charge import Charge, Charged, Recorded, Stamp
from gateway.core.quota.lease import Budget
from gateway.ports.quota import ChargedCall


async def settle_in(
    connection: AsyncConnection,
    locked: LockedAccount,
    call_id: CallId,
    recorded: Recorded,
    stamp: Stamp,
) -> ChargedCall:
    """Charge a call within a transaction that holds the account's lock."""
    known = await find_charge(connection, call_id, locked.account_id)
    charge = known or Charge(call_id, locked.account_id)
    unheld = locked
    if not charge.is_settled:
        unheld = await release_hold_in(connection, locked, call_id)
    budget = (
        None if charge.budget_id is None else await find_budget(connection, charge.budget_id)
    )
    settled = charging.settle(
        unheld.balance,
        charge,
        budget,
        recorded=recorded,
        drawing=0
        if budget is None
        else await drawing(connection, budget.budget_id, besides=call_id),
        stamp=stamp,
    )
    await save_in(connection, unheld, known, budget, settled, stamp.at)
    return ChargedCall(settled.charge, settled.uncovered_ms, charge.is_settled)


async def correct_in(
    connection: AsyncConnection,
    locked: LockedAccount,
    call_id: CallId,
    *,
    target_ms: int,
    key: str,
    stamp: Stamp,
) -> ChargedCall:
    """Change a call's charge within a transaction that holds the account's lock."""
    charge = await find_charge(connection, call_id, locked.account_id)
    assert charge is not None, "charges are never deleted"
    done_before = select(ledger_entries.c.position).where(
        ledger_entries.c.account_id == locked.account_id,
        ledger_entries.c.key == charging.correction_key(call_id, key),
    )
    if (await connection.execute(done_before)).first() is not None:
        return ChargedCall(charge, 0, is_repeat=True)
    corrected = charging.correct(
        locked.balance, charge, target_ms=target_ms, key=key, stamp=stamp
    )
    await save_in(connection, locked, charge, None, corrected, stamp.at)
    is_repeat = corrected.entry is None
    return ChargedCall(corrected.charge, corrected.uncovered_ms, is_repeat)


async def release_hold_in(
    connection: AsyncConnection, locked: LockedAccount, call_id: CallId
) -> LockedAccount:
    """Give back what was held for a call; no hold is fine."""
    held = select(holds.c.amount_ms).where(holds.c.call_id == call_id)
    amount = (await connection.execute(held)).scalar_one_or_none()
    if amount is None:
        return locked
    await connection.execute(delete(holds).where(holds.c.call_id == call_id))
    return await change_balance(connection, locked, locked.balance.moved(reserved_ms=-amount))


async def save_in(
    connection: AsyncConnection,
    locked: LockedAccount,
    known: Charge | None,
    budget: Budget | None,
    charged: Charged,
    at: float,
) -> LockedAccount:
    """Write what charging has changed: balance, budget, charge, ledger."""
    after = await change_balance(connection, locked, charged.balance)
    if budget is not None and charged.budget is not None:
        await save_budget(connection, budget, charged.budget)
    await save_charge(connection, known, charged.charge, at=at)
    if charged.entry is not None:
        await add_entry(connection, locked.account_id, charged.entry)
    return after
