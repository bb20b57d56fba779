"""A ZIP archive written piece by piece: what has been handed on takes no more memory.

Files are stored, not compressed (Opus does not get smaller), each with its digest computed on
the way. Only the list of names and sizes stays in memory until the end.
"""

import hashlib
import zipfile
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any, cast

_FIRST_YEAR, _LAST_YEAR = 1980, 2107
"""What the format can say."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in the archive, as it was written."""

    name: str
    bytes: int
    sha256: str


class _Waiting:
    """Takes what `zipfile` writes; it cannot go back in it."""

    def __init__(self) -> None:
        self.written = bytearray()

    def write(self, data: bytes) -> int:
        """Take some more."""
        self.written += data
        return len(data)

    def flush(self) -> None:
        """Nothing waits below."""


class ZipStream:
    """`begin`, `add` …, `end` for each file, `finish` at last; `taken` after each."""

    def __init__(self) -> None:
        self._waiting = _Waiting()
        self._archive = zipfile.ZipFile(cast("Any", self._waiting), "w", zipfile.ZIP_STORED)
        self._file: IO[bytes] | None = None
        self._name = ""
        self._bytes = 0
        self._digest = hashlib.sha256()

    def begin(self, name: str, modified: datetime, *, bytes_planned: int = 0) -> None:
        """Begin a file. `name` must be ours, with `/` between folders, and not used before.

        One of more than 2 GB has to be planned as such.
        """
        assert self._file is None, "the file before it has not ended"
        year = min(max(modified.year, _FIRST_YEAR), _LAST_YEAR)
        entry = zipfile.ZipInfo(name, (year, *modified.timetuple()[1:6]))
        entry.external_attr = 0o644 << 16
        entry.file_size = bytes_planned
        self._file = self._archive.open(entry, "w")
        self._name, self._bytes, self._digest = name, 0, hashlib.sha256()

    def add(self, data: bytes) -> None:
        """Write more of the file that was begun."""
        assert self._file is not None, "no file was begun"
        self._file.write(data)
        self._digest.update(data)
        self._bytes += len(data)

    def end(self) -> Entry:
        """End the file; it may hold less than was planned."""
        assert self._file is not None, "no file was begun"
        self._file.close()
        self._file = None
        return Entry(self._name, self._bytes, self._digest.hexdigest())

    def finish(self) -> None:
        """Write the list of what is in the archive; nothing can follow."""
        assert self._file is None, "the last file has not ended"
        self._archive.close()

    def taken(self) -> bytes:
        """Hand on what was written since it was last asked."""
        written = bytes(self._waiting.written)
        self._waiting.written.clear()
        return written
