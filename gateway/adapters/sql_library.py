"""The recordings of an account as people look through them, in SQL (port `Library`)."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Row,
    Select,
    Subquery,
    and_,
    exists,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from gateway.adapters.sql_audit import append
from gateway.adapters.sql_engine import Database, rows_changed
from gateway.adapters.sql_library_search import SHOWN, is_available, on_page
from gateway.adapters.sql_official_schema import transcripts
from gateway.adapters.sql_pages import cursor_of, position_of
from gateway.adapters.sql_recording_schema import recordings
from gateway.adapters.sql_schema import calls, numbers, users
from gateway.core.errors import NotFound, VersionConflict
from gateway.core.ids import AccountId, CallId
from gateway.core.recording.lifecycle import Life
from gateway.core.whatsapp import Direction, Peer
from gateway.ports.audit import AuditEntry
from gateway.ports.library import (
    PAGE_ROWS_MAX,
    Ending,
    Hold,
    Library,
    LibraryFilter,
    LibraryPage,
    Shelved,
)


class SqlLibrary(Library):
    """Reads what others write, but for the notes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @override
    async def page(
        self, wanted: LibraryFilter, *, cursor: str | None, limit: int
    ) -> LibraryPage:
        limit = max(1, min(limit, PAGE_ROWS_MAX))
        place = None if cursor is None else position_of(cursor)
        # Only what is on the page is looked up elsewhere.
        found = on_page(wanted, place, limit + 1, is_sqlite=self._database.is_sqlite)
        query = _with_names(found).order_by(found.c.began_at.desc(), found.c.call_id.desc())
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        shown = tuple(_shelved(row) for row in rows[:limit])
        last = shown[-1] if len(rows) > limit else None
        return LibraryPage(
            shown, None if last is None else cursor_of(last.began_at, last.call_id)
        )

    @override
    async def find(self, account_id: AccountId, call_id: CallId) -> Shelved | None:
        wanted = select(recordings).where(
            recordings.c.account_id == account_id, recordings.c.call_id == call_id
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(_with_names(wanted.subquery()))).first()
        return None if row is None else _shelved(row, segments=row.segments["segments"])

    @override
    async def some(
        self, account_id: AccountId, call_ids: Sequence[CallId]
    ) -> Sequence[Shelved]:
        wanted = select(*SHOWN).where(
            recordings.c.account_id == account_id, recordings.c.call_id.in_(call_ids)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(_with_names(wanted.subquery()))).all()
        found = {row.call_id: _shelved(row) for row in rows}
        return [found[call_id] for call_id in dict.fromkeys(call_ids) if call_id in found]

    @override
    async def set_note(
        self,
        account_id: AccountId,
        call_id: CallId,
        note: str | None,
        *,
        seen: int | None,
        deed: AuditEntry,
    ) -> int:
        is_meant = and_(
            recordings.c.account_id == account_id,
            recordings.c.call_id == call_id,
            is_available,
        )
        values = {
            "note": note,
            "note_folded": None if note is None else note.casefold(),
            "version": recordings.c.version + 1,
        }
        change = update(recordings).where(is_meant).values(**values)
        if seen is not None:
            change = change.where(recordings.c.version == seen)
        async with self._database.writing() as connection:
            changed = rows_changed(await connection.execute(change))
            version = await _version(connection, is_meant)
            if version is None:
                raise NotFound("no such recording")
            if not changed:
                raise VersionConflict("the recording was changed in between")
            await append(connection, deed)
            return version


async def _version(connection: AsyncConnection, is_meant: ColumnElement[bool]) -> int | None:
    version: int | None = await connection.scalar(select(recordings.c.version).where(is_meant))
    return version


def _with_names(found: Subquery) -> Select[Any]:
    """Add names of people and numbers, and whether the words are there."""
    joined: FromClause = found.outerjoin(calls, calls.c.call_id == found.c.call_id)
    joined = joined.outerjoin(users, users.c.user_id == found.c.agent_id)
    joined = joined.outerjoin(numbers, numbers.c.phone_number_id == calls.c.phone_number_id)
    return select(
        found,
        calls.c.peer_name,
        calls.c.peer_username,
        users.c.name.label("agent_name"),
        numbers.c.display.label("number_display"),
        exists()
        .where(transcripts.c.call_id == found.c.call_id)
        .correlate(found)
        .label("has_transcript"),
    ).select_from(joined)


def _shelved(row: Row[Any], *, segments: Sequence[Any] = ()) -> Shelved:
    return Shelved(
        call_id=row.call_id,
        account_id=row.account_id,
        version=row.version,
        state=Life(row.state),
        file=row.file,
        peaks=row.peaks,
        direction=None if row.direction is None else Direction(row.direction),
        agent_id=row.agent_id,
        agent_name=row.agent_name,
        number_display=row.number_display,
        peer=Peer(
            phone=row.peer_phone,
            user_id=row.peer_user_id,
            name=row.peer_name,
            username=row.peer_username,
        ),
        began_at=row.began_at,
        duration_ms=row.duration_ms,
        bytes=row.bytes,
        sha256=row.sha256,
        verdict=row.verdict,
        cut_by_quota=row.cut_by_quota,
        note=row.note,
        made_day=row.made_day,
        purge_day=row.purge_day,
        has_transcript=row.has_transcript,
        hold=_hold(row),
        ending=_ending(row),
        segments=tuple(segments),
    )


def _hold(row: Row[Any]) -> Hold | None:
    if row.held_at is None:
        return None
    return Hold(at=row.held_at, by=row.held_by, why=row.held_why or "")


def _ending(row: Row[Any]) -> Ending | None:
    if row.trashed_at is None:
        return None
    return Ending(
        trashed_at=row.trashed_at,
        gone_after=row.gone_after,
        by=row.deleted_by,
        why=row.deleted_why or "",
        purged_at=row.purged_at,
    )
