"""What processes that do one job and end have in common: bounds, one line of JSON, a status.

A job prints what it made, or `error` and `reason` with exit status 2 (the input) or 3 (the
disk). A file appears under its name whole and durable, or not at all.
"""

import contextlib
import errno
import json
import os
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from media.capture_files import sync_directory

NICENESS: Final = 10
MEMORY_BYTES_MAX: Final = 4 << 30
PROCESSOR_S_MAX: Final = 1_800
TEMPORARY_SUFFIX: Final = ".part"
BAD_INPUT: Final = 2
DISK_FAILED: Final = 3


class NotMade(Exception):
    """No file was made. `code` is stable, the text says why in plain words."""

    def __init__(self, code: str, reason: str, *, status: int = BAD_INPUT) -> None:
        super().__init__(reason)
        self.code = code
        self.status = status


def not_written(error: OSError) -> NotMade:
    """Return what a file that cannot be written comes to."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    code = "disk_full" if full else "io_error"
    return NotMade(code, error.strerror or code, status=DISK_FAILED)


@contextmanager
def replacing(path: Path) -> Iterator[tuple[IO[bytes], Path]]:
    """Write a file that takes its name only when the context ends well."""
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    try:
        with temporary.open("wb") as file:
            yield file, temporary
        temporary.replace(path)
        sync_directory(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def limit_process(
    input_bytes: int,
    *,
    memory_bytes: int = MEMORY_BYTES_MAX,
    processor_s: int = PROCESSOR_S_MAX,
) -> None:
    """Give way to calls, and bound what a damaged input could make this process take."""
    os.nice(NICENESS)
    limits = (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, processor_s),
        (resource.RLIMIT_FSIZE, 4 * input_bytes + (64 << 20)),
        (resource.RLIMIT_CORE, 0),
    )
    for kind, wanted in limits:
        hard = resource.getrlimit(kind)[1]
        bound = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (bound, hard))


def answer(job: Callable[[], dict[str, object]]) -> int:
    """Do the job and print what it made, or why not; returns the status to exit with."""
    try:
        made = job()
    except NotMade as failed:
        _print_line({"error": failed.code, "reason": str(failed)})
        return failed.status
    except MemoryError:
        _print_line({"error": "too_large", "reason": "it does not fit the memory"})
        return BAD_INPUT
    _print_line(made)
    return 0


def _print_line(content: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(content, separators=(",", ":")) + "\n")
