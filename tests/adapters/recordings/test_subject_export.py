"""A copy of everything of a customer, from both databases: complete, honest, flat in memory."""

import csv
import io
import zipfile
from collections.abc import AsyncGenerator

import pytest

from gateway.adapters.sql_library import SqlLibrary
from gateway.adapters.sql_subjects import SqlSubjects
from gateway.adapters.sql_transcripts import SqlTranscripts
from gateway.core.errors import BadInput, StoreDown
from gateway.core.ids import AccountId, CallId
from gateway.core.whatsapp import Peer
from gateway.ports.accounts import Account
from gateway.ports.storage import Content, NotStored
from gateway.runtime.subject_export import SubjectExport, SubjectSources
from tests.adapters.recordings.shelf import MINUTE_MS, ZONE, Shelf
from tests.adapters.recordings.test_erasure import BUDI, OTHER, PHONE, USER_ID, a_recorded_call
from tests.adapters.sql.rows import a_call, an_account

pytestmark = pytest.mark.services

PIECE = 65_536


class Sized(Content):
    """Content that is never read whole."""

    def __init__(self, size: int) -> None:
        self._size = size

    @property
    def size(self) -> int:
        return self._size

    async def read(self, begin: int, length: int) -> bytes:
        return bytes(length)


class Contents:
    """All recordings have `size` bytes, but for those whose keys are `gone`."""

    def __init__(self, size: int = 1_000) -> None:
        self.size = size
        self.gone: set[str] = set()
        self.open_count = 0

    async def open(self, key: str) -> Content:
        if key in self.gone:
            raise NotStored("there is no such file")
        return Sized(self.size)

    async def stream(self, content: Content, begin: int, end: int) -> AsyncGenerator[bytes]:
        self.open_count += 1
        try:
            for at in range(begin, end, PIECE):
                yield bytes(min(PIECE, end - at))
        finally:
            self.open_count -= 1


class Taken:
    """Notes which recordings are taken away, unless the database is away."""

    def __init__(self, *, is_down: bool = False) -> None:
        self.call_ids: list[CallId] = []
        self.is_down = is_down

    async def __call__(self, call_id: CallId) -> None:
        if self.is_down:
            raise StoreDown("away")
        self.call_ids.append(call_id)


def account_of(shelf: Shelf, account_id: AccountId | None = None) -> Account:
    return Account(account_id or shelf.account_id, "C-1", "Toko Maju", ZONE)


def export_of(shelf: Shelf, contents: Contents | None = None) -> SubjectExport:
    sources = SubjectSources(
        subjects=SqlSubjects(shelf.database),
        library=SqlLibrary(shelf.database),
        files=shelf.files,
        contents=contents or Contents(),
        transcripts=SqlTranscripts(shelf.database),
    )
    return SubjectExport(sources, shelf.wall)


async def lines_of(
    shelf: Shelf, peer: Peer, contents: Contents | None = None, note: Taken | None = None
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """The lines of the calls and of the manifest of a customer's archive."""
    packing = export_of(shelf, contents).packed(account_of(shelf), peer, note=note or Taken())
    archive = zipfile.ZipFile(io.BytesIO(b"".join([chunk async for chunk in packing])))
    assert archive.testzip() is None
    texts = (archive.read(name).decode() for name in ("calls.csv", "manifest.csv"))
    calls, manifest = (list(csv.DictReader(io.StringIO(text, newline=""))) for text in texts)
    return calls, manifest


@pytest.fixture
async def shop(shelf: Shelf) -> Shelf:
    await shelf.bench.own(600 * MINUTE_MS)
    return shelf


@pytest.mark.parametrize("peer", [Peer(phone=PHONE), Peer(user_id=USER_ID), BUDI])
async def test_everything_of_the_customer_and_of_nobody_else_is_in_it(
    shop: Shelf, peer: Peer
) -> None:
    ids = [await a_recorded_call(shop), await a_recorded_call(shop)]
    await a_recorded_call(shop, OTHER)
    note = Taken()
    calls, manifest = await lines_of(shop, peer, note=note)
    assert [line["call_id"] for line in calls] == sorted(ids)
    assert {line["customer_phone"] for line in calls} == {PHONE}
    of_calls = [(line["call_id"], line["kind"]) for line in manifest if line["call_id"]]
    assert of_calls == [
        (call_id, kind) for call_id in sorted(ids) for kind in ("recording", "transcript")
    ]
    assert note.call_ids == sorted(ids)


async def test_a_live_call_is_in_it(shop: Shelf) -> None:
    await shop.calls.create(a_call(shop.account_id, peer=BUDI))
    calls, _ = await lines_of(shop, BUDI)
    assert len(calls) == 1


async def test_of_other_accounts_nothing_is_in_it(shop: Shelf) -> None:
    await a_recorded_call(shop)
    other = await an_account(shop.database, shop.wall)
    size = await export_of(shop).measured(account_of(shop, other.account_id), BUDI)
    assert (size.calls, size.recordings, size.bytes, size.names) == (0, 0, 0, ())


async def test_a_file_that_is_not_there_is_named_and_the_others_are_in_it(shop: Shelf) -> None:
    ids = sorted([await a_recorded_call(shop), await a_recorded_call(shop)])
    contents = Contents()
    contents.gone = {f"{shop.account_id}/{ids[0]}.ogg"}
    _, manifest = await lines_of(shop, BUDI, contents)
    recorded = [line for line in manifest if line["kind"] == "recording"]
    assert [(line["call_id"], line["bytes_here"]) for line in recorded] == [
        (ids[0], ""),
        (ids[1], "1000"),
    ]
    assert recorded[0]["result"] == "missing"
    # What lies there is not what was recorded.
    assert recorded[1]["result"] == "different"


async def test_what_cannot_be_noted_is_not_taken_away(shop: Shelf) -> None:
    await a_recorded_call(shop)
    _, manifest = await lines_of(shop, BUDI, note=Taken(is_down=True))
    assert [line["result"] for line in manifest if line["kind"] == "recording"] == ["missing"]


async def test_how_much_it_is_is_known_before(shop: Shelf) -> None:
    for _ in range(2):
        await a_recorded_call(shop)
    size = await export_of(shop).measured(account_of(shop), BUDI)
    assert (size.calls, size.recordings, size.files) == (2, 2, 2)
    assert (size.bytes, size.held, size.not_over) == (2 * MINUTE_MS, 0, 0)


async def test_what_is_sent_is_not_kept(shop: Shelf) -> None:
    await a_recorded_call(shop)
    packing = export_of(shop, Contents(PIECE * 200)).packed(
        account_of(shop), BUDI, note=Taken()
    )
    sizes = [len(chunk) async for chunk in packing]
    assert sum(sizes) > PIECE * 200
    assert max(sizes) < 2 * PIECE


async def test_whoever_leaves_in_the_middle_leaves_no_file_open(shop: Shelf) -> None:
    await a_recorded_call(shop)
    contents = Contents(PIECE * 20)
    packing = export_of(shop, contents).packed(account_of(shop), BUDI, note=Taken())
    while not contents.open_count:
        await anext(packing)
    await packing.aclose()
    assert contents.open_count == 0


async def test_nobody_in_particular_has_no_copy(shop: Shelf) -> None:
    export = export_of(shop)
    with pytest.raises(BadInput):
        await export.measured(account_of(shop), Peer())
    with pytest.raises(BadInput):
        export.packed(account_of(shop), Peer(), note=Taken())
