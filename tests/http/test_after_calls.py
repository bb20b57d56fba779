"""After the call over REST: transcripts, what is open, and the report by day."""

import csv
import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from gateway.adapters.sql_case_books import SqlCaseBooks
from gateway.adapters.sql_cases import SqlCases
from gateway.adapters.sql_jobs import SqlJobs
from gateway.adapters.sql_schema import audit
from gateway.adapters.sql_transcripts import SqlTranscripts
from gateway.adapters.system_ids import random_id
from gateway.core.ids import CallId
from gateway.core.recording.facts import Announced, LocalCopy, OfficialCopy
from gateway.core.recording.intervals import Interval
from gateway.core.recording.outlook import KEPT_S, Patience
from gateway.core.recording.report import REPORT_COLUMNS
from gateway.core.recording.transcript import Passage, Transcript, Word
from gateway.ports.accounts import Role
from gateway.ports.jobs import JobKind, NewJob
from gateway.runtime.call_view import AgentView, with_outcome
from tests.adapters.cases.conftest import Archive
from tests.adapters.quota.conftest import own
from tests.http.fakes import a_view
from tests.http.site import Browser, Site, browser_of

JAKARTA = ZoneInfo("Asia/Jakarta")
CALL = CallId("c" * 26)
HOUR, DAY = 3_600.0, 86_400.0
WORDS = Transcript(
    "id",
    (
        Passage("business", 0, 900, "Selamat pagi", (Word("Selamat", 0, 400),)),
        Passage("customer", 1_000, 1_500, "Pagi"),
    ),
)


@dataclass
class Clock:
    """The site's clock as a store takes it."""

    site: Site

    @property
    def now(self) -> float:
        return self.site.clock.wall()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def archive(site: Site) -> Archive:
    await own(site.database, site.account.account_id, 10**7, site.clock.wall())
    return Archive(
        site.database,
        site.account.account_id,
        SqlCases(site.database),
        SqlCaseBooks(site.database),
        SqlTranscripts(site.database),
        Clock(site),  # type: ignore[arg-type]  # a wall that goes by itself
    )


@pytest.fixture
async def supervisor(browser: Browser) -> Browser:
    await browser.sign_in(Role.SUPERVISOR)
    return browser


async def got(browser: Browser, path: str, status: int = 200) -> Any:
    async with await browser.ask("GET", path) as response:
        assert response.status == status, await response.text()
        return await response.json(content_type=None)


def ours(ms: int = 60_000) -> LocalCopy:
    return LocalCopy((Interval(0, ms),))


async def test_a_transcript_is_read_with_speakers_and_times(
    site: Site, archive: Archive, supervisor: Browser
) -> None:
    site.desk.add(archive.account_id, a_view(CALL))
    await archive.transcripts.keep(CALL, archive.account_id, WORDS, now=1.0)
    found = await got(supervisor, f"/calls/{CALL}/transcript")
    assert found == {
        "language": "id",
        "passages": [
            {"speaker": "business", "begin_ms": 0, "end_ms": 900, "text": "Selamat pagi"},
            {"speaker": "customer", "begin_ms": 1_000, "end_ms": 1_500, "text": "Pagi"},
        ],
    }
    async with site.database.reading() as connection:
        rows = (await connection.execute(select(audit.c.action, audit.c.subject))).all()
    assert ("transcript.read", CALL) in [tuple(row) for row in rows]


async def test_agents_read_what_was_said_in_their_own_calls_only(
    site: Site, archive: Archive, browser: Browser
) -> None:
    await browser.sign_in(Role.AGENT)
    agent = site.people[Role.AGENT]
    await archive.transcripts.keep(CALL, archive.account_id, WORDS, now=1.0)
    site.desk.add(archive.account_id, a_view(CALL, offered_to=(agent.user_id,)))
    await got(browser, f"/calls/{CALL}/transcript", 404)
    mine = AgentView(agent.user_id, agent.name)
    site.desk.add(archive.account_id, a_view(CALL, agent=mine))
    await got(browser, f"/calls/{CALL}/transcript")


async def test_a_call_without_words_has_no_transcript(
    site: Site, archive: Archive, supervisor: Browser
) -> None:
    site.desk.add(archive.account_id, a_view(CALL))
    problem = await got(supervisor, f"/calls/{CALL}/transcript", 404)
    assert problem["code"] == "not_found"


async def test_a_call_tells_what_became_of_its_recording(
    site: Site, archive: Archive, supervisor: Browser
) -> None:
    call_id = await archive.call(ours(), OfficialCopy("d", 60_300, 2, offset_ms=-300))
    outcomes = await archive.books.outcomes([call_id])
    over = a_view(call_id, state="ended")
    view = with_outcome(over, outcomes[call_id], has_transcript=True)
    site.desk.add(archive.account_id, view)
    shown = await got(supervisor, f"/calls/{call_id}")
    assert shown["transcript"] is True
    assert (shown["recording"]["state"], shown["recording"]["duration_ms"]) == ("kept", 60_000)
    assert shown["recording"]["outcome"] == {
        "verdict": "matched",
        "final": False,
        "record": "official",
        "stored_ms": 60_000,
        "official_ms": 60_300,
        "local_ms": 60_000,
        "offset_ms": -300,
        "digest": "verified",
        "cut_by_quota": False,
    }


async def test_what_is_open_tells_why_and_until_when(
    site: Site, archive: Archive, supervisor: Browser
) -> None:
    now = site.clock.wall()
    announced = now - 2 * DAY
    late = await archive.call(ours(), Announced(announced + KEPT_S), ended_at=announced)
    fresh = await archive.call(ours(), ended_at=now - HOUR)
    jobs = SqlJobs(site.database, random_id)
    opened = await archive.books.open_cases(archive.account_id, now=now, patience=Patience())
    wacid = opened.items[0].wacid
    job = NewJob(
        JobKind.FETCH_RECORDING,
        "key",
        {"wacid": wacid},
        expires_at=announced + KEPT_S,
        account_id=archive.account_id,
    )
    await jobs.add(job, now=announced)
    [claimed] = await jobs.claim(list(JobKind), now=now, lease_s=60, limit=1)
    await jobs.put_back(claimed, due_at=now + 60, trouble="no_answer")
    page = await got(supervisor, "/recordings/open")
    first, second = page["items"]
    assert (first["call_id"], first["waits_for"], first["at_risk"]) == (late, "fetch", True)
    assert (first["tries"], first["trouble"], first["verdict"]) == (
        1,
        "no_answer",
        "local_only",
    )
    assert first["next_try_at"] is not None
    assert first["until"] is not None
    assert first["peer"]["name"] == "Budi"
    assert (second["call_id"], second["waits_for"]) == (fresh, "announcement")
    assert (second["tries"], second["trouble"], second["next_try_at"]) == (0, "", None)
    risky = await got(supervisor, "/recordings/open?at_risk=true")
    assert [each["call_id"] for each in risky["items"]] == [late]
    paged = await got(supervisor, "/recordings/open?limit=1")
    rest = await got(supervisor, f"/recordings/open?limit=1&cursor={paged['next_cursor']}")
    assert [each["call_id"] for each in rest["items"]] == [fresh]
    assert rest["next_cursor"] is None


async def test_the_report_adds_up_by_the_accounts_own_day(
    archive: Archive, supervisor: Browser
) -> None:
    midnight = datetime(2026, 3, 10, tzinfo=JAKARTA).timestamp()
    copy = OfficialCopy("d", 60_300, 2, offset_ms=-300)
    await archive.call(ours(), copy, ended_at=midnight - 1)
    await archive.call(ours(30_000), ended_at=midnight)
    path = "/recordings/reconciliation?until=2026-03-10&days=2"
    report = await got(supervisor, path)
    assert (report["timezone"], report["since"]) == ("Asia/Jakarta", "2026-03-09")
    first, second = report["days"]
    assert first == {
        "day": "2026-03-09",
        "calls": 1,
        "undecided": 0,
        "verdicts": {"matched": 1},
        "stored_ms": 60_000,
        "charged_ms": 60_000,
        "official_ms": 60_300,
        "local_ms": 60_000,
        "difference_ms": 300,
    }
    assert second["verdicts"] == {"local_only": 1}


async def test_the_report_as_a_table_says_the_same(
    archive: Archive, supervisor: Browser
) -> None:
    midnight = datetime(2026, 3, 10, tzinfo=JAKARTA).timestamp()
    await archive.call(ours(), OfficialCopy("d", 50_000, 2, offset_ms=0), ended_at=midnight)
    path = "/recordings/reconciliation.csv?until=2026-03-31&days=31"
    async with await supervisor.ask("GET", path) as response:
        assert response.status == 200
        assert response.content_type == "text/csv"
        disposition = response.headers["Content-Disposition"]
        assert disposition == (
            'attachment; filename="reconciliation-2026-03-01-2026-03-31.csv"'
        )
        text = (await response.read()).decode("utf-8-sig")
    header, line = csv.reader(io.StringIO(text))
    assert tuple(header) == REPORT_COLUMNS
    cells = dict(zip(header, line, strict=True))
    assert (cells["day"], cells["official_shorter"], cells["matched"]) == (
        "2026-03-10",
        "1",
        "0",
    )
    # A number stays one, also below zero.
    assert cells["difference_ms"] == "-10000"


async def test_without_days_the_last_month_is_reported(site: Site, supervisor: Browser) -> None:
    report = await got(supervisor, "/recordings/reconciliation")
    today = datetime.fromtimestamp(site.clock.wall(), UTC).astimezone(JAKARTA).date()
    assert report["until"] == today.isoformat()
    assert report["since"] == (today - timedelta(days=30)).isoformat()
    assert report["days"] == []


@pytest.mark.parametrize(
    "path",
    [
        "/recordings/reconciliation?days=0",
        "/recordings/reconciliation?days=367",
        "/recordings/reconciliation?until=yesterday",
        "/recordings/reconciliation.csv?until=2026-02-30",
        "/recordings/open?limit=0",
        "/recordings/open?limit=201",
        "/recordings/open?cursor=nothing-of-ours",
        "/recordings/open?at_risk=perhaps",
    ],
)
async def test_what_cannot_be_asked_is_refused(supervisor: Browser, path: str) -> None:
    problem = await got(supervisor, path, 422)
    assert problem["detail"]


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
async def test_the_ends_of_the_calendar_are_days_like_others(
    supervisor: Browser, day: str
) -> None:
    report = await got(supervisor, f"/recordings/reconciliation?until={day}&days=366")
    assert report["days"] == []


async def test_agents_see_neither_the_report_nor_what_is_open(site: Site) -> None:
    async with browser_of(site) as agent:
        await agent.sign_in(Role.AGENT)
        for path in ("open", "reconciliation", "reconciliation.csv"):
            await got(agent, f"/recordings/{path}", 403)
