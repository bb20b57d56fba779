"""Writes Ogg pages (RFC 3533): packets in, a valid single-stream file out."""

import struct
import zlib
from collections.abc import Iterable
from enum import IntFlag
from typing import Final, Protocol

PAGE_HEADER: Final = struct.Struct("<4sBBqIIIB")
"""Capture pattern, version, flags, granule position, serial, sequence, CRC, segment count."""
CRC_OFFSET: Final = 22
CAPTURE_PATTERN: Final = b"OggS"
SEGMENTS_MAX: Final = 255
LACE_FULL: Final = 255

_CRC_FIELD: Final = struct.Struct("<I")
_REVERSED: Final = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))


class PageFlag(IntFlag):
    """Flags of a page header."""

    CONTINUED = 1
    FIRST = 2
    LAST = 4


def page_crc(page: bytes) -> int:
    """Return the CRC of a page whose CRC field is zero (RFC 3533 section 6).

    Ogg's polynomial is zlib's, but it takes the bits of each byte in the other order, starts
    from zero and is not inverted. Reversing the bits before and after turns one into the other.
    """
    reflected = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    swapped = reflected.to_bytes(4, "little").translate(_REVERSED)
    return int.from_bytes(swapped, "big")


def lacing(size: int) -> bytes:
    """Return the segment table entries of a packet of `size` bytes."""
    return b"\xff" * (size // LACE_FULL) + bytes((size % LACE_FULL,))


LACINGS: Final = tuple(lacing(size) for size in range(3 * LACE_FULL))
"""Of all sizes that audio packets usually have."""


class Sink(Protocol):
    """What pages are written to."""

    def write(self, content: bytes, /) -> object:
        """Take all of `content`."""


class OggWriter:
    """One logical stream. Packets of a page must fit it: no packet spans two pages."""

    def __init__(self, sink: Sink, serial: int) -> None:
        self.pages = 0
        self._sink = sink
        self._serial = serial

    def write_page(
        self, packets: Iterable[bytes], table: bytes, granule: int, flags: PageFlag
    ) -> None:
        """Write packets with their segment `table` (at most 255 entries) as one page."""
        if len(table) > SEGMENTS_MAX:
            raise ValueError("the packets do not fit one page")
        lead = PAGE_HEADER.pack(
            CAPTURE_PATTERN, 0, flags, granule, self._serial, self.pages, 0, len(table)
        )
        page = b"".join((lead, table, *packets))
        crc = _CRC_FIELD.pack(page_crc(page))
        self._sink.write(b"".join((page[:CRC_OFFSET], crc, page[CRC_OFFSET + 4 :])))
        self.pages += 1
