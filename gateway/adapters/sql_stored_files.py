"""Rows of the files of recordings: inside the transactions that make or end them, and alone."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from gateway.adapters.sql_engine import Database, rows_changed
from gateway.adapters.sql_file_counts import belongs_in_store, is_here, is_kept, wants_sealing
from gateway.adapters.sql_recording_schema import (
    AVAILABLE,
    TRASHED,
    recordings,
    stored_files,
)
from gateway.core.ids import AccountId, CallId, NodeId
from gateway.core.recording.files import Fault, FileRole, FileState, Place
from gateway.core.recording.lifecycle import Life
from gateway.ports.storage import DataKeyId, StoredFile, StoredFiles

MAKING_MAX_S = 24 * 3600.0
"""What was ordered so long ago and is not kept was given up, or lost in a crash."""
PURGED_AT_ONCE = 500
PRESENT = (FileState.MAKING.value, FileState.KEPT.value)
PASSED = (FileState.DOOMED.value, FileState.GONE.value)


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A file that is durable in the folder of a node."""

    key: str
    role: FileRole
    bytes: int | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class FileOwner:
    """Whose the files are, and in whose folder they were made."""

    call_id: CallId
    account_id: AccountId
    node_id: NodeId | None


async def keep_files(
    connection: AsyncConnection,
    database: Database,
    owner: FileOwner,
    files: Iterable[MadeFile],
    *,
    at: float,
) -> None:
    """Note files as kept; one that is known as kept stays where it lies by now."""
    for file in files:
        values = {
            "state": FileState.KEPT.value,
            "place": Place.FOLDER.value,
            "node_id": owner.node_id,
            "bytes": file.bytes,
            "sha256": file.sha256,
            "made_at": at,
            "due_at": None,
            "gone_at": None,
        }
        fresh = database.insert_new(stored_files).values(
            key=file.key,
            account_id=owner.account_id,
            call_id=owner.call_id,
            role=file.role.value,
            **values,
        )
        await connection.execute(
            fresh.on_conflict_do_update(
                index_elements=["key"],
                set_=values,
                where=stored_files.c.state != FileState.KEPT.value,
            )
        )


async def expect_files(
    connection: AsyncConnection,
    database: Database,
    owner: FileOwner,
    files: Iterable[tuple[str, FileRole]],
    *,
    at: float,
) -> None:
    """Note files before they are made; what is kept stays so, and what was deleted doomed.

    One that was given up and is doomed for that is wanted again: whoever removes its bytes
    looks once more, under the row's lock.
    """
    is_deleted = (
        select(recordings.c.call_id).where(recordings.c.call_id == owner.call_id).exists()
    )
    values = {
        "state": FileState.MAKING.value,
        "place": Place.FOLDER.value,
        "node_id": owner.node_id,
        "due_at": at + MAKING_MAX_S,
        "gone_at": None,
    }
    for key, role in files:
        fresh = database.insert_new(stored_files).values(
            key=key,
            account_id=owner.account_id,
            call_id=owner.call_id,
            role=role.value,
            made_at=at,
            **values,
        )
        await connection.execute(
            fresh.on_conflict_do_update(
                index_elements=["key"],
                set_=values,
                where=or_(
                    stored_files.c.state.in_((FileState.MAKING.value, FileState.GONE.value)),
                    and_(stored_files.c.state == FileState.DOOMED.value, ~is_deleted),
                ),
            )
        )


async def are_given_up(connection: AsyncConnection, keys: Collection[str]) -> bool:
    """Whether the bytes of any are removed, or about to be: the clock was set, or we slept."""
    query = (
        select(stored_files.c.key)
        .where(stored_files.c.key.in_(list(keys)), stored_files.c.state.in_(PASSED))
        .with_for_update()
    )
    return (await connection.execute(query)).first() is not None


async def note_copies(
    connection: AsyncConnection, keys: Collection[str], node_id: NodeId | None
) -> None:
    """Remember that a node's folder has copies of kept files."""
    await connection.execute(
        update(stored_files)
        .where(
            stored_files.c.key.in_(list(keys)),
            stored_files.c.state == FileState.KEPT.value,
        )
        .values(node_id=node_id)
    )


async def doom_files(
    connection: AsyncConnection,
    call_id: CallId,
    *,
    due_at: float,
    besides: Collection[str] = (),
) -> None:
    """Let the bytes of a call's files go at a moment, but for some of them."""
    await connection.execute(
        update(stored_files)
        .where(
            stored_files.c.call_id == call_id,
            stored_files.c.state.in_(PRESENT),
            stored_files.c.key.not_in(list(besides)),
        )
        .values(state=FileState.DOOMED.value, due_at=due_at)
    )


_table = stored_files.c
_age = (_table.made_at, _table.key)


class SqlStoredFiles(StoredFiles):
    """What one node may do with the files of all."""

    def __init__(self, database: Database, node_id: NodeId) -> None:
        self._database = database
        self._node_id = node_id

    @override
    async def find(self, key: str) -> StoredFile | None:
        found = await self._all(select(stored_files).where(_table.key == key))
        return found[0] if found else None

    @override
    async def of_call(self, call_id: CallId) -> Sequence[StoredFile]:
        return await self._all(
            select(stored_files)
            .where(_table.call_id == call_id, _table.state != FileState.GONE.value)
            .order_by(_table.key)
        )

    @override
    async def known(self, keys: Sequence[str]) -> Sequence[StoredFile]:
        return await self._all(select(stored_files).where(_table.key.in_(list(keys))))

    @override
    async def to_move(
        self,
        *,
        made_before: float,
        has_store: bool,
        limit: int,
        after: StoredFile | None = None,
    ) -> Sequence[StoredFile]:
        wanted = [wants_sealing(self._node_id, made_before)]
        if has_store:
            wanted.append(belongs_in_store(self._node_id, made_before))
        found: dict[tuple[float, str], StoredFile] = {}
        for each in wanted:
            # Apart, so that each is read by its index.
            query = select(stored_files).where(each).order_by(*_age).limit(limit)
            if after is not None:
                query = query.where(tuple_(*_age) > tuple_(after.made_at, after.key))
            found |= {(file.made_at, file.key): file for file in await self._all(query)}
        return [found[each] for each in sorted(found)[:limit]]

    @override
    async def note_moved(
        self, file: StoredFile, *, place: Place, data_key_id: DataKeyId | None
    ) -> bool:
        return await self._change(
            file.key,
            _table.state == FileState.KEPT.value,
            place=place.value,
            data_key_id=data_key_id,
            bytes=file.bytes,
            sha256=file.sha256,
            node_id=self._node_id,
            fault=None,
        )

    @override
    async def note_left(self, key: str) -> None:
        await self._change(key, _table.place == Place.STORE.value, node_id=None)

    @override
    async def due(self, *, now: float, limit: int) -> Sequence[StoredFile]:
        async with self._database.writing() as connection:
            await connection.execute(
                update(stored_files)
                .where(_table.due_at <= now, _table.state == FileState.MAKING.value)
                .values(state=FileState.DOOMED.value)
            )
            query = (
                select(stored_files)
                .where(
                    _table.due_at <= now,
                    _table.state == FileState.DOOMED.value,
                    is_here(self._node_id),
                )
                .order_by(_table.due_at)
                .limit(limit)
            )
            return [_file_of(row) for row in await connection.execute(query)]

    @override
    async def end(
        self, file: StoredFile, *, now: float, remove: Callable[[], Awaitable[None]]
    ) -> bool:
        async with self._database.writing() as connection:
            query = select(_table.state).where(_table.key == file.key).with_for_update()
            state = (await connection.execute(query)).scalar_one_or_none()
            if state != FileState.DOOMED:
                return False
            await remove()
            await connection.execute(
                update(stored_files)
                .where(_table.key == file.key)
                .values(state=FileState.GONE.value, gone_at=now, due_at=None, node_id=None)
            )
            await _purge_in(connection, file.call_id, now)
            return True

    @override
    async def purge(self, *, now: float) -> int:
        files = stored_files.alias()
        has_bytes = (
            select(files.c.key)
            .where(
                files.c.call_id == recordings.c.call_id,
                files.c.state != FileState.GONE.value,
            )
            .exists()
        )
        query = (
            select(recordings.c.call_id)
            .where(
                literal_column(f"recordings.{TRASHED}"),
                recordings.c.gone_after <= now,
                ~has_bytes,
            )
            .limit(PURGED_AT_ONCE)
        )
        async with self._database.writing() as connection:
            calls = list((await connection.execute(query)).scalars())
            for call_id in calls:
                await _purge_in(connection, call_id, now)
            return len(calls)

    @override
    async def unchecked(self, *, before: float, after: str, limit: int) -> Sequence[StoredFile]:
        return await self._all(
            select(stored_files)
            .where(
                is_kept, _table.checked_at < before, _table.key > after, is_here(self._node_id)
            )
            .order_by(_table.key)
            .limit(limit)
        )

    @override
    async def without_file(self, *, limit: int) -> Sequence[str]:
        is_kept = (
            select(_table.key)
            .where(_table.key == recordings.c.file, _table.state == FileState.KEPT.value)
            .exists()
        )
        query = (
            select(recordings.c.file)
            .where(literal_column(f"recordings.{AVAILABLE}"), ~is_kept)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return list((await connection.execute(query)).scalars())

    @override
    async def note_checked(self, file: StoredFile, *, now: float, fault: Fault | None) -> None:
        await self._change(
            file.key,
            _table.state == FileState.KEPT.value,
            checked_at=now,
            fault=None if fault is None else fault.value,
            bytes=file.bytes,
            sha256=file.sha256,
        )

    async def _all(self, query: Select[Any]) -> list[StoredFile]:
        async with self._database.reading() as connection:
            return [_file_of(row) for row in await connection.execute(query)]

    async def _change(self, key: str, condition: ColumnElement[bool], **values: object) -> bool:
        async with self._database.writing() as connection:
            changed = await connection.execute(
                update(stored_files).where(_table.key == key, condition).values(**values)
            )
            return rows_changed(changed) == 1


async def _purge_in(connection: AsyncConnection, call_id: CallId, now: float) -> None:
    """Call a recording purged that was deleted, is due, and has no bytes left."""
    left = select(_table.key).where(
        _table.call_id == call_id, _table.state != FileState.GONE.value
    )
    if (await connection.execute(left.limit(1))).first() is not None:
        return
    await connection.execute(
        update(recordings)
        .where(
            recordings.c.call_id == call_id,
            recordings.c.state == Life.TRASHED.value,
            recordings.c.gone_after <= now,
        )
        .values(state=Life.PURGED.value, purged_at=now, version=recordings.c.version + 1)
    )


def _file_of(row: Row[Any]) -> StoredFile:
    return StoredFile(
        key=row.key,
        account_id=row.account_id,
        call_id=row.call_id,
        role=FileRole(row.role),
        state=FileState(row.state),
        place=Place(row.place),
        node_id=row.node_id,
        data_key_id=row.data_key_id,
        bytes=row.bytes,
        sha256=row.sha256,
        made_at=row.made_at,
        due_at=row.due_at,
        checked_at=row.checked_at,
        fault=None if row.fault is None else Fault(row.fault),
    )
