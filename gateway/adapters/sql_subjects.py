"""Forgets a customer in SQL (port `Subjects`)."""

from collections.abc import Sequence

from sqlalchemy import (
    Text,
    and_,
    delete,
    exists,
    func,
    select,
    type_coerce,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from gateway.adapters import sql_audit
from gateway.adapters.sql_engine import Database, rows_changed
from gateway.adapters.sql_job_schema import jobs
from gateway.adapters.sql_official_schema import transcripts
from gateway.adapters.sql_peers import ways_to
from gateway.adapters.sql_recording_schema import recordings, stored_files
from gateway.adapters.sql_schema import (
    call_commands,
    call_trace,
    calls,
    numbers,
    tombstones,
    webhook_inbox,
)
from gateway.core.ids import AccountId, CallId
from gateway.core.recording.files import FileState
from gateway.core.recording.lifecycle import Life
from gateway.core.whatsapp import Peer
from gateway.ports.audit import Deed, Order
from gateway.ports.subjects import SubjectCall, Subjects

ERASED = '{"erased":true}'
SHORTEST = 6
"""A shorter number or id would be found inside those of others."""


class SqlSubjects(Subjects):
    """Personal data of a customer stands in calls, traces, webhooks, jobs and transcripts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @override
    async def calls(
        self, account_id: AccountId, peer: Peer, *, after: CallId | None, limit: int
    ) -> Sequence[SubjectCall]:
        is_owed = call_commands.c.call_id == calls.c.call_id
        is_over = and_(calls.c.ended_at.is_not(None), ~exists().where(is_owed))
        # First all of theirs: in the order of calls SQLite would walk through all there are.
        theirs = union_all(
            *(
                select(calls.c.call_id).where(calls.c.account_id == account_id, *way)
                for way in ways_to(peer, calls.c)
            )
        )
        query = (
            select(
                calls.c.call_id,
                is_over.label("is_over"),
                calls.c.snapshot,
                recordings.c.held_at,
            )
            .outerjoin(recordings, recordings.c.call_id == calls.c.call_id)
            .where(
                calls.c.call_id.in_(theirs),
                calls.c.call_id > (after or ""),
            )
            .order_by(calls.c.call_id)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return [
                SubjectCall(
                    row.call_id, bool(row.is_over), row.held_at is not None, row.snapshot
                )
                for row in await connection.execute(query)
            ]

    @override
    async def forget_call(
        self, account_id: AccountId, call_id: CallId, *, snapshot: str, order: Order
    ) -> int:
        async with self._database.writing() as connection:
            known = select(calls.c.wacid, calls.c.phone_number_id).where(
                calls.c.call_id == call_id, calls.c.account_id == account_id
            )
            row = (await connection.execute(known.with_for_update())).first()
            if row is None:
                return 0
            emptied = await _forget_wacid(connection, row.phone_number_id, row.wacid, order.at)
            await connection.execute(
                update(calls)
                .where(calls.c.call_id == call_id)
                .values(
                    wacid=None if row.wacid is None else f"erased:{call_id}",
                    peer_phone=None,
                    peer_user_id=None,
                    peer_parent_user_id=None,
                    peer_name=None,
                    peer_username=None,
                    snapshot=snapshot,
                    version=calls.c.version + 1,
                )
            )
            for table in (call_trace, transcripts):
                await connection.execute(delete(table).where(table.c.call_id == call_id))
            await _forget_recording(connection, call_id, order.at)
            return emptied

    @override
    async def forget_person(self, account_id: AccountId, peer: Peer, *, order: Order) -> int:
        of_account = select(numbers.c.phone_number_id).where(numbers.c.account_id == account_id)
        names = [each for each in (peer.phone, peer.user_id) if each and len(each) >= SHORTEST]
        emptied = 0
        async with self._database.writing() as connection:
            for name in names:
                changed = await connection.execute(
                    update(webhook_inbox)
                    .where(
                        webhook_inbox.c.phone_number_id.in_(of_account),
                        webhook_inbox.c.state != "waiting",
                        webhook_inbox.c.payload.contains(name, autoescape=True),
                    )
                    .values(payload=ERASED, wacid=None)
                )
                emptied += rows_changed(changed)
            await sql_audit.append(
                connection,
                # Who it was is what must not be kept.
                order.entry(account_id, Deed.CUSTOMER_ERASED, account_id, webhooks=emptied),
            )
        return emptied


async def _forget_wacid(
    connection: AsyncConnection, phone_number_id: str, wacid: str | None, at: float
) -> int:
    """The id that WhatsApp gives a call holds the user's number."""
    if wacid is None:
        return 0
    emptied = await connection.execute(
        update(webhook_inbox)
        .where(
            webhook_inbox.c.phone_number_id == phone_number_id,
            webhook_inbox.c.wacid == wacid,
            webhook_inbox.c.state != "waiting",
        )
        .values(payload=ERASED, wacid=None)
    )
    await connection.execute(
        delete(tombstones).where(
            tombstones.c.phone_number_id == phone_number_id, tombstones.c.wacid == wacid
        )
    )
    await connection.execute(
        update(jobs)
        .where(type_coerce(jobs.c.payload, Text).contains(wacid, autoescape=True))
        .values(
            payload={},
            state="done",
            lease_id=None,
            closed_at=func.coalesce(jobs.c.closed_at, at),
        )
    )
    return rows_changed(emptied)


async def _forget_recording(connection: AsyncConnection, call_id: CallId, at: float) -> None:
    await connection.execute(
        update(recordings)
        .where(recordings.c.call_id == call_id)
        .values(
            peer_phone=None,
            peer_user_id=None,
            note=None,
            note_folded=None,
            version=recordings.c.version + 1,
        )
    )
    # What somebody had deleted by hand need not wait for its day.
    await connection.execute(
        update(recordings)
        .where(
            recordings.c.call_id == call_id,
            recordings.c.state == Life.TRASHED.value,
            recordings.c.gone_after > at,
        )
        .values(gone_after=at)
    )
    await connection.execute(
        update(stored_files)
        .where(
            stored_files.c.call_id == call_id,
            stored_files.c.state == FileState.DOOMED.value,
        )
        .values(due_at=at)
    )
