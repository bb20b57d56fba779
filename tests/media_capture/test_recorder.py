"""How a worker's recording ends: with finished files, or at least within its time."""

import threading
from pathlib import Path

import pytest

from media.capture_book import CaptureOrder
from media.capture_files import capture_files, write_whole
from media.capture_format import StopReason
from media.protocol_capture import CaptureEvent, CaptureStopped, SegmentFinished
from media.recorder import Recorder
from media.settings import CaptureSettings
from media.socket_guard import UnsafeFile


class Recording:
    """A recorder in which one capture has begun."""

    def __init__(self, directory: Path, settings: CaptureSettings) -> None:
        self.events: list[CaptureEvent] = []
        self.recorder = Recorder(
            directory, lambda build: self.events.append(build(0, 0.0)), settings
        )
        self.recorder.captures.open_budget("b", 10_000)
        order = CaptureOrder("call", "b", "leg", "blob")
        self.recorder.captures.start(-1.0, 0, order)


async def test_files_are_finished_and_told_before_the_end(tmp_path: Path) -> None:
    recording = Recording(tmp_path, CaptureSettings(free_bytes_min=0))
    recording.recorder.end()
    await recording.recorder.close()
    stopped, finished = recording.events[-2:]
    assert isinstance(stopped, CaptureStopped)
    assert stopped.reason is StopReason.WORKER_CLOSING
    assert isinstance(finished, SegmentFinished)
    assert finished.duration_ms == stopped.recorded_ms == 10_000


async def test_a_disk_that_never_answers_does_not_keep_a_worker_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moving = threading.Event()

    def stalling(fd: int, content: bytes) -> None:
        moving.wait(60)
        write_whole(fd, content)

    monkeypatch.setattr("media.capture_writer.write_whole", stalling)
    recording = Recording(tmp_path, CaptureSettings(free_bytes_min=0, closing_s=0.1))
    recording.recorder.end()
    await recording.recorder.close()
    assert isinstance(recording.events[-1], CaptureStopped)
    moving.set()
    assert recording.recorder._writer.stop(30)


async def test_too_little_space_is_a_full_disk(tmp_path: Path) -> None:
    recording = Recording(tmp_path, CaptureSettings(free_bytes_min=1 << 60))
    recording.recorder.end()
    await recording.recorder.close()
    finished = recording.events[-1]
    assert isinstance(finished, SegmentFinished)
    assert (finished.file, finished.duration_ms) == (None, 0)
    assert recording.recorder.captures.close_budget("b").drawn_ms == 0
    assert capture_files(tmp_path) == []


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnsafeFile, match="captures cannot be made"):
        Recorder(tmp_path / "file" / "captures", lambda build: None, CaptureSettings())
