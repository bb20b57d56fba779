"""The scrub: what lies in the storages is what should, and what is wrong is told."""

import os
import time
from pathlib import Path

from gateway.core.recording.files import Fault, Place
from gateway.core.recording.lifecycle import Life, Why
from gateway.core.recording.scrub import YOUNG_S
from gateway.runtime.recording_scrub import ScrubReport
from tests.keeping.keep import TRASH_S, Keep, keeping
from tests.media_capture.audio import CaptureMaker
from tests.services.object_store import FaultyStore, silent


async def scrubbed(keep: Keep) -> ScrubReport:
    return await keep.keeping.scrub.run()


def grow_old(path: Path) -> None:
    at = time.time() - 7_200
    os.utime(path, (at, at))


async def test_where_all_is_right_nothing_is_told(alone: Keep) -> None:
    call_id = await alone.record(with_peaks=True)
    seen: list[int] = []
    report = await alone.keeping.scrub.run(progress=seen.append)
    assert report.is_clean
    assert (report.checked, report.learned, seen) == (2, 1, [1, 2])
    assert (await alone.file(call_id)).checked_at > 0
    assert (await scrubbed(alone)).learned == 0, "the digest of the peaks is known by now"


async def test_in_the_store_everything_is_read_too(stored: Keep) -> None:
    await stored.encrypt()
    await stored.record()
    await stored.move()
    report = await scrubbed(stored)
    assert report.is_clean
    assert report.checked == 1


async def test_one_flipped_bit_is_found(alone: Keep) -> None:
    call_id, other = await alone.record(), await alone.record()
    content = bytearray(alone.path(call_id).read_bytes())
    content[5_000] ^= 1
    alone.path(call_id).write_bytes(content)
    report = await scrubbed(alone)
    assert report.damaged == [alone.key(call_id)]
    assert not report.is_clean
    assert (await alone.file(call_id)).fault is Fault.DAMAGED
    assert (await alone.file(other)).fault is None


async def test_a_flipped_bit_in_a_sealed_object_is_found(
    stored: Keep, faulty: FaultyStore
) -> None:
    await stored.encrypt()
    call_id = await stored.record()
    await stored.move()
    faulty.spoil = lambda request, content: (
        content[:-1] + bytes([content[-1] ^ 1])
        if request.method == "GET" and ".sealed" in request.path
        else content
    )
    report = await scrubbed(stored)
    assert report.damaged == [stored.key(call_id)]
    faulty.spoil = None
    assert (await scrubbed(stored)).is_clean, "what is right again is not held against it"
    assert (await stored.file(call_id)).fault is None


async def test_a_missing_file_is_found(alone: Keep) -> None:
    call_id = await alone.record()
    alone.path(call_id).unlink()
    report = await scrubbed(alone)
    assert report.missing == [alone.key(call_id)]
    assert (await alone.file(call_id)).fault is Fault.MISSING


async def test_an_object_that_vanished_is_replaced_by_the_copy_that_is_still_here(
    stored: Keep,
) -> None:
    call_id = await stored.record()
    content = stored.path(call_id).read_bytes()
    await stored.move()
    stored.path(call_id).write_bytes(content)
    store = stored.keeping.places.store
    assert store is not None
    await store.remove(stored.key(call_id))
    report = await scrubbed(stored)
    assert report.repaired == [stored.key(call_id)]
    assert report.is_clean
    assert (await stored.file(call_id)).place is Place.FOLDER
    assert await stored.heard(call_id) == content
    stored.clock.ahead_s += 86_400
    assert await stored.move() == ["moved"], "and goes to the store again"


async def test_a_copy_that_a_crash_left_is_removed_once_the_other_is_right(
    stored: Keep,
) -> None:
    call_id = await stored.record()
    content = stored.path(call_id).read_bytes()
    await stored.move()
    stored.path(call_id).write_bytes(content)
    assert (await scrubbed(stored)).removed == [], "young ones may be in the making"
    grow_old(stored.path(call_id))
    report = await scrubbed(stored)
    assert report.removed == [stored.key(call_id)]
    assert report.is_clean
    assert stored.on_disk() == []


async def test_an_object_whose_move_was_cut_off_stays_for_the_next_try(stored: Keep) -> None:
    call_id = await stored.record()
    content = stored.path(call_id).read_bytes()
    store = stored.keeping.places.store
    assert store is not None
    with stored.path(call_id).open("rb") as file:
        await store.put(stored.key(call_id), file, len(content))
    stored.clock.ahead_s += 2 * YOUNG_S
    report = await scrubbed(stored)
    assert (report.removed, report.is_clean) == ([], True)
    assert await stored.move() == ["moved"]
    assert await stored.heard(call_id) == content
    assert stored.on_disk() == []


async def test_a_copy_is_never_removed_while_the_other_is_in_doubt(
    stored: Keep, faulty: FaultyStore
) -> None:
    call_id = await stored.record()
    await stored.move()
    path = stored.path(call_id)
    path.write_bytes(b"not the same")
    grow_old(path)
    faulty.spoil = lambda request, content: (
        content[::-1] if request.method == "GET" and "ogg" in request.path else content
    )
    report = await scrubbed(stored)
    assert report.doubtful == [stored.key(call_id)]
    assert report.damaged == [stored.key(call_id)]
    assert path.exists()


async def test_what_is_left_of_deleted_recordings_is_removed(alone: Keep) -> None:
    call_id = await alone.record()
    content = alone.path(call_id).read_bytes()
    await alone.delete(call_id)
    alone.clock.ahead_s += TRASH_S
    await alone.sweep()
    alone.path(call_id).write_bytes(content)
    grow_old(alone.path(call_id))
    report = await scrubbed(alone)
    assert report.removed == [alone.key(call_id)]
    assert alone.on_disk() == []
    assert report.is_clean


async def test_what_was_not_written_to_its_end_is_removed(alone: Keep) -> None:
    path = alone.write(f"{alone.account_id}/{'c' * 26}.ogg.part", b"half")
    grow_old(path)
    assert (await scrubbed(alone)).removed == [f"{alone.account_id}/{'c' * 26}.ogg.part"]


async def test_what_is_unknown_is_told_and_left_alone(alone: Keep) -> None:
    path = alone.write("somebody/elses.ogg", b"who knows")
    grow_old(path)
    report = await scrubbed(alone)
    assert report.strangers == ["somebody/elses.ogg"]
    assert path.exists()


async def test_files_that_were_ordered_and_never_kept_go_after_a_day(alone: Keep) -> None:
    call_id = "d" * 26
    await alone.stores.recordings.expect(call_id, alone.account_id, now=alone.now)  # type: ignore[arg-type]  # an id
    path = alone.write(f"{alone.account_id}/{call_id}.ogg", b"half a recording")
    grow_old(path)
    assert (await scrubbed(alone)).is_clean
    alone.clock.ahead_s += TRASH_S - 10
    assert await alone.sweep() == 0
    alone.clock.ahead_s += 20
    assert await alone.sweep() == 2
    assert alone.on_disk() == []


async def test_ordered_anew_at_the_last_moment_they_stay(alone: Keep) -> None:
    call_id = await alone.record()
    other = "d" * 26
    await alone.stores.recordings.expect(other, alone.account_id, now=alone.now)  # type: ignore[arg-type]  # an id
    alone.clock.ahead_s += TRASH_S + 10
    due = await alone.stores.stored_files.due(now=alone.now, limit=10)
    assert len(due) == 3, "and the peaks that were never made of the first"
    await alone.stores.recordings.expect(other, alone.account_id, now=alone.now)  # type: ignore[arg-type]  # an id
    assert await alone.sweep() == 1
    assert alone.on_disk() == [alone.key(call_id)]


async def test_a_recording_without_a_file_row_is_told(alone: Keep) -> None:
    call_id = await alone.record()
    async with alone.stores.database.writing() as connection:
        await connection.exec_driver_sql("DELETE FROM stored_files")
    grow_old(alone.path(call_id))
    report = await scrubbed(alone)
    assert report.without_file == [alone.key(call_id)]
    assert report.strangers == [alone.key(call_id)]


async def test_capture_files_whose_recording_stands_are_removed_and_others_wait(
    alone: Keep,
) -> None:
    call_id = await alone.record()
    captures = alone.folder.parent / "media" / "captures"
    captures.mkdir(parents=True)
    CaptureMaker(call_id).write(captures, 0)
    CaptureMaker("w" * 26).write(captures, 0)
    report = await scrubbed(alone)
    assert (report.captures_removed, report.captures_waiting) == (1, 1)
    assert [path.name[:26] for path in captures.iterdir()] == ["w" * 26]


async def test_a_store_that_is_away_is_told_and_nothing_counts_as_lost(
    stored: Keep, faulty: FaultyStore
) -> None:
    call_id = await stored.record()
    await stored.move()
    faulty.fault = silent
    report = await scrubbed(stored)
    assert report.away
    assert (report.missing, report.damaged) == ([], [])
    assert (await stored.file(call_id)).fault is None


async def test_what_is_sealed_with_a_key_that_is_lost_is_told(tmp_path: Path) -> None:
    async with keeping(tmp_path) as keep:
        await keep.encrypt()
        call_id = await keep.record()
        await keep.move()
        account_id, key = keep.account_id, keep.key(call_id)
    (tmp_path / "secret.key").unlink()
    async with keeping(tmp_path, account_id=account_id) as keep:
        report = await scrubbed(keep)
        assert report.unreadable == [key]
        assert report.damaged == [], "it may well be right"


async def test_housekeeping_hashes_some_files_at_a_time(alone: Keep) -> None:
    for _ in range(3):
        await alone.record()
    broken = await alone.record()
    alone.path(broken).unlink()
    report = ScrubReport()
    await alone.keeping.scrub.check(report, before=alone.now, limit=2)
    assert report.checked == 2
    assert await alone.keeping.recheck(now=alone.now + 31 * 86_400) == 1
    assert (await alone.file(broken)).fault is Fault.MISSING


async def test_bytes_that_the_store_does_not_give_away_go_later(
    stored: Keep, faulty: FaultyStore
) -> None:
    call_id = await stored.record()
    await stored.move()
    await stored.delete(call_id)
    stored.clock.ahead_s += TRASH_S
    faulty.fault = silent
    assert await stored.sweep() == 0
    life = await stored.stores.recording_life.find(stored.account_id, call_id)
    assert life.state is Life.TRASHED, "gone means gone"
    faulty.fault = None
    assert await stored.sweep() == 2
    assert await stored.in_store() == []
    life = await stored.stores.recording_life.find(stored.account_id, call_id)
    assert life.state is Life.PURGED


async def test_retention_goes_on_where_it_was_stopped(alone: Keep) -> None:
    for _ in range(5):
        await alone.record()
    alone.clock.ahead_s += 3 * 366 * 86_400
    over = await alone.stores.recording_life.over(now=alone.now, limit=2)
    for _, call_id in over:
        await alone.delete(call_id, Why.RETENTION)
    assert await alone.retain() == 3
    assert await alone.retain() == 0
    assert await alone.sweep() == 10
    assert alone.on_disk() == []
    assert await alone.used_ms() == 0
