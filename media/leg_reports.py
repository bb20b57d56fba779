"""What a leg tells the gateway and its peer: events, trace steps, RTCP, quality."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from media import protocol, protocol_announcement
from media.protocol import CloseReason, LegState
from media.relay import MediaStream, StreamCounters
from media.rtcp import Reports
from media.settings import LegSettings

Publish = Callable[[Callable[[int, float], protocol.Event]], None]
"""Takes a function of sequence number and wall-clock time that builds the event."""

FIRST_REPORT_S = 1.0
NO_COUNTERS = StreamCounters()


@dataclass(frozen=True, slots=True)
class LegIdentity:
    """Who a leg is, as the gateway named it."""

    leg_id: str
    kind: protocol.LegKind
    tag: str


class LegReports:
    """Observes the stream of one leg; `housekeep` is called several times a second."""

    def __init__(
        self, identity: LegIdentity, ssrc: int, *, settings: LegSettings, publish: Publish
    ) -> None:
        self._leg_id = identity.leg_id
        self._tag = identity.tag
        self._settings = settings
        self._publish = publish
        self._rtcp = Reports(ssrc, "callgate")
        self._started_at = time.monotonic()
        self._stream: MediaStream | None = None
        self._drops: Counter[str] = Counter()
        self._next_report_at = 0.0
        self._is_quiet = False
        self._round_trip_s: float | None = None
        self._remote_lost: int | None = None

    @property
    def counters(self) -> StreamCounters:
        """The stream's figures of this moment; all zero before there is one."""
        if self._stream is None:
            return NO_COUNTERS
        return self._stream.counters(time.monotonic())

    def watch(self, stream: MediaStream, drops: Counter[str]) -> None:
        """Report on `stream` from here on."""
        self._stream = stream
        self._drops = drops
        self._next_report_at = time.monotonic() + FIRST_REPORT_S

    def changed(self, state: LegState, reason: CloseReason | None = None) -> None:
        """Tell the gateway that the leg moved to `state`."""
        self._publish(
            lambda seq, at: protocol.LegChanged(
                seq=seq, at=at, leg_id=self._leg_id, tag=self._tag, state=state, reason=reason
            )
        )

    def trace(self, step: str, fields: dict[str, str | int | float] | None = None) -> None:
        """Add a line to the call's trace, with the milliseconds since the leg was made."""
        since = round((time.monotonic() - self._started_at) * 1000)
        filled = {"since_start_ms": since, **(fields or {})}
        self._publish(
            lambda seq, at: protocol.TraceStep(
                seq=seq, at=at, leg_id=self._leg_id, tag=self._tag, step=step, fields=filled
            )
        )

    def first_rtp_received(self) -> None:
        """The first authenticated RTP packet arrived."""
        self._publish(
            lambda seq, at: protocol.FirstRtp(
                seq=seq, at=at, leg_id=self._leg_id, tag=self._tag
            )
        )
        self.trace("first_rtp_in")

    def first_rtp_sent(self) -> None:
        """The first RTP packet left."""
        self.trace("first_rtp_out")

    def announced(self) -> None:
        """All of the announcement has been sent."""
        self._publish(
            lambda seq, at: protocol_announcement.AnnouncementEnded(
                seq=seq, at=at, leg_id=self._leg_id, tag=self._tag
            )
        )

    def rtcp_received(self, packet: bytes, now: float) -> None:
        """Read a compound packet of the peer."""
        report = self._rtcp.read(packet, now)
        if report is None:
            self._drops["rtcp_malformed"] += 1
            return
        if report.remote_lost is not None:
            self._remote_lost = report.remote_lost
        if report.round_trip_s is not None:
            self._round_trip_s = report.round_trip_s
        if report.is_bye:
            self.trace("rtcp_bye_in")

    def key_pressed(self, digit: str, duration_ms: int) -> None:
        """A keypad tone of the peer ended."""
        self._publish(
            lambda seq, at: protocol.KeyPressed(
                seq=seq,
                at=at,
                leg_id=self._leg_id,
                tag=self._tag,
                digit=digit,
                duration_ms=duration_ms,
            )
        )

    def housekeep(self, now: float) -> CloseReason | None:
        """Notice silence, send what is due; returns why the leg is lost, if it is."""
        if self._stream is None:
            return None
        counters = self._stream.counters(now)
        self._notice_quiet(counters, now)
        if now >= self._next_report_at:
            self._next_report_at = now + self._settings.rtcp_interval_s
            self._stream.send_rtcp(self._rtcp.compose(counters, now))
            self._report_quality(counters)
        # The clock starts with the first packet: a peer that rings may send nothing yet.
        alive_at = counters.alive_at
        if alive_at is not None and now - alive_at > self._settings.media_lost_s:
            return CloseReason.MEDIA_LOST
        return None

    def say_bye(self) -> None:
        """Send the last compound packet, with BYE."""
        if self._stream is not None:
            now = time.monotonic()
            counters = self._stream.counters(now)
            self._stream.send_rtcp(self._rtcp.compose(counters, now, bye=True))

    def _notice_quiet(self, counters: StreamCounters, now: float) -> None:
        heard_at = counters.heard_at
        if heard_at is None:
            return
        is_quiet = now - heard_at > self._settings.media_quiet_s
        if is_quiet == self._is_quiet:
            return
        self._is_quiet = is_quiet
        kind = protocol.MediaQuiet if is_quiet else protocol.MediaResumed
        self._publish(lambda seq, at: kind(seq=seq, at=at, leg_id=self._leg_id, tag=self._tag))

    def _report_quality(self, counters: StreamCounters) -> None:
        trip = self._round_trip_s
        dropped = {cause: count for cause, count in self._drops.items() if count}
        self._publish(
            lambda seq, at: protocol.LegQuality(
                seq=seq,
                at=at,
                leg_id=self._leg_id,
                tag=self._tag,
                packets_in=counters.packets_in,
                packets_out=counters.packets_out,
                lost_in=counters.lost_in,
                jitter_ms=round(counters.jitter_ms, 2),
                round_trip_ms=None if trip is None else round(trip * 1000, 1),
                remote_lost=self._remote_lost,
                dropped=dropped,
            )
        )
