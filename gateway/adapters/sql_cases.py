"""Recorded calls whose recordings are being compared, in SQL (port `Cases`)."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from gateway.adapters import sql_evidence
from gateway.adapters.sql_case_rows import (
    case_of,
    conclusion_columns,
    conclusion_of,
    facts_columns,
    facts_of,
    files_columns,
    opening_columns,
)
from gateway.adapters.sql_engine import Database, rows_changed
from gateway.adapters.sql_official_schema import announcement_times, recording_cases
from gateway.adapters.sql_quota_charges import correct_in, settle_in
from gateway.adapters.sql_quota_leases import find_charge
from gateway.adapters.sql_quota_rows import LockedAccount, lock_account
from gateway.adapters.sql_recording_facts import call_facts, days_of
from gateway.adapters.sql_recording_schema import recordings
from gateway.adapters.sql_stored_files import (
    FileOwner,
    MadeFile,
    are_given_up,
    doom_files,
    expect_files,
    keep_files,
)
from gateway.core.ids import AccountId, CallId, NodeId
from gateway.core.quota.charge import Charge, Recorded, Stamp
from gateway.core.recording.announcement import SAMPLES_MAX, Announcement, slowest_ms
from gateway.core.recording.evidence import EvidenceKind, Happening
from gateway.core.recording.evidence_of_files import of_conclusion, of_fact
from gateway.core.recording.facts import Declined, Fact, Facts, Mode, learn
from gateway.core.recording.files import FileRole
from gateway.core.recording.lifecycle import Life
from gateway.core.recording.reconcile import (
    AWAITED_S,
    Conclusion,
    Copy,
    Settle,
    Verdict,
    ledger_step,
)
from gateway.ports.cases import Case, CaseFiles, Cases, KeptFile, Opening


class SqlCases(Cases):
    """A case's row changes only from the version that was read."""

    def __init__(self, database: Database, node_id: NodeId | None = None) -> None:
        """`node_id` names the node in whose folder the files are that cases get here."""
        self._database = database
        self._node_id = node_id

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
            version=1,
            look_at=opening.ended_at + AWAITED_S,
            **opening_columns(opening),
            **facts_columns(facts),
            **conclusion_columns(None),
            **files_columns(CaseFiles()),
        )
        awaited = Happening(
            EvidenceKind.OFFICIAL_AWAITED, opening.ended_at, {"mode": opening.mode.value}
        )
        async with self._database.writing() as connection:
            opened = await connection.execute(fresh.on_conflict_do_nothing())
            if rows_changed(opened) and opening.mode is Mode.OFFICIAL:
                await sql_evidence.append(
                    connection, opening.account_id, opening.call_id, [awaited]
                )

    @override
    async def load(self, call_id: CallId) -> Case | None:
        async with self._database.reading() as connection:
            row = await _find(connection, call_id)
            if row is None:
                return None
            return await _with_own_file(connection, case_of(row))

    @override
    async def tell(self, call_id: CallId, fact: Fact, *, now: float) -> bool:
        async with self._database.writing() as connection:
            row = await _find(connection, call_id, lock=True)
            if row is None:
                return False
            facts = learn(facts_of(row), fact)
            await connection.execute(
                update(recording_cases)
                .where(recording_cases.c.call_id == call_id)
                .values(version=row.version + 1, look_at=now, **facts_columns(facts))
            )
            if facts != facts_of(row):
                await sql_evidence.append(
                    connection, row.account_id, call_id, of_fact(fact, now)
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
                before = await _find(connection, opening.call_id)
                if before is None or not await _write(connection, case, look_at):
                    return False
                if conclusion is not None:
                    known = _files_of((await _with_own_file(connection, case_of(before))).files)
                    await _charge(connection, locked, opening.call_id, conclusion, stamp)
                    await _point(connection, case, conclusion, stamp)
                    await self._note_files(connection, case, conclusion, known, stamp.at)
                if measured_ms is not None and opening.announcement is not None:
                    await self._measure(connection, opening, measured_ms, stamp.at)
                await _chain(connection, before, case, stamp.at)
        except _Passed:
            return False
        return True

    @override
    async def expect(self, opening: Opening, key: str, role: FileRole, *, now: float) -> None:
        owner = FileOwner(opening.call_id, opening.account_id, self._node_id)
        async with self._database.writing() as connection:
            await expect_files(connection, self._database, owner, [(key, role)], at=now)

    async def _note_files(
        self,
        connection: AsyncConnection,
        case: Case,
        conclusion: Conclusion,
        known: Sequence[MadeFile],
        at: float,
    ) -> None:
        """Note what is kept now; all else of the call goes at once.

        What was deleted is doomed already, and goes when the deletion said. `known` are the
        files there were before. Raises `_Passed`.
        """
        opening = case.opening
        owner = FileOwner(opening.call_id, opening.account_id, self._node_id)
        is_deleted = conclusion.verdict is Verdict.DELETED
        files = [] if is_deleted else _files_of(case.files)
        fresh = {file.key for file in files} - {file.key for file in known}
        if await are_given_up(connection, fresh):
            raise _Passed
        await keep_files(connection, self._database, owner, files, at=at)
        kept = [file.key for file in files]
        await doom_files(connection, opening.call_id, due_at=at, besides=kept)

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
            return [case_of(row) for row in await connection.execute(query)]

    async def open_count(self) -> int:
        """Return how many cases still expect a file, for the metrics."""
        query = select(func.count()).where(recording_cases.c.is_open)
        async with self._database.reading() as connection:
            return await connection.scalar(query) or 0


async def _chain(connection: AsyncConnection, before: Row[Any], case: Case, now: float) -> None:
    kept = {"local": case.files.local, "official": case.files.official}
    found = of_conclusion(
        facts_of(before),
        conclusion_of(before),
        case.facts,
        case.conclusion,
        {role: file.sha256 for role, file in kept.items() if file is not None},
        now,
    )
    opening = case.opening
    await sql_evidence.append(connection, opening.account_id, opening.call_id, found)


class _Passed(Exception):
    """Fewer minutes are free than the conclusion counted on, or a file it made was given up."""


async def _write(connection: AsyncConnection, case: Case, look_at: float | None) -> bool:
    written = await connection.execute(
        update(recording_cases)
        .where(
            recording_cases.c.call_id == case.opening.call_id,
            recording_cases.c.version == case.version,
        )
        .values(
            version=case.version + 1,
            look_at=look_at,
            **facts_columns(case.facts),
            **conclusion_columns(case.conclusion),
            **files_columns(case.files),
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
        raise _Passed


async def _point(
    connection: AsyncConnection, case: Case, conclusion: Conclusion, stamp: Stamp
) -> None:
    """Let the call's recording be the record, or nothing; one that has ended stays so."""
    call_id = case.opening.call_id
    query = select(recordings.c.state).where(recordings.c.call_id == call_id)
    state = (await connection.execute(query)).scalar_one_or_none()
    if state not in {None, Life.AVAILABLE}:
        return
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
        "verdict": conclusion.verdict.value,
        "cut_by_quota": _is_cut_by_quota(case, conclusion),
        **await call_facts(connection, call_id),
    }
    if state is not None:
        values["version"] = recordings.c.version + 1
        await connection.execute(
            update(recordings).where(recordings.c.call_id == call_id).values(**values)
        )
        return
    account_id = case.opening.account_id
    await connection.execute(
        insert(recordings).values(
            call_id=call_id,
            account_id=account_id,
            state=Life.AVAILABLE.value,
            began_at=case.opening.ended_at - played.duration_ms / 1000,
            finished_at=stamp.at,
            segments={"segments": []},
            **values,
            **await days_of(connection, account_id, stamp.at),
        )
    )


def _is_cut_by_quota(case: Case, conclusion: Conclusion) -> bool:
    local = case.facts.local
    stopped = local is not None and local.stopped_by_quota
    return stopped or conclusion.verdict is Verdict.TRIMMED_TO_QUOTA


def _files_of(files: CaseFiles) -> list[MadeFile]:
    made = []
    for role, file in ((FileRole.LOCAL, files.local), (FileRole.OFFICIAL, files.official)):
        if file is not None:
            made.append(MadeFile(file.file, role, file.bytes, file.sha256))
            if file.peaks is not None:
                made.append(MadeFile(file.peaks, FileRole.PEAKS, None, None))
    return made


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
    query = select(recordings).where(
        recordings.c.call_id == case.opening.call_id,
        recordings.c.state == Life.AVAILABLE.value,
    )
    row = (await connection.execute(query)).first()
    official = case.files.official
    if row is None or (official is not None and row.file == official.file):
        return case
    own = KeptFile(row.file, row.duration_ms, row.bytes, row.sha256, row.peaks)
    return replace(case, files=replace(case.files, local=own))


def _surplus_max_ms(opening: Opening) -> int:
    """By how much the capture can have begun before the announcement was over."""
    if opening.announcement is None:
        return 0
    return max(0, slowest_ms(opening.announcement) - opening.delay_ms)


def _key(announcement: Announcement) -> str:
    parts = (announcement.language, announcement.kind.value, announcement.purpose)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
