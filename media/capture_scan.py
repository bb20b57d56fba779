"""Reads a capture file back: finds its valid records, whatever happened to the file."""

import zlib
from array import array
from dataclasses import dataclass, field
from typing import Final

from media.capture_format import (
    BODY_BYTES_MAX,
    END,
    LENGTH_BYTES,
    PACKET,
    PREFIX,
    REASONS,
    RECORD_OVERHEAD_BYTES,
    RESUME,
    Header,
    Kind,
    StopReason,
    decode_header,
    record_seed,
)

_RESIDUE: Final = 0x2144DF1C
"""CRC-32 over anything followed by its own little-endian CRC, wherever it started from."""
_BODY_BYTES_MIN: Final = PREFIX.size - LENGTH_BYTES
_LENGTH_MIN: Final = {
    int(Kind.CUSTOMER): PACKET.size - LENGTH_BYTES,
    int(Kind.AGENT): PACKET.size - LENGTH_BYTES,
    int(Kind.PAUSE): _BODY_BYTES_MIN,
    int(Kind.RESUME): RESUME.size - LENGTH_BYTES,
    int(Kind.CLOCK): _BODY_BYTES_MIN,
    int(Kind.END): END.size - LENGTH_BYTES,
}
_IMPOSSIBLE: Final = BODY_BYTES_MAX + 1


@dataclass(frozen=True, slots=True)
class Pause:
    """A stretch that was not recorded; it takes no time on the recording timeline."""

    position_ms: int
    paused_ms: int
    """Real time; 0 where the file ends before the pause did."""
    place: int
    """Where in the file the pause begins."""


@dataclass(slots=True)
class CaptureContent:
    """The valid records of a capture file."""

    header: Header
    content: bytes
    header_bytes: int
    """Where the records begin."""
    customer: "array[int]" = field(default_factory=lambda: array("Q"))
    """Where in `content` each packet record of the customer begins, in file order."""
    agent: "array[int]" = field(default_factory=lambda: array("Q"))
    pauses: list[Pause] = field(default_factory=list)
    duration_ms: int = 0
    valid_bytes: int = 0
    """Where the last valid record ends; what follows is a torn tail."""
    damaged_bytes: int = 0
    """Skipped between valid records."""
    end_reason: StopReason | None = None
    """None where the writer did not live to close the file."""


def scan(content: bytes) -> CaptureContent:
    """Find the valid records of a whole file.

    Raises what `decode_header` raises. Damage behind the header is never an error: it is
    skipped where a later record is valid, and left out where none is.
    """
    header, begin = decode_header(content)
    found = CaptureContent(
        header=header, content=content, header_bytes=begin, valid_bytes=begin
    )
    seed = record_seed(content[:begin])
    position = begin
    while True:
        position = _read_valid(found, position, seed)
        after = None if found.end_reason else _next_valid(found, position, seed)
        if after is None:
            break
        found.damaged_bytes += after - position
        position = after
    return found


def _read_valid(found: CaptureContent, start: int, seed: int) -> int:
    """Read records from `start` on; return where the first invalid one begins."""
    content = found.content
    view = memoryview(content)
    size = len(content)
    crc32 = zlib.crc32
    unpack_prefix, length_min = PREFIX.unpack_from, _LENGTH_MIN
    add_customer, add_agent = found.customer.append, found.agent.append
    customer, agent = int(Kind.CUSTOMER), int(Kind.AGENT)
    position = start
    at_ms = found.duration_ms
    limit = size - (_BODY_BYTES_MIN + RECORD_OVERHEAD_BYTES)
    while position <= limit:
        length, kind, record_ms = unpack_prefix(content, position)
        end = position + length + RECORD_OVERHEAD_BYTES
        if end > size or record_ms < at_ms:
            break
        if not length_min.get(kind, _IMPOSSIBLE) <= length <= BODY_BYTES_MAX:
            break
        if crc32(view[position:end], seed) != _RESIDUE:
            break
        if kind == customer:
            add_customer(position)
        elif kind == agent:
            add_agent(position)
        elif not _note_other(found, kind, position, record_ms):
            break
        at_ms = record_ms
        position = end
        if found.end_reason is not None:
            break
    found.duration_ms = at_ms
    if position > start:
        found.valid_bytes = position
    return position


def _note_other(found: CaptureContent, kind: int, position: int, record_ms: int) -> bool:
    """Take note of a record that is no packet; False if it makes no sense."""
    if kind == Kind.PAUSE:
        found.pauses.append(Pause(record_ms, 0, position))
    elif kind == Kind.RESUME:
        paused_ms = RESUME.unpack_from(found.content, position)[3]
        if found.pauses and found.pauses[-1].position_ms == record_ms:
            position = found.pauses.pop().place
        found.pauses.append(Pause(record_ms, paused_ms, position))
    elif kind == Kind.END:
        code = END.unpack_from(found.content, position)[3]
        if code >= len(REASONS):
            return False
        found.end_reason = REASONS[code]
    else:
        return kind == Kind.CLOCK
    return True


def _next_valid(found: CaptureContent, start: int, seed: int) -> int | None:
    """Return where the next valid record beyond damage at `start` begins, if any."""
    content = found.content
    view = memoryview(content)
    size = len(content)
    limit = size - (_BODY_BYTES_MIN + RECORD_OVERHEAD_BYTES)
    for position in range(start + 1, limit + 1):
        length_min = _LENGTH_MIN.get(content[position + LENGTH_BYTES], _IMPOSSIBLE)
        length, _, record_ms = PREFIX.unpack_from(content, position)
        end = position + length + RECORD_OVERHEAD_BYTES
        if not length_min <= length <= BODY_BYTES_MAX or end > size:
            continue
        if record_ms < found.duration_ms:
            continue
        if zlib.crc32(view[position:end], seed) == _RESIDUE:
            return position
    return None
