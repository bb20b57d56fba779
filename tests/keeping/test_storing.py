"""Recordings on their way into a store, or sealed: nothing is lost, whatever the store does."""

import io
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from aiohttp import web
from sqlalchemy import update

from gateway.adapters.sql_recording_schema import stored_files
from gateway.core.errors import NotFound, Refused
from gateway.core.ids import NodeId
from gateway.core.recording.files import Fault, FileRole, Place
from gateway.ports.storage import NotStored, StorageDown, Unsealable
from gateway.runtime.recording_storing import StoreOrders, StoringBounds
from tests.keeping.keep import TRASH_S, Keep
from tests.services.object_store import FaultyStore, answering, silent


async def test_without_a_store_recordings_stay_where_they_are(alone: Keep) -> None:
    call_id = await alone.record()
    assert await alone.move() == []
    assert alone.on_disk() == [alone.key(call_id)]
    assert await alone.heard(call_id) == alone.contents[alone.key(call_id)]


async def test_what_is_young_is_not_moved_yet(stored: Keep) -> None:
    await stored.record()
    assert await stored.keeping.orders(now=stored.now) == 0


async def test_what_cannot_be_moved_for_now_holds_up_nothing(stored: Keep) -> None:
    for _ in range(3):
        await stored.record()
    stores, bounds = stored.stores, StoringBounds(after_s=0.0, ordered_max=2)
    orders = StoreOrders(stores.stored_files, stores.jobs, bounds, has_store=True)
    news = [await orders(now=stored.now + 1) for _ in range(3)]
    assert news == [2, 1, 0], "the third is reached, and then it begins anew"


async def test_a_recording_moves_into_the_store_and_is_heard_from_there(stored: Keep) -> None:
    call_id = await stored.record(with_peaks=True)
    assert await stored.move() == ["moved", "moved"]
    assert stored.on_disk() == []
    assert len(await stored.in_store()) == 2
    file = await stored.file(call_id)
    assert (file.place, file.node_id) == (Place.STORE, None)
    assert await stored.heard(call_id) == stored.contents[stored.key(call_id)]
    peaks = next(
        f for f in await stored.stores.stored_files.of_call(call_id) if f.role is FileRole.PEAKS
    )
    assert peaks.sha256 is not None, "its digest was learned on the way"
    assert await stored.move() == [], "once is enough"


async def test_an_accounts_recordings_are_sealed_if_it_wants_that(stored: Keep) -> None:
    await stored.encrypt()
    call_id = await stored.record()
    assert await stored.move() == ["moved"]
    assert await stored.in_store() == [f"{stored.key(call_id)}.sealed"]
    store = stored.keeping.places.store
    assert store is not None
    raw = await store.read(f"{stored.key(call_id)}.sealed", 0, 200)
    assert b"OggS" not in raw
    assert await stored.heard(call_id) == stored.contents[stored.key(call_id)]


async def test_without_a_store_they_are_sealed_in_the_folder(alone: Keep) -> None:
    call_id = await alone.record()
    assert await alone.move() == []
    await alone.encrypt()
    assert await alone.move() == ["moved"]
    assert alone.on_disk() == [f"{alone.key(call_id)}.sealed"]
    assert b"OggS" not in (alone.folder / f"{alone.key(call_id)}.sealed").read_bytes()
    assert await alone.heard(call_id) == alone.contents[alone.key(call_id)]


async def test_what_lies_in_the_store_is_sealed_when_the_account_begins_to_want_that(
    stored: Keep,
) -> None:
    call_id = await stored.record()
    await stored.move()
    await stored.encrypt()
    assert await stored.move() == ["moved"]
    assert await stored.in_store() == [f"{stored.key(call_id)}.sealed"]
    assert await stored.heard(call_id) == stored.contents[stored.key(call_id)]


async def test_with_the_data_key_of_another_account_it_stays_shut(stored: Keep) -> None:
    await stored.encrypt()
    call_id = await stored.record()
    await stored.move()
    file, vault = await stored.file(call_id), stored.keeping.vault
    other = await stored.stores.data_keys.current(stored.account_id, now=stored.now)
    assert file.data_key_id == other.data_key_id
    with pytest.raises(NotFound):
        await vault.open_at(file, Place.STORE, "another")  # type: ignore[arg-type]  # an id


@pytest.mark.parametrize("is_silent", [True, False])
async def test_a_store_that_does_not_answer_or_refuses_is_asked_later_and_nothing_is_lost(
    stored: Keep, faulty: FaultyStore, is_silent: bool
) -> None:
    call_id = await stored.record()
    faulty.fault = silent if is_silent else answering(403)
    [told] = await stored.move()
    assert told.startswith("outage" if is_silent else "refused")
    assert stored.on_disk() == [stored.key(call_id)]
    assert await stored.heard(call_id) == stored.contents[stored.key(call_id)]
    faulty.fault = None
    assert await stored.move(order=False) == ["moved"]
    assert stored.on_disk() == []


async def test_a_store_that_gives_back_something_else_does_not_get_the_only_copy(
    stored: Keep, faulty: FaultyStore
) -> None:
    call_id = await stored.record()
    faulty.spoil = lambda request, content: (
        content[:-1] + b"?" if request.method == "GET" and "ogg" in request.path else content
    )
    assert await stored.move() == ["damaged: read back it is another"]
    assert stored.on_disk() == [stored.key(call_id)]
    assert await stored.in_store() == [], "what is wrong does not stay"
    faulty.spoil = None
    assert await stored.move(order=False) == ["moved"]
    assert await stored.heard(call_id) == stored.contents[stored.key(call_id)]


async def test_a_crash_between_storing_and_noting_is_made_good(stored: Keep) -> None:
    call_id = await stored.record()
    store = stored.keeping.places.store
    assert store is not None
    with stored.path(call_id).open("rb") as content:
        await store.put(stored.key(call_id), content, stored.path(call_id).stat().st_size)
    assert await stored.move() == ["moved"]
    assert stored.on_disk() == []


async def test_something_else_under_its_name_gives_way(stored: Keep) -> None:
    call_id = await stored.record()
    store = stored.keeping.places.store
    assert store is not None
    await store.put(stored.key(call_id), io.BytesIO(b"half of it"), 10)
    assert await stored.move() == ["damaged: read back it is another"]
    assert await stored.move(order=False) == ["moved"]
    assert await stored.heard(call_id) == stored.contents[stored.key(call_id)]


async def test_deleted_while_it_moves_it_does_not_stay_in_the_store(
    stored: Keep, faulty: FaultyStore
) -> None:
    call_id = await stored.record()

    async def deleting(request: web.Request) -> None:
        if request.method == "GET":
            faulty.fault = None
            await stored.delete(call_id)

    faulty.fault = deleting
    assert await stored.move() == ["deleted meanwhile"]
    assert await stored.in_store() == []
    stored.clock.ahead_s += TRASH_S
    assert await stored.sweep() == 2, "and the peaks that were expected with it"
    assert stored.on_disk() == []


async def test_a_damaged_copy_is_not_moved_but_told(stored: Keep) -> None:
    call_id = await stored.record()
    stored.path(call_id).write_bytes(b"OggS, but not ours")
    assert await stored.move() == ["damaged"]
    assert (await stored.file(call_id)).fault is Fault.DAMAGED
    assert await stored.in_store() == []
    assert await stored.move() == [], "somebody has to look at it first"


async def test_a_full_disk_in_the_middle_of_it_loses_nothing(stored: Keep) -> None:
    call_id = await stored.record(4 << 20)
    with file_size_at_most(2 << 20):
        [told] = await stored.move()
    assert told.startswith("outage")
    assert stored.on_disk() == [stored.key(call_id)]
    assert await stored.move(order=False) == ["moved"]
    assert await stored.heard(call_id) == stored.contents[stored.key(call_id)]


async def test_another_nodes_files_are_left_to_it(stored: Keep) -> None:
    call_id = await stored.record()
    stored.clock.ahead_s += 1_000
    await stored.keeping.orders(now=stored.now)
    await note_node(stored, call_id, NodeId("other"))
    assert await stored.move(order=False) == ["not_yet: on another node"]
    with pytest.raises(Refused):
        await stored.heard(call_id)


async def test_a_listener_does_not_notice_that_it_moves(stored: Keep) -> None:
    call_id = await stored.record(1 << 20)
    content = await stored.keeping.vault.open(stored.key(call_id))
    begin = await content.read(0, 1_000)
    assert await stored.move() == ["moved"]
    heard = begin + await content.read(1_000, content.size - 1_000)
    assert heard == stored.contents[stored.key(call_id)]


async def test_what_is_in_the_store_can_be_had_as_a_file(stored: Keep) -> None:
    call_id = await stored.record()
    await stored.move()
    async with stored.keeping.vault.hold(stored.key(call_id)) as plain:
        assert os.pread(plain.fd, 1 << 20, 0) == stored.contents[stored.key(call_id)]
    assert stored.on_disk() == []


async def test_deleted_it_cannot_be_heard(stored: Keep) -> None:
    call_id = await stored.record()
    await stored.delete(call_id)
    with pytest.raises(NotFound):
        await stored.keeping.vault.open(stored.key(call_id))


async def test_a_store_that_is_not_configured_any_more_is_told(
    stored: Keep, faulty: FaultyStore
) -> None:
    call_id = await stored.record()
    await stored.move()
    faulty.fault = answering(404)
    with pytest.raises((NotStored, StorageDown, Unsealable)):
        await stored.heard(call_id)


@contextmanager
def file_size_at_most(size: int) -> Iterator[None]:
    """As on a full disk, no file grows beyond that."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def note_node(keep: Keep, call_id: str, node_id: NodeId) -> None:
    async with keep.stores.database.writing() as connection:
        await connection.execute(
            update(stored_files)
            .where(stored_files.c.call_id == call_id)
            .values(node_id=node_id)
        )
