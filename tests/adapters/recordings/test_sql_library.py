"""The library in SQL: every filter, page after page, on both databases."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update

from gateway.adapters.sql_audit import SqlAudit
from gateway.adapters.sql_library import SqlLibrary
from gateway.adapters.sql_recording_schema import recordings
from gateway.adapters.sql_schema import calls
from gateway.adapters.sql_transcripts import SqlTranscripts
from gateway.core.errors import BadInput, NotFound, VersionConflict
from gateway.core.ids import CallId, UserId
from gateway.core.recording.lifecycle import Life
from gateway.core.recording.transcript import Transcript
from gateway.core.whatsapp import Direction, Peer
from gateway.ports.audit import AuditEntry
from gateway.ports.library import Hold, LibraryFilter
from tests.adapters.quota.conftest import Bench
from tests.adapters.recordings.library_rows import BUDI, LibraryRows
from tests.adapters.sql.rows import an_account

pytestmark = pytest.mark.services

ANA, BEN = UserId("ana"), UserId("ben")


@pytest.fixture
def shelf(bench: Bench) -> LibraryRows:
    return LibraryRows(bench.database, bench.account_id)


@pytest.fixture
def library(bench: Bench) -> SqlLibrary:
    return SqlLibrary(bench.database)


async def listed(library: SqlLibrary, shelf: LibraryRows, **wanted: Any) -> list[CallId]:
    page = await library.page(LibraryFilter(shelf.account_id, **wanted), cursor=None, limit=100)
    assert page.next_cursor is None
    return [row.call_id for row in page.rows]


async def test_pages_hold_every_recording_once_newest_first(
    library: SqlLibrary, shelf: LibraryRows
) -> None:
    for _ in range(7):
        await shelf.add()
    found: list[CallId] = []
    cursor = None
    sizes = []
    while True:
        page = await library.page(LibraryFilter(shelf.account_id), cursor=cursor, limit=3)
        found += [row.call_id for row in page.rows]
        sizes.append(len(page.rows))
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == shelf.put[::-1]
    assert sizes == [3, 3, 1]


async def test_recordings_of_one_instant_are_told_apart(
    library: SqlLibrary, shelf: LibraryRows
) -> None:
    for _ in range(5):
        await shelf.add(began_at=5.0)
    first = await library.page(LibraryFilter(shelf.account_id), cursor=None, limit=2)
    rest = await library.page(
        LibraryFilter(shelf.account_id), cursor=first.next_cursor, limit=9
    )
    shown = [row.call_id for row in (*first.rows, *rest.rows)]
    assert shown == sorted(shelf.put, reverse=True)


@pytest.mark.parametrize("cursor", ["", "x", "!!!", "AAAA", "bm90IGEgY3Vyc29y", "é"])
async def test_a_cursor_not_made_here_is_refused(
    library: SqlLibrary, shelf: LibraryRows, cursor: str
) -> None:
    with pytest.raises(BadInput, match="cursor"):
        await library.page(LibraryFilter(shelf.account_id), cursor=cursor, limit=3)


async def test_what_a_row_shows_comes_from_all_it_is_about(
    library: SqlLibrary, shelf: LibraryRows, bench: Bench
) -> None:
    call_id = await shelf.add(verdict="matched", cut_by_quota=True, note="Sent a refund")
    await SqlTranscripts(bench.database).keep(
        call_id, shelf.account_id, Transcript(language="en", passages=()), now=1.0
    )
    page = await library.page(LibraryFilter(shelf.account_id), cursor=None, limit=3)
    [row] = page.rows
    assert (row.peer, row.verdict, row.cut_by_quota) == (BUDI, "matched", True)
    assert (row.note, row.has_transcript, row.hold, row.ending) == (
        "Sent a refund",
        True,
        None,
        None,
    )
    assert row == await library.find(shelf.account_id, call_id)


async def test_a_recording_without_its_call_is_still_listed(
    library: SqlLibrary, shelf: LibraryRows, bench: Bench
) -> None:
    call_id = await shelf.add()
    async with bench.database.writing() as connection:
        await connection.execute(delete(calls).where(calls.c.call_id == call_id))
        await connection.execute(update(recordings).values(direction=None, agent_id=None))
    assert await listed(library, shelf) == [call_id]
    row = await library.find(shelf.account_id, call_id)
    assert row is not None
    assert (row.direction, row.agent_name, row.number_display) == (None, None, None)


async def test_each_filter_lets_through_what_it_names(
    library: SqlLibrary, shelf: LibraryRows
) -> None:
    other = Peer(phone="62999", user_id="US.2")
    a = await shelf.add(agent_id=ANA, verdict="matched", duration_ms=10_000)
    b = await shelf.add(agent_id=BEN, direction=Direction.OUTBOUND, cut_by_quota=True)
    c = await shelf.add(agent_id=ANA, peer=other, duration_ms=90_000, held_at=3.0)
    when = shelf.at - 60.0  # when the second began
    for wanted, expected in (
        ({"agent_id": ANA}, [c, a]),
        ({"direction": Direction.OUTBOUND}, [b]),
        ({"peer": Peer(phone="62999")}, [c]),
        ({"peer": Peer(user_id="US.2")}, [c]),
        ({"peer": Peer(phone="62999", user_id=BUDI.user_id)}, [c, b, a]),
        ({"peer": Peer()}, []),
        ({"verdict": "matched"}, [a]),
        ({"verdict": "lost"}, []),
        ({"cut_by_quota": True}, [b]),
        ({"cut_by_quota": False}, [c, a]),
        ({"shortest_ms": 60_000}, [c, b]),
        ({"longest_ms": 60_000}, [b, a]),
        ({"shortest_ms": 10_001, "longest_ms": 89_999}, [b]),
        ({"since": when}, [c, b]),
        ({"until": when}, [a]),
        ({"is_held": True}, [c]),
        ({"is_held": False}, [b, a]),
        ({"agent_id": ANA, "shortest_ms": 60_000, "is_held": True}, [c]),
    ):
        assert await listed(library, shelf, **wanted) == expected, wanted


async def test_what_is_deleted_is_listed_only_as_such(
    library: SqlLibrary, shelf: LibraryRows
) -> None:
    kept = await shelf.add()
    trashed = await shelf.add(
        state="trashed", trashed_at=1.0, gone_after=86_401.0, deleted_why="hand"
    )
    purged = await shelf.add(state="purged", trashed_at=1.0, purged_at=2.0)
    assert await listed(library, shelf) == [kept]
    assert await listed(library, shelf, state=Life.TRASHED) == [trashed]
    assert await listed(library, shelf, state=Life.PURGED) == [purged]
    row = await library.find(shelf.account_id, trashed)
    assert row is not None
    assert row.ending is not None
    assert (row.ending.gone_after, row.ending.why) == (86_401.0, "hand")


async def test_a_hold_is_shown_with_its_reason(library: SqlLibrary, shelf: LibraryRows) -> None:
    call_id = await shelf.add(held_at=5.0, held_by="ana", held_why="court case 7")
    row = await library.find(shelf.account_id, call_id)
    assert row is not None
    assert row.hold == Hold(5.0, ANA, "court case 7")


async def test_other_accounts_see_nothing_of_it(
    library: SqlLibrary, shelf: LibraryRows, bench: Bench
) -> None:
    call_id = await shelf.add(note="secret")
    other = (await an_account(bench.database, bench.wall)).account_id
    page = await library.page(LibraryFilter(other, noted="secret"), cursor=None, limit=9)
    assert page.rows == ()
    assert await library.find(other, call_id) is None
    assert await library.some(other, [call_id]) == []
    with pytest.raises(NotFound):
        await library.set_note(other, call_id, "mine", seen=None, deed=a_deed(bench))


async def test_some_are_found_in_the_order_asked_for_and_once(
    library: SqlLibrary, shelf: LibraryRows
) -> None:
    a, b = await shelf.add(), await shelf.add()
    wanted = [b, CallId("nothing"), a, b]
    assert [row.call_id for row in await library.some(shelf.account_id, wanted)] == [b, a]


# --- notes -----------------------------------------------------------------------------------


def a_deed(bench: Bench) -> AuditEntry:
    return AuditEntry(bench.account_id, ANA, "recording.noted", "subject", at=7.0)


async def note(library: SqlLibrary, bench: Bench, call_id: CallId, text: str | None) -> int:
    return await library.set_note(
        bench.account_id, call_id, text, seen=None, deed=a_deed(bench)
    )


async def deeds(bench: Bench) -> int:
    recent = await SqlAudit(bench.database).recent(bench.account_id, limit=99)
    return sum(deed.action == "recording.noted" for deed in recent)


async def test_a_note_is_kept_with_the_deed_and_raises_the_version(
    library: SqlLibrary, shelf: LibraryRows, bench: Bench
) -> None:
    call_id = await shelf.add()
    assert await note(library, bench, call_id, "Asked for a refund") == 2
    row = await library.find(shelf.account_id, call_id)
    assert row is not None
    assert (row.note, row.version) == ("Asked for a refund", 2)
    assert await note(library, bench, call_id, None) == 3
    row = await library.find(shelf.account_id, call_id)
    assert row is not None
    assert row.note is None
    assert await deeds(bench) == 2


async def test_of_two_who_write_over_the_same_version_one_is_told(
    library: SqlLibrary, shelf: LibraryRows, bench: Bench
) -> None:
    call_id = await shelf.add()
    await library.set_note(bench.account_id, call_id, "one", seen=1, deed=a_deed(bench))
    with pytest.raises(VersionConflict):
        await library.set_note(bench.account_id, call_id, "two", seen=1, deed=a_deed(bench))
    row = await library.find(shelf.account_id, call_id)
    assert row is not None
    assert row.note == "one"
    assert await deeds(bench) == 1


async def test_nothing_is_written_beside_what_is_deleted(
    library: SqlLibrary, shelf: LibraryRows, bench: Bench
) -> None:
    call_id = await shelf.add(state="trashed")
    with pytest.raises(NotFound):
        await note(library, bench, call_id, "too late")


@pytest.mark.parametrize(
    ("part", "is_found"),
    [
        ("refund", True),
        ("REFUND", True),
        ("stra\u00dfe", True),
        ("STRASSE", True),
        ("\u00c9T\u00c9", True),
        ("100%", True),
        ("a_b", True),
        ("\\", True),
        ("1000", False),
        ("aXb", False),
        ("' OR 1=1 --", False),
    ],
)
async def test_notes_are_searched_alike_on_both_databases(
    library: SqlLibrary, shelf: LibraryRows, bench: Bench, part: str, *, is_found: bool
) -> None:
    call_id = await shelf.add()
    await shelf.add()
    text = "Refund of 100% for a_b \\ Stra\u00dfe, \u00e9t\u00e9"
    await note(library, bench, call_id, text)
    assert await listed(library, shelf, noted=part) == ([call_id] if is_found else [])


@settings(suppress_health_check=list(HealthCheck), max_examples=25, deadline=None)
@given(text=st.text(max_size=200))
async def test_any_note_can_be_kept(
    library: SqlLibrary, shelf: LibraryRows, bench: Bench, text: str
) -> None:
    call_id = await shelf.add()
    await note(library, bench, call_id, text)
    row = await library.find(bench.account_id, call_id)
    assert row is not None
    assert row.note is not None
    assert len(row.note) == len(
        text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )


async def test_segments_are_told_of_one_recording(
    library: SqlLibrary, shelf: LibraryRows, bench: Bench
) -> None:
    call_id = await shelf.add()
    segments = [{"segment": 0, "begins_ms": 0, "duration_ms": 60_000, "end_reason": "quota"}]
    async with bench.database.writing() as connection:
        await connection.execute(update(recordings).values(segments={"segments": segments}))
    row = await library.find(shelf.account_id, call_id)
    assert row is not None
    assert list(row.segments) == segments
