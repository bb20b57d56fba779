"""The interface between a leg and whatever moves its audio.

The Python implementation stands in `python_relay`; a compiled one would take the same
calls. A relay unprotects, rewrites and protects; it never decodes and never buffers.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

from media.port import Path, UdpPort
from media.prompts import Prompt
from media.srtp import SrtpKeys

COMFORT_TICK_S = 0.02

Tap = Callable[[float, int, int, bytes | memoryview], None]
"""One method of a `PacketTap`."""


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """What both descriptions of a leg settled about its audio."""

    keys: SrtpKeys
    receive_opus: int
    """Payload type under which the peer sends Opus to us."""
    receive_keypad: int | None
    send_ssrc: int
    send_opus: int
    send_keypad: int | None
    peer_ssrc: int | None
    """SSRC announced by the peer, if it announced one."""
    comfort_after_s: float
    in_step: bool = False
    """Whether sequence and timestamp must advance together, 960 samples per number.

    WhatsApp wants one unbroken stream, so time without a packet is shown as lost packets;
    a browser would count those as loss and wants a plain jump in time.
    """


@dataclass(frozen=True, slots=True)
class StreamCounters:
    """What a stream has received and sent since it was opened."""

    packets_in: int = 0
    packets_out: int = 0
    octets_out: int = 0
    lost_in: int = 0
    jitter_ms: float = 0.0
    peer_ssrc: int | None = None
    highest_sequence: int = 0
    """Extended by the count of wraps (RFC 3550 section 6.4.1)."""
    expected_in: int = 0
    """Packets of the present SSRC that should have come."""
    received_in: int = 0
    """Packets of the present SSRC that came."""
    send_timestamp: int = 0
    """RTP timestamp that a packet sent now would have."""
    heard_at: float | None = None
    """Monotonic time of the last authenticated RTP packet."""
    alive_at: float | None = None
    """Monotonic time of the last authenticated packet, RTP or RTCP."""


class StreamObserver(Protocol):
    """What a stream tells its leg; called from the packet path, so it must be short."""

    def first_rtp_received(self) -> None:
        """The first authenticated RTP packet arrived."""

    def first_rtp_sent(self) -> None:
        """The first RTP packet left."""

    def rtcp_received(self, packet: bytes, now: float) -> None:
        """A verified, decrypted compound RTCP packet arrived."""

    def key_pressed(self, digit: str, duration_ms: int) -> None:
        """A keypad tone of the peer ended."""


class PacketTap(Protocol):
    """Who is shown the audio of a leg; called from the packet path, so it must be short.

    Times are monotonic, timestamps and sequence numbers those of RTP; the payload is one Opus
    packet in a buffer that is used again at once. Nothing may be raised.
    """

    def on_customer_packet(
        self, now: float, timestamp: int, sequence: int, payload: bytes | memoryview
    ) -> None:
        """The peer's packet came, and was verified and decrypted."""

    def on_agent_packet(
        self, now: float, timestamp: int, sequence: int, payload: bytes | memoryview
    ) -> None:
        """A packet was sent to the peer, comfort stream included, as numbered for it."""


class MediaStream(Protocol):
    """The audio of one leg."""

    def counters(self, now: float) -> StreamCounters:
        """The figures up to `now` (monotonic)."""

    def use_path(self, path: Path) -> None:
        """Send to `path` from here on."""

    def relay_to(self, sink: Self | None) -> None:
        """Pass the peer's audio on to `sink`; None drops it and `sink` falls to comfort."""

    def set_comfort(self, on: bool) -> None:
        """Whether a continuous stream is owed to the peer while nothing is relayed."""

    def set_hold(self, on: bool) -> None:
        """Whether that stream is the tune of a line on hold."""

    def play(self, prompt: Prompt | None) -> None:
        """Let the peer hear `prompt`, once released, in place of all else; None ends it."""

    def show_to(self, tap: PacketTap) -> None:
        """Show `tap`, and nobody else, all audio from and to the peer from here on."""

    def release(self) -> None:
        """Let RTP and RTCP flow toward the peer; before, nothing is sent."""

    def send_rtcp(self, packet: bytes) -> None:
        """Protect and send a compound packet; dropped before `release`."""

    def close(self) -> None:
        """Stop; the ports of the leg are closed by their owner."""


class Relay(Protocol):
    """Moves the audio of all legs of a worker."""

    def open_stream(
        self,
        spec: StreamSpec,
        *,
        ports: list[UdpPort],
        path: Path,
        observer: StreamObserver,
        drops: Counter[str],
    ) -> MediaStream:
        """Start to receive on `ports`; sending waits for `release`."""
