"""Rows of budgets, holds and charges. The caller holds the account's lock."""

from typing import Any

from sqlalchemy import ColumnElement, Row, func, insert, literal_column, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.adapters.sql_quota_schema import LIVE_BUDGET, UNFINISHED_BUDGET, budgets, charges
from gateway.core.errors import NotFound
from gateway.core.ids import AccountId, CallId
from gateway.core.quota.charge import Charge
from gateway.core.quota.lease import Budget, BudgetId, BudgetState, Hold, Refusal

is_live: ColumnElement[bool] = literal_column(LIVE_BUDGET)
is_unfinished: ColumnElement[bool] = literal_column(f"({UNFINISHED_BUDGET})")


async def find_budget(connection: AsyncConnection, budget_id: BudgetId) -> Budget | None:
    """Read one budget."""
    query = select(budgets).where(budgets.c.budget_id == budget_id)
    row = (await connection.execute(query)).first()
    return None if row is None else budget_of(row)


async def save_budget(
    connection: AsyncConnection, before: Budget | None, after: Budget
) -> None:
    """Write a budget that changed; `before` is None for a new one."""
    if before == after:
        return
    values = {
        "state": after.state.value,
        "granted_ms": after.granted_ms,
        "returned_ms": after.returned_ms,
        "settled_ms": after.settled_ms,
        "drawn_ms": after.drawn_ms,
        "ask_number": after.ask_number,
        "refusal": None if after.refusal is None else after.refusal.value,
    }
    if before is None:
        await connection.execute(
            insert(budgets).values(
                budget_id=after.budget_id,
                account_id=after.account_id,
                worker_id=after.worker_id,
                **values,
            )
        )
        return
    await connection.execute(
        update(budgets).where(budgets.c.budget_id == after.budget_id).values(**values)
    )


async def find_budget_to_renew(
    connection: AsyncConnection, budget_id: BudgetId, account_id: AccountId
) -> tuple[Budget | None, int]:
    """Read one budget, and how many open ones of the account share what is free."""
    rivals = budgets.alias()
    budgets_open = (
        select(func.count())
        .select_from(rivals)
        .where(
            rivals.c.account_id == account_id,
            is_unfinished,
            rivals.c.state == BudgetState.OPEN.value,
        )
        .scalar_subquery()
        .label("budgets_open")
    )
    query = select(budgets, budgets_open).where(
        budgets.c.budget_id == budget_id, budgets.c.account_id == account_id
    )
    row = (await connection.execute(query)).first()
    return (None, 0) if row is None else (budget_of(row), int(row.budgets_open))


async def drawing(
    connection: AsyncConnection, budget_id: BudgetId, *, besides: CallId | None = None
) -> int:
    """Count a budget's calls that are not settled."""
    query = select(func.count()).where(
        charges.c.budget_id == budget_id, charges.c.settled_at.is_(None)
    )
    if besides is not None:
        query = query.where(charges.c.call_id != besides)
    return int((await connection.execute(query)).scalar_one())


async def find_charge(
    connection: AsyncConnection, call_id: CallId, account_id: AccountId
) -> Charge | None:
    """Read one call's charge. Raises `NotFound` if the call is another account's."""
    query = select(charges).where(charges.c.call_id == call_id)
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    if row.account_id != account_id:
        raise NotFound("this account has no such call")
    return charge_of(row)


async def save_charge(
    connection: AsyncConnection,
    before: Charge | None,
    after: Charge,
    *,
    at: float | None = None,
) -> None:
    """Write a charge that changed; `before` is None for a new one.

    `at` says when it was settled or returned, if it was.
    """
    if before == after:
        return
    values: dict[str, Any] = {"charged_ms": after.charged_ms}
    if after.is_settled and not (before and before.is_settled):
        values["settled_at"] = at
    if after.is_returned and not (before and before.is_returned):
        values["returned_at"] = at
    if before is None:
        await connection.execute(
            insert(charges).values(
                call_id=after.call_id,
                account_id=after.account_id,
                budget_id=after.budget_id,
                **values,
            )
        )
        return
    await connection.execute(
        update(charges).where(charges.c.call_id == after.call_id).values(**values)
    )


def budget_of(row: Row[Any]) -> Budget:
    """Read a budget's row."""
    return Budget(
        budget_id=row.budget_id,
        account_id=row.account_id,
        worker_id=row.worker_id,
        state=BudgetState(row.state),
        granted_ms=row.granted_ms,
        returned_ms=row.returned_ms,
        settled_ms=row.settled_ms,
        drawn_ms=row.drawn_ms,
        ask_number=row.ask_number,
        refusal=None if row.refusal is None else Refusal(row.refusal),
    )


def hold_of(row: Row[Any]) -> Hold:
    """Read a hold's row."""
    return Hold(row.call_id, row.account_id, row.amount_ms, row.taken_at)


def charge_of(row: Row[Any]) -> Charge:
    """Read a charge's row."""
    return Charge(
        call_id=row.call_id,
        account_id=row.account_id,
        budget_id=row.budget_id,
        is_settled=row.settled_at is not None,
        is_returned=row.returned_at is not None,
        charged_ms=row.charged_ms,
    )
