"""The capture file: what its bytes mean, how to write them.

    file    = magic (8 bytes), version u16, length u32 of body, body, CRC-32 u32 of all before
    body    = the `Header` as UTF-8 JSON
    record  = length u16 of all but itself and the CRC, kind u8, position u32, …, CRC-32 u32

All integers are little-endian. A record's CRC starts from the CRC of the header, so a record of
another file never passes for one of this file, and neither do zeros left behind by a power
loss. `position` is the place on the recording timeline in ms: monotonic time since the segment
began, pauses left out. Positions never decrease. A segment's duration is the position of its
last valid record. One file holds one segment of one capture.
"""

import struct
import zlib
from enum import IntEnum, StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

MAGIC: Final = b"CGCAPT\r\n"
VERSION: Final = 1
SUFFIX: Final = ".capture"
HEADER_BYTES_MAX: Final = 64 * 1024
PAYLOAD_BYTES_MAX: Final = 1500
NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"

LEAD: Final = struct.Struct("<8sHI")
PREFIX: Final = struct.Struct("<HBI")
"""Length, kind, position: the start of every record."""
PACKET: Final = struct.Struct("<HBIIH")
"""Prefix, RTP timestamp, RTP sequence number; the Opus payload follows."""
RESUME: Final = struct.Struct("<HBII")
"""Prefix, how long the pause lasted in ms."""
END: Final = struct.Struct("<HBIB")
"""Prefix, `StopReason` by its place in `REASONS`."""
CRC: Final = struct.Struct("<I")
LENGTH_BYTES: Final = 2
RECORD_OVERHEAD_BYTES: Final = LENGTH_BYTES + CRC.size
BODY_BYTES_MAX: Final = PACKET.size - LENGTH_BYTES + PAYLOAD_BYTES_MAX


class Kind(IntEnum):
    """What a record says."""

    CUSTOMER = 1
    """An Opus packet that arrived from the WhatsApp user."""
    AGENT = 2
    """An Opus packet that was sent to the WhatsApp user."""
    PAUSE = 3
    RESUME = 4
    CLOCK = 5
    """The timeline was recorded up to here, packets or not."""
    END = 6
    """The segment was closed in order; nothing follows."""


class StopReason(StrEnum):
    """Why a capture, or one segment of it, ended."""

    COMMAND = "command"
    """The gateway asked for it: the call ended, or recording was switched off."""
    QUOTA = "quota"
    """The budget is used up and more was refused. Resumes when more is granted."""
    GRANT_LATE = "grant_late"
    """The budget is used up and nobody answered in time. Resumes when more is granted."""
    LEDGER_UNREACHABLE = "ledger_unreachable"
    """The budget is used up and the ledger cannot be asked. Resumes when more is granted."""
    BUDGET_CLOSED = "budget_closed"
    """The budget is used up, and closed by the gateway."""
    DISK_FULL = "disk_full"
    IO_ERROR = "io_error"
    DISK_SLOW = "disk_slow"
    """The disk did not take the bytes in time."""
    LEG_CLOSED = "leg_closed"
    """The WhatsApp leg is gone and nobody had asked for the end before."""
    WORKER_CLOSING = "worker_closing"
    RECOVERED = "recovered"
    """The worker died; a recovery closed the file."""


REASONS: Final = (
    StopReason.COMMAND,
    StopReason.QUOTA,
    StopReason.GRANT_LATE,
    StopReason.DISK_FULL,
    StopReason.IO_ERROR,
    StopReason.DISK_SLOW,
    StopReason.WORKER_CLOSING,
    StopReason.RECOVERED,
    StopReason.LEDGER_UNREACHABLE,
    StopReason.BUDGET_CLOSED,
    StopReason.LEG_CLOSED,
)
"""The numbers of reasons in files; only ever appended to."""


class Header(BaseModel):
    """What a capture file says about itself."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    capture_id: str = Field(pattern=NAME_PATTERN)
    segment: int = Field(ge=0, le=999_999)
    started_unix_ms: int
    """Wall clock when the segment began; for people, never for durations."""
    offset_ms: int = Field(ge=0)
    """Monotonic time from the start of the capture to the start of this segment."""
    blob: str = Field(max_length=16_384)
    """Opaque to the worker; the gateway knows by it whose capture this is."""


class CaptureFileError(Exception):
    """A file that cannot be read as a capture; the text says why.

    CaptureFileError
    ├── NotACapture       something else, or damaged in its first bytes
    │   └── HeaderTorn    its writer died before the header was complete; it holds nothing
    ├── UnknownVersion    written by a program newer than this one
    ├── StillWritten      locked by the process that writes it
    └── FileTooLarge      larger than anything a call can yield
    """


class NotACapture(CaptureFileError):
    """The file is something else, or its first bytes are damaged."""


class HeaderTorn(NotACapture):
    """The writer died before the header was complete: nothing was recorded."""


class UnknownVersion(CaptureFileError):
    """The file was written by a program newer than this one."""


class StillWritten(CaptureFileError):
    """Another process holds the file's lock."""


class FileTooLarge(CaptureFileError):
    """The file is larger than anything a call can yield."""


def file_name(capture_id: str, segment: int) -> str:
    """Return the name of a segment's file within the capture directory."""
    return f"{capture_id}.{segment:03}{SUFFIX}"


def encode_header(header: Header) -> bytes:
    """Return the first bytes of a capture file. Its `record_seed` is in the last four."""
    body = header.model_dump_json().encode()
    lead = LEAD.pack(MAGIC, VERSION, len(body)) + body
    return lead + CRC.pack(zlib.crc32(lead))


def record_seed(encoded_header: bytes) -> int:
    """Return the CRC from which those of all records of the file start."""
    return int(CRC.unpack_from(encoded_header, len(encoded_header) - CRC.size)[0])


def decode_header(content: bytes) -> tuple[Header, int]:
    """Return the header of a file and where its records begin.

    Raises `NotACapture`, `HeaderTorn` or `UnknownVersion`.
    """
    if not content.startswith(MAGIC[: len(content)]):
        raise NotACapture("it does not start like a capture file")
    if len(content) < LEAD.size:
        raise HeaderTorn("it ends within its header")
    _, version, length = LEAD.unpack_from(content)
    if version != VERSION:
        raise UnknownVersion(f"it has format version {version}; this program knows {VERSION}")
    if length > HEADER_BYTES_MAX:
        raise NotACapture("its header is larger than any this program writes")
    end = LEAD.size + length
    if len(content) < end + CRC.size:
        raise HeaderTorn("it ends within its header")
    if zlib.crc32(content[:end]) != CRC.unpack_from(content, end)[0]:
        raise NotACapture("its header is damaged")
    try:
        header = Header.model_validate_json(content[LEAD.size : end])
    except ValidationError as error:
        raise NotACapture("its header says nothing that this program understands") from error
    return header, end + CRC.size


def packet_record(
    kind: int,
    position: int,
    timestamp: int,
    sequence: int,
    payload: bytes | memoryview,
    *,
    seed: int,
) -> bytes:
    """Return an Opus packet as a record; `kind` is `CUSTOMER` or `AGENT`."""
    length = PACKET.size - LENGTH_BYTES + len(payload)
    body = PACKET.pack(length, kind, position, timestamp, sequence) + payload
    return body + CRC.pack(zlib.crc32(body, seed))


def clock_record(position: int, *, seed: int) -> bytes:
    """Return the statement that the timeline was recorded up to `position`."""
    return _sealed(PREFIX.pack(PREFIX.size - LENGTH_BYTES, Kind.CLOCK, position), seed)


def pause_record(position: int, *, seed: int) -> bytes:
    """Return the beginning of a pause."""
    return _sealed(PREFIX.pack(PREFIX.size - LENGTH_BYTES, Kind.PAUSE, position), seed)


def resume_record(position: int, paused_ms: int, *, seed: int) -> bytes:
    """Return the end of a pause that lasted `paused_ms` of real time."""
    length = RESUME.size - LENGTH_BYTES
    return _sealed(RESUME.pack(length, Kind.RESUME, position, paused_ms), seed)


def end_record(position: int, reason: StopReason, *, seed: int) -> bytes:
    """Return the end of the segment."""
    code = REASONS.index(reason)
    return _sealed(END.pack(END.size - LENGTH_BYTES, Kind.END, position, code), seed)


def _sealed(body: bytes, seed: int) -> bytes:
    return body + CRC.pack(zlib.crc32(body, seed))
