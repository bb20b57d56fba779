"""Rows of files and data keys, on both databases."""

import asyncio
from dataclasses import replace
from functools import partial

import pytest

from gateway.adapters.secrets_key_ring import KeyRing, new_key
from gateway.adapters.sql_data_keys import SqlDataKeys
from gateway.adapters.sql_file_counts import SqlFileCounter
from gateway.adapters.sql_recordings import SqlRecordings
from gateway.adapters.sql_stored_files import SqlStoredFiles
from gateway.core.errors import NotFound, SecretUnreadable
from gateway.core.ids import CallId, NodeId
from gateway.core.quota.charge import Recorded, Stamp
from gateway.core.recording.files import Fault, FileRole, FileState, Place, recording_key
from gateway.core.recording.lifecycle import Life
from gateway.core.recording.retention import KeepingRules
from gateway.ports.audit import Order
from gateway.ports.recordings import GivenUp, Recording
from gateway.ports.storage import DataKeyId, FileCounts, StoredFile
from tests.adapters.quota.conftest import Bench
from tests.adapters.recordings.shelf import MINUTE_MS, NODE, Shelf
from tests.adapters.sql.rows import an_account, fresh_id

pytestmark = pytest.mark.services

OTHER_NODE = NodeId("other")


@pytest.fixture
async def full(shelf: Shelf) -> Shelf:
    await shelf.bench.own(600 * MINUTE_MS)
    return shelf


async def file_of(shelf: Shelf, call_id: CallId) -> StoredFile:
    found = await shelf.files.find(recording_key(shelf.account_id, call_id))
    assert found is not None
    return found


async def to_move(shelf: Shelf, *, has_store: bool) -> list[tuple[str, FileRole]]:
    found = await shelf.files.to_move(
        made_before=shelf.wall.now + 1, has_store=has_store, limit=100
    )
    return sorted((file.call_id, file.role) for file in found)


async def test_what_waits_and_what_is_faulty_is_counted(full: Shelf) -> None:
    counter = SqlFileCounter(full.database, NODE)
    made_before = full.wall.now + 1
    call_id = await full.keep(1)
    other = await full.keep(1)
    none = FileCounts(0, {})
    assert await counter.count(made_before=made_before, has_store=False) == none
    assert await counter.count(made_before=full.wall.now, has_store=True) == none
    elsewhere = SqlFileCounter(full.database, OTHER_NODE)
    assert await elsewhere.count(made_before=made_before, has_store=True) == none
    assert await counter.count(made_before=made_before, has_store=True) == FileCounts(4, {})
    file = await file_of(full, call_id)
    await full.files.note_checked(file, now=full.wall.now, fault=Fault.DAMAGED)
    one = {Fault.DAMAGED: 1}
    assert await counter.count(made_before=made_before, has_store=True) == FileCounts(3, one)
    assert await elsewhere.count(made_before=made_before, has_store=True) == FileCounts(0, one)
    await full.files.note_left((await file_of(full, other)).key)
    await full.life.change_rules(
        full.account_id, KeepingRules(encrypts=True), seen=0, order=Order(full.wall.now)
    )
    found = await counter.count(made_before=made_before, has_store=False)
    assert found == FileCounts(3, one), "to be sealed, but for what is faulty"
    assert await counter.count(made_before=made_before, has_store=True) == found


async def test_into_a_store_goes_what_lies_in_this_nodes_folder(full: Shelf) -> None:
    call_id = await full.keep(1)
    both = [(call_id, FileRole.LOCAL), (call_id, FileRole.PEAKS)]
    assert await to_move(full, has_store=False) == []
    assert await to_move(full, has_store=True) == both
    early = await full.files.to_move(made_before=full.wall.now, has_store=True, limit=100)
    assert early == []
    elsewhere = SqlStoredFiles(full.database, OTHER_NODE)
    assert not await elsewhere.to_move(made_before=full.wall.now + 1, has_store=True, limit=100)
    file = await file_of(full, call_id)
    assert await full.files.note_moved(file, place=Place.STORE, data_key_id=None)
    assert await to_move(full, has_store=True) == both, "its copy is still to be removed"
    await full.files.note_left(file.key)
    assert await to_move(full, has_store=True) == both[1:]


async def test_an_encrypting_account_has_everything_sealed(full: Shelf) -> None:
    call_id = await full.keep(1)
    rules = KeepingRules(encrypts=True)
    await full.life.change_rules(full.account_id, rules, seen=0, order=Order(full.wall.now))
    both = [(call_id, FileRole.LOCAL), (call_id, FileRole.PEAKS)]
    assert await to_move(full, has_store=False) == both
    file = await file_of(full, call_id)
    key_id = DataKeyId("key")
    assert await full.files.note_moved(file, place=Place.FOLDER, data_key_id=key_id)
    assert await to_move(full, has_store=False) == both[1:]


async def test_what_is_to_be_moved_comes_in_pages_from_the_oldest_on(full: Shelf) -> None:
    for _ in range(3):
        await full.keep(1)
    rules = KeepingRules(encrypts=True)
    await full.life.change_rules(full.account_id, rules, seen=0, order=Order(full.wall.now))
    look = partial(full.files.to_move, made_before=full.wall.now + 1, has_store=True)
    first = await look(limit=4)
    rest = await look(limit=4, after=first[-1])
    assert [len(first), len(rest)] == [4, 2]
    assert [*first, *rest] == await look(limit=100)
    assert await look(limit=4, after=rest[-1]) == []


async def test_what_is_faulty_is_not_moved(full: Shelf) -> None:
    call_id = await full.keep(1)
    file = await file_of(full, call_id)
    await full.files.note_checked(file, now=full.wall.now, fault=Fault.DAMAGED)
    assert await to_move(full, has_store=True) == [(call_id, FileRole.PEAKS)]


async def test_what_was_deleted_is_not_noted_as_moved(full: Shelf) -> None:
    call_id = await full.keep(1)
    file = await file_of(full, call_id)
    await full.delete(call_id)
    assert not await full.files.note_moved(file, place=Place.STORE, data_key_id=None)
    assert (await file_of(full, call_id)).state is FileState.DOOMED


async def test_files_are_checked_in_pages_until_all_have_been(full: Shelf) -> None:
    for _ in range(2):
        await full.keep(1)
    now = full.wall.now
    first = await full.files.unchecked(before=now, after="", limit=3)
    rest = await full.files.unchecked(before=now, after=first[-1].key, limit=3)
    assert len({file.key for file in [*first, *rest]}) == 4
    for file in first:
        learned = replace(file, bytes=1, sha256="1" * 64)
        await full.files.note_checked(learned, now=now, fault=None)
    assert await full.files.unchecked(before=now, after="", limit=9) == rest
    known = await full.files.known([first[0].key, "nothing"])
    assert [(file.sha256, file.checked_at) for file in known] == [("1" * 64, now)]
    assert not await SqlStoredFiles(full.database, OTHER_NODE).unchecked(
        before=now + 1, after="", limit=9
    )


async def test_a_recording_whose_file_is_not_kept_is_found(full: Shelf) -> None:
    await full.keep(1)
    assert await full.files.without_file(limit=9) == []
    async with full.database.writing() as connection:
        await connection.exec_driver_sql("DELETE FROM stored_files")
    assert await full.files.without_file(limit=9) == [
        recording_key(full.account_id, full.made[0])
    ]


async def test_a_deleted_recording_without_files_is_purged_when_it_is_due(
    full: Shelf,
) -> None:
    call_id = await full.keep(1)
    async with full.database.writing() as connection:
        await connection.exec_driver_sql("DELETE FROM stored_files")
    await full.delete(call_id)
    assert await full.files.purge(now=full.wall.now) == 0
    assert await full.files.purge(now=full.wall.now + 86_400) == 1
    assert await full.states() == [Life.PURGED]


async def test_ordered_files_wait_a_day_and_are_taken_up_again_when_ordered_anew(
    full: Shelf,
) -> None:
    call_id = CallId(fresh_id())
    recordings = SqlRecordings(full.database, NODE)
    await recordings.expect(call_id, full.account_id, now=full.wall.now)
    assert await full.files.due(now=full.wall.now + 86_399, limit=9) == []
    due = await full.files.due(now=full.wall.now + 86_400, limit=9)
    assert {file.state for file in due} == {FileState.DOOMED}
    await recordings.expect(call_id, full.account_id, now=full.wall.now)
    removed = []

    async def remove() -> None:
        removed.append(call_id)

    for file in due:
        assert not await full.files.end(file, now=full.wall.now, remove=remove)
    assert removed == []


async def test_all_files_of_a_call_but_those_that_are_gone(full: Shelf) -> None:
    call_id = await full.keep(1)
    assert len(await full.files.of_call(call_id)) == 2
    await full.delete(call_id)
    full.wall.now += 86_400
    assert await full.sweep() == 2
    assert await full.files.of_call(call_id) == []


async def test_two_nodes_seal_with_the_same_key_and_accounts_with_their_own(
    rival_benches: list[Bench],
) -> None:
    ring = KeyRing.parse(new_key())
    keys = [SqlDataKeys(each.database, ring, fresh_id) for each in rival_benches]
    account_id, now = rival_benches[0].account_id, rival_benches[0].wall.now
    found = await asyncio.gather(*(each.current(account_id, now=now) for each in keys))
    assert len(set(found)) == 1
    assert await keys[1].find(found[0].data_key_id) == found[0]
    other = await an_account(rival_benches[0].database, rival_benches[0].wall)
    assert (await keys[0].current(other.account_id, now=now)).key != found[0].key
    with pytest.raises(NotFound):
        await keys[0].find(DataKeyId("none"))
    strange = SqlDataKeys(rival_benches[0].database, KeyRing.parse(new_key()), fresh_id)
    with pytest.raises(SecretUnreadable):
        await strange.find(found[0].data_key_id)


async def test_what_was_given_up_before_it_was_noted_is_made_once_more(full: Shelf) -> None:
    for has_lost_its_bytes in (False, True):
        before = (await full.balance()).used_ms
        call_id = CallId(fresh_id())
        await full.recordings.expect(call_id, full.account_id, now=full.wall.now)
        full.wall.now += 2 * 86_400.0  # the clock was set, or the machine slept
        for file in await full.files.due(now=full.wall.now, limit=10):
            if has_lost_its_bytes:
                await full.files.end(file, now=full.wall.now, remove=nothing)
        made = full.assembled(call_id, MINUTE_MS)
        recording = Recording(call_id, full.account_id, made, full.wall.now)
        recorded, stamp = Recorded(MINUTE_MS), Stamp(full.wall.now)
        with pytest.raises(GivenUp):
            await full.recordings.keep(recording, recorded, stamp)
        assert (await full.balance()).used_ms == before, "nothing is charged"
        assert await full.recordings.find(call_id) is None
        await full.recordings.expect(call_id, full.account_id, now=full.wall.now)
        await full.recordings.keep(recording, recorded, stamp)
        assert (await full.balance()).used_ms == before + MINUTE_MS
        assert (await file_of(full, call_id)).state is FileState.KEPT
        assert await full.files.due(now=full.wall.now + 90_000.0, limit=10) == []


async def nothing() -> None:
    """There was no file."""
