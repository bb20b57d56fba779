"""Recordings and the workers that make them, in SQL (port `RecordingStore`)."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from gateway.adapters import sql_evidence
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_quota_charges import settle_in
from gateway.adapters.sql_quota_rows import lock_account
from gateway.adapters.sql_recording_facts import call_facts, days_of
from gateway.adapters.sql_recording_schema import capture_workers, recordings
from gateway.adapters.sql_stored_files import (
    FileOwner,
    MadeFile,
    are_given_up,
    doom_files,
    expect_files,
    keep_files,
    note_copies,
)
from gateway.core.ids import AccountId, CallId, NodeId
from gateway.core.quota.charge import Recorded, Stamp
from gateway.core.quota.lease import WorkerId
from gateway.core.recording.evidence import Happening
from gateway.core.recording.evidence_of_files import made
from gateway.core.recording.files import FileRole, peaks_key, recording_key
from gateway.core.recording.lifecycle import Life
from gateway.ports.quota import ChargedCall
from gateway.ports.recordings import Assembled, GivenUp, Recording, RecordingStore

QUOTA = "quota"
"""Why a segment ended that nothing more was granted for (`StopReason` of the worker)."""


class SqlRecordings(RecordingStore):
    """What is recorded, and by whom."""

    def __init__(self, database: Database, node_id: NodeId | None = None) -> None:
        """`node_id` names the node in whose folder the files are that are kept here."""
        self._database = database
        self._node_id = node_id

    @override
    async def expect(self, call_id: CallId, account_id: AccountId, *, now: float) -> None:
        files = (
            (recording_key(account_id, call_id), FileRole.LOCAL),
            (peaks_key(account_id, call_id), FileRole.PEAKS),
        )
        owner = FileOwner(call_id, account_id, self._node_id)
        async with self._database.writing() as connection:
            await expect_files(connection, self._database, owner, files, at=now)

    @override
    async def keep(self, recording: Recording, recorded: Recorded, stamp: Stamp) -> ChargedCall:
        async with self._database.writing() as connection:
            locked = await lock_account(
                connection, self._database, recording.account_id, now=stamp.at
            )
            known = select(recordings.c.state).where(recordings.c.call_id == recording.call_id)
            state = (await connection.execute(known)).scalar_one_or_none()
            if state is None:
                await self._insert(connection, recording)
            else:
                await self._made_again(connection, recording, Life(state), stamp.at)
            charged = await settle_in(connection, locked, recording.call_id, recorded, stamp)
            if state is None:
                await sql_evidence.append(
                    connection,
                    recording.account_id,
                    recording.call_id,
                    [_made(recording.assembled, stamp.at)],
                )
            return charged

    async def _made_again(
        self, connection: AsyncConnection, recording: Recording, state: Life, at: float
    ) -> None:
        """After a crash the files are there once more, whatever became of the first."""
        if state is not Life.AVAILABLE:
            await doom_files(connection, recording.call_id, due_at=at)
            return
        keys = [file.key for file in _files_of(recording.assembled)]
        await note_copies(connection, keys, self._node_id)

    async def _insert(self, connection: AsyncConnection, recording: Recording) -> None:
        call_id, account_id = recording.call_id, recording.account_id
        facts = await call_facts(connection, call_id)
        days = await days_of(connection, account_id, recording.finished_at)
        await connection.execute(
            insert(recordings).values(**_values(recording), **facts, **days)
        )
        files = _files_of(recording.assembled)
        if await are_given_up(connection, [file.key for file in files]):
            raise GivenUp("the files of a recording were given up before it was noted")
        await keep_files(
            connection,
            self._database,
            FileOwner(call_id, account_id, self._node_id),
            files,
            at=recording.finished_at,
        )

    @override
    async def find(self, call_id: CallId) -> Recording | None:
        query = select(recordings).where(recordings.c.call_id == call_id)
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else _recording_of(row)

    @override
    async def note_worker(self, worker_id: WorkerId, node_id: NodeId, *, now: float) -> None:
        known = select(capture_workers.c.worker_id).where(
            capture_workers.c.worker_id == worker_id
        )
        async with self._database.writing() as connection:
            if (await connection.execute(known)).first() is None:
                await connection.execute(
                    insert(capture_workers).values(
                        worker_id=worker_id, node_id=node_id, since=now
                    )
                )

    @override
    async def unrecovered(self, node_id: NodeId) -> Sequence[WorkerId]:
        query = (
            select(capture_workers.c.worker_id)
            .where(
                capture_workers.c.node_id == node_id, capture_workers.c.recovered_at.is_(None)
            )
            .order_by(capture_workers.c.since, capture_workers.c.worker_id)
        )
        async with self._database.reading() as connection:
            rows = await connection.execute(query)
            return [WorkerId(row.worker_id) for row in rows]

    @override
    async def note_recovered(self, worker_id: WorkerId, *, now: float) -> None:
        async with self._database.writing() as connection:
            await connection.execute(
                update(capture_workers)
                .where(capture_workers.c.worker_id == worker_id)
                .values(recovered_at=now)
            )


def _made(file: Assembled, now: float) -> Happening:
    return made(
        sha256=file.sha256,
        size=file.bytes,
        duration_ms=file.duration_ms,
        began_at=file.began_at,
        segments=file.segments,
        now=now,
    )


def _values(recording: Recording) -> dict[str, Any]:
    made = recording.assembled
    return {
        "call_id": recording.call_id,
        "account_id": recording.account_id,
        "state": Life.AVAILABLE.value,
        "file": made.file,
        "peaks": made.peaks,
        "duration_ms": made.duration_ms,
        "bytes": made.bytes,
        "sha256": made.sha256,
        "began_at": made.began_at,
        "finished_at": recording.finished_at,
        "segments": {"segments": list(made.segments)},
        "cut_by_quota": any(
            isinstance(each, dict) and each.get("end_reason") == QUOTA for each in made.segments
        ),
    }


def _files_of(made: Assembled) -> list[MadeFile]:
    files = [MadeFile(made.file, FileRole.LOCAL, made.bytes, made.sha256)]
    if made.peaks is not None:
        files.append(MadeFile(made.peaks, FileRole.PEAKS, None, None))
    return files


def _recording_of(row: Row[Any]) -> Recording:
    return Recording(
        call_id=row.call_id,
        account_id=row.account_id,
        assembled=Assembled(
            file=row.file,
            peaks=row.peaks,
            duration_ms=row.duration_ms,
            bytes=row.bytes,
            sha256=row.sha256,
            began_at=row.began_at,
            segments=tuple(row.segments["segments"]),
        ),
        finished_at=row.finished_at,
    )
