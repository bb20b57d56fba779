"""Closes the capture files that a dead worker left open: `python -m media.recover DIR`.

Run by the gateway at start, or by any process that is given the directory. A file whose lock
somebody holds is left alone: its writer lives. Doing it twice changes nothing. Prints one line
of JSON per file.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from media.capture_files import (
    TEMPORARY_SUFFIX,
    capture_files,
    open_unwritten,
    read_whole,
    sync_directory,
    write_whole,
)
from media.capture_format import (
    CaptureFileError,
    HeaderTorn,
    StillWritten,
    StopReason,
    end_record,
    record_seed,
)
from media.capture_scan import CaptureContent, scan


class Outcome(StrEnum):
    """What became of a file."""

    RECOVERED = "recovered"
    """Its torn tail, if any, was cut, and the segment closed."""
    FINISHED = "finished"
    """Its writer had closed it; nothing was changed."""
    EMPTY = "empty"
    """Its writer died before the header was whole: nothing was recorded, nothing changed."""
    STILL_WRITTEN = "still_written"
    """Another process holds it; not touched."""
    REFUSED = "refused"
    """Not a capture that this program knows; not touched."""
    FAILED = "failed"
    """The disk refused; what the file holds is as it was."""


_OUTCOMES: Final[dict[type[CaptureFileError], Outcome]] = {
    StillWritten: Outcome.STILL_WRITTEN,
    HeaderTorn: Outcome.EMPTY,
}
TEMPORARY_AGE_S: Final = 60.0
"""A younger temporary name may belong to a writer that is about to lock it."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """One file after recovery."""

    file: str
    outcome: Outcome
    reason: str
    """In plain words."""
    capture_id: str | None = None
    segment: int | None = None
    blob: str | None = None
    duration_ms: int = 0
    end_reason: StopReason | None = None
    cut_bytes: int = 0
    """A tail that held no whole record."""
    damaged_bytes: int = 0
    """Skipped between valid records; not changed."""


def recover_directory(directory: Path) -> list[Recovered]:
    """Recover every capture file of a directory, and clear away names never used.

    Raises `OSError` only where the directory itself cannot be read.
    """
    if not directory.is_dir():
        raise NotADirectoryError(f"no such directory: {directory.name}")
    for temporary in directory.glob(f"*{TEMPORARY_SUFFIX}"):
        _clear_away(temporary)
    return [recover_file(path) for path in capture_files(directory)]


def recover_file(path: Path) -> Recovered:
    """Cut the torn tail of a capture file and close it, if nobody writes it."""
    try:
        fd = open_unwritten(path, exclusive=True)
        try:
            return _recover_open(fd, path)
        finally:
            os.close(fd)
    except CaptureFileError as error:
        return Recovered(path.name, _OUTCOMES.get(type(error), Outcome.REFUSED), str(error))
    except OSError as error:
        return Recovered(path.name, Outcome.FAILED, _plain(error))


def _recover_open(fd: int, path: Path) -> Recovered:
    content = scan(read_whole(fd))
    if content.end_reason is not None:
        return _describe(path, content, Outcome.FINISHED, "its writer had closed it")
    return _close_file(fd, path, content)


def _close_file(fd: int, path: Path, content: CaptureContent) -> Recovered:
    cut_bytes = len(content.content) - content.valid_bytes
    seed = record_seed(content.content[: content.header_bytes])
    os.ftruncate(fd, content.valid_bytes)
    os.lseek(fd, content.valid_bytes, os.SEEK_SET)
    content.end_reason = StopReason.RECOVERED
    try:
        write_whole(fd, end_record(content.duration_ms, StopReason.RECOVERED, seed=seed))
    except OSError:
        # The disk is full. Without its last record the file means the same.
        os.ftruncate(fd, content.valid_bytes)
    os.fsync(fd)
    sync_directory(path.parent)
    reason = "its writer died; a torn tail was cut" if cut_bytes else "its writer died"
    return _describe(path, content, Outcome.RECOVERED, reason, cut_bytes)


def _describe(
    path: Path, content: CaptureContent, outcome: Outcome, reason: str, cut_bytes: int = 0
) -> Recovered:
    return Recovered(
        file=path.name,
        outcome=outcome,
        reason=reason,
        capture_id=content.header.capture_id,
        segment=content.header.segment,
        blob=content.header.blob,
        duration_ms=content.duration_ms,
        end_reason=content.end_reason,
        cut_bytes=cut_bytes,
        damaged_bytes=content.damaged_bytes,
    )


def _clear_away(temporary: Path) -> None:
    """Remove the temporary name of a file whose writer died before it gave the true one."""
    try:
        if time.time() - temporary.stat().st_mtime < TEMPORARY_AGE_S:
            return
        fd = open_unwritten(temporary, exclusive=True)
    except (StillWritten, OSError):
        return
    try:
        temporary.unlink(missing_ok=True)
    finally:
        os.close(fd)


def _plain(error: OSError) -> str:
    return error.strerror or "the disk failed"


def main() -> int:
    """Recover the directory named on the command line; 2 where it cannot be read."""
    parser = argparse.ArgumentParser(prog="media.recover", description=__doc__)
    parser.add_argument("directory", type=Path)
    directory: Path = parser.parse_args().directory
    try:
        for recovered in recover_directory(directory):
            sys.stdout.write(json.dumps(asdict(recovered)) + "\n")
    except OSError as error:
        sys.stdout.write(json.dumps({"error": "unreadable", "reason": _plain(error)}) + "\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
