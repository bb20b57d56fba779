"""Ends recordings inside a transaction that holds the account's lock."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.adapters import sql_audit
from gateway.adapters.sql_case_rows import conclusion_of, facts_columns, facts_of
from gateway.adapters.sql_official_schema import recording_cases, transcripts
from gateway.adapters.sql_quota_charges import save_in
from gateway.adapters.sql_quota_leases import find_charge
from gateway.adapters.sql_quota_rows import LockedAccount
from gateway.adapters.sql_recording_schema import recordings
from gateway.adapters.sql_stored_files import doom_files
from gateway.core.ids import AccountId, CallId
from gateway.core.quota.charge import Charge, Stamp, give_back
from gateway.core.quota.ledger import EntryKind
from gateway.core.recording.facts import Deleted, learn
from gateway.core.recording.lifecycle import Deletion, Life, Why
from gateway.core.recording.retention import TRASH_S
from gateway.ports.audit import Deed, Order
from gateway.ports.recording_life import Ended

_DEEDS = {
    Why.HAND: Deed.RECORDING_DELETED,
    Why.ROOM: Deed.RECORDING_ROTATED,
    Why.RETENTION: Deed.RECORDING_PURGED,
    Why.ERASURE: Deed.RECORDING_DELETED,
}
_NOTES = {
    Why.HAND: "",
    Why.ROOM: "made room",
    Why.RETENTION: "kept for its time",
    Why.ERASURE: "erased for the customer",
}


@dataclass(frozen=True, slots=True)
class EndedIn:
    """What came of it, and the account's lock with the balance as it is now."""

    ended: Ended
    locked: LockedAccount


async def end_in(
    connection: AsyncConnection,
    locked: LockedAccount,
    call_id: CallId,
    *,
    why: Why,
    order: Order,
) -> EndedIn:
    """Delete a recording of the locked account."""
    query = select(recordings).where(
        recordings.c.call_id == call_id, recordings.c.account_id == locked.account_id
    )
    row = (await connection.execute(query.with_for_update())).first()
    if row is None:
        return EndedIn(Ended(call_id, Deletion.UNKNOWN), locked)
    if row.state != Life.AVAILABLE:
        return EndedIn(Ended(call_id, Deletion.ALREADY), locked)
    if row.held_at is not None:
        return EndedIn(Ended(call_id, Deletion.HELD), locked)
    locked, returned_ms = await _return_minutes(connection, locked, call_id, why, order)
    gone_after = order.at + TRASH_S if why is Why.HAND else order.at
    await connection.execute(
        update(recordings)
        .where(recordings.c.call_id == call_id)
        .values(
            state=Life.TRASHED.value,
            trashed_at=order.at,
            gone_after=gone_after,
            deleted_by=order.actor,
            deleted_why=why.value,
            version=recordings.c.version + 1,
        )
    )
    await doom_files(connection, call_id, due_at=gone_after)
    await connection.execute(delete(transcripts).where(transcripts.c.call_id == call_id))
    await tell_case(connection, locked.account_id, call_id, order.at)
    await _audit(connection, row, why, order, returned_ms)
    return EndedIn(Ended(call_id, Deletion.DELETED, returned_ms), locked)


async def _return_minutes(
    connection: AsyncConnection,
    locked: LockedAccount,
    call_id: CallId,
    why: Why,
    order: Order,
) -> tuple[LockedAccount, int]:
    known = await find_charge(connection, call_id, locked.account_id)
    charge = known or Charge(call_id, locked.account_id)
    kind = EntryKind.PURGE if why is Why.RETENTION else EntryKind.DELETE
    stamp = Stamp(order.at, order.actor, _NOTES[why])
    returned = give_back(locked.balance, charge, kind=kind, stamp=stamp)
    locked = await save_in(connection, locked, known, None, returned, order.at)
    return locked, charge.charged_ms


async def tell_case(
    connection: AsyncConnection, account_id: AccountId, call_id: CallId, at: float
) -> None:
    """Let the comparison of its recordings know, unless its books are closed."""
    query = select(recording_cases).where(
        recording_cases.c.call_id == call_id, recording_cases.c.account_id == account_id
    )
    row = (await connection.execute(query.with_for_update())).first()
    if row is None:
        return
    conclusion = conclusion_of(row)
    if conclusion is not None and conclusion.is_final:
        return
    facts = learn(facts_of(row), Deleted())
    await connection.execute(
        update(recording_cases)
        .where(recording_cases.c.call_id == call_id)
        .values(version=row.version + 1, look_at=at, **facts_columns(facts))
    )


async def _audit(
    connection: AsyncConnection, row: Row[Any], why: Why, order: Order, returned_ms: int
) -> None:
    await sql_audit.append(
        connection,
        order.entry(
            row.account_id,
            _DEEDS[why],
            row.call_id,
            why=why.value,
            returned_ms=returned_ms,
            duration_ms=row.duration_ms,
            bytes=row.bytes,
            sha256=row.sha256,
            made_day=row.made_day,
        ),
    )
