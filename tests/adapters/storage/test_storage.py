"""The contract of storages: created once, read in parts, gone when removed."""

import io
import os

import pytest
from aiohttp import web

from gateway.adapters import object_store
from gateway.adapters.folder_storage import FolderStorage
from gateway.adapters.object_store import ObjectStorage, parse_url
from gateway.core.errors import BadInput
from gateway.core.jobs import Setback
from gateway.ports.storage import AlreadyStored, NotStored, Storage, StorageDown
from tests.services.object_store import (
    FaultyStore,
    ObjectServer,
    access_to,
    answering,
    breaking,
    silent,
)

NAME = f"{'a' * 26}/{'b' * 26}.ogg"
HOSTILE = ["../x/y", "/etc/passwd", "a/../b", "a//b", "a/b/", "a", "", "a/b\0c", "a/%2e", "a/é"]


async def put(storage: Storage, content: bytes, name: str = NAME) -> None:
    await storage.put(name, io.BytesIO(content), len(content))


async def names(storage: Storage) -> list[str]:
    return sorted([entry.name async for entry in storage.entries()])


async def test_what_was_stored_is_read_whole_and_in_parts(storage: Storage) -> None:
    content = os.urandom(100_000)
    await put(storage, content)
    assert await storage.size(NAME) == len(content)
    assert await storage.read(NAME, 0, len(content)) == content
    assert await storage.read(NAME, 500, 1000) == content[500:1500]
    assert await storage.read(NAME, 99_999, 1) == content[-1:]
    assert await storage.read(NAME, 5, 0) == b""


async def test_nothing_is_ever_replaced(storage: Storage) -> None:
    await put(storage, b"first")
    with pytest.raises(AlreadyStored):
        await put(storage, b"second")
    assert await storage.read(NAME, 0, 5) == b"first"
    assert await names(storage) == [NAME], "no part of the second is left"


async def test_what_is_not_there_is_told_as_that(storage: Storage) -> None:
    assert await storage.size(NAME) is None
    with pytest.raises(NotStored):
        await storage.read(NAME, 0, 1)
    await storage.remove(NAME)
    assert await names(storage) == []


async def test_more_than_is_there_is_never_made_up(storage: Storage) -> None:
    await put(storage, b"12345")
    with pytest.raises((NotStored, StorageDown)):
        await storage.read(NAME, 3, 10)


async def test_removed_it_is_gone_and_the_name_is_free(storage: Storage) -> None:
    await put(storage, b"one")
    await storage.remove(NAME)
    await storage.remove(NAME)
    assert await storage.size(NAME) is None
    await put(storage, b"other")
    assert await storage.read(NAME, 0, 5) == b"other"


async def test_everything_is_listed_with_its_size(storage: Storage) -> None:
    others = [f"{'a' * 26}/{index:026d}.peaks" for index in range(3)]
    for name in (NAME, *others):
        await put(storage, b"content", name)
    assert await names(storage) == sorted([NAME, *others])
    assert {entry.bytes async for entry in storage.entries()} == {7}


@pytest.mark.parametrize("name", HOSTILE)
async def test_names_that_are_not_ours_are_refused(storage: Storage, name: str) -> None:
    with pytest.raises(BadInput):
        await put(storage, b"x", name)
    with pytest.raises(BadInput):
        await storage.read(name, 0, 1)
    with pytest.raises(BadInput):
        await storage.remove(name)


async def test_large_objects_go_in_parts_and_still_replace_nothing(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_store, "SINGLE_BYTES_MAX", 1 << 20)
    content = os.urandom(9 << 20)
    await put(storage, content)
    assert await storage.read(NAME, (9 << 20) - 3, 3) == content[-3:]
    with pytest.raises(AlreadyStored):
        await put(storage, content)


async def test_a_folder_that_refuses_is_told_and_nothing_is_left(
    tmp_path: "os.PathLike[str]",
) -> None:
    storage = FolderStorage(tmp_path)  # type: ignore[arg-type]  # a Path
    (storage.path("aa/b").parent).write_text("a file where a folder should be")
    with pytest.raises((StorageDown, AlreadyStored)):
        await put(storage, b"x", "aa/b.ogg")


async def test_content_that_changes_under_the_hands_is_not_stored(
    tmp_path: "os.PathLike[str]",
) -> None:
    storage = FolderStorage(tmp_path)  # type: ignore[arg-type]  # a Path
    with pytest.raises(StorageDown):
        await storage.put(NAME, io.BytesIO(b"short"), 100)
    assert await names(storage) == []


async def test_a_store_that_never_answers_is_given_up(
    behind_faults: ObjectStorage, faulty: FaultyStore
) -> None:
    faulty.fault = silent
    with pytest.raises(StorageDown) as told:
        await put(behind_faults, b"x")
    assert told.value.setback is Setback.OUTAGE
    faulty.fault = None
    await put(behind_faults, b"x")


@pytest.mark.parametrize("status", [500, 503])
async def test_a_store_in_trouble_is_asked_later(
    behind_faults: ObjectStorage, faulty: FaultyStore, status: int
) -> None:
    faulty.fault = answering(status)
    for work in (
        put(behind_faults, b"x"),
        behind_faults.read(NAME, 0, 1),
        behind_faults.size(NAME),
        behind_faults.remove(NAME),
    ):
        with pytest.raises(StorageDown) as told:
            await work
        assert told.value.setback is Setback.OUTAGE
        assert "127.0.0.1" not in str(told.value), "no address, no answer of the store"


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (403, None, "refuses our keys"),
        (403, "RequestTimeTooSkewed", "finds our clock wrong"),
        (403, "InvalidAccessKeyId", "does not know our key"),
        (404, "NoSuchBucket", "has no such bucket"),
        (501, None, "does not know create-only writes"),
    ],
)
async def test_a_store_that_refuses_is_told_as_that(
    behind_faults: ObjectStorage,
    faulty: FaultyStore,
    status: int,
    code: str | None,
    said: str,
) -> None:
    faulty.fault = answering(status, code)
    with pytest.raises(StorageDown, match=said) as told:
        await put(behind_faults, b"x")
    assert told.value.setback is Setback.REFUSED


async def test_a_full_store_is_asked_later(
    behind_faults: ObjectStorage, faulty: FaultyStore
) -> None:
    faulty.fault = answering(507)
    with pytest.raises(StorageDown, match="is full") as told:
        await put(behind_faults, b"x")
    assert told.value.setback is Setback.OUTAGE


async def test_without_the_bucket_nothing_is_called_missing_or_gone(
    object_server: ObjectServer,
) -> None:
    storage = ObjectStorage(access_to(object_server.url, "a-bucket-that-nobody-made"))
    for work in (
        put(storage, b"x"),
        storage.size(NAME),
        storage.read(NAME, 0, 1),
        storage.remove(NAME),
        names(storage),
    ):
        with pytest.raises(StorageDown, match="no such bucket"):
            await work


async def test_an_answer_about_something_else_is_no_answer(
    behind_faults: ObjectStorage, faulty: FaultyStore
) -> None:
    await put(behind_faults, b"x")
    other = "<DeleteResult><Error><Key>k</Key><Code>c</Code><Message>m</Message></Error>"

    async def answer(request: web.Request) -> web.StreamResponse | None:
        return web.Response(text=f"{other}</DeleteResult>") if request.query else None

    faulty.fault = answer
    with pytest.raises(StorageDown):
        await behind_faults.remove(NAME)
    faulty.fault = None
    assert await behind_faults.size(NAME) == 1


async def test_a_connection_that_breaks_leaves_nothing_half_done(
    behind_faults: ObjectStorage, faulty: FaultyStore
) -> None:
    faulty.fault = breaking
    with pytest.raises(StorageDown):
        await put(behind_faults, os.urandom(3 << 20))
    faulty.fault = None
    assert await behind_faults.size(NAME) is None


@pytest.mark.parametrize(
    "url", ["s3://", "http://bucket", "s3://b/../c", "s3://b?x=1", "bucket", "s3://b/a b"]
)
def test_urls_that_name_no_bucket_are_refused(url: str) -> None:
    with pytest.raises(BadInput):
        parse_url(url)


def test_urls_name_bucket_and_folder() -> None:
    assert parse_url("s3://bucket") == ("bucket", "")
    assert parse_url("s3://bucket/in/here/") == ("bucket", "in/here")
