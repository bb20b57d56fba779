"""Meta's rules for the business's media, checked packet by packet (Integration Patterns page).

One audio SSRC for life, Opus in 20 ms packets, sequence and time stamp in step.
"""

from dataclasses import dataclass, field

from sandbox.call_record import CallRecord, MediaFault
from sandbox.opus import FRAME_SAMPLES, SAMPLE_RATE_HZ, samples_in
from sandbox.rtp import ReportBlock, RtpPacket

_SEQUENCE_JUMP_MAX = 500
_SSRC_MAX = 16
_GAP_MS = 60.0
_GAPS_MAX = 200


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without packets, with the moment at which it ended."""

    at_ms: float
    gap_ms: float


@dataclass(slots=True)
class StreamCounts:
    """Statistics of the received stream; lost packets are a loss, not a fault.

    `gaps` lists the times of 60 ms and more without a packet, the first 200 of them.
    """

    packets: int = 0
    octets: int = 0
    events: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    max_gap_ms: float = 0.0
    jitter_ms: float = 0.0
    first_at_ms: float | None = None
    last_at_ms: float | None = None
    ssrcs: list[int] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PayloadTypes:
    """The payload types negotiated for a call."""

    opus: int
    events: int | None


def signed_distance(newer: int, older: int, bits: int) -> int:
    """Return newer - older on a counter that wraps, in the range around zero."""
    half = 1 << (bits - 1)
    return ((newer - older + half) & ((1 << bits) - 1)) - half


class RtpWatch:
    """Judge of one incoming stream."""

    def __init__(self, record: CallRecord, types: PayloadTypes) -> None:
        self.counts = StreamCounts()
        self._record = record
        self._types = types
        self._highest: int | None = None
        self._base_sequence = 0
        self._extended = 0
        self._audio: tuple[int, int] | None = None
        self._arrived: tuple[float, int] | None = None
        self._jitter = 0.0
        self._reported_expected = 0
        self._reported_received = 0

    def judge(self, packet: RtpPacket, now: float) -> bool:
        """Count and check a packet; return whether it is audio that the user should hear."""
        self._count(packet, now)
        if not self._is_known_ssrc(packet.ssrc):
            return False
        if packet.payload_type not in {self._types.opus, self._types.events}:
            self._record.fault(
                MediaFault.WRONG_PAYLOAD_TYPE, f"payload type {packet.payload_type}"
            )
            return False
        is_new = self._follow_sequence(packet)
        if packet.payload_type == self._types.events:
            self.counts.events += 1
            return False
        self._check_timestamp(packet)
        self._measure_jitter(packet, now)
        duration = samples_in(packet.payload)
        if duration != FRAME_SAMPLES:
            self._record.fault(
                MediaFault.WRONG_PACKET_DURATION, f"{duration * 1000 / SAMPLE_RATE_HZ} ms"
            )
        return is_new

    def report_block(self, last_report: int, delay: int) -> ReportBlock | None:
        """Build our report about the stream (RFC 3550 appendix A.3), None before the first."""
        if self._highest is None:
            return None
        expected = self._extended - self._base_sequence + 1
        received = self.counts.packets - self.counts.duplicated
        expected_now = expected - self._reported_expected
        lost_now = max(0, expected_now - (received - self._reported_received))
        self._reported_expected = expected
        self._reported_received = received
        return ReportBlock(
            ssrc=self.counts.ssrcs[0],
            fraction_lost=min(255, lost_now * 256 // expected_now) if expected_now > 0 else 0,
            lost=max(0, expected - received),
            highest_sequence=self._extended,
            jitter=int(self._jitter),
            last_report=last_report,
            delay_since_last_report=delay,
        )

    def _count(self, packet: RtpPacket, now: float) -> None:
        counts = self.counts
        at_ms = self._record.now_ms()
        if counts.first_at_ms is None:
            counts.first_at_ms = at_ms
        counts.last_at_ms = at_ms
        counts.packets += 1
        counts.octets += len(packet.payload)
        if self._arrived is not None:
            gap_ms = round((now - self._arrived[0]) * 1000, 1)
            counts.max_gap_ms = max(counts.max_gap_ms, gap_ms)
            if gap_ms >= _GAP_MS and len(counts.gaps) < _GAPS_MAX:
                counts.gaps.append(Gap(at_ms, gap_ms))

    def _is_known_ssrc(self, ssrc: int) -> bool:
        ssrcs = self.counts.ssrcs
        if ssrc not in ssrcs and len(ssrcs) < _SSRC_MAX:
            ssrcs.append(ssrc)
        if ssrc == ssrcs[0]:
            return True
        self._record.fault(MediaFault.SECOND_SSRC, f"stream number {len(ssrcs)}")
        return False

    def _follow_sequence(self, packet: RtpPacket) -> bool:
        """Follow the counter; return whether the packet is not a duplicate."""
        if self._highest is None:
            self._highest = self._base_sequence = self._extended = packet.sequence
            return True
        step = signed_distance(packet.sequence, self._highest, 16)
        if step == 0:
            self.counts.duplicated += 1
            return False
        if abs(step) > _SEQUENCE_JUMP_MAX and not self._keeps_time(packet):
            self._record.fault(MediaFault.SEQUENCE_BREAK, f"step of {step}")
            self._highest = packet.sequence
            self._base_sequence = self._extended = packet.sequence
            self._audio = None
            return True
        if step < 0:
            self.counts.reordered += 1
            self.counts.lost = max(0, self.counts.lost - 1)
            return True
        self.counts.lost += step - 1
        self._highest = packet.sequence
        self._extended += step
        return True

    def _keeps_time(self, packet: RtpPacket) -> bool:
        """Tell a long loss, after which the time stamp fits, from a new count."""
        if self._audio is None:
            return False
        packets = signed_distance(packet.sequence, self._audio[0], 16)
        samples = signed_distance(packet.timestamp, self._audio[1], 32)
        return samples == packets * FRAME_SAMPLES

    def _check_timestamp(self, packet: RtpPacket) -> None:
        if self._audio is not None:
            sequence, timestamp = self._audio
            packets = signed_distance(packet.sequence, sequence, 16)
            samples = signed_distance(packet.timestamp, timestamp, 32)
            if samples != packets * FRAME_SAMPLES:
                self._record.fault(
                    MediaFault.TIMESTAMP_BREAK, f"{samples} samples over {packets} packets"
                )
            if packets < 0:
                return
        self._audio = (packet.sequence, packet.timestamp)

    def _measure_jitter(self, packet: RtpPacket, now: float) -> None:
        """RFC 3550 section 6.4.1."""
        if self._arrived is not None:
            arrived, timestamp = self._arrived
            travelled = (now - arrived) * SAMPLE_RATE_HZ
            difference = abs(travelled - signed_distance(packet.timestamp, timestamp, 32))
            self._jitter += (difference - self._jitter) / 16
            self.counts.jitter_ms = round(self._jitter * 1000 / SAMPLE_RATE_HZ, 2)
        self._arrived = (now, packet.timestamp)
