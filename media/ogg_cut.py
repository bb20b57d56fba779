"""Cuts an Ogg Opus file to some intervals, packet by packet, without decoding anything."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, Final

from media.ogg import SEGMENTS_MAX, OggWriter, PageFlag, Sink, lacing
from media.ogg_opus import SAMPLE_RATE, encode_tags
from media.ogg_reader import AudioPacket, BadOgg, OpusReader

PAGE_PACKETS: Final = 50
VENDOR: Final = "callgate"
_PER_MS: Final = SAMPLE_RATE // 1000


@dataclass(slots=True)
class _Chosen:
    """The packets that are kept, one by one, and how much is left out of the first."""

    keep: Sequence[tuple[int, int]]
    """In samples as they play."""
    pre_skip: int
    head_skip: int | None = None
    """Samples of the first kept packet that players leave out."""

    def pick(self, packets: Iterator[AudioPacket]) -> Iterator[AudioPacket]:
        """Yield what is kept. Between two intervals whole packets decide, by their middle."""
        at = -self.pre_skip
        first_begin, last_end = self.keep[0][0], self.keep[-1][1]
        for packet in packets:
            begin, end = at, at + packet.samples
            at = end
            if end <= first_begin and (begin >= 0 or first_begin > 0):
                continue
            if begin >= last_end:
                return
            if self.head_skip is None:
                self.head_skip = first_begin - begin
            elif not self._is_within(begin, end):
                continue
            yield packet

    def _is_within(self, begin: int, end: int) -> bool:
        middle = (begin + end) // 2
        last_begin, last_end = self.keep[-1]
        if last_begin <= middle and begin < last_end:
            return True
        return middle < 0 or any(first <= middle < last for first, last in self.keep)


def cut(source: BinaryIO, sink: Sink, keep_ms: Sequence[tuple[int, int]]) -> int:
    """Write what lies in `keep_ms` (in order, apart) as a file; return its samples.

    The beginning and the length are exact to the sample, cuts in between to half a packet.
    Nothing is written before the whole of `source` is known to be sound; it is read twice, from
    where it stands. Raises `BadOgg` for what is not in order, `ValueError` where nothing of it
    lies within.
    """
    begin = source.tell()
    whole = OpusReader(source)
    for _ in whole.packets():
        pass
    ends = [min(end * _PER_MS, whole.samples) for _, end in keep_ms]
    keep = [(at * _PER_MS, end) for (at, _), end in zip(keep_ms, ends, strict=True)]
    keep = [(at, end) for at, end in keep if at < end]
    if not keep:
        raise ValueError("the file holds nothing of what is to be kept")
    source.seek(begin)
    reader = OpusReader(source)
    chosen = _Chosen(keep, reader.head.pre_skip)
    packets = chosen.pick(reader.packets())
    first = next(packets)
    assert chosen.head_skip is not None
    pages = _Pages(sink, reader, chosen.head_skip, sum(end - at for at, end in keep))
    pages.add(first)
    for packet in packets:
        pages.add(packet)
    return pages.close()


class _Pages:
    """Collects packets into pages; holds one page back, as the last one is marked."""

    def __init__(self, sink: Sink, reader: OpusReader, pre_skip: int, wanted: int) -> None:
        head = replace(reader.head, pre_skip=pre_skip).encode()
        self._writer = OggWriter(sink, zlib.crc32(head + wanted.to_bytes(8, "little")))
        self._pre_skip = pre_skip
        self._wanted = wanted
        self._granule = 0
        self._group: list[bytes] = []
        self._table = b""
        self._waiting: tuple[list[bytes], bytes, int] | None = None
        for packet, flags in ((head, PageFlag.FIRST), (encode_tags(VENDOR), PageFlag(0))):
            self._writer.write_page([packet], lacing(len(packet)), 0, flags)

    def add(self, packet: AudioPacket) -> None:
        """Take a packet, unless all that is wanted is there."""
        if self._granule >= self._pre_skip + self._wanted:
            return
        entry = lacing(len(packet.content))
        if len(entry) > SEGMENTS_MAX:
            raise BadOgg("a packet is larger than a page")
        if len(self._group) == PAGE_PACKETS or len(self._table) + len(entry) > SEGMENTS_MAX:
            self._turn()
        self._group.append(packet.content)
        self._table += entry
        self._granule += packet.samples

    def close(self) -> int:
        """Write the rest; return how many samples play."""
        self._turn()
        samples = min(self._wanted, self._granule - self._pre_skip)
        assert self._waiting is not None
        group, table, _ = self._waiting
        self._writer.write_page(group, table, self._pre_skip + samples, PageFlag.LAST)
        return samples

    def _turn(self) -> None:
        """Let the group wait as a page, and write the one that waited."""
        if not self._group:
            return
        if self._waiting is not None:
            self._writer.write_page(*self._waiting, PageFlag(0))
        self._waiting = self._group, self._table, self._granule
        self._group, self._table = [], b""
