"""Recorded calls' cases, read, in SQL (port `CaseBooks`)."""

import re
import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Row,
    Select,
    and_,
    case,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from gateway.adapters.sql_case_rows import case_of, conclusion_of, facts_of
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_official_schema import OPEN_CASE, recording_cases, transcripts
from gateway.adapters.sql_quota_schema import charges
from gateway.adapters.sql_recording_schema import recordings
from gateway.adapters.sql_schema import calls
from gateway.core.errors import BadInput
from gateway.core.ids import AccountId, CallId, UserId, Wacid
from gateway.core.recording.lifecycle import Life
from gateway.core.recording.outcome import RecordingOutcome, outcome_of
from gateway.core.recording.outlook import Patience
from gateway.core.recording.reconcile import Verdict
from gateway.core.recording.report import ReconciledDay
from gateway.core.whatsapp import Direction, Peer
from gateway.core.zones import start_of_day
from gateway.ports.case_books import (
    CURSOR_PATTERN,
    CaseBooks,
    CasesInTrouble,
    OpenCase,
    OpenCases,
)

PAGE_ROWS_MAX = 200
DAYS_MAX = 366
_ASKED_AT_ONCE = 500
_MOMENT, _MOMENT_CHARS = ">d", 16

_case = recording_cases.c
# Literals, not parameters: only then do both databases use the partial index.
_is_listed: ColumnElement[bool] = literal_column(f"({OPEN_CASE})")
_is_lost = _case.verdict == literal_column("'lost'")


class SqlCaseBooks(CaseBooks):
    """Reads what `SqlCases` writes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @override
    async def outcomes(self, call_ids: Collection[CallId]) -> Mapping[CallId, RecordingOutcome]:
        joined = recording_cases.outerjoin(recordings, recordings.c.call_id == _case.call_id)
        query = select(
            _case.call_id, _case.facts, _case.conclusion, recordings.c.state
        ).select_from(joined)
        return {
            CallId(row.call_id): _outcome(row)
            for row in await self._of_calls(query, _case.call_id, call_ids)
        }

    @override
    async def transcribed(self, call_ids: Collection[CallId]) -> frozenset[CallId]:
        column = transcripts.c.call_id
        rows = await self._of_calls(select(column), column, call_ids)
        return frozenset(CallId(row.call_id) for row in rows)

    async def _of_calls(
        self, query: Select[Any], column: Column[str], call_ids: Collection[CallId]
    ) -> Sequence[Row[Any]]:
        asked = list(call_ids)
        rows: list[Row[Any]] = []
        async with self._database.reading() as connection:
            for first in range(0, len(asked), _ASKED_AT_ONCE):
                part = asked[first : first + _ASKED_AT_ONCE]
                rows += (await connection.execute(query.where(column.in_(part)))).all()
        return rows

    @override
    async def open_cases(
        self,
        account_id: AccountId,
        *,
        now: float,
        patience: Patience,
        at_risk_only: bool = False,
        cursor: str | None = None,
        limit: int = 50,
    ) -> OpenCases:
        limit = max(1, min(limit, PAGE_ROWS_MAX))
        is_shown = _is_at_risk(now, patience) if at_risk_only else _is_shown(now, patience)
        query = (
            select(recording_cases, *_CALL)
            .outerjoin(calls, calls.c.call_id == _case.call_id)
            .where(_is_listed, _case.account_id == account_id, is_shown)
            .order_by(_case.ended_at, _case.call_id)
            .limit(limit + 1)
        )
        if cursor is not None:
            query = query.where(
                tuple_(_case.ended_at, _case.call_id) > tuple_(*_position(cursor))
            )
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        shown = tuple(_open_case(row) for row in rows[:limit])
        return OpenCases(shown, _cursor(rows[limit - 1]) if len(rows) > limit else None)

    @override
    async def in_trouble(self, *, now: float, patience: Patience) -> Sequence[CasesInTrouble]:
        is_stuck, is_lost = _is_stuck(now, patience), _is_lost_lately(now, patience)
        stuck, lost = (func.sum(case((each, 1), else_=0)) for each in (is_stuck, is_lost))
        query = (
            select(_case.account_id, stuck.label("stuck"), lost.label("lost"))
            .where(_is_listed, or_(is_stuck, is_lost))
            .group_by(_case.account_id)
            .order_by(_case.account_id)
        )
        async with self._database.reading() as connection:
            return [
                CasesInTrouble(AccountId(row.account_id), int(row.stuck), int(row.lost))
                for row in await connection.execute(query)
            ]

    @override
    async def days(
        self, account_id: AccountId, *, since: date, until: date, zone: str
    ) -> Sequence[ReconciledDay]:
        if not timedelta(0) <= until - since < timedelta(days=DAYS_MAX):
            raise BadInput(f"ask for 1 to {DAYS_MAX} days, the earlier first")
        found: list[ReconciledDay] = []
        async with self._database.reading() as connection:
            day = since
            while day <= until:
                following = day + timedelta(days=1)
                rows = await _sums(
                    connection,
                    account_id,
                    start_of_day(day, zone),
                    start_of_day(following, zone),
                )
                if rows:
                    found.append(_day(day, rows))
                day = following
        return found


_CALL = (
    calls.c.wacid,
    calls.c.direction,
    calls.c.agent_id,
    calls.c.peer_phone,
    calls.c.peer_user_id,
    calls.c.peer_parent_user_id,
    calls.c.peer_name,
    calls.c.peer_username,
)


def _outcome(row: Row[Any]) -> RecordingOutcome:
    """Tell of one case; its books may have been closed long before it was deleted."""
    told = outcome_of(facts_of(row), conclusion_of(row))
    if row.state is None or row.state == Life.AVAILABLE:
        return told
    return replace(told, verdict=Verdict.DELETED, record=None, stored_ms=0)


def _is_shown(now: float, patience: Patience) -> ColumnElement[bool]:
    return or_(_case.is_open, and_(_is_lost, _case.ended_at >= now - patience.lost_shown_s))


def _is_at_risk(now: float, patience: Patience) -> ColumnElement[bool]:
    is_late = and_(
        _case.is_open,
        _case.official_ms.is_(None),
        _case.announced_until > 0,
        _case.announced_until < patience.fetch_ends_before(now),
    )
    return or_(is_late, _is_stuck(now, patience), _is_lost_lately(now, patience))


def _is_stuck(now: float, patience: Patience) -> ColumnElement[bool]:
    return and_(_case.verdict.is_(None), _case.ended_at < patience.stuck_before(now))


def _is_lost_lately(now: float, patience: Patience) -> ColumnElement[bool]:
    return and_(_is_lost, _case.ended_at >= now - patience.lost_shown_s)


async def _sums(
    connection: AsyncConnection, account_id: AccountId, since: float, until: float
) -> Sequence[Row[Any]]:
    difference = _case.official_ms - _case.local_ms  # null unless both are known
    query = (
        select(
            _case.verdict,
            func.count().label("calls"),
            *(
                func.coalesce(func.sum(amount), 0).label(name)
                for name, amount in (
                    ("stored_ms", _case.stored_ms),
                    ("charged_ms", charges.c.charged_ms),
                    ("official_ms", _case.official_ms),
                    ("local_ms", _case.local_ms),
                    ("difference_ms", difference),
                )
            ),
        )
        .outerjoin_from(recording_cases, charges, charges.c.call_id == _case.call_id)
        .where(_case.account_id == account_id, _case.ended_at >= since, _case.ended_at < until)
        .group_by(_case.verdict)
    )
    return (await connection.execute(query)).all()


def _day(day: date, rows: Sequence[Row[Any]]) -> ReconciledDay:
    counts = {row.verdict: int(row.calls) for row in rows}
    sums = {
        name: sum(int(getattr(row, name)) for row in rows)
        for name in ("stored_ms", "charged_ms", "official_ms", "local_ms", "difference_ms")
    }
    return ReconciledDay(
        day=day,
        calls=sum(counts.values()),
        verdicts={verdict: counts[verdict] for verdict in Verdict if verdict in counts},
        undecided=counts.get(None, 0),
        **sums,
    )


def _open_case(row: Row[Any]) -> OpenCase:
    return OpenCase(
        case=case_of(row),
        wacid=None if row.wacid is None else Wacid(row.wacid),
        direction=Direction(row.direction or Direction.INBOUND),
        peer=Peer(
            phone=row.peer_phone,
            user_id=row.peer_user_id,
            parent_user_id=row.peer_parent_user_id,
            name=row.peer_name,
            username=row.peer_username,
        ),
        agent_id=None if row.agent_id is None else UserId(row.agent_id),
    )


def _cursor(row: Row[Any]) -> str:
    return struct.pack(_MOMENT, row.ended_at).hex() + str(row.call_id)


def _position(cursor: str) -> tuple[float, str]:
    if not re.fullmatch(CURSOR_PATTERN, cursor):
        raise BadInput("this cursor was not made here; begin without one")
    [ended_at] = struct.unpack(_MOMENT, bytes.fromhex(cursor[:_MOMENT_CHARS]))
    return ended_at, cursor[_MOMENT_CHARS:]
