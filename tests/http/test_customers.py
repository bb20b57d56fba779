"""What a customer may ask for, over REST: a copy of everything, and to be forgotten."""

import csv
import hashlib
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from gateway.adapters.sql_calls import SqlCalls
from gateway.adapters.sql_official_schema import transcripts
from gateway.adapters.sql_schema import calls
from gateway.adapters.sql_transcripts import SqlTranscripts
from gateway.core.call.call import CallAgent
from gateway.core.call.start import dial
from gateway.core.ids import AccountId, CallId
from gateway.core.recording.files import FileRole
from gateway.core.recording.transcript import Passage, Transcript
from gateway.core.whatsapp import Direction, Peer
from gateway.ports.accounts import Role
from gateway.ports.audit import Deed
from gateway.runtime.codec import call_to_json
from gateway.runtime.library_desk import LibraryBounds
from tests.adapters.recordings.library_rows import BUDI, LibraryRows
from tests.adapters.sql.rows import a_call, an_account
from tests.core.scenes import ANI, LINE, warm
from tests.http.recorded import note_file, put, write
from tests.http.site import Browser, Site, Template, browser_of, site_from
from tests.http.test_library import deeds, got

CONTENT = bytes(range(256)) * 400
PHONE: dict[str, Any] = {"phone": "628111222333"}
USER_ID: dict[str, Any] = {"user_id": "ID.1349"}
SITI = Peer(phone="628999888777", user_id="ID.2718", name="Siti")


@pytest.fixture
async def admin(browser: Browser) -> Browser:
    await browser.sign_in(Role.ADMIN)
    return browser


async def recorded(
    site: Site, peer: Peer = BUDI, content: bytes = CONTENT, **columns: Any
) -> CallId:
    """A call with a customer as the gateway leaves it behind, with its words."""
    call_id = await put(site, content, peer=peer, **columns)
    await remember(site, call_id, peer)
    words = Transcript("id", (Passage("customer", 0, 900, f"nama saya {peer.name}"),))
    await SqlTranscripts(site.database).keep(
        call_id, site.account.account_id, words, now=site.clock.wall()
    )
    return call_id


def calls_of(site: Site) -> SqlCalls:
    return SqlCalls(site.database, site.clock.wall)


async def remember(site: Site, call_id: CallId, peer: Peer) -> None:
    """Let the call's own snapshot tell of it."""
    line = replace(LINE, account_id=site.account.account_id)
    agent = CallAgent(ANI, "Ani", warm())
    call, _ = dial(call_id, line, peer, agent=agent, now=site.clock.wall())
    async with site.database.writing() as connection:
        await connection.execute(
            update(calls).where(calls.c.call_id == call_id).values(snapshot=call_to_json(call))
        )


async def asked(browser: Browser, path: str, status: int = 200, **body: Any) -> Any:
    async with await browser.ask("POST", f"/customers/{path}", json=body) as response:
        assert response.status == status, await response.text()
        return await response.json(content_type=None)


async def exported(browser: Browser, **body: Any) -> zipfile.ZipFile:
    async with await browser.ask("POST", "/customers/export", json=body) as response:
        assert response.status == 200, await response.text()
        assert response.headers["Content-Type"] == "application/zip"
        assert 'filename="customer_' in response.headers["Content-Disposition"]
        archive = zipfile.ZipFile(io.BytesIO(await response.read()))
    assert archive.testzip() is None
    return archive


def table(archive: zipfile.ZipFile, name: str) -> list[dict[str, str]]:
    text = archive.read(name).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def manifest(archive: zipfile.ZipFile) -> list[dict[str, str]]:
    return table(archive, "manifest.csv")


# --- a copy of everything --------------------------------------------------------------------


@pytest.mark.parametrize("named", [PHONE, USER_ID, PHONE | USER_ID, {"phone": "+628111222333"}])
async def test_a_copy_holds_calls_recordings_transcripts_and_notes_of_one_customer_alone(
    site: Site, admin: Browser, named: dict[str, str]
) -> None:
    ids = [await recorded(site, note="Refund"), await recorded(site, content=b"two")]
    other = await recorded(site, SITI)
    archive = await exported(admin, **named)
    shown = {line["call_id"]: line for line in table(archive, "calls.csv")}
    assert set(shown) == set(ids)
    first = shown[ids[0]]
    assert (first["customer_name"], first["customer_phone"]) == ("Budi Santoso", PHONE["phone"])
    assert (first["agent"], first["direction"], first["note"]) == ("Ani", "outbound", "Refund")
    assert (first["recording"], first["recorded_ms"]) == ("available", "60000")
    lines = manifest(archive)
    kinds = [line["kind"] for line in lines]
    assert sorted(kinds) == ["calls", *["recording"] * 2, *["transcript"] * 2]
    assert archive.namelist() == [*(line["file"] for line in lines), "manifest.csv"]
    for line in lines:
        here = archive.read(line["file"])
        assert (line["result"], line["bytes_here"]) == ("whole", str(len(here)))
        assert line["sha256_here"] == hashlib.sha256(here).hexdigest()
        assert line["sha256"] in {"", line["sha256_here"]}
    contents = {
        line["call_id"]: archive.read(line["file"])
        for line in lines
        if line["kind"] == "recording"
    }
    assert contents == {ids[0]: CONTENT, ids[1]: b"two"}
    everything = b"".join(archive.read(name) for name in archive.namelist())
    assert b"Siti" not in everything
    assert other.encode() not in everything


async def test_what_was_said_is_in_it_as_people_read_it(site: Site, admin: Browser) -> None:
    call_id = await recorded(site)
    archive = await exported(admin, **PHONE)
    [name] = [name for name in archive.namelist() if name.startswith("transcripts/")]
    assert json.loads(archive.read(name)) == {
        "call_id": call_id,
        "language": "id",
        "passages": [
            {
                "speaker": "customer",
                "begin_ms": 0,
                "end_ms": 900,
                "text": "nama saya Budi Santoso",
            }
        ],
    }


async def test_every_kept_file_of_a_recording_is_in_it(site: Site, admin: Browser) -> None:
    call_id = await recorded(site)
    for key, role in (
        (f"{call_id}.official.ogg", FileRole.OFFICIAL),
        (f"{call_id}.peaks", FileRole.PEAKS),
    ):
        await write(site, f"{site.account.account_id}/{key}", b"another")
        await note_file(site, f"{site.account.account_id}/{key}", role)
    archive = await exported(admin, **PHONE)
    names = [name for name in archive.namelist() if name.startswith("recordings/")]
    assert len(names) == 2
    assert names[1].endswith(f"{call_id}_official.ogg")
    assert archive.read(names[1]) == b"another"


async def test_a_call_that_was_not_recorded_is_in_it(site: Site, admin: Browser) -> None:
    row = a_call(site.account.account_id, peer=BUDI, direction=Direction.OUTBOUND)
    await calls_of(site).create(row)
    await remember(site, row.call_id, BUDI)
    [line] = table(await exported(admin, **PHONE), "calls.csv")
    assert (line["call_id"], line["recording"]) == (row.call_id, "")


async def test_a_file_that_is_gone_or_changed_is_named_and_the_rest_is_there(
    site: Site, admin: Browser
) -> None:
    there, changed = await recorded(site), await recorded(site)
    gone = await recorded(site, file=f"{site.account.account_id}/gone.ogg")
    await write(site, f"{site.account.account_id}/{changed}.ogg", b"changed")
    archive = await exported(admin, **PHONE)
    results = {
        (line["call_id"], line["result"])
        for line in manifest(archive)
        if line["kind"] == "recording"
    }
    assert {(there, "whole"), (changed, "different"), (gone, "missing")} <= results


async def test_a_call_that_is_damaged_in_the_database_is_named(
    site: Site, admin: Browser
) -> None:
    call_id = await put(site, CONTENT)
    archive = await exported(admin, **PHONE)
    [line] = table(archive, "calls.csv")
    assert (line["call_id"], line["state"]) == (call_id, "unreadable")
    assert {(line["call_id"], line["result"]) for line in manifest(archive)} == {
        ("", "whole"),
        (call_id, "unreadable"),
        (call_id, "whole"),
    }


async def test_what_was_deleted_is_told_and_not_in_it(site: Site, admin: Browser) -> None:
    await recorded(site, state="trashed", trashed_at=1.0, deleted_why="hand")
    archive = await exported(admin, **PHONE)
    [line] = table(archive, "calls.csv")
    assert (line["recording"], line["deleted_why"]) == ("trashed", "hand")
    assert [name for name in archive.namelist() if name.startswith("recordings/")] == []


async def test_of_many_calls_none_is_left_out(site: Site, admin: Browser) -> None:
    rows = LibraryRows(site.database, site.account.account_id)
    for _ in range(205):
        await rows.add(state="purged")
    lines = table(await exported(admin, **PHONE), "calls.csv")
    assert {line["call_id"] for line in lines} == set(rows.put)
    assert len(lines) == 205


@pytest.mark.parametrize(
    "name", ["../../=cmd|' /C calc'!A0\r\n", "/etc/passwd", "..\\..\\a", "\x00", "@SUM(A1)"]
)
async def test_no_name_of_a_customer_leaves_the_folder_or_computes(
    site: Site, admin: Browser, name: str
) -> None:
    peer = replace(BUDI, name=name)
    call_id = await recorded(site, peer, note="=1+1")
    archive = await exported(admin, **PHONE)
    for each in archive.namelist():
        folder, _, file = each.rpartition("/")
        assert folder in {"", "recordings", "transcripts"}
        assert not set(file) & set('/\\:"\r\n\x00')
        assert ".." not in file
    [line] = table(archive, "calls.csv")
    assert (line["call_id"], line["note"]) == (call_id, "'=1+1")
    assert line["customer_name"][:1] not in {"=", "@", "\x00"}


async def test_a_copy_is_noted_without_saying_of_whom(site: Site, admin: Browser) -> None:
    call_id = await recorded(site)
    await exported(admin, **PHONE)
    recent = await site.deps.audit.recent(site.account.account_id, limit=100)
    [entry] = [each for each in recent if each.action == Deed.CUSTOMER_EXPORTED]
    assert entry.actor == site.people[Role.ADMIN].user_id
    assert (entry.subject, entry.fields) == (
        site.account.account_id,
        {"calls": 1, "files": 1},
    )
    assert await deeds(site, Deed.RECORDING_DOWNLOADED) == [call_id]


async def test_more_than_fits_is_refused_and_says_who_can_help(
    template: Template, tmp_path: Path
) -> None:
    async with site_from(template, tmp_path) as site, browser_of(site) as browser:
        await browser.sign_in(Role.ADMIN)
        for _ in range(3):
            await recorded(site)
        for bounds in (
            LibraryBounds(archive_files_max=2),
            LibraryBounds(archive_bytes_max=2 * len(CONTENT)),
        ):
            site.deps.subject_export.bounds = bounds
            problem = await asked(browser, "export", 409, **PHONE)
            assert problem["code"] == "archive_too_large"
            assert "callgate recording export" in problem["detail"]
        assert await deeds(site, Deed.CUSTOMER_EXPORTED) == []


async def test_copies_share_the_places_of_other_downloads(site: Site, admin: Browser) -> None:
    library = site.deps.library
    with library.exporting(), library.exporting():
        assert (await asked(admin, "export", 503, **PHONE))["code"] == "busy"


# --- what there is ---------------------------------------------------------------------------


async def test_what_is_kept_of_a_customer_is_told_before_anything_is_done(
    site: Site, admin: Browser
) -> None:
    await recorded(site)
    await recorded(site, held_at=1.0, held_why="case")
    await recorded(site, state="trashed", trashed_at=1.0, deleted_why="hand")
    live = a_call(site.account.account_id, peer=BUDI)
    await calls_of(site).create(live)
    await recorded(site, SITI)
    found = await asked(admin, "find", **PHONE)
    assert found["names"] == ["Budi Santoso"]
    assert (found["calls"], found["recordings"]) == (4, 2)
    assert (found["held"], found["not_over"], found["fits"]) == (1, 1, True)
    assert found["bytes"] == 2 * len(CONTENT)
    assert found["first_at"] <= found["last_at"]
    done = await asked(admin, "erase", **PHONE, confirm=True)
    assert (len(done["held"]), len(done["not_over"])) == (1, 1), "it went as it was told"
    left = await asked(admin, "find", **PHONE)
    assert (left["calls"], left["held"], left["not_over"]) == (2, 1, 1)


async def test_of_nobody_who_is_known_nothing_is_kept(site: Site, admin: Browser) -> None:
    await recorded(site)
    found = await asked(admin, "find", phone="628000000000")
    assert found == {
        "names": [],
        "calls": 0,
        "recordings": 0,
        "bytes": 0,
        "held": 0,
        "not_over": 0,
        "first_at": None,
        "last_at": None,
        "fits": True,
    }


async def test_a_customer_with_more_than_fits_is_told_before_the_export(
    template: Template, tmp_path: Path
) -> None:
    async with site_from(template, tmp_path) as site, browser_of(site) as browser:
        await browser.sign_in(Role.ADMIN)
        for _ in range(2):
            await recorded(site)
        site.deps.subject_export.bounds = LibraryBounds(archive_files_max=1)
        assert (await asked(browser, "find", **PHONE))["fits"] is False


# --- to be forgotten -------------------------------------------------------------------------


async def test_a_customer_is_forgotten_and_what_went_is_told(
    site: Site, admin: Browser
) -> None:
    ids = [await recorded(site), await recorded(site)]
    other = await recorded(site, SITI)
    done = await asked(admin, "erase", **PHONE, confirm=True)
    assert (done["complete"], done["calls"], done["recordings"]) == (True, 2, 2)
    assert (done["held"], done["not_over"]) == ([], [])
    assert site.returned == [site.account.account_id]
    for call_id in ids:
        await got(admin, f"/recordings/{call_id}/audio", 404)
    assert await spoken(site) == [other]
    assert table(await exported(admin, **PHONE), "calls.csv") == []
    assert await deeds(site, Deed.CUSTOMER_ERASED) == [site.account.account_id]
    again = await asked(admin, "erase", **PHONE, confirm=True)
    assert (again["complete"], again["calls"]) == (True, 0)


async def spoken(site: Site) -> list[CallId]:
    async with site.database.reading() as connection:
        return list(await connection.scalars(select(transcripts.c.call_id)))


async def test_what_is_held_or_goes_on_stays_and_is_named(site: Site, admin: Browser) -> None:
    free, held = await recorded(site), await recorded(site, held_at=1.0)
    live = a_call(site.account.account_id, peer=BUDI)
    await calls_of(site).create(live)
    done = await asked(admin, "erase", **USER_ID, confirm=True)
    assert (done["complete"], done["calls"]) == (False, 1)
    assert (done["held"], done["not_over"]) == ([held], [live.call_id])
    assert await spoken(site) == [held]
    recent = await site.deps.audit.recent(site.account.account_id, limit=100)
    [entry] = [each for each in recent if each.action == Deed.CUSTOMER_ERASED]
    assert entry.fields == {"calls": 1, "held": 1, "not_over": 1}
    assert free not in {
        line["call_id"] for line in table(await exported(admin, **PHONE), "calls.csv")
    }


@pytest.mark.parametrize(
    "confirm", [{}, {"confirm": False}, {"confirm": "true"}, {"confirm": 1}]
)
async def test_without_a_clear_yes_nobody_is_forgotten(
    site: Site, admin: Browser, confirm: dict[str, Any]
) -> None:
    call_id = await recorded(site)
    problem = await asked(admin, "erase", 422, **PHONE, **confirm)
    assert problem["field"] == "confirm"
    assert await spoken(site) == [call_id]


# --- both ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "named",
    [
        {},
        {"phone": None},
        {"phone": ""},
        {"phone": "%"},
        {"phone": "62811' OR 1=1"},
        {"phone": "../../etc"},
        {"user_id": "*"},
        {"user_id": "ID.\x00"},
        {"user_id": "ID." + "1" * 200},
        {"phone": 628111222333},
        {"name": "Budi"},
    ],
)
async def test_whoever_is_not_named_properly_is_neither_exported_nor_forgotten(
    site: Site, admin: Browser, named: dict[str, Any]
) -> None:
    call_id = await recorded(site)
    for path, more in (("find", {}), ("export", {}), ("erase", {"confirm": True})):
        problem = await asked(admin, path, 422, **named, **more)
        assert problem["detail"]
    assert await spoken(site) == [call_id]


async def test_nobody_who_is_known_is_an_empty_copy_and_nothing_to_forget(
    site: Site, admin: Browser
) -> None:
    archive = await exported(admin, phone="628000000000")
    assert archive.namelist() == ["calls.csv", "manifest.csv"]
    assert table(archive, "calls.csv") == []
    done = await asked(admin, "erase", phone="628000000000", confirm=True)
    assert (done["complete"], done["calls"], done["recordings"]) == (True, 0, 0)


async def test_the_same_customer_of_another_account_is_neither_seen_nor_touched(
    site: Site, admin: Browser
) -> None:
    other = await an_account(site.database, site.clock.wall)
    call_id = await LibraryRows(site.database, other.account_id).add()
    assert table(await exported(admin, **PHONE), "calls.csv") == []
    done = await asked(admin, "erase", **PHONE, confirm=True)
    assert done["calls"] == 0
    found = await site.deps.library.one(
        replace(site.people[Role.ADMIN], account_id=AccountId(other.account_id)), call_id
    )
    assert found.peer == BUDI


@pytest.mark.parametrize("role", [Role.AGENT, Role.SUPERVISOR])
async def test_only_admins_may(site: Site, browser: Browser, role: Role) -> None:
    await browser.sign_in(role)
    call_id = await recorded(site)
    await asked(browser, "find", 403, **PHONE)
    await asked(browser, "export", 403, **PHONE)
    await asked(browser, "erase", 403, **PHONE, confirm=True)
    assert await spoken(site) == [call_id]
