"""Opus packets taken apart and put together (RFC 6716 section 3 and appendix B)."""

from collections.abc import Sequence
from typing import Final

CODE_MASK: Final = 3
FRAME_BYTES_MAX: Final = 1275
PACKET_SAMPLES_MAX: Final = 5760
"""120 ms at 48 kHz."""
FRAMES_MAX: Final = 48
SHORT_LENGTHS: Final = 252
"""Lengths below take one byte, others two (RFC 6716 section 3.2.1)."""

_VBR: Final = 0x80
_PADDED: Final = 0x40
_COUNT_MASK: Final = 0x3F
_SILK: Final = (480, 960, 1920, 2880)
_HYBRID: Final = (480, 960)
_CELT: Final = (120, 240, 480, 960)
FRAME_SAMPLES: Final = _SILK * 3 + _HYBRID * 2 + _CELT * 4
"""Samples at 48 kHz of a frame, by the configuration number in its TOC byte."""


class BadPacket(ValueError):
    """The bytes are no Opus packet; the text says why."""


def frame_samples(toc: int) -> int:
    """Return how long each frame of a packet with this TOC byte is, at 48 kHz."""
    return FRAME_SAMPLES[toc >> 3]


def packet_frames(packet: bytes) -> list[bytes]:
    """Return the frames of a packet; some may be empty. Raises `BadPacket`."""
    if not packet:
        raise BadPacket("it is empty")
    code = packet[0] & CODE_MASK
    if code == 0:
        frames = [packet[1:]]
    elif code == 1:
        frames = _equal(packet, 1, len(packet), 2)
    elif code == 2:  # noqa: PLR2004 - the code's number is its name
        length, begin = _length_at(packet, 1)
        frames = _lengths(packet, begin, len(packet), [length])
    else:
        frames = _many(packet)
    if any(len(frame) > FRAME_BYTES_MAX for frame in frames):
        raise BadPacket("a frame is larger than any encoder makes")
    return frames


def packet_samples(packet: bytes) -> int:
    """Return the length of a packet at 48 kHz. Raises `BadPacket` as `packet_frames` does."""
    return frame_samples(packet[0] if packet else 0) * len(packet_frames(packet))


def _many(packet: bytes) -> list[bytes]:
    """Code 3: any number of frames, of equal size or not, perhaps padded."""
    if len(packet) < 2:  # noqa: PLR2004 - TOC and count
        raise BadPacket("it lacks its frame count")
    count = packet[1] & _COUNT_MASK
    if not 0 < count <= FRAMES_MAX or count * frame_samples(packet[0]) > PACKET_SAMPLES_MAX:
        raise BadPacket("its frames are none, or more than 120 ms")
    begin, end = 2, len(packet)
    if packet[1] & _PADDED:
        begin, padding = _padding_at(packet, begin)
        end -= padding
    if not packet[1] & _VBR:
        return _equal(packet, begin, end, count)
    lengths: list[int] = []
    for _ in range(count - 1):
        length, begin = _length_at(packet, begin)
        lengths.append(length)
    return _lengths(packet, begin, end, lengths)


def _padding_at(packet: bytes, begin: int) -> tuple[int, int]:
    padding = 0
    while True:
        if begin >= len(packet):
            raise BadPacket("it ends within its padding length")
        value = packet[begin]
        begin += 1
        if value < LACED:
            return begin, padding + value
        padding += LACED - 1


LACED: Final = 255


def _length_at(packet: bytes, place: int) -> tuple[int, int]:
    """Return a frame length and where it ends."""
    if place >= len(packet):
        raise BadPacket("it ends within its frame lengths")
    first = packet[place]
    if first < SHORT_LENGTHS:
        return first, place + 1
    if place + 1 >= len(packet):
        raise BadPacket("it ends within its frame lengths")
    return first + 4 * packet[place + 1], place + 2


def _equal(packet: bytes, begin: int, end: int, count: int) -> list[bytes]:
    if end < begin or (end - begin) % count:
        raise BadPacket("its frames cannot be of equal size")
    size = (end - begin) // count
    return [packet[begin + index * size : begin + (index + 1) * size] for index in range(count)]


def _lengths(packet: bytes, begin: int, end: int, lengths: Sequence[int]) -> list[bytes]:
    frames: list[bytes] = []
    for length in lengths:
        frames.append(packet[begin : begin + length])
        begin += length
    if begin > end:
        raise BadPacket("its frames are longer than itself")
    frames.append(packet[begin:end])
    return frames


def length_bytes(length: int) -> bytes:
    """Return a frame length as it stands in packets."""
    if length < SHORT_LENGTHS:
        return bytes((length,))
    first = SHORT_LENGTHS + (length & 3)
    return bytes((first, (length - first) >> 2))


LENGTHS: Final = tuple(length_bytes(length) for length in range(FRAME_BYTES_MAX + 1))


def join_frames(toc: int, frames: Sequence[bytes], *, delimited: bool) -> bytes:
    """Return one packet of frames that share a TOC (its code bits are replaced).

    `delimited` adds the length that lets another packet follow (appendix B).
    """
    base = toc & ~CODE_MASK
    sizes = [len(frame) for frame in frames]
    is_equal = len(set(sizes)) == 1
    last = LENGTHS[sizes[-1]] if delimited else b""
    if len(frames) == 1:
        head = bytes((base,))
    elif len(frames) == 2 and is_equal:  # noqa: PLR2004 - code 1
        head = bytes((base | 1,))
    elif len(frames) == 2:  # noqa: PLR2004 - code 2
        head = bytes((base | 2,)) + LENGTHS[sizes[0]]
    elif is_equal:
        head = bytes((base | 3, len(frames)))
    else:
        head = bytes((base | 3, _VBR | len(frames)))
        head += b"".join(LENGTHS[size] for size in sizes[:-1])
    return b"".join((head, last, *frames))


def split_delimited(content: bytes) -> tuple[bytes, bytes]:
    """Return the undelimited form of the self-delimited packet at the start, and the rest.

    Raises `BadPacket`.
    """
    if not content:
        raise BadPacket("it is empty")
    code = content[0] & CODE_MASK
    if code == CODE_MASK:
        sizes, begin, padding = _delimited_many(content)
    else:
        sizes = []
        begin, padding = 1, 0
        for _ in range(2 if code == 2 else 1):  # noqa: PLR2004 - code 2 has two lengths
            size, begin = _length_at(content, begin)
            sizes.append(size)
        if code == 1:
            sizes *= 2
    end = begin + sum(sizes)
    if end + padding > len(content):
        raise BadPacket("its frames are longer than itself")
    frames: list[bytes] = []
    for size in sizes:
        frames.append(content[begin : begin + size])
        begin += size
    if any(size > FRAME_BYTES_MAX for size in sizes):
        raise BadPacket("a frame is larger than any encoder makes")
    return join_frames(content[0], frames, delimited=False), content[end + padding :]


def _delimited_many(content: bytes) -> tuple[list[int], int, int]:
    """Frame sizes, where the frames begin, and how much padding follows them."""
    if len(content) < 2:  # noqa: PLR2004 - TOC and count
        raise BadPacket("it lacks its frame count")
    count = content[1] & _COUNT_MASK
    if not 0 < count <= FRAMES_MAX or count * frame_samples(content[0]) > PACKET_SAMPLES_MAX:
        raise BadPacket("its frames are none, or more than 120 ms")
    begin, padding = 2, 0
    if content[1] & _PADDED:
        begin, padding = _padding_at(content, begin)
    if not content[1] & _VBR:
        size, begin = _length_at(content, begin)
        return [size] * count, begin, padding
    sizes: list[int] = []
    for _ in range(count):
        size, begin = _length_at(content, begin)
        sizes.append(size)
    return sizes, begin, padding
