"""Capture files on disk: how they come to be, and how another process takes hold of one.

A file appears under its name already locked and with its whole header: it is made under a
temporary name, locked, written, and only then linked to its own. So nobody ever finds a file
of a living writer unlocked.
"""

import fcntl
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Final

from media.capture_format import (
    SUFFIX,
    FileTooLarge,
    Header,
    StillWritten,
    StopReason,
    file_name,
)

TEMPORARY_SUFFIX: Final = ".new"
FILE_BYTES_MAX: Final = 1 << 30
"""Both directions of a day-long call stay below it."""


@dataclass(slots=True, eq=False)
class SegmentFile:
    """A segment's file, shared between the loop, the writing and the syncing thread.

    Each field is written by one of them only, except under `lock`.
    """

    header: Header
    encoded_header: bytes
    drawn_ms: int = 0
    """Drawn from the budget for what was handed over (the loop's field)."""
    lock: Lock = field(default_factory=Lock)
    fd: int = -1
    written_ms: int = 0
    written_bytes: int = 0
    synced_ms: int = 0
    synced_bytes: int = 0
    failure: StopReason | None = None

    @property
    def name(self) -> str:
        """The file's name in the capture directory."""
        return file_name(self.header.capture_id, self.header.segment)


def create_locked(directory: Path, name: str, header: bytes) -> int:
    """Make a capture file and return its descriptor, locked and open for appending.

    Raises `OSError`, `FileExistsError` above all, and leaves nothing behind then.
    """
    # A name of its own: one left behind by a dead process may be a second name of its file.
    temporary = directory / f"{name}.{secrets.token_hex(8)}{TEMPORARY_SUFFIX}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
    fd = os.open(temporary, flags, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        write_whole(fd, header)
        os.link(temporary, directory / name)
    except OSError:
        temporary.unlink(missing_ok=True)
        os.close(fd)
        raise
    temporary.unlink(missing_ok=True)
    return fd


def write_whole(fd: int, content: bytes) -> None:
    """Write all of it; raises `OSError` with a part written where the disk is full."""
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def open_unwritten(path: Path, *, exclusive: bool) -> int:
    """Open a capture file that no process writes, and hold its lock.

    `exclusive` opens it for writing too. The caller closes the descriptor, which gives the
    lock back. Raises `StillWritten` or `OSError`.
    """
    mode = os.O_RDWR if exclusive else os.O_RDONLY
    fd = os.open(path, mode | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(fd, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(fd)
        raise StillWritten("another process holds its lock") from error
    except OSError:
        os.close(fd)
        raise
    return fd


def read_whole(fd: int) -> bytes:
    """Return all bytes of an open file. Raises `FileTooLarge` or `OSError`."""
    size = os.fstat(fd).st_size
    if size > FILE_BYTES_MAX:
        raise FileTooLarge(f"it has {size} bytes; no capture has more than {FILE_BYTES_MAX}")
    parts: list[bytes] = []
    offset = 0
    while part := os.pread(fd, 1 << 24, offset):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def capture_files(directory: Path) -> list[Path]:
    """Return the capture files of a directory by name, so segments of a call in order."""
    return sorted(path for path in directory.glob(f"*{SUFFIX}") if path.is_file())
