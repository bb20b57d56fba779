"""The relay in Python: pairs of ingress and egress, and the clock of the comfort stream."""

import asyncio
from collections import Counter

from media.comfort_clock import ComfortClock
from media.egress import Egress
from media.ingress import Ingress, SourceKeys
from media.port import Path, UdpPort
from media.prompts import ComfortNoise, Prompt
from media.relay import PacketTap, StreamCounters, StreamObserver, StreamSpec
from media.settings import LegSettings
from media.srtp import PacketBuffer


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
            self._relay.hasten()

    def set_comfort(self, on: bool) -> None:
        """Whether a continuous stream is owed to the peer."""
        self.egress.is_comfort_owed = on
        self._relay.hasten()

    def set_hold(self, on: bool) -> None:
        """Whether that stream is the tune of a line on hold."""
        self.egress.set_hold(on)

    def play(self, prompt: Prompt | None) -> None:
        """Let the peer hear `prompt`, once released, in place of all else; None ends it."""
        self.egress.play(prompt)
        self._relay.hasten()

    def show_to(self, tap: PacketTap) -> None:
        """Show `tap` the peer's audio, and what the peer is sent."""
        self._ingress.tap = tap.on_customer_packet
        self.egress.tap = tap.on_agent_packet

    def release(self) -> None:
        """Let packets flow toward the peer."""
        self.egress.is_released = True
        self._relay.hasten()

    def send_rtcp(self, packet: bytes) -> None:
        """Protect and send a compound packet; dropped before `release`."""
        self.egress.send_rtcp(packet)

    def tick(self, now: float) -> float:
        """Send a comfort frame if one is due; returns when to be asked again."""
        return self.egress.tick(now)

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
        tune: ComfortNoise | None = None,
        bounds: LegSettings,
    ) -> None:
        """`tune` is for lines on hold; None: they get the comfort noise too."""
        self._buffer = buffer
        self._comfort = comfort
        self._tune = tune
        self._bounds = bounds
        self._keys = SourceKeys()
        self._clock = ComfortClock(loop)

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
            tune=self._tune,
            drops=drops,
            on_first=observer.first_rtp_sent,
        )
        egress.use_path(path)
        stream = PythonStream(self, ingress, egress, ports)
        self._clock.add(stream)
        for port in ports:
            port.sink = ingress
        return stream

    def forget(self, stream: PythonStream) -> None:
        """Owe nothing to a stream that closes."""
        self._clock.remove(stream)

    def hasten(self) -> None:
        """A stream may owe comfort sooner than it said."""
        self._clock.hasten()

    def close(self) -> None:
        """Stop the comfort clock."""
        self._clock.close()
