"""The library over REST: lists, notes, peaks, and what each role sees of it."""

import csv
import io
import json
from typing import Any

import pytest
from sqlalchemy import update

from gateway.adapters.sql_calls import SqlCalls
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_recording_schema import recordings
from gateway.core.ids import CallId, UserId
from gateway.core.recording.files import FileRole
from gateway.core.whatsapp import Direction, Peer
from gateway.ports.accounts import Role
from gateway.ports.audit import Deed
from gateway.ports.calls import TraceLine
from gateway.runtime.library_desk import LibraryDesk
from tests.adapters.recordings.library_rows import LibraryRows
from tests.adapters.sql.rows import an_account
from tests.http.recorded import note_file, put, write
from tests.http.site import Browser, Site

DAY_S = 86_400.0


@pytest.fixture
async def supervisor(browser: Browser) -> Browser:
    await browser.sign_in(Role.SUPERVISOR)
    return browser


async def got(browser: Browser, path: str, status: int = 200) -> Any:
    async with await browser.ask("GET", path) as response:
        assert response.status == status, await response.text()
        return await response.json(content_type=None)


async def ids(browser: Browser, query: str = "") -> list[str]:
    return [item["id"] for item in (await got(browser, f"/recordings{query}"))["items"]]


async def deeds(site: Site, deed: Deed) -> list[str]:
    recent = await site.deps.audit.recent(site.account.account_id, limit=100)
    return [entry.subject for entry in recent if entry.action == deed]


async def elsewhere(site: Site) -> CallId:
    """A recording of another account."""
    other = await an_account(site.database, site.clock.wall)
    return await LibraryRows(site.database, other.account_id).add()


# --- lists -----------------------------------------------------------------------------------


async def test_the_list_shows_what_people_know_recordings_by(
    site: Site, supervisor: Browser
) -> None:
    call_id = await put(site, b"x" * 1_234, verdict="matched", note="Refund")
    [item] = (await got(supervisor, "/recordings"))["items"]
    agent = site.people[Role.AGENT]
    assert item["id"] == call_id
    assert item["agent"] == {"id": agent.user_id, "name": agent.name}
    assert item["peer"]["name"] == "Budi Santoso"
    assert (item["duration_ms"], item["bytes"], item["verdict"]) == (60_000, 1_234, "matched")
    assert (item["note"], item["hold"], item["ending"]) == ("Refund", None, None)
    assert (item["direction"], item["state"], item["has_transcript"]) == (
        "inbound",
        "available",
        False,
    )


async def test_pages_follow_each_other(site: Site, supervisor: Browser) -> None:
    rows = LibraryRows(site.database, site.account.account_id)
    for _ in range(5):
        await rows.add()
    first = await got(supervisor, "/recordings?limit=3")
    rest = await got(supervisor, f"/recordings?limit=3&cursor={first['next_cursor']}")
    shown = [item["id"] for item in (*first["items"], *rest["items"])]
    assert shown == rows.put[::-1]
    assert rest["next_cursor"] is None


async def test_filters_of_the_list_reach_the_store(site: Site, supervisor: Browser) -> None:
    rows = LibraryRows(site.database, site.account.account_id)
    agent = site.people[Role.AGENT].user_id
    a = await rows.add(agent_id=agent, verdict="lost", note_folded="refund", duration_ms=5)
    b = await rows.add(direction=Direction.OUTBOUND, cut_by_quota=True, held_at=1.0)
    c = await rows.add(peer=Peer(phone="62999", user_id="US.2"), state="trashed")
    for query, expected in (
        (f"?agent_id={agent}", [a]),
        ("?direction=outbound", [b]),
        ("?verdict=lost", [a]),
        ("?note=REFUND", [a]),
        ("?cut_by_quota=true", [b]),
        ("?held=true", [b]),
        ("?max_duration_ms=5", [a]),
        ("?min_duration_ms=6", [b]),
        ("?phone=%2B628111222333", [b, a]),
        ("?phone=%2B628111222333&user_id=ID.1349", [b, a]),
        ("?user_id=US.2&state=trashed", [c]),
        ("?state=purged", []),
    ):
        assert await ids(supervisor, query) == expected, query


async def test_days_begin_at_midnight_in_the_accounts_zone(
    site: Site, supervisor: Browser
) -> None:
    # The account is in Jakarta, seven hours ahead: 17:00 UTC is its midnight.
    rows = LibraryRows(site.database, site.account.account_id)
    before = await rows.add(began_at=1_789_923_599.0)  # 2026-09-20 16:59:59 UTC
    after = await rows.add(began_at=1_789_923_600.0)
    assert await ids(supervisor, "?until=2026-09-20") == [before]
    assert await ids(supervisor, "?since=2026-09-21") == [after]
    assert await ids(supervisor, "?since=2026-09-20&until=2026-09-21") == [after, before]
    assert await ids(supervisor, "?since=0001-01-01&until=9999-12-31") == [after, before]


@pytest.mark.parametrize(
    "query",
    [
        "?limit=0",
        "?limit=201",
        "?since=tomorrow",
        "?since=20260920",
        "?agent_id=1",
        "?phone=1%27%20OR",
        "?direction=sideways",
        "?verdict=nice",
        "?state=capturing",
        "?min_duration_ms=-1",
        "?cut_by_quota=perhaps",
        "?note=",
        "?nothing=1",
        "?limit=3&limit=4",
    ],
)
async def test_what_a_filter_cannot_be_is_refused_by_name(
    supervisor: Browser, query: str
) -> None:
    problem = await got(supervisor, f"/recordings{query}", 422)
    assert problem["field"] == query[1:].partition("=")[0]


async def test_a_cursor_not_made_here_is_refused(supervisor: Browser) -> None:
    assert (await got(supervisor, "/recordings?cursor=abc", 422))["code"] == "bad_value"


# --- roles -----------------------------------------------------------------------------------


async def test_agents_see_the_recordings_of_their_own_calls_only(
    site: Site, browser: Browser
) -> None:
    await browser.sign_in(Role.AGENT)
    own = await put(site)
    other = await put(site, agent_id=UserId("o" * 26))
    gone = await put(site, state="trashed")
    assert await ids(browser) == [own]
    assert await ids(browser, f"?agent_id={'o' * 26}") == []
    assert (await got(browser, "/recordings?state=trashed", 403))["code"] == "forbidden"
    for foreign in (other, gone, CallId("z" * 26), await elsewhere(site)):
        for part in ("", "/audio", "/peaks"):
            problem = await got(browser, f"/recordings/{foreign}{part}", 404)
            assert problem["code"] == "not_found"


async def test_agents_may_not_take_recordings_away(site: Site, browser: Browser) -> None:
    await browser.sign_in(Role.AGENT)
    own = await put(site)
    for path in ("/download", "/audio.wav", "/audio.mp3"):
        assert (await got(browser, f"/recordings/{own}{path}", 403))["code"] == "forbidden"
    assert (await got(browser, "/recordings.csv", 403))["code"] == "forbidden"
    async with await browser.ask(
        "POST", "/recordings/download", json={"ids": [own]}
    ) as response:
        assert response.status == 403
    assert await deeds(site, Deed.RECORDING_DOWNLOADED) == []


async def test_leads_see_what_was_deleted_but_cannot_hear_it(
    site: Site, supervisor: Browser
) -> None:
    call_id = await put(
        site,
        state="trashed",
        trashed_at=site.clock.wall(),
        gone_after=site.clock.wall() + DAY_S,
        deleted_why="hand",
        deleted_by=site.people[Role.ADMIN].user_id,
    )
    ending = (await got(supervisor, f"/recordings/{call_id}"))["ending"]
    assert (ending["why"], ending["by"], ending["gone_at"]) == (
        "hand",
        site.people[Role.ADMIN].user_id,
        None,
    )
    for path in ("/audio", "/download", "/peaks", "/audio.wav"):
        assert (await got(supervisor, f"/recordings/{call_id}{path}", 404))["status"] == 404


@pytest.mark.parametrize(
    "path",
    [
        "/recordings/..%2f..%2fetc%2fpasswd",
        "/recordings/..%2f..%2f/audio",
        f"/recordings/{'c' * 25}/audio",
        f"/recordings/{'C' * 26}",
        f"/recordings/{'c' * 26}%00/audio",
        f"/recordings/{'c' * 26}/..%2f..%2fsecret.key",
        f"/recordings/{'c' * 26}/audio.exe",
    ],
)
async def test_nothing_but_an_id_of_ours_names_a_recording(
    supervisor: Browser, path: str
) -> None:
    assert (await got(supervisor, path, 404))["code"] == "not_found"


# --- one recording ---------------------------------------------------------------------------


async def test_the_detail_tells_segments_and_what_happened(
    site: Site, supervisor: Browser
) -> None:
    call_id = await put(site)
    segments = [
        {
            "segment": 0,
            "begins_ms": 0,
            "duration_ms": 40_000,
            "end_reason": "quota",
            "pauses": [[10_000, 5_000]],
            "offset_ms": 0,
            "started_unix_ms": 1,
            "damaged_bytes": 0,
        },
        {"segment": 1, "begins_ms": 40_000, "duration_ms": 20_000, "end_reason": None},
    ]
    await set_columns(site.database, call_id, segments={"segments": segments})
    await site_trace(site, call_id)
    detail = await got(supervisor, f"/recordings/{call_id}")
    assert detail["segments"] == [
        {
            "begins_ms": 0,
            "duration_ms": 40_000,
            "end_reason": "quota",
            "pauses": [{"at_ms": 10_000, "length_ms": 5_000}],
        },
        {"begins_ms": 40_000, "duration_ms": 20_000, "end_reason": None, "pauses": []},
    ]
    assert [(event["step"], event["offset_ms"]) for event in detail["events"]] == [
        ("capture_started", 1_500.0)
    ]
    assert detail["purge_day"] == "9999-12-31"


async def set_columns(database: Database, call_id: CallId, **columns: Any) -> None:
    async with database.writing() as connection:
        await connection.execute(
            update(recordings).where(recordings.c.call_id == call_id).values(**columns)
        )


async def site_trace(site: Site, call_id: CallId) -> None:
    lines = [
        TraceLine(call_id, 100.0, "webhook", "connect", {}),
        TraceLine(call_id, 101.5, "recording", "capture_started", {"segment": 0}),
    ]
    await SqlCalls(site.database, site.clock.wall).add_trace(lines)


async def test_a_note_is_written_shown_and_found(site: Site, browser: Browser) -> None:
    await browser.sign_in(Role.AGENT)
    call_id = await put(site)
    async with await browser.ask(
        "PATCH", f"/recordings/{call_id}", json={"note": "  Wants a refund  ", "version": 1}
    ) as response:
        item = await response.json()
    assert (response.status, item["note"], item["version"]) == (200, "Wants a refund", 2)
    assert await ids(browser, "?note=refund") == [call_id]
    assert await deeds(site, Deed.RECORDING_NOTED) == [call_id]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"note": "x", "version": 7}, 409, "conflict"),
        ({"note": "x" * 501}, 422, "bad_value"),
        ({}, 422, "missing_field"),
        ({"note": 5}, 422, "wrong_type"),
        ({"note": "x", "state": "purged"}, 422, "unknown_field"),
    ],
)
async def test_a_note_that_cannot_be_is_refused(
    site: Site, supervisor: Browser, body: dict[str, Any], status: int, code: str
) -> None:
    call_id = await put(site)
    async with await supervisor.ask("PATCH", f"/recordings/{call_id}", json=body) as response:
        assert (response.status, (await response.json(content_type=None))["code"]) == (
            status,
            code,
        )


async def test_blanks_take_a_note_away(site: Site, supervisor: Browser) -> None:
    call_id = await put(site, note="old", note_folded="old")
    async with await supervisor.ask(
        "PATCH", f"/recordings/{call_id}", json={"note": "  "}
    ) as response:
        assert (await response.json())["note"] is None


# --- peaks -----------------------------------------------------------------------------------

DRAWN = {"per_second": 10, "full": 255, "agent": [1, 2], "customer": [3, 4]}


async def test_peaks_that_were_made_with_it_are_told(site: Site, supervisor: Browser) -> None:
    call_id = await put(site)
    key = f"{site.account.account_id}/{call_id}.peaks"
    await write(site, key, json.dumps(DRAWN).encode())
    await note_file(site, key, FileRole.PEAKS)
    await set_columns(site.database, call_id, peaks=key)
    assert await got(supervisor, f"/recordings/{call_id}/peaks") == DRAWN | {"mixed": []}


async def test_peaks_of_what_is_no_recording_are_refused_in_words(
    site: Site, supervisor: Browser
) -> None:
    call_id = await put(site, b"no audio")
    problem = await got(supervisor, f"/recordings/{call_id}/peaks", 500)
    assert problem["code"] == "recording_unreadable"


# --- the list as CSV -------------------------------------------------------------------------


async def table(browser: Browser, query: str = "") -> list[dict[str, str]]:
    async with await browser.ask("GET", f"/recordings.csv{query}") as response:
        assert response.status == 200, await response.text()
        assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
        text = (await response.read()).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def test_the_table_has_what_the_list_has_and_computes_nothing(
    site: Site, supervisor: Browser
) -> None:
    rows = LibraryRows(site.database, site.account.account_id)
    await rows.add(verdict="lost")
    hostile = Peer(name='=HYPERLINK("http://evil.example")', phone="62999")
    call_id = await rows.add(peer=hostile, note="@SUM(A1)")
    lines = await table(supervisor)
    assert [line["recording_id"] for line in lines] == rows.put[::-1]
    assert lines[0]["customer_name"] == '\'=HYPERLINK("http://evil.example")'
    assert lines[0]["note"] == "'@SUM(A1)"
    assert [line["recording_id"] for line in await table(supervisor, "?phone=62999")] == [
        call_id
    ]
    assert await deeds(site, Deed.RECORDINGS_EXPORTED) == [site.account.account_id] * 2


async def test_the_table_goes_over_many_pages(
    site: Site, supervisor: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.runtime.library_desk.PAGE_ROWS_MAX", 2)
    rows = LibraryRows(site.database, site.account.account_id)
    for _ in range(5):
        await rows.add()
    assert len(await table(supervisor, "?bom=true")) == 5


async def test_no_more_tables_at_once_than_allowed(site: Site, supervisor: Browser) -> None:
    library = site.deps.library
    assert isinstance(library, LibraryDesk)
    with library.exporting(), library.exporting():
        problem = await got(supervisor, "/recordings.csv", 503)
    assert problem["code"] == "busy"
    assert await table(supervisor) == []
