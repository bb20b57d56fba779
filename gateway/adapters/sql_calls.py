"""Calls, their pending commands and their trace in SQL (port `CallStore`)."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    delete,
    insert,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from gateway.adapters import sql_evidence
from gateway.adapters.sql_engine import Database, rows_changed
from gateway.adapters.sql_inbox import mark_done
from gateway.adapters.sql_pages import cursor_of, position_of
from gateway.adapters.sql_peers import newest
from gateway.adapters.sql_schema import call_commands, call_trace, calls, idempotency_keys
from gateway.core.errors import NotOwner, VersionConflict
from gateway.core.ids import AccountId, CallId, CommandId, InboxId, NodeId, PhoneNumberId, Wacid
from gateway.core.recording.evidence import Happening
from gateway.core.whatsapp import Direction, Peer
from gateway.ports.calls import (
    CallFilter,
    CallRow,
    CallStore,
    Page,
    PendingCommand,
    TraceLine,
)

PAGE_ROWS_MAX = 200
IDEMPOTENCY_S = 24 * 3600.0

# A literal, not a parameter: only then do both databases use the partial index.
_is_live = calls.c.state != literal_column("'ended'")


class SqlCalls(CallStore):
    """Calls, their pending commands and their trace."""

    def __init__(self, database: Database, wall: Callable[[], float]) -> None:
        """`wall` gives seconds since the epoch."""
        self._database = database
        self._wall = wall

    @override
    async def create(
        self,
        row: CallRow,
        *,
        commands: Sequence[PendingCommand] = (),
        trace: Sequence[TraceLine] = (),
        evidence: Sequence[Happening] = (),
        inbox_id: InboxId | None = None,
    ) -> None:
        fresh = self._database.insert_new(calls).values(**_columns(row))
        async with self._database.writing() as connection:
            result = await connection.execute(fresh.on_conflict_do_nothing())
            if rows_changed(result) == 0:
                raise VersionConflict("the call is already there")
            await self._add_all(connection, commands, trace, inbox_id)
            await sql_evidence.append(connection, row.account_id, row.call_id, evidence)

    @override
    async def save(
        self,
        row: CallRow,
        *,
        commands: Sequence[PendingCommand] = (),
        trace: Sequence[TraceLine] = (),
        evidence: Sequence[Happening] = (),
        inbox_id: InboxId | None = None,
        finished: Sequence[CommandId] = (),
    ) -> None:
        values = _columns(row)
        for fixed in ("call_id", "account_id", "created_at"):
            del values[fixed]
        async with self._database.writing() as connection:
            result = await connection.execute(
                update(calls)
                .where(
                    calls.c.call_id == row.call_id,
                    calls.c.version == row.version - 1,
                    calls.c.owner_node == row.owner_node,
                    calls.c.owner_epoch == row.owner_epoch,
                )
                .values(**values)
            )
            if rows_changed(result) == 0:
                raise await _why_not_saved(connection, row)
            await self._add_all(connection, commands, trace, inbox_id)
            if finished:
                await connection.execute(
                    delete(call_commands).where(call_commands.c.command_id.in_(finished))
                )
            await sql_evidence.append(connection, row.account_id, row.call_id, evidence)

    @override
    async def load(self, call_id: CallId) -> CallRow | None:
        return await self._one(select(calls).where(calls.c.call_id == call_id))

    @override
    async def by_wacid(self, phone_number_id: PhoneNumberId, wacid: Wacid) -> CallRow | None:
        return await self._one(
            select(calls).where(
                calls.c.phone_number_id == phone_number_id, calls.c.wacid == wacid
            )
        )

    @override
    async def page(self, wanted: CallFilter, *, cursor: str | None, limit: int) -> Page:
        limit = max(1, min(limit, PAGE_ROWS_MAX))
        conditions = _conditions(wanted)
        if cursor is not None:
            place = tuple_(calls.c.created_at, calls.c.call_id)
            conditions.append(place < tuple_(*position_of(cursor)))
        found = newest(list(calls.c), calls.c.created_at, conditions, wanted.peer, limit + 1)
        query = select(found).order_by(found.c.created_at.desc(), found.c.call_id.desc())
        rows = await self._all(query)
        shown = tuple(rows[:limit])
        last = shown[-1] if len(rows) > limit else None
        return Page(shown, None if last is None else cursor_of(last.created_at, last.call_id))

    @override
    async def live(self) -> Sequence[CallRow]:
        return await self._all(select(calls).where(_is_live).order_by(calls.c.created_at))

    @override
    async def unfinished(self) -> Sequence[CallRow]:
        is_owed = calls.c.call_id.in_(select(call_commands.c.call_id))
        return await self._all(
            select(calls).where(or_(_is_live, is_owed)).order_by(calls.c.created_at)
        )

    @override
    async def adopt(
        self, call_id: CallId, *, seen_epoch: int, node: NodeId, epoch: int
    ) -> bool:
        async with self._database.writing() as connection:
            result = await connection.execute(
                update(calls)
                .where(calls.c.call_id == call_id, calls.c.owner_epoch == seen_epoch)
                .values(owner_node=node, owner_epoch=epoch)
            )
            return rows_changed(result) == 1

    @override
    async def pending(self, call_id: CallId) -> Sequence[PendingCommand]:
        query = (
            select(call_commands)
            .where(call_commands.c.call_id == call_id)
            .order_by(call_commands.c.position)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [
            PendingCommand(CommandId(row.command_id), call_id, row.kind, row.body)
            for row in rows
        ]

    @override
    async def finish(self, command_id: CommandId) -> None:
        # The table holds what is pending and nothing else; the trace remembers the rest.
        async with self._database.writing() as connection:
            await connection.execute(
                delete(call_commands).where(call_commands.c.command_id == command_id)
            )

    @override
    async def add_trace(self, lines: Sequence[TraceLine]) -> None:
        if lines:
            async with self._database.writing() as connection:
                await self._add_all(connection, (), lines, None)
                for call_id, found in _evidence_in(lines):
                    await sql_evidence.append_to_known(connection, call_id, found)

    @override
    async def trace(self, call_id: CallId) -> Sequence[TraceLine]:
        query = (
            select(call_trace)
            .where(call_trace.c.call_id == call_id)
            .order_by(call_trace.c.at, call_trace.c.position)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [
            TraceLine(call_id, row.at, row.source, row.step, dict(row.fields)) for row in rows
        ]

    @override
    async def idempotent(self, account_id: AccountId, key: str, call_id: CallId) -> CallId:
        now = self._wall()
        bound = self._database.insert_new(idempotency_keys).values(
            account_id=account_id, key=key, call_id=call_id, bound_at=now
        )
        # An expired binding is taken over; a live one stays, and the row lock of the upsert
        # makes a rival wait until it can be read.
        upsert = bound.on_conflict_do_update(
            index_elements=["account_id", "key"],
            set_={"call_id": call_id, "bound_at": now},
            where=idempotency_keys.c.bound_at < now - IDEMPOTENCY_S,
        )
        wanted = select(idempotency_keys.c.call_id).where(
            idempotency_keys.c.account_id == account_id, idempotency_keys.c.key == key
        )
        async with self._database.writing() as connection:
            await connection.execute(upsert)
            return CallId(str((await connection.execute(wanted)).scalar_one()))

    async def _add_all(
        self,
        connection: AsyncConnection,
        commands: Sequence[PendingCommand],
        trace: Sequence[TraceLine],
        inbox_id: InboxId | None,
    ) -> None:
        if commands:
            await connection.execute(
                insert(call_commands),
                [
                    {
                        "command_id": command.command_id,
                        "call_id": command.call_id,
                        "kind": command.kind,
                        "body": command.body,
                    }
                    for command in commands
                ],
            )
        if trace:
            await connection.execute(
                insert(call_trace),
                [
                    {
                        "call_id": line.call_id,
                        "at": line.at,
                        "source": line.source,
                        "step": line.step,
                        "fields": line.fields,
                    }
                    for line in trace
                ],
            )
        if inbox_id is not None:
            await mark_done(connection, inbox_id, at=self._wall())

    async def _one(self, query: Select[Any]) -> CallRow | None:
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else _call(row)

    async def _all(self, query: Select[Any]) -> list[CallRow]:
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [_call(row) for row in rows]


def _evidence_in(lines: Sequence[TraceLine]) -> list[tuple[CallId, list[Happening]]]:
    """Return what of these lines is evidence, by call; always in this order, see `append`."""
    found: dict[CallId, list[Happening]] = {}
    for line in lines:
        if line.is_evidence:
            kind = line.step.replace("_", ".", 1)
            found.setdefault(line.call_id, []).append(Happening(kind, line.at, line.fields))
    return sorted(found.items())


async def _why_not_saved(connection: AsyncConnection, row: CallRow) -> Exception:
    stored = (
        await connection.execute(
            select(calls.c.owner_node, calls.c.owner_epoch).where(
                calls.c.call_id == row.call_id
            )
        )
    ).first()
    if stored is None:
        return VersionConflict("the call was never stored")
    if (stored.owner_node, stored.owner_epoch) != (row.owner_node, row.owner_epoch):
        return NotOwner("the call has another owner")
    return VersionConflict("the call was changed in between")


def _conditions(wanted: CallFilter) -> list[ColumnElement[bool]]:
    found = [calls.c.account_id == wanted.account_id]
    if wanted.agent_id is not None:
        found.append(calls.c.agent_id == wanted.agent_id)
    if wanted.direction is not None:
        found.append(calls.c.direction == wanted.direction.value)
    if wanted.live_only:
        found.append(_is_live)
    return found


def _columns(row: CallRow) -> dict[str, Any]:
    return {
        "call_id": row.call_id,
        "account_id": row.account_id,
        "phone_number_id": row.phone_number_id,
        "wacid": row.wacid,
        "direction": row.direction.value,
        "state": row.state,
        "version": row.version,
        "owner_node": row.owner_node,
        "owner_epoch": row.owner_epoch,
        "agent_id": row.agent_id,
        "peer_phone": row.peer.phone,
        "peer_user_id": row.peer.user_id,
        "peer_parent_user_id": row.peer.parent_user_id,
        "peer_name": row.peer.name,
        "peer_username": row.peer.username,
        "created_at": row.created_at,
        "answered_at": row.answered_at,
        "ended_at": row.ended_at,
        "outcome": row.outcome,
        "snapshot": row.snapshot,
    }


def _call(row: Row[Any]) -> CallRow:
    return CallRow(
        call_id=row.call_id,
        account_id=row.account_id,
        phone_number_id=row.phone_number_id,
        wacid=row.wacid,
        direction=Direction(row.direction),
        state=row.state,
        version=row.version,
        owner_node=row.owner_node,
        owner_epoch=row.owner_epoch,
        agent_id=row.agent_id,
        peer=Peer(
            phone=row.peer_phone,
            user_id=row.peer_user_id,
            parent_user_id=row.peer_parent_user_id,
            name=row.peer_name,
            username=row.peer_username,
        ),
        created_at=row.created_at,
        answered_at=row.answered_at,
        ended_at=row.ended_at,
        outcome=row.outcome,
        snapshot=row.snapshot,
    )
