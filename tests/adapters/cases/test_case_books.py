"""Recorded calls' cases, read: what became of them, what is open, how the days add up."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, insert, select

from gateway.adapters import sql_migrate
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_official_schema import recording_cases
from gateway.adapters.sql_recording_schema import recordings
from gateway.core.errors import BadInput
from gateway.core.ids import AccountId, CallId
from gateway.core.recording.facts import (
    MISSING,
    Announced,
    Declined,
    LocalCopy,
    Mode,
    OfficialCopy,
)
from gateway.core.recording.intervals import Interval
from gateway.core.recording.outcome import DigestState
from gateway.core.recording.outlook import KEPT_S, Patience
from gateway.core.recording.reconcile import AWAITED_S, Verdict
from gateway.core.recording.report import ReconciledDay
from gateway.core.recording.transcript import Transcript
from tests.adapters.cases.conftest import Archive
from tests.adapters.sql.conftest import Wall
from tests.adapters.sql.rows import an_account, fresh_id

pytestmark = pytest.mark.services
DAY, HOUR = 86_400.0, 3_600.0
PATIENCE = Patience(fetch_s=DAY, comparison_s=HOUR, lost_shown_s=7 * DAY)
JAKARTA = "Asia/Jakarta"


def ours(ms: int = 60_000) -> LocalCopy:
    return LocalCopy((Interval(0, ms),))


def metas(ms: int = 60_300) -> OfficialCopy:
    return OfficialCopy(fresh_id(), ms, 2, offset_ms=-300)


async def open_ids(
    archive: Archive, *, at_risk_only: bool = False, limit: int = 50
) -> list[CallId]:
    """All pages of what is open, one after the other."""
    found: list[CallId] = []
    cursor: str | None = None
    while True:
        page = await archive.books.open_cases(
            archive.account_id,
            now=archive.wall.now,
            patience=PATIENCE,
            at_risk_only=at_risk_only,
            cursor=cursor,
            limit=limit,
        )
        assert len(page.items) <= limit
        found += [each.case.opening.call_id for each in page.items]
        if page.next_cursor is None:
            return found
        cursor = page.next_cursor


@pytest.mark.parametrize("state", ["trashed", "purged"])
async def test_a_deleted_recording_is_told_as_such_even_when_its_books_are_closed(
    archive: Archive, state: str
) -> None:
    call_id = await archive.call(ours(), metas())
    kept = {
        "call_id": call_id,
        "account_id": archive.account_id,
        "state": state,
        "file": "x",
        "duration_ms": 60_000,
        "bytes": 1,
        "sha256": "",
        "began_at": 1.0,
        "finished_at": 2.0,
        "segments": {"segments": []},
    }
    async with archive.database.writing() as connection:
        await connection.execute(delete(recordings).where(recordings.c.call_id == call_id))
        await connection.execute(insert(recordings).values(**kept))
    found = (await archive.books.outcomes([call_id]))[call_id]
    assert (found.verdict, found.record, found.stored_ms) == (Verdict.DELETED, None, 0)


async def test_the_outcomes_of_many_calls_are_told_at_once(archive: Archive) -> None:
    matched = await archive.call(ours(), metas())
    local = await archive.call(ours(), mode=Mode.LOCAL)
    early = await archive.call()
    words = Transcript("en", ())
    await archive.transcripts.keep(matched, archive.account_id, words, now=archive.wall.now)
    asked = [matched, local, early, CallId("unknown"), *(CallId(f"{n}") for n in range(700))]
    found = await archive.books.outcomes(asked)
    assert found.keys() == {matched, local, early}
    assert (found[matched].verdict, found[matched].stored_ms) == (Verdict.MATCHED, 60_000)
    assert await archive.books.transcribed(asked) == {matched}
    assert (found[local].verdict, found[local].digest) == (
        Verdict.LOCAL,
        DigestState.NOT_EXPECTED,
    )
    assert found[early].verdict is None
    assert await archive.books.outcomes([]) == {}


async def test_open_calls_are_listed_page_by_page_the_oldest_first(archive: Archive) -> None:
    now = archive.wall.now
    waiting = [
        await archive.call(ours(), ended_at=now - 60 * place) for place in (5, 4, 3, 2, 1)
    ]
    await archive.call(ours(), metas())
    await archive.call(ours(), mode=Mode.LOCAL)
    for limit in (1, 2, 5, 50):
        assert await open_ids(archive, limit=limit) == waiting
    [first, *_] = (
        await archive.books.open_cases(archive.account_id, now=now, patience=PATIENCE)
    ).items
    assert first.peer.name == "Budi"
    assert first.wacid is not None


async def test_two_calls_that_ended_together_are_both_listed(archive: Archive) -> None:
    both = {await archive.call(ours()), await archive.call(ours())}
    assert set(await open_ids(archive, limit=1)) == both


async def test_what_is_at_risk_is_told_apart(archive: Archive, wall: Wall) -> None:
    now = wall.now
    late = await archive.call(ours(), Announced(now - 2 * DAY + KEPT_S), ended_at=now - 2 * DAY)
    fresh = await archive.call(ours(), Announced(now + KEPT_S))
    stuck = await archive.call(ended_at=now - AWAITED_S - 2 * HOUR)
    lost = await archive.call(MISSING, ended_at=now - HOUR, mode=Mode.LOCAL)
    assert await open_ids(archive) == [late, stuck, lost, fresh]
    assert await open_ids(archive, at_risk_only=True, limit=1) == [late, stuck, lost]
    [trouble] = await archive.books.in_trouble(now=now, patience=PATIENCE)
    assert (trouble.account_id, trouble.stuck, trouble.lost) == (archive.account_id, 1, 1)
    await archive.tell(late, metas())
    await archive.tell(stuck, ours(), metas())
    assert await open_ids(archive, at_risk_only=True) == [lost]
    wall.now += 8 * DAY
    # The call that nobody compared is the trouble now; what was lost has been told for long.
    [trouble] = await archive.books.in_trouble(now=wall.now, patience=PATIENCE)
    assert (trouble.stuck, trouble.lost) == (1, 0)
    assert await open_ids(archive, at_risk_only=True) == [fresh]


async def test_once_the_books_are_closed_a_call_is_open_no_longer(
    archive: Archive, wall: Wall
) -> None:
    call_id = await archive.call(ours())
    wall.now += 20 * 60
    await archive.conclude(call_id)
    assert await open_ids(archive) == [call_id]
    wall.now += 9 * DAY
    await archive.conclude(call_id)
    assert await open_ids(archive) == []
    assert await archive.cases.open_count() == 0


async def test_another_accounts_calls_are_not_shown(
    archive: Archive, database: Database, wall: Wall
) -> None:
    await archive.call(ours(), ended_at=wall.now - 2 * DAY)
    stranger = replace(archive, account_id=(await an_account(database, wall)).account_id)
    assert await open_ids(stranger) == []
    today = datetime.fromtimestamp(wall.now, UTC).date()
    assert await _days(stranger, today - timedelta(days=5), today) == []


async def test_a_cursor_of_somebody_elses_is_refused(archive: Archive) -> None:
    for cursor in ("x", "§", "0" * 41, "0" * 42 + " ", "G" * 42):
        with pytest.raises(BadInput, match="cursor"):
            await archive.books.open_cases(
                archive.account_id,
                now=archive.wall.now,
                patience=PATIENCE,
                cursor=cursor,
            )


async def test_days_add_up_in_the_accounts_own_zone(archive: Archive) -> None:
    midnight = datetime(2026, 3, 10, tzinfo=ZoneInfo(JAKARTA)).timestamp()
    await archive.call(ours(60_000), metas(60_300), ended_at=midnight - 1)
    await archive.call(ours(50_000), metas(75_000), ended_at=midnight)
    await archive.call(ours(10_000), mode=Mode.LOCAL, ended_at=midnight + HOUR)
    await archive.call(Declined(), MISSING, ended_at=midnight + 2 * HOUR)
    undecided = await archive.call(ended_at=midnight + DAY - 1)
    first, second = await _days(archive, date(2026, 3, 8), date(2026, 3, 11))
    assert (first.day, first.calls, dict(first.verdicts)) == (
        date(2026, 3, 9),
        1,
        {Verdict.MATCHED: 1},
    )
    assert (first.stored_ms, first.charged_ms) == (60_000, 60_000)
    assert (first.official_ms, first.local_ms, first.difference_ms) == (60_300, 60_000, 300)
    assert (second.day, second.calls, second.undecided) == (date(2026, 3, 10), 4, 1)
    assert dict(second.verdicts) == {
        Verdict.OFFICIAL_LONGER: 1,
        Verdict.DECLINED: 1,
        Verdict.LOCAL: 1,
    }
    assert (second.stored_ms, second.charged_ms) == (85_000, 85_000)
    # A call without one of the two says nothing about how they differ.
    assert (second.official_ms, second.local_ms) == (75_000, 60_000)
    assert second.difference_ms == 25_000
    await archive.tell(undecided, ours(1_000), metas(1_300))
    [again] = await _days(archive, date(2026, 3, 10), date(2026, 3, 10))
    assert (again.undecided, again.stored_ms) == (0, 86_000)


@pytest.mark.parametrize("days", [-1, 366, 5_000])
async def test_too_long_a_report_is_refused(archive: Archive, days: int) -> None:
    first = date(2026, 1, 1)
    with pytest.raises(BadInput, match="366 days"):
        await _days(archive, first, first + timedelta(days=days))


async def test_cases_of_an_older_schema_get_their_columns(database: Database) -> None:
    await sql_migrate.downgrade(database, "0013")
    facts = {
        "mode": "official",
        "ended_at": 1.0,
        "local": {"granted": [[0, 20_000], [25_000, 30_000]], "paused": []},
        "officials": [
            {"sha256": "a", "duration_ms": 9_000, "channels": 1},
            {"sha256": "b", "duration_ms": 30_000, "channels": 1},
        ],
        "failures": [],
        "announced_until": 700.5,
    }
    closed = {"verdict": "local_only", "stored_ms": 5, "is_open": True, "is_final": True}
    rows = {"new": (facts, None), "old": (facts | {"local": None, "officials": []}, closed)}
    async with database.writing() as connection:
        await connection.exec_driver_sql(
            "INSERT INTO accounts (account_id, cid, name, timezone, created_at)"
            " VALUES ('a', 'C', 'n', 'UTC', 1)"
        )
        for call_id, (known, conclusion) in rows.items():
            written = "NULL" if conclusion is None else f"'{json.dumps(conclusion)}'"
            await connection.exec_driver_sql(
                "INSERT INTO recording_cases (call_id, account_id, version, ended_at, opening,"
                f" facts, conclusion, is_open, files) VALUES ('{call_id}', 'a', 1, 1, '{{}}',"
                f" '{json.dumps(known)}', {written}, {'1 = 1'}, '{{}}')"
            )
    await sql_migrate.upgrade(database)
    column = recording_cases.c
    query = select(
        column.official_ms,
        column.local_ms,
        column.stored_ms,
        column.announced_until,
        column.is_open,
    ).order_by(column.call_id)
    async with database.reading() as connection:
        found = [tuple(row) for row in await connection.execute(query)]
    assert found == [(30_000, 25_000, None, 700.5, True), (None, None, 5, 700.5, False)]


async def _days(archive: Archive, since: date, until: date) -> list[ReconciledDay]:
    account_id: AccountId = archive.account_id
    return list(await archive.books.days(account_id, since=since, until=until, zone=JAKARTA))
