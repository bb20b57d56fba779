"""Our own RTCP: one compound packet per leg; the peer's reports read (RFC 3550 section 6)."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct, error
from typing import Final

from media.relay import StreamCounters

SENDER_REPORT: Final = 200
RECEIVER_REPORT: Final = 201
SOURCE_DESCRIPTION: Final = 202
BYE: Final = 203
CNAME: Final = 1
NTP_EPOCH_S: Final = 2208988800
"""Seconds from 1900 to 1970."""

_HEADER: Final = Struct("!BBH")
_SSRC: Final = Struct("!I")
_SENDER: Final = Struct("!IIIII")
_BLOCK: Final = Struct("!IIIIII")


@dataclass(frozen=True, slots=True)
class PeerReport:
    """What a peer's compound packet says about itself and about us."""

    sender_ntp_middle: int | None
    """The middle 32 bits of its NTP time, to be echoed as LSR."""
    remote_lost: int | None
    """Packets of ours that it misses."""
    round_trip_s: float | None
    is_bye: bool


def ntp_middle(wall: float) -> int:
    """The middle 32 bits of the NTP timestamp of a wall-clock time in Unix seconds."""
    return int((wall + NTP_EPOCH_S) * 65536) & 0xFFFFFFFF


class Reports:
    """Both halves of one leg's RTCP: writes our compound packets and reads the peer's."""

    def __init__(self, ssrc: int, cname: str) -> None:
        self._ssrc = ssrc
        self._cname = cname.encode()
        # Taken once: a jump of the wall clock must not look like a round trip.
        self._wall_offset_s = time.time() - time.monotonic()
        self._expected_before = 0
        self._received_before = 0
        self._sender_ntp_middle = 0
        self._sender_report_at = 0.0

    def read(self, compound: bytes, now: float) -> PeerReport | None:
        """Read a decrypted compound packet that arrived at `now`; None if it is malformed."""
        report = read_reports(compound, self._ssrc, now + self._wall_offset_s)
        if report is not None and report.sender_ntp_middle is not None:
            self._sender_ntp_middle = report.sender_ntp_middle
            self._sender_report_at = now
        return report

    def compose(self, counters: StreamCounters, now: float, *, bye: bool = False) -> bytes:
        """SR (or RR while nothing was sent), SDES and, at the end, BYE."""
        blocks = self._blocks(counters, now)
        count = 1 if blocks else 0
        if counters.packets_out:
            seconds, fraction = divmod(now + self._wall_offset_s + NTP_EPOCH_S, 1.0)
            body = _SENDER.pack(
                int(seconds) & 0xFFFFFFFF,
                int(fraction * 4294967296) & 0xFFFFFFFF,
                counters.send_timestamp,
                counters.packets_out & 0xFFFFFFFF,
                counters.octets_out & 0xFFFFFFFF,
            )
            packet = _packet(SENDER_REPORT, count, _SSRC.pack(self._ssrc) + body + blocks)
        else:
            packet = _packet(RECEIVER_REPORT, count, _SSRC.pack(self._ssrc) + blocks)
        item = bytes((CNAME, len(self._cname))) + self._cname + b"\0"
        item += bytes(-len(item) % 4)
        packet += _packet(SOURCE_DESCRIPTION, 1, _SSRC.pack(self._ssrc) + item)
        return packet + (_packet(BYE, 1, _SSRC.pack(self._ssrc)) if bye else b"")

    def _blocks(self, counters: StreamCounters, now: float) -> bytes:
        if counters.peer_ssrc is None:
            return b""
        expected = counters.expected_in - self._expected_before
        received = counters.received_in - self._received_before
        self._expected_before = counters.expected_in
        self._received_before = counters.received_in
        lost = max(0, expected - received)
        fraction = min(255, lost * 256 // expected) if expected > 0 else 0
        delay = 0
        if self._sender_ntp_middle:
            delay = int((now - self._sender_report_at) * 65536) & 0xFFFFFFFF
        return _BLOCK.pack(
            counters.peer_ssrc,
            fraction << 24 | min(counters.lost_in, 0x7FFFFF),
            counters.highest_sequence & 0xFFFFFFFF,
            int(counters.jitter_ms * 48) & 0xFFFFFFFF,
            self._sender_ntp_middle,
            delay,
        )


def read_reports(compound: bytes, own_ssrc: int, wall: float) -> PeerReport | None:
    """Read a compound packet that arrived at Unix time `wall`; None if it is malformed."""
    sender_ntp: int | None = None
    lost: int | None = None
    round_trip: float | None = None
    is_bye = False
    try:
        for kind, count, body in _packets(compound):
            if kind == SENDER_REPORT:
                high, low, *_ = _SENDER.unpack_from(body, 4)
                sender_ntp = ((high & 0xFFFF) << 16) | (low >> 16)
            if kind in {SENDER_REPORT, RECEIVER_REPORT}:
                start = 24 if kind == SENDER_REPORT else 4
                for index in range(count):
                    block = _BLOCK.unpack_from(body, start + index * _BLOCK.size)
                    if block[0] == own_ssrc:
                        lost = block[1] & 0x7FFFFF if not block[1] & 0x800000 else 0
                        round_trip = _round_trip(block[4], block[5], wall)
            elif kind == BYE:
                is_bye = True
    except error:
        return None
    return PeerReport(sender_ntp, lost, round_trip, is_bye)


def _round_trip(last_report: int, delay: int, wall: float) -> float | None:
    if last_report == 0:
        return None
    units = (ntp_middle(wall) - last_report - delay) & 0xFFFFFFFF
    # A negative result wraps to hours: the peer's delay is rounded or its clock is off.
    return units / 65536 if units < 60 * 65536 else None


def _packets(compound: bytes) -> Iterator[tuple[int, int, bytes]]:
    position = 0
    while position < len(compound):
        first, kind, words = _HEADER.unpack_from(compound, position)
        end = position + 4 + 4 * words
        if first >> 6 != 2 or end > len(compound):  # noqa: PLR2004  (RTP version 2)
            raise error("not an RTCP packet")
        yield kind, first & 0x1F, compound[position + 4 : end]
        position = end


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return _HEADER.pack(0x80 | count, kind, len(body) // 4) + body
