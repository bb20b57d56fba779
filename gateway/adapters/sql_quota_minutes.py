"""Leases and charges of recording minutes in SQL (port `Minutes`).

Every method locks the account, reads what it needs, lets the pure rules of `core.quota` decide
and writes the outcome: one transaction, one guarded change of the balance.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from sqlalchemy import Row, Select, and_, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from gateway.adapters.sql_engine import Database, rows_changed
from gateway.adapters.sql_quota_charges import (
    correct_in,
    release_hold_in,
    save_in,
    settle_in,
)
from gateway.adapters.sql_quota_leases import (
    budget_of,
    charge_of,
    drawing,
    find_budget,
    find_budget_to_renew,
    find_charge,
    hold_of,
    is_live,
    is_unfinished,
    save_budget,
    save_charge,
)
from gateway.adapters.sql_quota_rows import (
    LockedAccount,
    change_balance,
    lock_account,
    locked_of,
)
from gateway.adapters.sql_quota_schema import balances, budgets, charges, holds
from gateway.core.errors import NotFound, Refused
from gateway.core.ids import AccountId, CallId
from gateway.core.quota import charge as charging
from gateway.core.quota import lease
from gateway.core.quota.balance import FRAME_MS, Balance
from gateway.core.quota.charge import Charge, Recorded, Stamp
from gateway.core.quota.lease import Answer, Ask, Budget, BudgetId, LeaseTerms, WorkerId
from gateway.core.quota.ledger import EntryKind
from gateway.core.quota.live import AccountMinutes
from gateway.ports.quota import ChargedCall, Minutes


class MakeRoom(Protocol):
    """Deletes old recordings of an account that may have that."""

    async def __call__(
        self, connection: AsyncConnection, locked: LockedAccount, wanted_ms: int, now: float
    ) -> LockedAccount:
        """Try to get so much free, within the transaction that holds the account's lock."""


class SqlMinutes(Minutes):
    """The account's minutes."""

    def __init__(
        self, database: Database, terms: LeaseTerms, make_room: MakeRoom | None = None
    ) -> None:
        """`make_room` is asked before anything is refused; None: nothing ever makes room."""
        self._database = database
        self._terms = terms
        self._make_room = make_room

    @override
    async def view(self, account_id: AccountId, *, now: float) -> AccountMinutes:
        async with self._database.reading() as connection:
            rows = (await connection.execute(_picture(account_id))).all()
        if not rows:
            return AccountMinutes(account_id, Balance(), 0, 0)
        seen = locked_of(rows[0])
        if not seen.has_changes_due(now):
            return _minutes(seen, [row for row in rows if row.budget_id is not None])
        async with self._locked(account_id, now=now) as (connection, locked):
            return await minutes_of(connection, locked)

    @override
    async def take_hold(self, account_id: AccountId, call_id: CallId, *, now: float) -> bool:
        async with self._locked(account_id, now=now) as (connection, locked):
            known = select(holds.c.call_id).where(holds.c.call_id == call_id)
            if (await connection.execute(known)).first() is not None:
                return True
            if await find_charge(connection, call_id, account_id) is not None:
                return True
            roomy = locked
            if not lease.hold_size(locked.balance, self._terms):
                wanted = max(self._terms.hold_ms, self._terms.min_free_to_record_ms)
                roomy = await self._with_room(connection, locked, wanted, now)
            amount = lease.hold_size(roomy.balance, self._terms)
            if not amount:
                return False
            await change_balance(connection, roomy, roomy.balance.moved(reserved_ms=amount))
            await connection.execute(
                insert(holds).values(
                    call_id=call_id, account_id=account_id, amount_ms=amount, taken_at=now
                )
            )
            return True

    @override
    async def release_hold(self, call_id: CallId) -> None:
        whose = select(holds.c.account_id).where(holds.c.call_id == call_id)
        async with self._database.reading() as connection:
            account_id = (await connection.execute(whose)).scalar_one_or_none()
        if account_id is None:
            return
        async with self._locked(account_id) as (connection, locked):
            await release_hold_in(connection, locked, call_id)

    @override
    async def release_holds_before(self, taken_before: float) -> Sequence[AccountId]:
        old = select(holds.c.call_id, holds.c.account_id).where(holds.c.taken_at < taken_before)
        async with self._database.reading() as connection:
            rows = (await connection.execute(old)).all()
        for row in rows:
            await self.release_hold(row.call_id)
        return [row.account_id for row in rows]

    @override
    async def open_capture(
        self, call_id: CallId, account_id: AccountId, worker_id: WorkerId, *, fresh: BudgetId
    ) -> Budget:
        async with self._locked(account_id) as (connection, _):
            known = await find_charge(connection, call_id, account_id)
            if known is not None:
                return await _budget_in_use(connection, known, worker_id)
            live = select(budgets).where(
                budgets.c.account_id == account_id, budgets.c.worker_id == worker_id, is_live
            )
            row = (await connection.execute(live)).first()
            current = Budget(fresh, account_id, worker_id) if row is None else budget_of(row)
            held = select(holds).where(holds.c.call_id == call_id)
            hold_row = (await connection.execute(held)).first()
            hold = None if hold_row is None else hold_of(hold_row)
            budget = lease.open_with(current, hold)
            await save_budget(connection, None if row is None else current, budget)
            if hold is not None:
                await connection.execute(delete(holds).where(holds.c.call_id == call_id))
            await save_charge(connection, None, Charge(call_id, account_id, budget.budget_id))
            return budget

    @override
    async def renew(self, ask: Ask, *, now: float) -> Answer:
        async with self._locked(ask.account_id, now=now) as (connection, locked):
            budget, budgets_open = await find_budget_to_renew(
                connection, ask.budget_id, ask.account_id
            )
            if budget is None:
                raise NotFound("no such budget")
            roomy = locked
            if lease.is_fresh(budget, ask) and locked.balance.free_ms < FRAME_MS:
                wanted = self._terms.per_capture_ms * ask.active_captures
                roomy = await self._with_room(connection, locked, wanted, now)
            renewed = lease.renew(
                roomy.balance,
                budget,
                ask,
                budgets_open=budgets_open,
                terms=self._terms,
            )
            await change_balance(connection, roomy, renewed.balance)
            await save_budget(connection, budget, renewed.budget)
            return renewed.answer

    @override
    async def give_back(self, budget_id: BudgetId, *, returned_ms: int, drawn_ms: int) -> None:
        async with self._locked_budget(budget_id) as found:
            if found is None:
                return
            connection, locked, budget = found
            back = lease.give_back(
                locked.balance, budget, returned_ms=returned_ms, drawn_ms=drawn_ms
            )
            await change_balance(connection, locked, back.balance)
            await save_budget(connection, budget, back.budget)

    @override
    async def close_budget(self, budget_id: BudgetId, *, drawn_ms: int | None) -> None:
        async with self._locked_budget(budget_id) as found:
            if found is None:
                return
            connection, locked, budget = found
            closed = lease.close(
                locked.balance,
                budget,
                drawn_ms=drawn_ms,
                drawing=await drawing(connection, budget_id),
            )
            await change_balance(connection, locked, closed.balance)
            await save_budget(connection, budget, closed.budget)

    @override
    async def suspend_worker(self, worker_id: WorkerId) -> Sequence[Budget]:
        open_ones = select(budgets.c.budget_id).where(
            budgets.c.worker_id == worker_id, budgets.c.state == lease.BudgetState.OPEN.value
        )
        async with self._database.reading() as connection:
            ids = (await connection.execute(open_ones)).scalars().all()
        suspended = []
        for budget_id in ids:
            async with self._locked_budget(budget_id) as found:
                if found is None:
                    continue
                connection, locked, budget = found
                gone = lease.suspend(
                    locked.balance, budget, drawing=await drawing(connection, budget_id)
                )
                await change_balance(connection, locked, gone.balance)
                await save_budget(connection, budget, gone.budget)
                suspended.append(gone.budget)
        return suspended

    @override
    async def budgets_of(self, worker_id: WorkerId) -> Sequence[Budget]:
        query = select(budgets).where(budgets.c.worker_id == worker_id, is_live)
        async with self._database.reading() as connection:
            rows = await connection.execute(query.order_by(budgets.c.budget_id))
            return [budget_of(row) for row in rows]

    @override
    async def workers(self) -> Sequence[WorkerId]:
        query = select(budgets.c.worker_id).where(is_live).distinct()
        async with self._database.reading() as connection:
            rows = await connection.execute(query.order_by(budgets.c.worker_id))
            return [WorkerId(row.worker_id) for row in rows]

    @override
    async def unsettled(self, worker_id: WorkerId) -> Sequence[Charge]:
        query = (
            select(charges)
            .join(budgets, budgets.c.budget_id == charges.c.budget_id)
            .where(budgets.c.worker_id == worker_id, charges.c.settled_at.is_(None))
            .order_by(charges.c.call_id)
        )
        async with self._database.reading() as connection:
            return [charge_of(row) for row in await connection.execute(query)]

    @override
    async def settle(
        self, call_id: CallId, account_id: AccountId, recorded: Recorded, stamp: Stamp
    ) -> ChargedCall:
        async with self._locked(account_id, now=stamp.at) as (connection, locked):
            return await settle_in(connection, locked, call_id, recorded, stamp)

    @override
    async def correct(
        self, call_id: CallId, *, target_ms: int, key: str, stamp: Stamp
    ) -> ChargedCall:
        account_id = await self._account_of(call_id)
        async with self._locked(account_id, now=stamp.at) as (connection, locked):
            return await correct_in(
                connection, locked, call_id, target_ms=target_ms, key=key, stamp=stamp
            )

    @override
    async def return_minutes(
        self, call_id: CallId, account_id: AccountId, *, kind: EntryKind, stamp: Stamp
    ) -> ChargedCall:
        async with self._locked(account_id, now=stamp.at) as (connection, locked):
            known = await find_charge(connection, call_id, account_id)
            charge = known or Charge(call_id, account_id)
            returned = charging.give_back(locked.balance, charge, kind=kind, stamp=stamp)
            await save_in(connection, locked, known, None, returned, stamp.at)
            return ChargedCall(returned.charge, 0, charge.is_returned)

    @override
    async def note_level(self, account_id: AccountId, *, seen: int, reached: int) -> bool:
        async with self._database.writing() as connection:
            result = await connection.execute(
                update(balances)
                .where(balances.c.account_id == account_id, balances.c.level == seen)
                .values(level=reached)
            )
            return rows_changed(result) == 1

    async def _with_room(
        self, connection: AsyncConnection, locked: LockedAccount, wanted_ms: int, now: float
    ) -> LockedAccount:
        if self._make_room is None:
            return locked
        return await self._make_room(connection, locked, wanted_ms, now)

    @asynccontextmanager
    async def _locked(
        self, account_id: AccountId, *, now: float | None = None
    ) -> AsyncIterator[tuple[AsyncConnection, LockedAccount]]:
        async with self._database.writing() as connection:
            yield (
                connection,
                await lock_account(connection, self._database, account_id, now=now),
            )

    @asynccontextmanager
    async def _locked_budget(
        self, budget_id: BudgetId
    ) -> AsyncIterator[tuple[AsyncConnection, LockedAccount, Budget] | None]:
        async with self._database.writing() as connection:
            whose = select(budgets.c.account_id).where(budgets.c.budget_id == budget_id)
            account_id = (await connection.execute(whose)).scalar_one_or_none()
            if account_id is None:
                yield None
                return
            locked = await lock_account(connection, self._database, account_id)
            # Read again: it may have changed while we waited for the lock.
            budget = await find_budget(connection, budget_id)
            yield None if budget is None else (connection, locked, budget)

    async def _account_of(self, call_id: CallId) -> AccountId:
        whose = select(charges.c.account_id).where(charges.c.call_id == call_id)
        async with self._database.reading() as connection:
            account_id = (await connection.execute(whose)).scalar_one_or_none()
        if account_id is None:
            raise NotFound("this call was never recorded")
        return AccountId(account_id)


async def minutes_of(connection: AsyncConnection, locked: LockedAccount) -> AccountMinutes:
    """Read an account's budgets beside its balance, which the caller has locked."""
    query = select(budgets).where(budgets.c.account_id == locked.account_id, is_unfinished)
    rows = await connection.execute(query.order_by(budgets.c.budget_id))
    return _minutes(locked, rows.all())


def _picture(account_id: AccountId) -> Select[Any]:
    """Select balance and budgets of one moment: two statements might see two."""
    of_account = and_(budgets.c.account_id == balances.c.account_id, is_unfinished)
    return (
        select(balances, *(c for c in budgets.c if c.name != "account_id"))
        .select_from(balances.outerjoin(budgets, of_account))
        .where(balances.c.account_id == account_id)
        .order_by(budgets.c.budget_id)
    )


def _minutes(locked: LockedAccount, rows: Sequence[Row[Any]]) -> AccountMinutes:
    return AccountMinutes(
        account_id=locked.account_id,
        balance=locked.balance,
        level=locked.level,
        version=locked.version,
        budgets=tuple(budget_of(row) for row in rows),
    )


async def _budget_in_use(
    connection: AsyncConnection, known: Charge, worker_id: WorkerId
) -> Budget:
    budget = None
    if known.budget_id is not None and not known.is_settled:
        budget = await find_budget(connection, known.budget_id)
    if budget is None:
        raise Refused("already_settled", "this call has been charged already")
    if budget.worker_id != worker_id:
        raise Refused("other_worker", "this call is captured by another worker")
    return budget
