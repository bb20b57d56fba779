"""Writes the windows of a call as a stereo Ogg Opus file: agent left, customer right."""

import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from media.assemble_windows import CELL, Side, packed
from media.ogg import LACINGS, SEGMENTS_MAX, OggWriter, PageFlag, Sink, lacing
from media.ogg_opus import encode_tags, two_mono_streams

PAGE_PACKETS: Final = 50
"""A second of audio, by which players seek."""
VENDOR: Final = "callgate"


class DigestingSink:
    """Passes bytes on and knows their SHA-256 and count."""

    def __init__(self, sink: Sink) -> None:
        self.size = 0
        self._sink = sink
        self._digest = hashlib.sha256()

    def write(self, content: bytes) -> None:
        """Pass `content` on."""
        self._digest.update(content)
        self.size += len(content)
        self._sink.write(content)

    @property
    def sha256(self) -> str:
        """The digest of all bytes so far, in hexadecimal."""
        return self._digest.hexdigest()


@dataclass(slots=True)
class _Pages:
    """Collects packets into pages; holds one page back, as the last one is marked."""

    writer: OggWriter
    pre_skip: int
    total: int
    granule: int = 0
    waiting: tuple[list[bytes], bytes] | None = None

    def add(self, packets: list[bytes], cells: int) -> None:
        """Write what waits and let these packets wait."""
        table = b"".join(
            LACINGS[len(each)] if len(each) < len(LACINGS) else lacing(len(each))
            for each in packets
        )
        if len(table) > SEGMENTS_MAX:
            raise AssertionError("the caller made pages too large")
        self.flush(PageFlag(0))
        self.waiting = packets, table
        self.granule += cells * CELL

    def flush(self, flags: PageFlag) -> None:
        """Write what waits."""
        if self.waiting is not None:
            # Only the last page may end before its audio does (RFC 7845 section 4.4).
            granule = min(self.granule, self.pre_skip + self.total)
            self.writer.write_page(*self.waiting, granule, flags)


def write_stereo(
    sink: Sink, left: Side, right: Side, samples: int, *, serial_seed: str
) -> None:
    """Write exactly `samples` (more than none) of both sides as an Ogg Opus file.

    The same input gives the same bytes. A leading cell of nothing is the pre-skip, so that
    players leave out none of the recording.
    """
    writer = OggWriter(sink, zlib.crc32(serial_seed.encode()))
    head = two_mono_streams(CELL).encode()
    writer.write_page([head], lacing(len(head)), 0, PageFlag.FIRST)
    tags = encode_tags(VENDOR)
    writer.write_page([tags], lacing(len(tags)), 0, PageFlag(0))
    pages = _Pages(writer, CELL, samples)
    pages.add([left.nothing_yet(1) + right.nothing_yet(1)], 1)
    cells = -(-samples // CELL)
    for packets, lengths in packed(left, right, cells):
        for chosen, count in _grouped(packets, lengths, cells - (pages.granule // CELL - 1)):
            pages.add(chosen, count)
    pages.flush(PageFlag.LAST)


def _grouped(
    packets: list[bytes], lengths: list[int], cells_max: int
) -> Iterable[tuple[list[bytes], int]]:
    """Yield packets and their cells by pages, until `cells_max` are covered."""
    group: list[bytes] = []
    cells = entries = 0
    for packet, length in zip(packets, lengths, strict=True):
        if cells_max <= 0:
            break
        needed = len(packet) // 255 + 1
        if group and (len(group) == PAGE_PACKETS or entries + needed > SEGMENTS_MAX):
            yield group, cells
            group, cells, entries = [], 0, 0
        group.append(packet)
        cells += length
        entries += needed
        cells_max -= length
    if group:
        yield group, cells
