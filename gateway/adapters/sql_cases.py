"""Recorded calls whose recordings are being compared, in SQL (port `Cases`)."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from gateway.adapters.sql_engine import Database, rows_changed
from gateway.adapters.sql_official_schema import announcement_times, recording_cases
from gateway.adapters.sql_quota_charges import correct_in, settle_in
from gateway.adapters.sql_quota_leases import find_charge
from gateway.adapters.sql_quota_rows import LockedAccount, lock_account
from gateway.adapters.sql_recording_schema import recordings
from gateway.core.ids import AccountId, CallId
from gateway.core.quota.charge import Charge, Recorded, Stamp
from gateway.core.recording.announcement import SAMPLES_MAX, Announcement, slowest_ms
from gateway.core.recording.facts import Declined, Fact, Facts, learn
from gateway.core.recording.reconcile import (
    AWAITED_S,
    Conclusion,
    Copy,
    Settle,
    ledger_step,
)
from gateway.ports import Json
from gateway.ports.cases import Case, CaseFiles, Cases, KeptFile, Opening

_OPENING = TypeAdapter(Opening)
_FACTS = TypeAdapter(Facts)
_CONCLUSION = TypeAdapter(Conclusion)
_FILES = TypeAdapter(CaseFiles)
_Any = TypeVar("_Any")


class SqlCases(Cases):
    """A case's row changes only from the version that was read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @override
    async def open(self, opening: Opening) -> None:
        facts = Facts(
            mode=opening.mode,
            ended_at=opening.ended_at,
            surplus_max_ms=_surplus_max_ms(opening),
        )
        if opening.is_declined:
            facts = learn(facts, Declined())
        fresh = self._database.insert_new(recording_cases).values(
            call_id=opening.call_id,
            account_id=opening.account_id,
            version=1,
            ended_at=opening.ended_at,
            opening=_written(_OPENING, opening),
            facts=_written(_FACTS, facts),
            files=_written(_FILES, CaseFiles()),
            is_open=True,
            look_at=opening.ended_at + AWAITED_S,
        )
        async with self._database.writing() as connection:
            await connection.execute(fresh.on_conflict_do_nothing())

    @override
    async def load(self, call_id: CallId) -> Case | None:
        async with self._database.reading() as connection:
            row = await _find(connection, call_id)
            if row is None:
                return None
            return await _with_own_file(connection, _case_of(row))

    @override
    async def tell(self, call_id: CallId, fact: Fact, *, now: float) -> bool:
        async with self._database.writing() as connection:
            row = await _find(connection, call_id, lock=True)
            if row is None:
                return False
            facts = learn(_read(_FACTS, row.facts), fact)
            await connection.execute(
                update(recording_cases)
                .where(recording_cases.c.call_id == call_id)
                .values(facts=_written(_FACTS, facts), version=row.version + 1, look_at=now)
            )
            return True

    @override
    async def due(self, *, now: float, limit: int) -> Sequence[CallId]:
        query = (
            select(recording_cases.c.call_id)
            .where(recording_cases.c.look_at.is_not(None), recording_cases.c.look_at <= now)
            .order_by(recording_cases.c.look_at)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return [CallId(row.call_id) for row in await connection.execute(query)]

    @override
    async def conclude(
        self,
        case: Case,
        *,
        look_at: float | None,
        stamp: Stamp,
        measured_ms: int | None = None,
    ) -> bool:
        opening, conclusion = case.opening, case.conclusion
        try:
            async with self._database.writing() as connection:
                locked = await lock_account(
                    connection, self._database, opening.account_id, now=stamp.at
                )
                if not await _write(connection, case, look_at):
                    return False
                if conclusion is not None:
                    await _charge(connection, locked, opening.call_id, conclusion, stamp)
                    await _point(connection, case, conclusion, stamp)
                if measured_ms is not None and opening.announcement is not None:
                    await self._measure(connection, opening, measured_ms, stamp.at)
        except _TooFew:
            return False
        return True

    async def _measure(
        self, connection: AsyncConnection, opening: Opening, measured_ms: int, at: float
    ) -> None:
        assert opening.announcement is not None
        fresh = self._database.insert_new(announcement_times).values(
            announcement=_key(opening.announcement),
            call_id=opening.call_id,
            measured_ms=measured_ms,
            at=at,
        )
        await connection.execute(fresh.on_conflict_do_nothing(index_elements=["call_id"]))

    @override
    async def announcement_times(self, announcement: Announcement) -> Sequence[int]:
        query = (
            select(announcement_times.c.measured_ms)
            .where(announcement_times.c.announcement == _key(announcement))
            .order_by(announcement_times.c.position.desc())
            .limit(SAMPLES_MAX)
        )
        async with self._database.reading() as connection:
            newest = (await connection.execute(query)).scalars().all()
        return list(reversed(newest))

    @override
    async def ended_between(
        self, account_id: AccountId, *, since: float, until: float, limit: int = 10_000
    ) -> Sequence[Case]:
        query = (
            select(recording_cases)
            .where(
                recording_cases.c.account_id == account_id,
                recording_cases.c.ended_at >= since,
                recording_cases.c.ended_at < until,
            )
            .order_by(recording_cases.c.ended_at, recording_cases.c.call_id)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return [_case_of(row) for row in await connection.execute(query)]

    async def open_count(self) -> int:
        """Return how many cases still expect a file, for the metrics."""
        query = select(func.count()).where(recording_cases.c.is_open)
        async with self._database.reading() as connection:
            return await connection.scalar(query) or 0


class _TooFew(Exception):
    """Fewer minutes are free than the conclusion counted on."""


async def _write(connection: AsyncConnection, case: Case, look_at: float | None) -> bool:
    conclusion = case.conclusion
    written = await connection.execute(
        update(recording_cases)
        .where(
            recording_cases.c.call_id == case.opening.call_id,
            recording_cases.c.version == case.version,
        )
        .values(
            version=case.version + 1,
            facts=_written(_FACTS, case.facts),
            conclusion=None if conclusion is None else _written(_CONCLUSION, conclusion),
            verdict=None if conclusion is None else conclusion.verdict.value,
            is_open=conclusion is None or conclusion.is_open,
            files=_written(_FILES, case.files),
            look_at=look_at,
        )
    )
    return rows_changed(written) == 1


async def _charge(
    connection: AsyncConnection,
    locked: LockedAccount,
    call_id: CallId,
    conclusion: Conclusion,
    stamp: Stamp,
) -> None:
    charge = await find_charge(connection, call_id, locked.account_id)
    step = ledger_step(charge or Charge(call_id, locked.account_id), conclusion)
    if step is None:
        return
    if isinstance(step, Settle):
        recorded = Recorded(step.recorded_ms)
        charged = await settle_in(connection, locked, call_id, recorded, stamp)
    else:
        charged = await correct_in(
            connection, locked, call_id, target_ms=step.target_ms, key=step.key, stamp=stamp
        )
    if charged.uncovered_ms:
        raise _TooFew


async def _point(
    connection: AsyncConnection, case: Case, conclusion: Conclusion, stamp: Stamp
) -> None:
    """Let the call's recording be the record, or nothing."""
    call_id = case.opening.call_id
    played = _played(case.files, conclusion)
    if played is None:
        await connection.execute(delete(recordings).where(recordings.c.call_id == call_id))
        return
    values = {
        "file": played.file,
        "peaks": played.peaks,
        "duration_ms": conclusion.stored_ms,
        "bytes": played.bytes,
        "sha256": played.sha256,
    }
    changed = await connection.execute(
        update(recordings).where(recordings.c.call_id == call_id).values(**values)
    )
    if rows_changed(changed):
        return
    began_at = case.opening.ended_at - played.duration_ms / 1000
    await connection.execute(
        insert(recordings).values(
            call_id=call_id,
            account_id=case.opening.account_id,
            state="available",
            began_at=began_at,
            finished_at=stamp.at,
            segments={"segments": []},
            **values,
        )
    )


def _played(files: CaseFiles, conclusion: Conclusion) -> KeptFile | None:
    """Of two that are kept our own is played: it is stereo where Meta's is not."""
    if conclusion.record is None:
        return None
    if conclusion.record is Copy.LOCAL or conclusion.kept_local:
        return files.local
    return files.official


async def _find(
    connection: AsyncConnection, call_id: CallId, *, lock: bool = False
) -> Row[Any] | None:
    query = select(recording_cases).where(recording_cases.c.call_id == call_id)
    return (await connection.execute(query.with_for_update() if lock else query)).first()


async def _with_own_file(connection: AsyncConnection, case: Case) -> Case:
    """Add the file of our own recording, which is noted when it is made, beside the case."""
    if case.files.local is not None:
        return case
    query = select(recordings).where(recordings.c.call_id == case.opening.call_id)
    row = (await connection.execute(query)).first()
    official = case.files.official
    if row is None or (official is not None and row.file == official.file):
        return case
    own = KeptFile(row.file, row.duration_ms, row.bytes, row.sha256, row.peaks)
    return replace(case, files=replace(case.files, local=own))


def _case_of(row: Row[Any]) -> Case:
    return Case(
        opening=_read(_OPENING, row.opening),
        facts=_read(_FACTS, row.facts),
        version=row.version,
        conclusion=None if row.conclusion is None else _read(_CONCLUSION, row.conclusion),
        files=_read(_FILES, row.files),
    )


def _surplus_max_ms(opening: Opening) -> int:
    """By how much the capture can have begun before the announcement was over."""
    if opening.announcement is None:
        return 0
    return max(0, slowest_ms(opening.announcement) - opening.delay_ms)


def _key(announcement: Announcement) -> str:
    parts = (announcement.language, announcement.kind.value, announcement.purpose)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _written(adapter: TypeAdapter[_Any], value: _Any) -> dict[str, Json]:
    dumped: dict[str, Json] = adapter.dump_python(value, mode="json")
    return dumped


def _read(adapter: TypeAdapter[_Any], stored: dict[str, Json]) -> _Any:
    return adapter.validate_python(stored)
