"""The disk fails: the tap goes on, earlier bytes stay good, unwritten time is given back."""

import fcntl
import os
from pathlib import Path

import pytest

from media.capture_files import create_locked, write_whole
from media.capture_format import StopReason
from media.protocol_capture import CaptureState, CaptureStopped, SegmentFinished
from tests.media_capture.rig import Rig, rig


def fill(up: Rig, seconds: int) -> None:
    """Let time pass with the disk keeping up, so that failures come where they happen."""
    for _ in range(seconds):
        up.run(1)
        up.settle()


def test_a_full_disk_stops_captures_and_spoils_nothing(small_disk: Path) -> None:
    with rig(small_disk) as up:
        up.captures.open_budget("b", 10**7)
        for number in range(4):
            up.start(f"call{number}")
        fill(up, 200)
        stopped = up.of(CaptureStopped)
        assert {event.reason for event in stopped} == {StopReason.DISK_FULL}
        assert len(stopped) == 4
        states = {each.state for each in up.captures.snapshot()[0]}
        assert states == {CaptureState.STOPPED}
        files = up.finish()
    held = {file.header.capture_id: file.duration_ms for file in files}
    assert all(held_ms > 5_000 for held_ms in held.values())
    assert all(file.valid_bytes == len(file.content) for file in files)
    assert {event.capture_id: event.recorded_ms for event in stopped} == held
    assert up.captures.close_budget("b").drawn_ms == sum(held.values())


def test_recording_goes_on_in_a_new_segment_once_there_is_room(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    with rig(small_disk) as up:
        up.captures.open_budget("b", 10**7)
        up.start("call")
        fill(up, 5)
        with ballast.open("wb") as file:
            try:
                while True:
                    os.write(file.fileno(), bytes(4096))
            except OSError:
                pass
        fill(up, 20)
        assert up.of(CaptureStopped)[0].reason is StopReason.DISK_FULL
        ballast.unlink()
        up.captures.resume(up.now, "call")
        fill(up, 3)
        first, second = up.finish()
    assert first.duration_ms >= 5_000
    assert second.duration_ms == 3_000
    assert up.captures.close_budget("b").drawn_ms == first.duration_ms + 3_000


def test_no_capture_begins_below_the_floor_of_free_space(tmp_path: Path) -> None:
    space = os.statvfs(tmp_path)
    floor = space.f_blocks * space.f_frsize + 1
    with rig(tmp_path, free_bytes_min=floor) as up:
        up.captures.open_budget("b", 10_000)
        up.start("call")
        fill(up, 2)
        up.flush()
        assert up.files() == []
    assert up.of(CaptureStopped)[0].reason is StopReason.DISK_FULL
    assert up.of(SegmentFinished)[0].file is None
    assert up.captures.snapshot()[1][0].drawn_ms == 0


def test_a_directory_that_is_gone_is_an_io_error(tmp_path: Path) -> None:
    directory = tmp_path / "captures"
    directory.mkdir()
    with rig(directory) as up:
        up.captures.open_budget("b", 10_000)
        up.start("call")
        directory.rmdir()
        fill(up, 2)
        up.flush()
    assert up.of(CaptureStopped)[0].reason is StopReason.IO_ERROR


def test_a_file_that_exists_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "call.000.capture").write_bytes(b"precious")
    with rig(tmp_path) as up:
        up.captures.open_budget("b", 10_000)
        up.start("call")
        fill(up, 2)
        up.flush()
    assert up.of(CaptureStopped)[0].reason is StopReason.IO_ERROR
    assert (tmp_path / "call.000.capture").read_bytes() == b"precious"
    assert [path.name for path in tmp_path.iterdir()] == ["call.000.capture"]


def test_the_writer_holds_the_lock_until_the_file_is_finished(tmp_path: Path) -> None:
    with rig(tmp_path) as up:
        up.captures.open_budget("b", 10_000)
        up.start("call")
        fill(up, 1)
        path = tmp_path / "call.000.capture"
        with path.open("rb") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        up.end("call")
        up.tick()
        up.flush()
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_stalled_disk_stops_captures_and_frees_memory(tmp_path: Path) -> None:
    """The writing thread cannot get past a segment whose lock we hold."""
    with rig(tmp_path, backlog_bytes_max=20_000) as up:
        up.captures.open_budget("b", 10**6)
        up.start("call")
        fill(up, 1)
        (segment,) = up.captures._owners
        with segment.lock:
            up.run(20)
            assert up.of(CaptureStopped)[0].reason is StopReason.DISK_SLOW
            assert up.writer.backlog_bytes < 30_000
        (file,) = up.finish()
    assert file.end_reason is StopReason.DISK_SLOW
    assert file.duration_ms == up.of(CaptureStopped)[0].recorded_ms
    assert up.captures.close_budget("b").drawn_ms == file.duration_ms


def test_a_short_stall_loses_nothing(tmp_path: Path) -> None:
    with rig(tmp_path, backlog_bytes_max=5_000) as up:
        up.captures.open_budget("b", 10**6)
        up.start("call")
        fill(up, 1)
        (segment,) = up.captures._owners
        with segment.lock:
            up.run(4)
        up.settle()
        fill(up, 1)
        (file,) = up.finish()
    assert file.duration_ms == 6_000
    assert len(file.customer) == 300


def test_a_sync_that_fails_counts_only_what_was_durable(tmp_path: Path) -> None:
    """The descriptor becomes that of a pipe: it takes bytes but cannot be made durable."""
    with rig(tmp_path) as up:
        up.captures.open_budget("b", 60_000)
        up.start("call")
        fill(up, 3)
        assert up.writer._sync_due.wait(30)
        (segment,) = up.captures._owners
        durable_ms = segment.synced_ms
        assert durable_ms > 0
        reader, pipe = os.pipe()
        os.dup2(pipe, segment.fd)
        fill(up, 2)
        assert up.writer._sync_due.wait(30)
        up.run(1)
        (stopped,) = up.of(CaptureStopped)
        assert (stopped.reason, stopped.recorded_ms) == (StopReason.IO_ERROR, durable_ms)
        up.finish()
        os.close(reader)
        os.close(pipe)
    # A file that could not be cut may hold more, so none of that time is given back.
    assert up.captures.close_budget("b").drawn_ms > durable_ms
    (file,) = up.files()
    assert file.duration_ms >= durable_ms


def test_creating_leaves_nothing_behind_on_failure(tmp_path: Path) -> None:
    fd = create_locked(tmp_path, "a.000.capture", b"head")
    with pytest.raises(FileExistsError):
        create_locked(tmp_path, "a.000.capture", b"other")
    write_whole(fd, b"more")
    os.close(fd)
    assert [path.name for path in tmp_path.iterdir()] == ["a.000.capture"]
    assert (tmp_path / "a.000.capture").read_bytes() == b"headmore"
