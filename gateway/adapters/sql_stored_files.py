"""Rows of the files of recordings, written inside the transactions that make or end them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_recording_schema import stored_files
from gateway.core.ids import AccountId, CallId, NodeId
from gateway.core.recording.files import FileRole, FileState, Place

PRESENT = (FileState.MAKING.value, FileState.KEPT.value)


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
