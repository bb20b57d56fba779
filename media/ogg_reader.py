"""Reads Ogg Opus files strictly (RFC 3533, RFC 7845): one stream, whole, nothing else.

Made for files from outside: every size is bounded, every check sum compared, and whatever is
not in order ends in `BadOgg`. Reads forward only and keeps one page in memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from media.ogg import (
    CAPTURE_PATTERN,
    CRC_OFFSET,
    LACE_FULL,
    PAGE_HEADER,
    PageFlag,
    page_crc,
)
from media.ogg_opus import BadHeader, OpusHead, decode_head, decode_tags
from media.ogg_packet import BadPacket, packet_samples, split_delimited

PACKET_BYTES_MAX: Final = 1 << 18
"""More than eight channels of the largest Opus packets, and than comments should take."""
NO_GRANULE: Final = -1


class BadOgg(ValueError):
    """Not an Ogg Opus file as it should be; the text says why."""


class Source(Protocol):
    """What bytes are read from, a binary file for instance."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; none at the end."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page, its check sum verified."""

    flags: PageFlag
    granule: int
    serial: int
    sequence: int
    parts: tuple[tuple[bytes, bool], ...]
    """Pieces of packets; the second says whether the packet ends with it."""


@dataclass(frozen=True, slots=True)
class AudioPacket:
    """A packet with the samples (at 48 kHz) it decodes to."""

    content: bytes
    samples: int


def read_pages(source: Source) -> Iterator[Page]:
    """Yield pages until the end; raises `BadOgg`."""
    while lead := source.read(PAGE_HEADER.size):
        if len(lead) < PAGE_HEADER.size:
            raise BadOgg("it ends within a page")
        pattern, version, flags, granule, serial, sequence, crc, count = PAGE_HEADER.unpack(
            lead
        )
        if pattern != CAPTURE_PATTERN or version != 0:
            raise BadOgg("there is something else where a page should begin")
        table = _exactly(source, count)
        body = _exactly(source, sum(table))
        whole = b"".join((lead[:CRC_OFFSET], bytes(4), lead[CRC_OFFSET + 4 :], table, body))
        if page_crc(whole) != crc:
            raise BadOgg("a page is damaged")
        if flags & ~7:
            raise BadOgg("a page has unknown flags")
        yield Page(PageFlag(flags), granule, serial, sequence, tuple(_parts(table, body)))


def _exactly(source: Source, size: int) -> bytes:
    content = source.read(size) if size else b""
    if len(content) != size:
        raise BadOgg("it ends within a page")
    return content


def _parts(table: bytes, body: bytes) -> Iterator[tuple[bytes, bool]]:
    begin = size = 0
    for entry in table:
        size += entry
        if entry < LACE_FULL:
            yield body[begin : begin + size], True
            begin, size = begin + size, 0
    if table and table[-1] == LACE_FULL:
        yield body[begin:], False


@dataclass(slots=True)
class OpusReader:
    """An Ogg Opus file. `packets` yields its audio; afterwards `samples` is its length.

    Opening reads the headers. Both raise `BadOgg`.
    """

    source: Source
    head: OpusHead = field(init=False)
    tags: tuple[str, ...] = field(init=False)
    samples: int = field(init=False, default=0)
    """What a player plays: pre-skip and end trimming taken off."""
    _pages: Iterator[Page] = field(init=False)
    _partial: bytes = field(init=False, default=b"")
    _is_partial: bool = field(init=False, default=False)
    _page_count: int = field(init=False, default=0)
    _serial: int = field(init=False, default=0)
    _ended: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._pages = read_pages(self.source)
        try:
            first = self._next_packets()
            if first is None or len(first[0]) != 1 or self._is_partial:
                raise BadOgg("its first page does not hold the Opus header alone")
            self.head = decode_head(first[0][0])
            headers: list[bytes] = []
            while not headers:
                page = self._next_packets()
                if page is None:
                    raise BadOgg("it ends within its headers")
                headers = page[0]
            if len(headers) != 1 or self._is_partial:
                raise BadOgg("its comment header does not stand alone")
            self.tags = decode_tags(headers[0])
        except BadHeader as error:
            raise BadOgg(str(error)) from error

    def packets(self) -> Iterator[AudioPacket]:
        """Yield the audio packets in order and check them against the page positions."""
        total = 0
        granule = 0
        offset: int | None = None
        while (page := self._next_packets()) is not None:
            packets, position = page
            for content in packets:
                samples = stream_samples(content, self.head.streams)
                total += samples
                yield AudioPacket(content, samples)
            if not packets:
                continue
            if position == NO_GRANULE:
                raise BadOgg("a page that ends a packet has no position")
            if offset is None:
                offset = 0 if self._ended and position < total else position - total
                if offset < 0:
                    raise BadOgg("the first position lies before the start")
            self._check(position, granule, total + offset)
            granule = position
        if not self._ended:
            raise BadOgg("its last page is missing")
        played = granule - (offset or 0) - self.head.pre_skip
        if played < 0:
            raise BadOgg("it is shorter than what a player skips")
        self.samples = played

    def _check(self, position: int, before: int, total: int) -> None:
        if position < before:
            raise BadOgg("positions go backwards")
        if position > total or (position != total and not self._ended):
            raise BadOgg("a position does not fit the audio before it")

    def _next_packets(self) -> tuple[list[bytes], int] | None:
        """Return the packets that the next page ends, and its position."""
        page = next(self._pages, None)
        if page is None:
            if self._is_partial:
                raise BadOgg("it ends within a packet")
            return None
        self._check_page(page)
        ended: list[bytes] = []
        for part, is_end in page.parts:
            self._partial += part
            if len(self._partial) > PACKET_BYTES_MAX:
                raise BadOgg("a packet is larger than any Opus needs")
            self._is_partial = not is_end
            if is_end:
                ended.append(self._partial)
                self._partial = b""
        return ended, page.granule

    def _check_page(self, page: Page) -> None:
        is_first = self._page_count == 0
        if is_first:
            self._serial = page.serial
        if self._ended:
            raise BadOgg("something follows its last page")
        if bool(page.flags & PageFlag.FIRST) != is_first or page.serial != self._serial:
            raise BadOgg("it holds more than one stream")
        if page.sequence != self._page_count:
            raise BadOgg("a page is missing or doubled")
        if bool(page.flags & PageFlag.CONTINUED) != self._is_partial:
            raise BadOgg("a packet is torn between two pages")
        self._page_count += 1
        self._ended = bool(page.flags & PageFlag.LAST)


def stream_packets(content: bytes, streams: int) -> list[bytes]:
    """Take the Opus packets of all streams out of an Ogg packet; raises `BadOgg`.

    All but the last are self-delimited (RFC 6716 appendix B).
    """
    packets: list[bytes] = []
    try:
        for _ in range(streams - 1):
            packet, content = split_delimited(content)
            packets.append(packet)
    except BadPacket as error:
        raise BadOgg(f"an Opus packet is damaged: {error}") from error
    return [*packets, content]


def stream_samples(content: bytes, streams: int) -> int:
    """Return the length of an Ogg packet, which all its streams must share."""
    try:
        lengths = {packet_samples(packet) for packet in stream_packets(content, streams)}
    except BadPacket as error:
        raise BadOgg(f"an Opus packet is damaged: {error}") from error
    if len(lengths) != 1:
        raise BadOgg("the streams of a packet differ in length")
    return lengths.pop()
