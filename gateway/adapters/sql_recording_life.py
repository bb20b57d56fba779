"""The life of recordings in SQL (port `RecordingLife`)."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    and_,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from gateway.adapters import sql_audit
from gateway.adapters.sql_engine import Database, rows_changed
from gateway.adapters.sql_quota_rows import lock_account
from gateway.adapters.sql_quota_schema import charges
from gateway.adapters.sql_recording_end import end_in, tell_case
from gateway.adapters.sql_recording_facts import rules_of
from gateway.adapters.sql_recording_schema import (
    AVAILABLE,
    NEVER,
    recording_rules,
    recordings,
)
from gateway.adapters.sql_schema import accounts, calls
from gateway.core.errors import BadInput, NotFound, Refused, VersionConflict
from gateway.core.ids import AccountId, CallId
from gateway.core.recording.forecast import Going, KeptOfDay
from gateway.core.recording.lifecycle import Deletion, Life, Why
from gateway.core.recording.retention import KeepingRules, purge_day
from gateway.core.zones import local_day
from gateway.ports.audit import Deed, Order
from gateway.ports.recording_life import (
    AccountRules,
    Ended,
    LifeOf,
    RecordingLife,
)

REASON_CHARS_MAX = 400
_is_available: ColumnElement[bool] = literal_column(f"recordings.{AVAILABLE}")


class SqlRecordingLife(RecordingLife):
    """Deletions, holds and retention."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @override
    async def find(self, account_id: AccountId, call_id: CallId) -> LifeOf:
        async with self._database.reading() as connection:
            return _life_of(await _find(connection, account_id, call_id))

    @override
    async def delete(
        self, account_id: AccountId, call_id: CallId, *, why: Why, order: Order
    ) -> Ended:
        async with self._database.writing() as connection:
            locked = await lock_account(connection, self._database, account_id, now=order.at)
            done = await end_in(connection, locked, call_id, why=why, order=order)
            if done.ended.outcome is not Deletion.UNKNOWN:
                return done.ended
            if await _is_under_way(connection, account_id, call_id):
                return Ended(call_id, Deletion.NOT_MADE_YET)
            if why is Why.ERASURE:
                # There may still come a recording of Meta's.
                await tell_case(connection, account_id, call_id, order.at)
            return done.ended

    @override
    async def hold(
        self, account_id: AccountId, call_id: CallId, *, reason: str, order: Order
    ) -> LifeOf:
        reason = reason.strip()
        if not reason or len(reason) > REASON_CHARS_MAX:
            raise BadInput(f"say why it is held, in up to {REASON_CHARS_MAX} characters")
        async with self._database.writing() as connection:
            row = await _find(connection, account_id, call_id, lock=True)
            if row.state != Life.AVAILABLE:
                raise Refused("recording_deleted", "this recording has been deleted")
            if row.held_at is None or row.held_why != reason:
                await _change(
                    connection,
                    call_id,
                    held_at=order.at,
                    held_by=order.actor,
                    held_why=reason,
                )
                await _audit(connection, row, Deed.RECORDING_HELD, order)
            return _life_of(await _find(connection, account_id, call_id))

    @override
    async def release(self, account_id: AccountId, call_id: CallId, *, order: Order) -> LifeOf:
        async with self._database.writing() as connection:
            row = await _find(connection, account_id, call_id, lock=True)
            if row.held_at is not None:
                await _change(connection, call_id, held_at=None, held_by=None, held_why=None)
                await _audit(connection, row, Deed.RECORDING_RELEASED, order)
            return _life_of(await _find(connection, account_id, call_id))

    @override
    async def over(self, *, now: float, limit: int) -> Sequence[tuple[AccountId, CallId]]:
        zones = select(accounts.c.account_id, accounts.c.timezone).order_by(
            accounts.c.account_id
        )
        found: list[tuple[AccountId, CallId]] = []
        async with self._database.reading() as connection:
            for account in (await connection.execute(zones)).all():
                today = local_day(now, account.timezone).isoformat()
                query = (
                    select(recordings.c.call_id)
                    .where(
                        recordings.c.account_id == account.account_id,
                        _is_available,
                        recordings.c.purge_day <= today,
                        recordings.c.held_at.is_(None),
                    )
                    .order_by(recordings.c.purge_day)
                    .limit(limit - len(found))
                )
                rows = (await connection.execute(query)).scalars()
                found += [(account.account_id, call_id) for call_id in rows]
                if len(found) >= limit:
                    break
        return found

    @override
    async def kept_by_day(self, account_id: AccountId) -> Sequence[KeptOfDay]:
        is_free = recordings.c.held_at.is_(None)
        charged = func.coalesce(charges.c.charged_ms, 0)
        query = (
            select(
                recordings.c.made_day,
                _sum(is_free, 1).label("recordings"),
                _sum(is_free, charged).label("returned_ms"),
                _sum(is_free, recordings.c.bytes).label("bytes"),
                _sum(~is_free, 1).label("held"),
            )
            .outerjoin(charges, charges.c.call_id == recordings.c.call_id)
            .where(
                recordings.c.account_id == account_id,
                _is_available,
                recordings.c.made_day != NEVER,
            )
            .group_by(recordings.c.made_day)
            .order_by(recordings.c.made_day)
        )
        async with self._database.reading() as connection:
            return [_kept(row) for row in await connection.execute(query)]

    @override
    async def rules(self, account_id: AccountId) -> AccountRules:
        async with self._database.reading() as connection:
            return await _rules(connection, account_id)

    @override
    async def change_rules(
        self, account_id: AccountId, rules: KeepingRules, *, seen: int, order: Order
    ) -> AccountRules:
        values = {
            "version": seen + 1,
            "when_full": rules.when_full.value,
            "retention_days": rules.retention_days,
            "encrypts": rules.encrypts,
            "changed_at": order.at,
            "changed_by": order.actor,
        }
        async with self._database.writing() as connection:
            # The account's lock: no recording is made meanwhile with the days of before.
            await lock_account(connection, self._database, account_id, now=order.at)
            before = await _rules(connection, account_id, lock=True)
            if before.version != seen:
                raise VersionConflict("somebody else has changed the rules")
            fresh = self._database.insert_new(recording_rules).values(
                account_id=account_id, **values
            )
            await connection.execute(
                fresh.on_conflict_do_update(index_elements=["account_id"], set_=values)
            )
            if before.rules.retention_days != rules.retention_days:
                await _renew_days(connection, account_id, rules)
            await _audit_rules(connection, account_id, rules, order)
            return AccountRules(rules, seen + 1)


async def _is_under_way(
    connection: AsyncConnection, account_id: AccountId, call_id: CallId
) -> bool:
    """Whether a call goes on, or was captured and its recording is still to be made."""
    is_waiting = and_(charges.c.call_id == calls.c.call_id, charges.c.settled_at.is_(None))
    query = select(calls.c.call_id).where(
        calls.c.call_id == call_id,
        calls.c.account_id == account_id,
        or_(calls.c.ended_at.is_(None), exists().where(is_waiting)),
    )
    return (await connection.execute(query)).first() is not None


async def _find(
    connection: AsyncConnection, account_id: AccountId, call_id: CallId, *, lock: bool = False
) -> Row[Any]:
    query = select(recordings).where(
        recordings.c.call_id == call_id, recordings.c.account_id == account_id
    )
    row = (await connection.execute(query.with_for_update() if lock else query)).first()
    if row is None:
        raise NotFound("there is no such recording")
    return row


async def _change(connection: AsyncConnection, call_id: CallId, **values: object) -> None:
    await connection.execute(
        update(recordings)
        .where(recordings.c.call_id == call_id)
        .values(version=recordings.c.version + 1, **values)
    )


async def _rules(
    connection: AsyncConnection, account_id: AccountId, *, lock: bool = False
) -> AccountRules:
    query = select(recording_rules).where(recording_rules.c.account_id == account_id)
    row = (await connection.execute(query.with_for_update() if lock else query)).first()
    return AccountRules(rules_of(row), 0 if row is None else row.version)


async def _renew_days(
    connection: AsyncConnection, account_id: AccountId, rules: KeepingRules
) -> None:
    """Change the day on which each recording goes; there are no more made days than days."""
    made_days = (
        select(recordings.c.made_day)
        .where(
            recordings.c.account_id == account_id,
            _is_available,
            recordings.c.made_day != NEVER,
        )
        .distinct()
    )
    for made_day in (await connection.execute(made_days)).scalars().all():
        purge = purge_day(date.fromisoformat(made_day), rules)
        changed = await connection.execute(
            update(recordings)
            .where(
                recordings.c.account_id == account_id,
                recordings.c.made_day == made_day,
                recordings.c.state == Life.AVAILABLE.value,
            )
            .values(purge_day=purge.isoformat(), version=recordings.c.version + 1)
        )
        assert rows_changed(changed)


async def _audit(connection: AsyncConnection, row: Row[Any], deed: Deed, order: Order) -> None:
    await sql_audit.append(connection, order.entry(row.account_id, deed, row.call_id))


async def _audit_rules(
    connection: AsyncConnection, account_id: AccountId, rules: KeepingRules, order: Order
) -> None:
    await sql_audit.append(
        connection,
        order.entry(
            account_id,
            Deed.SETTINGS_CALLS_CHANGED,
            account_id,
            when_full=rules.when_full.value,
            retention_days=rules.retention_days,
            encrypts=rules.encrypts,
        ),
    )


def _sum(which: ColumnElement[bool], what: ColumnElement[int] | int) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((which, what), else_=0)), 0)


def _kept(row: Row[Any]) -> KeptOfDay:
    counts = (row.recordings, row.returned_ms, row.bytes, row.held)
    return KeptOfDay(date.fromisoformat(row.made_day), Going(*map(int, counts)))


def _life_of(row: Row[Any]) -> LifeOf:
    return LifeOf(
        call_id=row.call_id,
        account_id=row.account_id,
        state=Life(row.state),
        version=row.version,
        file=row.file,
        peaks=row.peaks,
        sha256=row.sha256,
        bytes=row.bytes,
        duration_ms=row.duration_ms,
        purge_on=date.fromisoformat(row.purge_day),
        held_at=row.held_at,
        held_by=row.held_by,
        held_why=row.held_why,
        trashed_at=row.trashed_at,
        gone_after=row.gone_after,
        deleted_by=row.deleted_by,
        deleted_why=None if row.deleted_why is None else Why(row.deleted_why),
        purged_at=row.purged_at,
    )
