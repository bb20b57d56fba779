"""Two threads that carry capture bytes to the disk, so that the relay never waits for it.

One thread writes; what it has to do comes in batches through a queue whose bytes are bounded.
The other makes all files durable once a second. A slow sync delays no write, and a stalled
disk fills the queue, which `accepting` tells. What became of the files comes back by
`take_reports`.
"""

import errno
import os
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Final, assert_never

import structlog

from media.capture_files import SegmentFile, create_locked, sync_directory, write_whole
from media.capture_format import StopReason

log = structlog.get_logger()

_FULL: Final = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


@dataclass(frozen=True, slots=True)
class Append:
    """Write records; the first of a segment makes its file. They reach up to `position_ms`."""

    segment: SegmentFile
    records: bytes
    position_ms: int


@dataclass(frozen=True, slots=True)
class Close:
    """Write the last record, make the file durable and let its lock go."""

    segment: SegmentFile
    records: bytes


@dataclass(frozen=True, slots=True)
class SyncAll:
    """Make these files durable up to what is written."""

    segments: tuple[SegmentFile, ...]


@dataclass(frozen=True, slots=True)
class SegmentFailed:
    """The file holds `held_ms` and takes no more.

    `is_exact` says that the file was cut to just that; else it may hold a little more.
    """

    segment: SegmentFile
    reason: StopReason
    held_ms: int
    is_exact: bool


@dataclass(frozen=True, slots=True)
class SegmentClosed:
    """The file is complete, durable and unlocked."""

    segment: SegmentFile


Report = SegmentFailed | SegmentClosed


class CaptureWriter:
    """Owns the two threads and every capture file that is being written."""

    def __init__(
        self, directory: Path, *, backlog_bytes_max: int = 32 << 20, free_bytes_min: int = 0
    ) -> None:
        """Write below `directory`, which exists; begin no file with less than that free."""
        self._reports: SimpleQueue[Report] = SimpleQueue()
        self.sync_lag_ms = 0
        """How much recorded time was not yet durable when the last sync began, at most."""
        self._directory = directory
        self._backlog_bytes_max = backlog_bytes_max
        self._free_bytes_min = free_bytes_min
        self._submitted_bytes = 0
        self._written_bytes = 0
        self._writes: SimpleQueue[list[Append | Close] | None] = SimpleQueue()
        self._syncs: SimpleQueue[SyncAll | Close | None] = SimpleQueue()
        self._sync_due = threading.Event()
        self._sync_due.set()
        # Daemons: a disk that never answers must not keep the worker from ending.
        self._writing = threading.Thread(
            target=self._write_all, name="capture-writer", daemon=True
        )
        self._syncing = threading.Thread(
            target=self._sync_each, name="capture-sync", daemon=True
        )
        self._writing.start()
        self._syncing.start()

    # --- the loop's side -------------------------------------------------------------------

    @property
    def backlog_bytes(self) -> int:
        """Handed over and not yet written."""
        return self._submitted_bytes - self._written_bytes

    @property
    def accepting(self) -> bool:
        """Whether more may be handed over; false while the disk is stalled."""
        return self.backlog_bytes < self._backlog_bytes_max and self._writing.is_alive()

    def submit(self, work: list[Append | Close]) -> None:
        """Hand over a batch; never blocks."""
        if work:
            self._submitted_bytes += sum(len(each.records) for each in work)
            self._writes.put(work)

    def sync(self, segments: Iterable[SegmentFile]) -> bool:
        """Have the files made durable; False, and nothing done, while the last time lasts."""
        if not self._sync_due.is_set():
            return False
        self._sync_due.clear()
        self._syncs.put(SyncAll(tuple(segments)))
        return True

    def take_reports(self) -> Iterator[Report]:
        """Yield what became of files since the last time."""
        while not self._reports.empty():
            yield self._reports.get_nowait()

    def stop(self, timeout_s: float) -> bool:
        """Write and sync what was handed over, then end both threads; blocks.

        Returns False where that took longer than `timeout_s`: the disk is stalled and what
        is missing is left to recovery.
        """
        give_up_at = time.monotonic() + timeout_s
        self._writes.put(None)
        self._writing.join(timeout_s)
        self._syncing.join(max(0.0, give_up_at - time.monotonic()))
        return not (self._writing.is_alive() or self._syncing.is_alive())

    # --- the writing thread ----------------------------------------------------------------

    def _write_all(self) -> None:
        try:
            while (work := self._writes.get()) is not None:
                for each in work:
                    self._carry_out(each)
                    self._written_bytes += len(each.records)
        finally:
            self._syncs.put(None)

    def _carry_out(self, work: Append | Close) -> None:
        match work:
            case Append(segment, records, position_ms):
                self._append(segment, records, position_ms)
            case Close(segment, records):
                if segment.fd >= 0:
                    self._append(segment, records, segment.written_ms)
                self._syncs.put(work)
            case _:
                assert_never(work)

    def _append(self, segment: SegmentFile, records: bytes, position_ms: int) -> None:
        with segment.lock:
            if segment.failure is not None:
                return
            try:
                if segment.fd < 0:
                    self._create(segment)
                write_whole(segment.fd, records)
            except OSError as error:
                self._fail(segment, error, segment.written_bytes, segment.written_ms)
                return
            segment.written_bytes += len(records)
            segment.written_ms = position_ms

    def _create(self, segment: SegmentFile) -> None:
        space = os.statvfs(self._directory)
        if space.f_bavail * space.f_frsize < self._free_bytes_min:
            raise OSError(errno.ENOSPC, "less space is left than recordings may use")
        segment.fd = create_locked(self._directory, segment.name, segment.encoded_header)
        segment.written_bytes = segment.synced_bytes = len(segment.encoded_header)

    def _fail(
        self, segment: SegmentFile, error: OSError, good_bytes: int, good_ms: int
    ) -> None:
        """Cut the file to what is known to be good, and take no more; holds the lock."""
        segment.failure = StopReason.DISK_FULL if error.errno in _FULL else StopReason.IO_ERROR
        is_exact = True
        if segment.fd >= 0:
            try:
                os.ftruncate(segment.fd, good_bytes)
            except OSError:
                is_exact = False
        segment.written_bytes, segment.written_ms = good_bytes, good_ms
        log.warning("capture file failed", reason=segment.failure.value, errno=error.errno)
        self._reports.put(SegmentFailed(segment, segment.failure, good_ms, is_exact))

    # --- the syncing thread ----------------------------------------------------------------

    def _sync_each(self) -> None:
        while (work := self._syncs.get()) is not None:
            match work:
                case SyncAll(segments):
                    self.sync_lag_ms = max(
                        (each.written_ms - each.synced_ms for each in segments), default=0
                    )
                    for segment in segments:
                        self._make_durable(segment)
                    self._sync_due.set()
                case Close(segment):
                    self._make_durable(segment)
                    self._close(segment)
                case _:
                    assert_never(work)

    def _make_durable(self, segment: SegmentFile) -> None:
        with segment.lock:
            fd, held_bytes, held_ms = segment.fd, segment.written_bytes, segment.written_ms
        if fd < 0 or held_bytes == segment.synced_bytes:
            return
        is_new = segment.synced_ms == 0
        try:
            os.fdatasync(fd)
            if is_new:
                sync_directory(self._directory)
        except OSError as error:
            # What is not on the disk now may never get there (a later sync can succeed
            # without it), so only what was synced before counts.
            with segment.lock:
                if segment.failure is None:
                    self._fail(segment, error, segment.synced_bytes, segment.synced_ms)
            return
        segment.synced_bytes, segment.synced_ms = held_bytes, held_ms

    def _close(self, segment: SegmentFile) -> None:
        if segment.fd >= 0:
            os.close(segment.fd)
            segment.fd = -1
        self._reports.put(SegmentClosed(segment))
