"""Makes room for new recordings by deleting the oldest, where an account may have that."""

from sqlalchemy import ColumnElement, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.adapters.sql_quota_contracts import contract_of
from gateway.adapters.sql_quota_rows import LockedAccount
from gateway.adapters.sql_quota_schema import charges
from gateway.adapters.sql_recording_end import end_in
from gateway.adapters.sql_recording_facts import rules_of
from gateway.adapters.sql_recording_schema import AVAILABLE, recording_rules, recordings
from gateway.core.ids import CallId
from gateway.core.quota.plan import PlanBook
from gateway.core.quota.rotation import may_rotate
from gateway.core.recording.lifecycle import Deletion, Why
from gateway.ports.audit import Order

_is_available: ColumnElement[bool] = literal_column(f"recordings.{AVAILABLE}")


class SqlRotation:
    """Called inside a refused lease, with the account's lock held."""

    def __init__(self, book: PlanBook, *, recordings_max: int) -> None:
        """No more than `recordings_max` go at a time: somebody waits for the answer."""
        self._book = book
        self._max = recordings_max

    async def make_room(
        self, connection: AsyncConnection, locked: LockedAccount, wanted_ms: int, now: float
    ) -> LockedAccount:
        """Delete the oldest recordings that nothing holds until `wanted_ms` are free.

        Nothing is deleted where that could not be reached even with all of them gone.
        """
        if not await self._may(connection, locked, now):
            return locked
        if not await _is_in_reach(connection, locked, wanted_ms):
            return locked
        for call_id in await self._oldest(connection, locked):
            if locked.balance.free_ms >= wanted_ms:
                break
            done = await end_in(connection, locked, call_id, why=Why.ROOM, order=Order(now))
            assert done.ended.outcome is Deletion.DELETED, "read under the account's lock"
            locked = done.locked
        return locked

    async def _may(
        self, connection: AsyncConnection, locked: LockedAccount, now: float
    ) -> bool:
        query = select(recording_rules).where(recording_rules.c.account_id == locked.account_id)
        rules = rules_of((await connection.execute(query)).first())
        contract = await contract_of(connection, locked.account_id)
        return may_rotate(contract, self._book, rules.when_full, now)

    async def _oldest(self, connection: AsyncConnection, locked: LockedAccount) -> list[CallId]:
        # One without minutes makes no room.
        query = (
            select(recordings.c.call_id)
            .join(charges, charges.c.call_id == recordings.c.call_id)
            .where(
                recordings.c.account_id == locked.account_id,
                _is_available,
                recordings.c.held_at.is_(None),
                charges.c.charged_ms > 0,
            )
            .order_by(recordings.c.began_at, recordings.c.call_id)
            .limit(self._max)
        )
        return [CallId(call_id) for call_id in (await connection.execute(query)).scalars()]


async def _is_in_reach(
    connection: AsyncConnection, locked: LockedAccount, wanted_ms: int
) -> bool:
    query = (
        select(func.coalesce(func.sum(charges.c.charged_ms), 0))
        .select_from(recordings.join(charges, charges.c.call_id == recordings.c.call_id))
        .where(
            recordings.c.account_id == locked.account_id,
            _is_available,
            recordings.c.held_at.is_(None),
        )
    )
    unheld_ms = int((await connection.execute(query)).scalar_one())
    balance = locked.balance
    return balance.free_ms - balance.overdrawn_ms + unheld_ms >= wanted_ms
