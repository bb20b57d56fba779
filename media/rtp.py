"""RTP packets in a buffer: header fields and where the payload lies (RFC 3550 section 5)."""

from struct import Struct
from typing import Final

HEADER: Final = Struct("!BBHII")
HEADER_BYTES: Final = 12
PLAIN_FIRST_BYTE: Final = 0x80
"""Version 2 without padding, extension and CSRC."""
MARKER: Final = 0x80
SEQUENCE_MASK: Final = 0xFFFF
TIMESTAMP_MASK: Final = 0xFFFFFFFF
CLOCK_HZ: Final = 48000
FRAME_SAMPLES: Final = 960
"""20 ms of Opus time."""

_EXTENSION: Final = Struct("!HH")


def payload_bounds(view: memoryview, size: int) -> tuple[int, int] | None:
    """Start and end of the payload behind CSRC list and extension and before padding.

    None when the lengths in the header do not fit into `size`.
    """
    first = view[0]
    start = HEADER_BYTES + 4 * (first & 0x0F)
    if first & 0x10:
        if start + 4 > size:
            return None
        _, words = _EXTENSION.unpack_from(view, start)
        start += 4 + 4 * words
    end = size
    if first & 0x20 and size > HEADER_BYTES:
        end -= view[size - 1]
    return (start, end) if HEADER_BYTES <= start <= end else None


def signed16(value: int) -> int:
    """The distance that `value` means modulo 2**16, from -32768 to 32767."""
    return ((value + 0x8000) & 0xFFFF) - 0x8000


def signed32(value: int) -> int:
    """The distance that `value` means modulo 2**32."""
    return ((value + 0x80000000) & 0xFFFFFFFF) - 0x80000000
