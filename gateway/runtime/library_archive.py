"""Many recordings as one ZIP archive, made while it is sent: any number takes the same memory.

Its last file, `manifest.csv`, tells of every recording that was asked for whether it is in the
archive whole, with the digest it should have and the one it has.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import structlog

from gateway.core.csv_text import csv_line
from gateway.core.errors import CallgateError
from gateway.core.recording.file_names import file_stem
from gateway.core.recording.zip_stream import Entry, ZipStream
from gateway.core.zones import local_time
from gateway.ports.library import Shelved
from gateway.runtime.library_tables import COLUMNS, cells_of

_log = structlog.get_logger(__name__)

MANIFEST = "manifest.csv"
WHOLE, INCOMPLETE, MISSING, DIFFERENT = "whole", "incomplete", "missing", "different"

ReadWhole = Callable[[Shelved], AsyncGenerator[bytes]]
"""Reads a recording from its beginning; raises `CallgateError` or `OSError`."""


@dataclass(frozen=True, slots=True)
class Packed:
    """What became of one file."""

    file: str
    result: str
    entry: Entry | None


async def pack(
    rows: Sequence[Shelved], read: ReadWhole, *, zone: str, now: float
) -> AsyncGenerator[bytes]:
    """Yield an archive of recordings; `rows` must be available and each be in it once.

    A recording that cannot be read, or only in part, does not end the archive: the manifest
    names it.
    """
    archive = ZipStream()
    packed: list[Packed] = []
    for row in rows:
        async with aclosing(read(row)) as source:
            name = f"{file_stem(row.call_id, row.began_at, zone, row.peer.name or '')}.ogg"
            file = PackedFile(row, name, zone, bytes_planned=row.bytes, sha256=row.sha256)
            async for chunk in file.into(archive, source):
                yield chunk
        packed.append(file.became())
    archive.begin(MANIFEST, local_time(now, zone))
    archive.add(_manifest(rows, packed, zone))
    archive.end()
    archive.finish()
    yield archive.taken()


class PackedFile:
    """One file of a recording on its way into an archive."""

    def __init__(
        self, row: Shelved, name: str, zone: str, *, bytes_planned: int, sha256: str | None
    ) -> None:
        """`sha256` is the digest it should have; None: nobody knows."""
        self._row = row
        self._name = name
        self._modified = local_time(row.began_at, zone)
        self._bytes_planned = bytes_planned
        self._sha256 = sha256
        self._entry: Entry | None = None
        self._is_whole = False

    async def into(
        self, archive: ZipStream, source: AsyncIterator[bytes]
    ) -> AsyncGenerator[bytes]:
        """Yield what is written of the archive; nothing is begun before something is read."""
        has_begun = False
        try:
            while chunk := await _next(source):
                if not has_begun:
                    archive.begin(self._name, self._modified, bytes_planned=self._bytes_planned)
                    has_begun = True
                archive.add(chunk)
                yield archive.taken()
            self._is_whole = has_begun
        except (CallgateError, OSError) as error:
            _log.warning(
                "a recording could not be packed whole",
                call_id=self._row.call_id,
                error_kind=type(error).__name__,
            )
        if has_begun:
            self._entry = archive.end()
            yield archive.taken()

    def became(self) -> Packed:
        """Tell what became of it."""
        entry = self._entry
        if entry is None:
            return Packed(self._name, MISSING, None)
        result = WHOLE if self._sha256 in {None, entry.sha256} else DIFFERENT
        return Packed(self._name, result if self._is_whole else INCOMPLETE, entry)


async def _next(source: AsyncIterator[bytes]) -> bytes:
    """Return the next piece that holds anything; nothing at the end."""
    async for chunk in source:
        if chunk:
            return chunk
    return b""


def _manifest(rows: Sequence[Shelved], packed: Sequence[Packed], zone: str) -> bytes:
    lines = [csv_line(("file", "result", "bytes_here", "sha256_here", *COLUMNS))]
    for row, each in zip(rows, packed, strict=True):
        entry = each.entry
        here = (None, None) if entry is None else (entry.bytes, entry.sha256)
        lines.append(csv_line((each.file, each.result, *here, *cells_of(row, zone))))
    return "".join(lines).encode()
