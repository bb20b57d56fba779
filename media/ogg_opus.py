"""The two header packets of an Ogg Opus stream (RFC 7845 section 5)."""

import struct
from dataclasses import dataclass
from typing import Final

HEAD_MAGIC: Final = b"OpusHead"
TAGS_MAGIC: Final = b"OpusTags"
HEAD: Final = struct.Struct("<8sBBHIhB")
"""Magic, version, channels, pre-skip, input sample rate, output gain, mapping family."""
SAMPLE_RATE: Final = 48_000
FAMILY_SINGLE: Final = 0
FAMILY_SURROUND: Final = 1
CHANNELS_SINGLE_MAX: Final = 2
CHANNELS_SURROUND_MAX: Final = 8
SILENT_CHANNEL: Final = 255
COMMENTS_MAX: Final = 1_000


class BadHeader(ValueError):
    """A header packet that says nothing valid; the text says why."""


@dataclass(frozen=True, slots=True)
class OpusHead:
    """What `OpusHead` says."""

    channels: int
    pre_skip: int
    """Samples at 48 kHz that the player leaves out at the start."""
    streams: int = 1
    coupled: int = 0
    mapping: bytes = b"\x00"
    family: int = FAMILY_SINGLE
    input_rate: int = SAMPLE_RATE
    gain: int = 0

    def encode(self) -> bytes:
        """Return the header packet."""
        lead = HEAD.pack(
            HEAD_MAGIC, 1, self.channels, self.pre_skip, self.input_rate, self.gain, self.family
        )
        if self.family == FAMILY_SINGLE:
            return lead
        return lead + bytes((self.streams, self.coupled)) + self.mapping


def two_mono_streams(pre_skip: int) -> OpusHead:
    """Left and right as two mono streams in each packet, so that neither is encoded anew."""
    return OpusHead(
        channels=2,
        pre_skip=pre_skip,
        streams=2,
        coupled=0,
        mapping=b"\x00\x01",
        family=FAMILY_SURROUND,
    )


def decode_head(packet: bytes) -> OpusHead:
    """Read `OpusHead`; raises `BadHeader`."""
    if len(packet) < HEAD.size or not packet.startswith(HEAD_MAGIC):
        raise BadHeader("the stream does not start with an Opus header")
    _, version, channels, pre_skip, rate, gain, family = HEAD.unpack_from(packet)
    if version >> 4:
        raise BadHeader(f"Opus header version {version} is unknown")
    if family == FAMILY_SINGLE:
        if not 1 <= channels <= CHANNELS_SINGLE_MAX or len(packet) != HEAD.size:
            raise BadHeader("mapping family 0 has one or two channels and no table")
        mapping = bytes(range(channels))
        return OpusHead(channels, pre_skip, 1, channels - 1, mapping, family, rate, gain)
    table = packet[HEAD.size :]
    if family != FAMILY_SURROUND or not 1 <= channels <= CHANNELS_SURROUND_MAX:
        raise BadHeader(f"mapping family {family} with {channels} channels is unknown")
    if len(table) != 2 + channels:
        raise BadHeader("the channel table has the wrong size")
    streams, coupled, mapping = table[0], table[1], table[2:]
    if not streams or coupled > streams:
        raise BadHeader("the stream counts make no sense")
    if any(each >= streams + coupled and each != SILENT_CHANNEL for each in mapping):
        raise BadHeader("a channel points to no stream")
    return OpusHead(channels, pre_skip, streams, coupled, mapping, family, rate, gain)


def encode_tags(vendor: str, comments: tuple[str, ...] = ()) -> bytes:
    """Return the comment header packet."""
    parts = [TAGS_MAGIC, _counted(vendor), struct.pack("<I", len(comments))]
    return b"".join([*parts, *(_counted(comment) for comment in comments)])


def _counted(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<I", len(encoded)) + encoded


def decode_tags(packet: bytes) -> tuple[str, ...]:
    """Return the vendor and the comments; raises `BadHeader`."""
    if not packet.startswith(TAGS_MAGIC):
        raise BadHeader("the comment header is missing")
    place = len(TAGS_MAGIC)
    vendor, place = _counted_at(packet, place)
    count, place = _number_at(packet, place)
    if count > COMMENTS_MAX:
        raise BadHeader("there are too many comments")
    texts = [vendor]
    for _ in range(count):
        text, place = _counted_at(packet, place)
        texts.append(text)
    return tuple(texts)


def _number_at(packet: bytes, place: int) -> tuple[int, int]:
    if place + 4 > len(packet):
        raise BadHeader("the comment header ends too early")
    return int.from_bytes(packet[place : place + 4], "little"), place + 4


def _counted_at(packet: bytes, place: int) -> tuple[str, int]:
    size, place = _number_at(packet, place)
    if place + size > len(packet):
        raise BadHeader("the comment header ends too early")
    return packet[place : place + size].decode(errors="replace"), place + size
