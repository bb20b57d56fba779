"""Announcements as files: Ogg Opus in mono packets of 20 ms, as our legs send them."""

import io
import zlib
from collections.abc import Sequence
from typing import Final

from media.ogg import SEGMENTS_MAX, OggWriter, PageFlag, Sink, lacing
from media.ogg_opus import OpusHead, encode_tags
from media.ogg_reader import BadOgg, OpusReader
from media.prompts import FRAME_SAMPLES

PAGE_PACKETS: Final = 50
VENDOR: Final = "callgate"
PACKET_BYTES_MAX: Final = 1275
"""Of a 20 ms Opus frame (RFC 6716 section 3.2.1)."""


def write_frames(sink: Sink, frames: Sequence[bytes], *, pre_skip: int, samples: int) -> None:
    """Write frames of 20 ms (at least one), of which `samples` play after the pre-skip."""
    writer = OggWriter(sink, zlib.crc32(b"".join(frames)))
    head = OpusHead(channels=1, pre_skip=pre_skip).encode()
    for packet, flags in ((head, PageFlag.FIRST), (encode_tags(VENDOR), PageFlag(0))):
        writer.write_page([packet], lacing(len(packet)), 0, flags)
    pages = list(_pages(frames))
    granule = 0
    for page in pages:
        granule += len(page) * FRAME_SAMPLES
        is_last = page is pages[-1]
        place = min(granule, pre_skip + samples) if is_last else granule
        table = b"".join(lacing(len(frame)) for frame in page)
        writer.write_page(page, table, place, PageFlag.LAST if is_last else PageFlag(0))


def _pages(frames: Sequence[bytes]) -> Sequence[list[bytes]]:
    pages: list[list[bytes]] = [[]]
    entries = 0
    for frame in frames:
        needed = len(lacing(len(frame)))
        if len(pages[-1]) == PAGE_PACKETS or entries + needed > SEGMENTS_MAX:
            pages.append([])
            entries = 0
        pages[-1].append(frame)
        entries += needed
    return pages


def read_frames(ogg: bytes) -> tuple[bytes, ...]:
    """Return the frames of such a file, at least one; raises `BadOgg` for any other."""
    reader = OpusReader(io.BytesIO(ogg))
    if reader.head.channels != 1:
        raise BadOgg("an announcement has one channel")
    frames = []
    for packet in reader.packets():
        if packet.samples != FRAME_SAMPLES or len(packet.content) > PACKET_BYTES_MAX:
            raise BadOgg("an announcement has packets of 20 ms")
        frames.append(packet.content)
    if not frames:
        raise BadOgg("an announcement holds audio")
    return tuple(frames)
