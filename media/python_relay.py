"""The relay in Python: pairs of ingress and egress, and the clock of the comfort stream."""

import asyncio
import time
from collections import Counter

import pylibsrtp

from media.egress import Egress
from media.ingress import Ingress, SourceKeys
from media.port import Path, UdpPort
from media.prompts import ComfortNoise
from media.relay import COMFORT_TICK_S, StreamCounters, StreamObserver, StreamSpec
from media.settings import LegSettings
from media.srtp import PacketBuffer

TICKS_LATE_MAX = 5


class PythonStream:
    """The audio of one leg; see `media.relay.MediaStream`."""

    def __init__(
        self, relay: "PythonRelay", ingress: Ingress, egress: Egress, ports: list[UdpPort]
    ) -> None:
        self._relay = relay
        self._ingress = ingress
        self.egress = egress
        self._ports = ports

    def counters(self, now: float) -> StreamCounters:
        """The figures up to `now`; also ends keypad tones whose end was lost."""
        ingress, egress, reception = self._ingress, self.egress, self._ingress.reception
        ingress.expire(now)
        return StreamCounters(
            packets_in=ingress.packets,
            packets_out=egress.packets,
            octets_out=egress.octets,
            lost_in=0 if reception is None else reception.lost,
            jitter_ms=0.0 if reception is None else reception.jitter / 48.0,
            peer_ssrc=ingress.ssrc,
            highest_sequence=0 if reception is None else reception.highest,
            expected_in=0 if reception is None else reception.expected,
            received_in=0 if reception is None else reception.received,
            send_timestamp=egress.timestamp_at(now),
            heard_at=ingress.heard_at,
            alive_at=ingress.alive_at,
        )

    def use_path(self, path: Path) -> None:
        """Send to `path` from here on."""
        self.egress.use_path(path)

    def relay_to(self, sink: "PythonStream | None") -> None:
        """Pass the peer's audio to `sink`; what it fed before falls to comfort."""
        before = self._ingress.sink
        after = None if sink is None else sink.egress
        if before is not after:
            if before is not None:
                before.leave(self._ingress.source)
            self._ingress.sink = after

    def set_comfort(self, on: bool) -> None:
        """Whether a continuous stream is owed to the peer."""
        self.egress.is_comfort_owed = on

    def release(self) -> None:
        """Let packets flow toward the peer."""
        self.egress.is_released = True

    def send_rtcp(self, packet: bytes) -> None:
        """Protect and send a compound packet; dropped before `release`."""
        if self.egress.is_released:
            try:
                self.egress.send_protected(self.egress.protect_rtcp(packet))
            except pylibsrtp.Error:
                self._relay.count_rtcp_error()

    def tick(self, now: float) -> None:
        """Send a comfort frame if one is due."""
        self.egress.tick(now)

    def close(self) -> None:
        """Stop receiving and ticking."""
        for port in self._ports:
            port.sink = None
        self.relay_to(None)
        self.egress.is_released = False
        self._relay.forget(self)


class PythonRelay:
    """All streams of a worker on one event loop; see `media.relay.Relay`."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        buffer: PacketBuffer,
        comfort: ComfortNoise,
        bounds: LegSettings,
    ) -> None:
        self.rtcp_errors = 0
        self._loop = loop
        self._buffer = buffer
        self._comfort = comfort
        self._bounds = bounds
        self._keys = SourceKeys()
        self._streams: dict[PythonStream, None] = {}
        self._tick_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def open_stream(
        self,
        spec: StreamSpec,
        *,
        ports: list[UdpPort],
        path: Path,
        observer: StreamObserver,
        drops: Counter[str],
    ) -> PythonStream:
        """Start to receive on `ports`; sending waits for `release`."""
        ingress = Ingress(
            spec,
            buffer=self._buffer,
            bounds=self._bounds,
            observer=observer,
            drops=drops,
            keys=self._keys,
        )
        egress = Egress(
            spec,
            buffer=self._buffer,
            comfort=self._comfort,
            drops=drops,
            on_first=observer.first_rtp_sent,
        )
        egress.use_path(path)
        stream = PythonStream(self, ingress, egress, ports)
        self._streams[stream] = None
        if self._timer is None:
            self._tick_at = time.monotonic()
            self._tick()
        for port in ports:
            port.sink = ingress
        return stream

    def forget(self, stream: PythonStream) -> None:
        """Stop ticking a stream that closes."""
        self._streams.pop(stream, None)

    def count_rtcp_error(self) -> None:
        """A report could not be protected."""
        self.rtcp_errors += 1

    def close(self) -> None:
        """Stop the comfort clock."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        if not self._streams:
            # A worker without calls need not wake 50 times a second.
            self._timer = None
            return
        now = time.monotonic()
        # The grid is kept, so that comfort frames do not drift; a long stall is not made up.
        self._tick_at += COMFORT_TICK_S
        if now - self._tick_at > TICKS_LATE_MAX * COMFORT_TICK_S:
            self._tick_at = now + COMFORT_TICK_S
        self._timer = self._loop.call_later(max(0.0, self._tick_at - now), self._tick)
        for stream in list(self._streams):
            stream.tick(now)
