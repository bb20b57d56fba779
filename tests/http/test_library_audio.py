"""The sound of recordings over REST: ranges, downloads, archives, other formats, and faults."""

import asyncio
import csv
import hashlib
import io
import wave
import zipfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from aiohttp import ClientPayloadError, ClientResponse
from typing_extensions import override

from gateway.core.errors import StoreDown
from gateway.core.ids import CallId
from gateway.core.jobs import Setback
from gateway.core.whatsapp import Peer
from gateway.http.deps import HttpLimits
from gateway.ports.accounts import Role
from gateway.ports.audit import AuditEntry, Deed
from gateway.ports.storage import Content, StorageDown
from gateway.runtime.recording_vault import RecordingVault
from tests.http.recorded import put, write
from tests.http.site import Browser, Site, Template, browser_of, library_of, site_from
from tests.http.test_library import deeds, elsewhere, got
from tests.media_capture.foreign import conversation, own_file

CONTENT = bytes(range(256)) * 40
SIZE = len(CONTENT)
ETAG = f'"{hashlib.sha256(CONTENT).hexdigest()}"'


@pytest.fixture
async def supervisor(browser: Browser) -> Browser:
    await browser.sign_in(Role.SUPERVISOR)
    return browser


async def asked(
    browser: Browser, path: str, method: str = "GET", **headers: str
) -> tuple[ClientResponse, bytes]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with await browser.ask(method, path, headers=named) as response:
        return response, await response.read()


# --- playing ---------------------------------------------------------------------------------


async def test_a_recording_is_played_whole(site: Site, browser: Browser) -> None:
    await browser.sign_in(Role.AGENT)
    call_id = await put(site, CONTENT)
    response, body = await asked(browser, f"/recordings/{call_id}/audio")
    assert (response.status, body) == (200, CONTENT)
    headers = response.headers
    assert headers["Content-Type"] == "audio/ogg"
    assert headers["Content-Length"] == str(SIZE)
    assert (headers["Accept-Ranges"], headers["ETag"]) == ("bytes", ETAG)
    assert headers["Content-Disposition"] == "inline"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("told", "begin", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-199", 100, 200),
        ("bytes=10000-", 10_000, SIZE),
        ("bytes=-5", SIZE - 5, SIZE),
        ("bytes=0-999999", 0, SIZE),
    ],
)
async def test_a_part_is_played_as_asked(
    site: Site, supervisor: Browser, told: str, begin: int, end: int
) -> None:
    call_id = await put(site, CONTENT)
    response, body = await asked(supervisor, f"/recordings/{call_id}/audio", Range=told)
    assert (response.status, body) == (206, CONTENT[begin:end])
    assert response.headers["Content-Range"] == f"bytes {begin}-{end - 1}/{SIZE}"
    assert response.headers["Content-Length"] == str(end - begin)


@pytest.mark.parametrize(
    "told", ["bytes=0-1,5-6", "bytes=9-5", "items=0-1", "bytes=x-y", "bytes=--1", "garbage"]
)
async def test_what_is_no_single_range_gets_the_whole(
    site: Site, supervisor: Browser, told: str
) -> None:
    call_id = await put(site, CONTENT)
    response, body = await asked(supervisor, f"/recordings/{call_id}/audio", Range=told)
    assert (response.status, body) == (200, CONTENT)


@pytest.mark.parametrize("told", [f"bytes={SIZE}-", "bytes=99999999-", "bytes=-0"])
async def test_a_range_after_the_end_is_refused_with_the_size(
    site: Site, supervisor: Browser, told: str
) -> None:
    call_id = await put(site, CONTENT)
    response, _ = await asked(supervisor, f"/recordings/{call_id}/audio", Range=told)
    assert response.status == 416
    assert response.headers["Content-Range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize(
    ("condition", "status"), [(ETAG, 206), ('"other"', 200), ("Sat, 21 Nov 2026", 200)]
)
async def test_a_range_of_another_version_gets_the_whole(
    site: Site, supervisor: Browser, condition: str, status: int
) -> None:
    call_id = await put(site, CONTENT)
    response, body = await asked(
        supervisor, f"/recordings/{call_id}/audio", Range="bytes=0-9", If_Range=condition
    )
    assert response.status == status
    assert len(body) == (10 if status == 206 else SIZE)


@pytest.mark.parametrize("path", ["audio", "download"])
async def test_head_tells_the_size_and_sends_nothing(
    site: Site, supervisor: Browser, path: str
) -> None:
    call_id = await put(site, CONTENT)
    response, body = await asked(supervisor, f"/recordings/{call_id}/{path}", "HEAD")
    assert (response.status, body) == (200, b"")
    assert response.headers["Content-Length"] == str(SIZE)
    assert response.headers["ETag"] == ETAG
    assert await deeds(site, Deed.RECORDING_PLAYED) == []


async def test_a_long_recording_comes_whole_and_in_parts(
    site: Site, supervisor: Browser
) -> None:
    content = bytes(range(251)) * 20_000
    call_id = await put(site, content)
    _, body = await asked(supervisor, f"/recordings/{call_id}/audio")
    assert body == content
    _, body = await asked(supervisor, f"/recordings/{call_id}/audio", Range="bytes=300000-")
    assert body == content[300_000:]


async def test_one_listening_is_noted_once_however_many_parts_it_takes(
    site: Site, browser: Browser
) -> None:
    await browser.sign_in(Role.AGENT)
    call_id = await put(site, CONTENT)
    for begin in (5, 0, 900):
        await asked(browser, f"/recordings/{call_id}/audio", Range=f"bytes={begin}-")
    assert await deeds(site, Deed.RECORDING_PLAYED) == [call_id]
    site.clock.shift_s += 601
    await asked(browser, f"/recordings/{call_id}/audio")
    assert await deeds(site, Deed.RECORDING_PLAYED) == [call_id] * 2


class NoAudit:
    """An audit that cannot be written."""

    async def record(self, entry: AuditEntry) -> None:
        if entry.action.startswith("recording"):
            raise StoreDown("away")


async def test_what_cannot_be_noted_is_not_played(template: Template, tmp_path: Path) -> None:
    async with (
        site_from(template, tmp_path, audit=NoAudit()) as site,
        browser_of(site) as browser,
    ):
        await browser.sign_in(Role.SUPERVISOR)
        call_id = await put(site, CONTENT)
        for _ in range(2):
            for path in ("audio", "download", "audio.wav"):
                response, body = await asked(browser, f"/recordings/{call_id}/{path}")
                assert response.status >= 500
                assert CONTENT[:100] not in body


async def test_a_missing_file_is_told_as_such(site: Site, supervisor: Browser) -> None:
    call_id = await put(site, CONTENT)
    (site.folder / f"{site.account.account_id}/{call_id}.ogg").unlink()
    problem = await got(supervisor, f"/recordings/{call_id}/audio", 500)
    assert problem["code"] == "recording_unreadable"


# --- downloading -----------------------------------------------------------------------------


async def test_a_download_has_a_telling_name(site: Site, supervisor: Browser) -> None:
    call_id = await put(site, CONTENT, began_at=1_790_000_000.0)
    response, body = await asked(supervisor, f"/recordings/{call_id}/download")
    assert (response.status, body) == (200, CONTENT)
    name = f"2026-09-21_21-13-20_Budi-Santoso_{call_id}.ogg"
    assert response.headers["Content-Disposition"] == (
        f"attachment; filename=\"{name}\"; filename*=UTF-8''{name}"
    )
    assert await deeds(site, Deed.RECORDING_DOWNLOADED) == [call_id]


@pytest.mark.parametrize(
    "name",
    [
        'a"; filename="evil.exe',
        "a\r\nSet-Cookie: callgate=1",
        "../../../etc/passwd",
        "\u202egpj.exe",
        "Sri \u0e2a\u0e21\u0e0a\u0e32\u0e22",
        "\x00",
    ],
)
async def test_no_name_of_a_customer_breaks_out_of_the_header(
    site: Site, supervisor: Browser, name: str
) -> None:
    call_id = await put(site, CONTENT, peer=Peer(name=name, phone="62999"))
    response, _ = await asked(supervisor, f"/recordings/{call_id}/download")
    told = response.headers["Content-Disposition"]
    plain, _, full = told.partition("; filename*=UTF-8''")
    assert plain.count('"') == 2
    assert told.isascii()
    assert unquote(full).endswith(f"_{call_id}.ogg")
    assert not set(unquote(full)) & set('/\\:"\r\n\x00\u202e')
    assert "Set-Cookie" not in response.headers


# --- archives --------------------------------------------------------------------------------


async def archived(browser: Browser, ids: list[Any], status: int = 200) -> bytes:
    async with await browser.ask("POST", "/recordings/download", json={"ids": ids}) as response:
        assert response.status == status, await response.text()
        if status == 200:
            assert response.headers["Content-Type"] == "application/zip"
            assert "recordings_" in response.headers["Content-Disposition"]
        return await response.read()


async def test_many_recordings_come_as_one_archive(site: Site, supervisor: Browser) -> None:
    contents = [b"one" * 100_000, b"two", CONTENT]
    ids = [await put(site, content) for content in contents]
    archive = zipfile.ZipFile(io.BytesIO(await archived(supervisor, [*ids, ids[0]])))
    assert archive.testzip() is None
    lines = list(csv.DictReader(io.StringIO(archive.read("manifest.csv").decode())))
    assert [line["recording_id"] for line in lines] == ids
    assert [archive.read(line["file"]) for line in lines] == contents
    assert {line["result"] for line in lines} == {"whole"}
    assert sorted(await deeds(site, Deed.RECORDING_DOWNLOADED)) == sorted(ids)


async def test_a_file_that_is_gone_is_named_in_the_archive(
    site: Site, supervisor: Browser
) -> None:
    there = await put(site, CONTENT)
    gone = await put(site, CONTENT, file=f"{site.account.account_id}/gone.ogg")
    archive = zipfile.ZipFile(io.BytesIO(await archived(supervisor, [gone, there])))
    lines = list(csv.DictReader(io.StringIO(archive.read("manifest.csv").decode())))
    assert [line["result"] for line in lines] == ["missing", "whole"]


async def test_one_foreign_or_deleted_id_refuses_the_archive(
    site: Site, supervisor: Browser
) -> None:
    own = await put(site, CONTENT)
    for other in (CallId("z" * 26), await elsewhere(site), await put(site, state="trashed")):
        await archived(supervisor, [own, other], 404)
    assert await deeds(site, Deed.RECORDING_DOWNLOADED) == []


@pytest.mark.parametrize("ids", [[], ["x"], ["../../etc"], [5], ["c" * 26] * 1_001])
async def test_what_are_no_ids_is_refused(supervisor: Browser, ids: list[Any]) -> None:
    await archived(supervisor, ids, 422)


async def test_more_than_fits_is_refused_before_anything_is_sent(
    template: Template, tmp_path: Path
) -> None:
    async with site_from(template, tmp_path) as site, browser_of(site) as browser:
        await browser.sign_in(Role.ADMIN)
        ids = [await put(site, CONTENT) for _ in range(3)]
        desk = site.deps.library
        small = library_of(site.database, site.folder, site.clock, archive_files_max=2)
        desk.bounds = small.bounds
        problem = await archived(browser, ids, 409)
        assert b"archive_too_large" in problem
        await archived(browser, ids[:2])


# --- other formats ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return own_file(tmp_path_factory.mktemp("own"), *conversation(3)).read_bytes()


async def test_wav_and_mp3_are_made_on_request(
    site: Site, supervisor: Browser, talk: bytes
) -> None:
    call_id = await put(site, talk, duration_ms=3_000)
    response, body = await asked(supervisor, f"/recordings/{call_id}/audio.wav")
    assert response.headers["Content-Type"] == "audio/wav"
    assert response.headers["Content-Disposition"].endswith(f"_{call_id}.wav")
    with wave.open(io.BytesIO(body)) as read:
        assert read.getnframes() == 3_000 * 48
    response, body = await asked(supervisor, f"/recordings/{call_id}/audio.mp3")
    assert response.headers["Content-Type"] == "audio/mpeg"
    assert body[:1] == b"\xff"
    assert await deeds(site, Deed.RECORDING_DOWNLOADED) == [call_id] * 2


async def test_peaks_are_drawn_for_a_recording_that_has_none(
    site: Site, supervisor: Browser, talk: bytes
) -> None:
    call_id = await put(site, talk)
    drawn = await got(supervisor, f"/recordings/{call_id}/peaks")
    assert (drawn["per_second"], drawn["full"], drawn["mixed"]) == (10, 255, [])
    assert max(drawn["agent"]) > 10
    assert len(drawn["agent"]) == len(drawn["customer"])
    await write(site, f"{site.account.account_id}/{call_id}.ogg", b"not read again")
    assert await got(supervisor, f"/recordings/{call_id}/peaks") == drawn


async def test_what_is_too_long_is_not_converted(site: Site, supervisor: Browser) -> None:
    call_id = await put(site, CONTENT, duration_ms=5 * 3_600_000)
    problem = await got(supervisor, f"/recordings/{call_id}/audio.wav", 409)
    assert problem["code"] == "recording_too_long"


async def test_what_is_no_sound_is_refused_before_anything_is_sent(
    site: Site, supervisor: Browser
) -> None:
    call_id = await put(site, CONTENT)
    for kind in ("wav", "mp3"):
        problem = await got(supervisor, f"/recordings/{call_id}/audio.{kind}", 500)
        assert problem["code"] == "recording_unreadable"


# --- faults on the way -----------------------------------------------------------------------


class Million(Content):
    """Content that is only asked for its size."""

    size = 1_000_000

    @override
    async def read(self, begin: int, length: int) -> bytes:
        raise NotImplementedError


class Breaking(RecordingVault):
    """Gives a million bytes, but only up to a place."""

    def __init__(self, until: int) -> None:
        self._until = until

    @override
    async def open(self, key: str) -> Content:
        return Million()

    @override
    async def stream(  # type: ignore[override]  # it has to know how far it may go
        self, content: Content, begin: int, end: int
    ) -> AsyncGenerator[bytes]:
        while begin < end:
            if begin + 100_000 > self._until:
                raise StorageDown(Setback.OUTAGE, "away")
            yield bytes(100_000)
            begin += 100_000


@pytest.mark.parametrize("part", ["audio", "download"])
async def test_a_store_that_fails_at_once_is_told(
    site: Site, supervisor: Browser, part: str
) -> None:
    call_id = await put(site, CONTENT)
    site.deps.library._source = Breaking(0)
    problem = await got(supervisor, f"/recordings/{call_id}/{part}", 503)
    assert problem["code"] == "storage_down"


async def test_a_store_that_fails_in_the_middle_breaks_the_connection_off(
    site: Site, supervisor: Browser
) -> None:
    call_id = await put(site, CONTENT)
    site.deps.library._source = Breaking(600_000)
    with pytest.raises(ClientPayloadError):
        await asked(supervisor, f"/recordings/{call_id}/audio")


async def test_whoever_takes_nothing_is_left(template: Template, tmp_path: Path) -> None:
    limits = HttpLimits(reader_stall_max_s=0.2)
    async with (
        site_from(template, tmp_path, limits=limits) as site,
        browser_of(site) as browser,
    ):
        await browser.sign_in(Role.SUPERVISOR)
        ended = asyncio.Event()
        call_id = await put(site, CONTENT)

        async def endless(_rows: Any, _zone: str) -> AsyncGenerator[bytes]:
            try:
                while True:
                    yield bytes(1 << 20)
            finally:
                ended.set()

        site.deps.library.packed = endless  # type: ignore[method-assign,assignment]
        async with await browser.ask(
            "POST", "/recordings/download", json={"ids": [call_id]}
        ) as response:
            assert response.status == 200
            async with asyncio.timeout(20):
                await ended.wait()
