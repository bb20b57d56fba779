"""Archives and tables of recordings: complete, honest about faults, flat in memory."""

import csv
import hashlib
import io
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

import pytest

from gateway.core.errors import StoreDown
from gateway.core.whatsapp import Peer
from gateway.ports.library import Hold, Shelved
from gateway.runtime.library_archive import pack
from gateway.runtime.library_tables import COLUMNS, list_as_csv
from tests.runtime.shelves import AT, a_shelved

CHUNK = 65_536
ZONE = "Asia/Jakarta"


class Files:
    """Contents by call; `broken` ones fail after so many bytes."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.broken: dict[str, tuple[int, Exception]] = {}
        self.open_count = 0

    def put(self, number: int, content: bytes, **changes: object) -> Shelved:
        row = a_shelved(number, content, **changes)
        self.contents[row.call_id] = content
        return row

    async def read(self, row: Shelved) -> AsyncGenerator[bytes]:
        content = self.contents[row.call_id]
        end, error = self.broken.get(row.call_id, (len(content), None))
        self.open_count += 1
        try:
            for place in range(0, end, CHUNK):
                yield content[place : min(place + CHUNK, end)]
            if error is not None:
                raise error
        finally:
            self.open_count -= 1


async def packed(rows: Sequence[Shelved], files: Files) -> zipfile.ZipFile:
    whole = b"".join([chunk async for chunk in pack(rows, files.read, zone=ZONE, now=AT)])
    archive = zipfile.ZipFile(io.BytesIO(whole))
    assert archive.testzip() is None
    return archive


def manifest(archive: zipfile.ZipFile) -> list[dict[str, str]]:
    text = archive.read("manifest.csv").decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def test_an_archive_holds_every_recording_and_a_manifest_with_its_digest() -> None:
    files = Files()
    rows = [files.put(number, bytes([number]) * 100_000) for number in range(1, 4)]
    archive = await packed(rows, files)
    lines = manifest(archive)
    assert archive.namelist() == [*(line["file"] for line in lines), "manifest.csv"]
    for row, line in zip(rows, lines, strict=True):
        content = archive.read(line["file"])
        assert content == files.contents[row.call_id]
        assert line["recording_id"] == row.call_id
        assert line["result"] == "whole"
        assert line["sha256"] == line["sha256_here"] == hashlib.sha256(content).hexdigest()
        assert int(line["bytes_here"]) == len(content)


@pytest.mark.parametrize("error", [StoreDown("away"), OSError("gone"), TimeoutError()])
async def test_a_file_that_fails_in_the_middle_is_named_and_the_others_are_whole(
    error: Exception,
) -> None:
    files = Files()
    rows = [files.put(number, b"x" * 200_000) for number in range(1, 4)]
    files.broken[rows[1].call_id] = (CHUNK + 10, error)
    archive = await packed(rows, files)
    results = [(line["result"], line["bytes_here"]) for line in manifest(archive)]
    assert results == [("whole", "200000"), ("incomplete", "65546"), ("whole", "200000")]
    assert len(archive.namelist()) == 4


async def test_a_file_that_is_not_there_is_named_and_not_in_the_archive() -> None:
    files = Files()
    rows = [files.put(1, b"x"), files.put(2, b"y")]
    files.broken[rows[0].call_id] = (0, OSError("gone"))
    archive = await packed(rows, files)
    assert [line["result"] for line in manifest(archive)] == ["missing", "whole"]
    assert len(archive.namelist()) == 2


async def test_a_file_that_is_not_what_it_was_is_told() -> None:
    files = Files()
    row = files.put(1, b"as it was")
    files.contents[row.call_id] = b"changed!!"
    [line] = manifest(await packed([row], files))
    assert line["result"] == "different"
    assert line["sha256"] != line["sha256_here"]


async def test_an_archive_of_nothing_still_has_its_manifest() -> None:
    archive = await packed([], Files())
    assert archive.namelist() == ["manifest.csv"]
    assert manifest(archive) == []


async def test_hostile_names_neither_leave_the_folder_nor_compute() -> None:
    files = Files()
    peer = Peer(name="../../=cmd|' /C calc'!A0\r\n", phone="+62811")
    row = files.put(1, b"x", peer=peer, note="@SUM(A1)", agent_name="-Ana")
    archive = await packed([row], files)
    [name, _] = archive.namelist()
    assert "/" not in name
    assert ".." not in name
    [line] = manifest(archive)
    assert line["customer_name"] == "../../=cmd|' /C calc'!A0\r\n"
    assert (line["customer_phone"], line["note"], line["agent"]) == (
        "'+62811",
        "'@SUM(A1)",
        "'-Ana",
    )


async def test_what_is_sent_is_not_kept() -> None:
    files = Files()
    row = files.put(1, b"x" * CHUNK * 200)
    async for chunk in pack([row], files.read, zone=ZONE, now=AT):
        assert len(chunk) < 2 * CHUNK


async def test_whoever_leaves_in_the_middle_leaves_no_file_open() -> None:
    files = Files()
    row = files.put(1, b"x" * CHUNK * 20)
    packing = pack([row], files.read, zone=ZONE, now=AT)
    await anext(packing)
    assert files.open_count == 1
    await packing.aclose()
    assert files.open_count == 0


# --- tables ----------------------------------------------------------------------------------


async def table(*pages: Sequence[Shelved], marked: bool = False) -> str:
    async def turned() -> AsyncIterator[Sequence[Shelved]]:
        for page in pages:
            yield page

    chunks = [chunk async for chunk in list_as_csv(turned(), ZONE, marked=marked)]
    return b"".join(chunks).decode()


async def test_every_recording_is_a_line_in_the_accounts_zone() -> None:
    rows = [a_shelved(number) for number in range(1, 6)]
    text = await table(rows[:3], rows[3:])
    lines = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [line["recording_id"] for line in lines] == [row.call_id for row in rows]
    assert lines[0]["began_at"] == "2026-09-21T21:14:20.000+07:00"
    assert (lines[0]["customer_phone"], lines[0]["duration_ms"]) == ("628111222333", "61500")
    assert tuple(lines[0]) == COLUMNS


async def test_what_is_not_known_is_empty_and_marks_are_words() -> None:
    row = a_shelved(
        1, peer=Peer(), direction=None, cut_by_quota=True, hold=Hold(1.0, None, "case 7")
    )
    [line] = csv.DictReader(io.StringIO(await table([row]), newline=""))
    assert (line["customer_name"], line["direction"]) == ("", "")
    assert (line["cut_by_quota"], line["held"]) == ("yes", "yes")


async def test_excel_is_told_that_it_is_utf_8_if_that_is_wanted() -> None:
    assert (await table(marked=True)).startswith("\ufeffrecording_id,")
    assert (await table()).startswith("recording_id,")
