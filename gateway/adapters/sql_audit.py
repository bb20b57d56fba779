"""The audit in SQL (port `AuditLog`)."""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, insert, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from gateway.adapters import sql_evidence
from gateway.adapters.sql_access_schema import api_tokens
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_schema import audit, users
from gateway.core.errors import BadInput
from gateway.core.ids import AccountId, CallId
from gateway.core.recording.evidence import Happening
from gateway.ports import Json
from gateway.ports.audit import (
    AuditEntry,
    AuditFilter,
    AuditLog,
    AuditPage,
    Deed,
    ListedDeed,
)

PAGE_ROWS_MAX = 200
CALL_ID_CHARS = 26
CUSTODY = frozenset(
    {
        Deed.RECORDING_PLAYED,
        Deed.RECORDING_DOWNLOADED,
        Deed.RECORDING_DELETED,
        Deed.RECORDING_ROTATED,
        Deed.RECORDING_PURGED,
        Deed.RECORDING_HELD,
        Deed.RECORDING_RELEASED,
        Deed.TRANSCRIPT_READ,
        Deed.EVIDENCE_DOWNLOADED,
    }
)
"""Deeds that are part of a recording's chain of evidence; their subject is the call."""
_WORD = re.compile(r"[a-z0-9_.:/-]{1,128}")
_POSITION_MAX = 2**63 - 1
_FOREIGN = "this cursor was not made here; begin without one"


async def append(connection: AsyncConnection, entry: AuditEntry) -> None:
    """Record a deed inside the caller's transaction: with the deed or not at all."""
    await connection.execute(
        insert(audit).values(
            account_id=entry.account_id,
            actor=entry.actor,
            token_id=entry.token_id,
            action=str(entry.action),
            subject=entry.subject,
            at=entry.at,
            fields=entry.fields,
        )
    )
    if entry.action in CUSTODY and entry.account_id and len(entry.subject) == CALL_ID_CHARS:
        call_id = CallId(entry.subject)
        found = [Happening(entry.action, entry.at, _shown(entry))]
        await sql_evidence.append(connection, entry.account_id, call_id, found)


def _shown(entry: AuditEntry) -> dict[str, Json]:
    """Return what a chain may hold for good: who it was, and words of our own."""
    facts: dict[str, Json] = {"actor": entry.actor, "token": entry.token_id}
    for name, value in entry.fields.items():
        is_word = isinstance(value, str) and _WORD.fullmatch(value) is not None
        if is_word or value is None or isinstance(value, bool | int):
            facts[name] = value
    return facts


class SqlAudit(AuditLog):
    """Who did what; append-only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @override
    async def record(self, entry: AuditEntry) -> None:
        async with self._database.writing() as connection:
            await append(connection, entry)

    @override
    async def recent(
        self, account_id: AccountId, *, limit: int, before: float | None = None
    ) -> Sequence[AuditEntry]:
        wanted = AuditFilter(account_id, until=before)
        return [listed.entry for listed in (await self._read(_filtered(wanted), limit))]

    @override
    async def page(self, wanted: AuditFilter, *, cursor: str | None, limit: int) -> AuditPage:
        limit = max(1, min(limit, PAGE_ROWS_MAX))
        query = _filtered(wanted)
        if cursor is not None:
            place = tuple_(audit.c.at, audit.c.position)
            query = query.where(place < tuple_(*_place(cursor)))
        async with self._database.reading() as connection:
            rows = (await connection.execute(query.limit(limit + 1))).all()
        shown = rows[:limit]
        following = _cursor(shown[-1]) if len(rows) > limit else None
        return AuditPage(tuple(_listed(row) for row in shown), following)

    async def _read(self, query: Select[Any], limit: int) -> list[ListedDeed]:
        async with self._database.reading() as connection:
            rows = (await connection.execute(query.limit(limit))).all()
        return [_listed(row) for row in rows]


def _filtered(wanted: AuditFilter) -> Select[Any]:
    query = (
        select(audit, users.c.name.label("actor_name"), api_tokens.c.name.label("token_name"))
        .select_from(audit)
        .outerjoin(users, users.c.user_id == audit.c.actor)
        .outerjoin(api_tokens, api_tokens.c.token_id == audit.c.token_id)
        .where(audit.c.account_id == wanted.account_id)
        .order_by(audit.c.at.desc(), audit.c.position.desc())
    )
    if wanted.action is not None:
        query = query.where(audit.c.action == wanted.action)
    if wanted.actor is not None:
        query = query.where(
            or_(audit.c.actor == wanted.actor, audit.c.token_id == wanted.actor)
        )
    if wanted.subject is not None:
        query = query.where(audit.c.subject == wanted.subject)
    if wanted.since is not None:
        query = query.where(audit.c.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(audit.c.at < wanted.until)
    return query


def _listed(row: Row[Any]) -> ListedDeed:
    entry = AuditEntry(
        account_id=row.account_id,
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        at=row.at,
        fields=dict(row.fields),
        token_id=row.token_id,
    )
    return ListedDeed(entry, row.actor_name, row.token_name)


def _cursor(row: Row[Any]) -> str:
    place = f"{float(row.at).hex()} {row.position}"
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def _place(cursor: str) -> tuple[float, int]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        at, position = text.split(" ")
        place = float.fromhex(at), int(position)
    except (ValueError, OverflowError, binascii.Error):
        raise BadInput(_FOREIGN) from None
    if not 0 <= place[1] <= _POSITION_MAX:
        raise BadInput(_FOREIGN)
    return place
