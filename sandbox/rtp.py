"""RTP and RTCP packets (RFC 3550), and telephone events (RFC 4733)."""

import struct
from dataclasses import dataclass

_RTP_HEADER = struct.Struct("!BBHII")
_RTCP_TYPES = range(192, 224)
_NTP_EPOCH_OFFSET_S = 2_208_988_800
_SENDER_REPORT = 200
_RECEIVER_REPORT = 201
_SOURCE_DESCRIPTION = 202
_GOODBYE = 203


class BadRtp(ValueError):
    """The datagram is no well-formed RTP packet."""


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """An RTP packet without its extensions, which nothing here reads."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False

    def encode(self) -> bytes:
        """Write the packet with the plain twelve-byte header."""
        second = self.payload_type | (0x80 if self.marker else 0)
        header = _RTP_HEADER.pack(0x80, second, self.sequence, self.timestamp, self.ssrc)
        return header + self.payload


@dataclass(frozen=True, slots=True)
class SenderReport:
    """What the peer says it has sent (RFC 3550 section 6.4.1)."""

    ssrc: int
    ntp_middle: int
    packets: int


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What the peer, or we, have received from one source (RFC 3550 section 6.4.1)."""

    ssrc: int
    fraction_lost: int
    lost: int
    highest_sequence: int
    jitter: int
    last_report: int
    delay_since_last_report: int


@dataclass(frozen=True, slots=True)
class Rtcp:
    """The parts of a compound RTCP packet that are used here."""

    sender_report: SenderReport | None
    blocks: tuple[ReportBlock, ...]
    has_goodbye: bool


def is_rtcp(datagram: bytes) -> bool:
    """Tell RTCP from RTP on a multiplexed port (RFC 5761 section 4)."""
    return len(datagram) >= 8 and datagram[1] in _RTCP_TYPES  # noqa: PLR2004


def is_rtp(datagram: bytes) -> bool:
    """Tell RTP and RTCP from STUN and DTLS by the first byte (RFC 7983 section 7)."""
    return len(datagram) >= 8 and 128 <= datagram[0] <= 191  # noqa: PLR2004


def parse_rtp(packet: bytes) -> RtpPacket:
    """Read a packet, leaving out CSRCs, header extension and padding."""
    if len(packet) < _RTP_HEADER.size:
        raise BadRtp("shorter than a header")
    first, second, sequence, timestamp, ssrc = _RTP_HEADER.unpack_from(packet)
    at = _RTP_HEADER.size + 4 * (first & 0x0F)
    if first & 0x10:
        if len(packet) < at + 4:
            raise BadRtp("the header extension is cut off")
        at += 4 + 4 * int.from_bytes(packet[at + 2 : at + 4])
    end = len(packet)
    if first & 0x20:
        end -= packet[-1]
    if at > end:
        raise BadRtp("no room for a payload")
    return RtpPacket(
        payload_type=second & 0x7F,
        sequence=sequence,
        timestamp=timestamp,
        ssrc=ssrc,
        payload=packet[at:end],
        marker=bool(second & 0x80),
    )


def parse_rtcp(packet: bytes) -> Rtcp:
    """Read a compound packet; raise `BadRtp` when its lengths do not add up."""
    report: SenderReport | None = None
    blocks: list[ReportBlock] = []
    has_goodbye = False
    at = 0
    while at < len(packet):
        if len(packet) < at + 4:
            raise BadRtp("the RTCP header is cut off")
        first, kind, words = struct.unpack("!BBH", packet[at : at + 4])
        body = packet[at + 4 : at + 4 + 4 * words]
        if first >> 6 != 2 or len(body) != 4 * words:  # noqa: PLR2004  (RTP version)
            raise BadRtp("bad RTCP length or version")
        if kind == _SENDER_REPORT and words >= 6:  # noqa: PLR2004
            ssrc, high, low, _timestamp, packets, _octets = struct.unpack("!6I", body[:24])
            middle = (high & 0xFFFF) << 16 | low >> 16
            report = SenderReport(ssrc=ssrc, ntp_middle=middle, packets=packets)
            blocks += _report_blocks(body[24:], first & 0x1F)
        elif kind == _RECEIVER_REPORT:
            blocks += _report_blocks(body[4:], first & 0x1F)
        elif kind == _GOODBYE:
            has_goodbye = True
        at += 4 + 4 * words
    return Rtcp(sender_report=report, blocks=tuple(blocks), has_goodbye=has_goodbye)


def ntp_middle(unix_s: float) -> int:
    """Return the middle 32 bits of an NTP time stamp, in units of 1/65536 s."""
    return int((unix_s + _NTP_EPOCH_OFFSET_S) * 65536) & 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Sent:
    """What we have sent so far, for our sender report."""

    ssrc: int
    unix_s: float
    timestamp: int
    packets: int
    octets: int


def encode_report(sent: Sent, block: ReportBlock | None, cname: str) -> bytes:
    """Write one compound packet: SR, or RR while nothing was sent, then SDES."""
    count = 1 if block else 0
    if sent.packets:
        ntp = int((sent.unix_s + _NTP_EPOCH_OFFSET_S) * 2**32) & 0xFFFFFFFFFFFFFFFF
        head = struct.pack(
            "!IQIII", sent.ssrc, ntp, sent.timestamp, sent.packets, sent.octets & 0xFFFFFFFF
        )
        kind = _SENDER_REPORT
    else:
        head = struct.pack("!I", sent.ssrc)
        kind = _RECEIVER_REPORT
    body = head + (_encode_block(block) if block else b"")
    report = struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body
    item = struct.pack("!IBB", sent.ssrc, 1, len(cname)) + cname.encode()
    item += bytes(4 - len(item) % 4)
    return report + struct.pack("!BBH", 0x81, _SOURCE_DESCRIPTION, len(item) // 4) + item


def telephone_event(event: int, duration: int, *, is_end: bool) -> bytes:
    """Write the payload of one RFC 4733 event; `duration` in units of the 8 kHz clock."""
    volume_dbm0 = 10
    return struct.pack("!BBH", event, (0x80 if is_end else 0) | volume_dbm0, duration)


def _encode_block(block: ReportBlock) -> bytes:
    lost = (block.fraction_lost & 0xFF) << 24 | block.lost & 0xFFFFFF
    return struct.pack(
        "!6I",
        block.ssrc,
        lost,
        block.highest_sequence & 0xFFFFFFFF,
        block.jitter & 0xFFFFFFFF,
        block.last_report,
        block.delay_since_last_report & 0xFFFFFFFF,
    )


def _report_blocks(body: bytes, count: int) -> list[ReportBlock]:
    found: list[ReportBlock] = []
    for index in range(count):
        words = body[24 * index : 24 * index + 24]
        if len(words) < 24:  # noqa: PLR2004
            raise BadRtp("a report block is cut off")
        ssrc, lost, highest, jitter, last, delay = struct.unpack("!6I", words)
        found.append(
            ReportBlock(
                ssrc=ssrc,
                fraction_lost=lost >> 24,
                lost=lost & 0xFFFFFF,
                highest_sequence=highest,
                jitter=jitter,
                last_report=last,
                delay_since_last_report=delay,
            )
        )
    return found
