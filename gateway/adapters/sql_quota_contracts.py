"""What accounts have bought, in SQL (port `Contracts`). Every change is audited."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Row, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from gateway.adapters import sql_audit
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_quota_minutes import minutes_of
from gateway.adapters.sql_quota_rows import (
    LockedAccount,
    apply_due,
    lock_account,
    note_next_change,
)
from gateway.adapters.sql_quota_schema import add_ons, capacity_changes, subscriptions
from gateway.adapters.sql_schema import accounts
from gateway.core.errors import BadInput, NotFound, Refused
from gateway.core.ids import AccountId
from gateway.core.quota.charge import Stamp
from gateway.core.quota.contract import (
    AddOn,
    CapacityStep,
    Contract,
    SubscriptionTerm,
    capacity_steps,
    check_add_on,
    check_term,
)
from gateway.core.quota.live import AccountMinutes
from gateway.core.quota.plan import MS_PER_MINUTE, PlanBook
from gateway.ports import Json
from gateway.ports.audit import AuditEntry
from gateway.ports.clock import NewId
from gateway.ports.quota import Contracts, Purchase


class SqlContracts(Contracts):
    """Subscriptions and add-ons, and the capacity that follows from them."""

    def __init__(self, database: Database, book: PlanBook, new_id: NewId) -> None:
        self._database = database
        self._book = book
        self._new_id = new_id

    @override
    async def contract(self, account_id: AccountId) -> Contract:
        async with self._database.reading() as connection:
            return await contract_of(connection, account_id)

    @override
    async def subscribe(
        self,
        account_id: AccountId,
        term: SubscriptionTerm,
        *,
        stamp: Stamp,
        allow_overdrawn: bool = False,
    ) -> AccountMinutes:
        async with self._database.writing() as connection:
            locked = await lock_account(connection, self._database, account_id, now=stamp.at)
            contract = await contract_of(connection, account_id)
            if any(t.subscription_id == term.subscription_id for t in contract.terms):
                return await minutes_of(connection, locked)
            check_term(contract, term, self._book, stamp.at)
            await connection.execute(
                insert(subscriptions).values(
                    account_id=account_id,
                    subscription_id=term.subscription_id,
                    package=term.package,
                    licensed_users=term.licensed_users,
                    starts_at=term.starts_at,
                    contract_ends_on=_iso(term.contract_ends_on),
                    created_at=stamp.at,
                    actor=stamp.actor,
                    note=stamp.note,
                )
            )
            await _audit(
                connection,
                account_id,
                "subscription.churned" if term.package is None else "subscription.begun",
                term.subscription_id,
                stamp,
                {
                    "package": term.package,
                    "licensed_users": term.licensed_users,
                    "starts_at": term.starts_at,
                    "contract_ends_on": _iso(term.contract_ends_on),
                },
            )
            return await self._replan(connection, locked, stamp.at, allow_overdrawn)

    @override
    async def add_on(
        self, account_id: AccountId, purchase: Purchase, *, key: str, stamp: Stamp
    ) -> AddOn:
        async with self._database.writing() as connection:
            locked = await lock_account(connection, self._database, account_id, now=stamp.at)
            known = select(add_ons).where(
                add_ons.c.account_id == account_id, add_ons.c.key == key
            )
            row = (await connection.execute(known)).first()
            if row is not None:
                return _add_on(row)
            contract = await contract_of(connection, account_id)
            bought = self._bought(contract, purchase, stamp.at)
            check_add_on(contract, bought, self._book, stamp.at)
            await _insert_add_on(connection, account_id, bought, key, stamp)
            await _audit(
                connection,
                account_id,
                "add_on.bought",
                bought.add_on_id,
                stamp,
                {
                    "packs": bought.packs,
                    "price_idr": bought.price_idr,
                    "starts_at": bought.starts_at,
                    "ends_on": _iso(bought.ends_on),
                    "renews": bought.renews,
                },
            )
            # More minutes never overdraw.
            await self._replan(connection, locked, stamp.at, allow_overdrawn=True)
            return bought

    @override
    async def replan(
        self, account_id: AccountId, *, now: float, allow_overdrawn: bool = False
    ) -> AccountMinutes:
        async with self._database.writing() as connection:
            locked = await lock_account(connection, self._database, account_id, now=now)
            return await self._replan(connection, locked, now, allow_overdrawn)

    def _bought(self, contract: Contract, purchase: Purchase, now: float) -> AddOn:
        ends_on = purchase.ends_on
        if ends_on is None:
            term = contract.term_at(max(purchase.starts_at, now))
            ends_on = None if term is None else term.contract_ends_on
        if ends_on is None:
            raise BadInput("an add-on needs a subscription, and the account has none then")
        return AddOn(
            add_on_id=self._new_id(),
            packs=purchase.packs,
            pack_ms=self._book.add_on.pack_ms,
            price_idr=self._book.add_on.price_idr,
            starts_at=purchase.starts_at,
            ends_on=ends_on,
            renews=purchase.renews,
        )

    async def _replan(
        self,
        connection: AsyncConnection,
        locked: LockedAccount,
        now: float,
        allow_overdrawn: bool,
    ) -> AccountMinutes:
        contract = await contract_of(connection, locked.account_id)
        counted = await _counted(connection, locked.account_id)
        steps = capacity_steps(contract, self._book, counted, now)
        await _replace_pending(connection, locked.account_id, steps, now)
        overdrawn_before = locked.balance.overdrawn_ms
        locked = await note_next_change(connection, locked)
        locked = await apply_due(connection, locked, now)
        if locked.balance.overdrawn_ms > overdrawn_before and not allow_overdrawn:
            raise Refused("would_overdraw", _overdraft(locked))
        return await minutes_of(connection, locked)


async def contract_of(connection: AsyncConnection, account_id: AccountId) -> Contract:
    """Read everything an account has bought. Raises `NotFound`."""
    zone_of = select(accounts.c.timezone).where(accounts.c.account_id == account_id)
    zone = (await connection.execute(zone_of)).scalar_one_or_none()
    if zone is None:
        raise NotFound("there is no such account")
    terms = await connection.execute(
        select(subscriptions)
        .where(subscriptions.c.account_id == account_id)
        .order_by(subscriptions.c.position)
    )
    bought = await connection.execute(
        select(add_ons).where(add_ons.c.account_id == account_id).order_by(add_ons.c.position)
    )
    return Contract(
        zone, tuple(_term(row) for row in terms), tuple(_add_on(row) for row in bought)
    )


async def _counted(connection: AsyncConnection, account_id: AccountId) -> dict[str, int]:
    column = capacity_changes.c
    query = (
        select(column.source, func.sum(column.amount_ms).label("counted_ms"))
        .where(column.account_id == account_id, column.applied_at.is_not(None))
        .group_by(column.source)
    )
    return {row.source: int(row.counted_ms) for row in await connection.execute(query)}


async def _replace_pending(
    connection: AsyncConnection,
    account_id: AccountId,
    steps: Sequence[CapacityStep],
    now: float,
) -> None:
    column = capacity_changes.c
    await connection.execute(
        delete(capacity_changes).where(
            column.account_id == account_id, column.applied_at.is_(None)
        )
    )
    if steps:
        await connection.execute(
            insert(capacity_changes),
            [
                {
                    "account_id": account_id,
                    "effective_at": step.effective_at,
                    "source": step.source,
                    "kind": step.kind.value,
                    "amount_ms": step.amount_ms,
                    "was_scheduled": step.effective_at > now,
                    "turns": 0,
                }
                for step in steps
            ],
        )


async def _insert_add_on(
    connection: AsyncConnection, account_id: AccountId, bought: AddOn, key: str, stamp: Stamp
) -> None:
    await connection.execute(
        insert(add_ons).values(
            account_id=account_id,
            add_on_id=bought.add_on_id,
            key=key,
            packs=bought.packs,
            pack_ms=bought.pack_ms,
            price_idr=bought.price_idr,
            starts_at=bought.starts_at,
            ends_on=_iso(bought.ends_on),
            renews=bought.renews,
            created_at=stamp.at,
            actor=stamp.actor,
            note=stamp.note,
        )
    )


async def _audit(
    connection: AsyncConnection,
    account_id: AccountId,
    action: str,
    subject: str,
    stamp: Stamp,
    fields: dict[str, Json],
) -> None:
    await sql_audit.append(
        connection,
        AuditEntry(account_id, stamp.actor, action, subject, stamp.at, fields),
    )


def _overdraft(locked: LockedAccount) -> str:
    balance = locked.balance
    taken = balance.used_ms + balance.reserved_ms
    return (
        f"capacity would be {balance.capacity_ms / MS_PER_MINUTE:,.1f} min, and "
        f"{taken / MS_PER_MINUTE:,.1f} min are taken: nothing would be recorded until "
        f"{balance.overdrawn_ms / MS_PER_MINUTE:,.1f} min are freed"
    )


def _term(row: Row[Any]) -> SubscriptionTerm:
    ends_on = row.contract_ends_on
    return SubscriptionTerm(
        subscription_id=row.subscription_id,
        package=row.package,
        licensed_users=row.licensed_users,
        starts_at=row.starts_at,
        contract_ends_on=None if ends_on is None else date.fromisoformat(ends_on),
    )


def _add_on(row: Row[Any]) -> AddOn:
    return AddOn(
        add_on_id=row.add_on_id,
        packs=row.packs,
        pack_ms=row.pack_ms,
        price_idr=row.price_idr,
        starts_at=row.starts_at,
        ends_on=date.fromisoformat(row.ends_on),
        renews=row.renews,
    )


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
