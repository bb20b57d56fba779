"""The packet path without ICE: keys, a buffer, and a real UDP socket to hear what is sent."""

import itertools
import os
import socket
from collections import Counter
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import pylibsrtp

from media.egress import Egress
from media.ingress import Ingress, SourceKeys
from media.port import Path
from media.prompts import ComfortNoise
from media.relay import StreamSpec
from media.rtp import HEADER
from media.settings import LegSettings
from media.srtp import PROFILES, PacketBuffer, SrtpContext, SrtpKeys, SrtpProfile, srtp_protect

OPUS = 111
KEYPAD = 126
COMFORT_FRAMES = (b"comfort-0", b"comfort-1", b"comfort-2")
TUNE_FRAMES = (b"tune-0", b"tune-1", b"tune-2", b"tune-3")
SSRC_OUT = 0x0D15EA5E


@dataclass(frozen=True)
class Packet:
    """An RTP packet as the far end decrypted it."""

    marker: bool
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    first: int


class Notes:
    """Observes a stream by writing down what it was told."""

    def __init__(self) -> None:
        self.keys: list[tuple[str, int]] = []
        self.rtcp: list[bytes] = []
        self.first_received = 0
        self.first_sent = 0

    def first_rtp_received(self) -> None:
        self.first_received += 1

    def first_rtp_sent(self) -> None:
        self.first_sent += 1

    def rtcp_received(self, packet: bytes, now: float) -> None:
        self.rtcp.append(packet)

    def key_pressed(self, digit: str, duration_ms: int) -> None:
        self.keys.append((digit, duration_ms))


class Wire:
    """One peer's sending side, our ingress and egress, and another peer's receiving side."""

    def __init__(
        self,
        profile: SrtpProfile = PROFILES[0],
        *,
        comfort_after_s: float = 0.1,
        in_step: bool = False,
    ) -> None:
        size = profile.key_bytes + profile.salt_bytes
        inward, outward = os.urandom(size), os.urandom(size)
        self.buffer = PacketBuffer()
        self.drops: Counter[str] = Counter()
        self.notes = Notes()
        self.spec = StreamSpec(
            keys=SrtpKeys(profile, receive=inward, send=outward),
            receive_opus=OPUS,
            receive_keypad=KEYPAD,
            send_ssrc=SSRC_OUT,
            send_opus=96,
            send_keypad=101,
            peer_ssrc=None,
            comfort_after_s=comfort_after_s,
            in_step=in_step,
        )
        self.bounds = LegSettings()
        self.source_keys = SourceKeys()
        self.ingress = self.make_ingress()
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self._sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sender.bind(("127.0.0.1", 0))
        self.egress = Egress(
            self.spec,
            buffer=self.buffer,
            comfort=ComfortNoise(COMFORT_FRAMES),
            tune=ComfortNoise(TUNE_FRAMES),
            drops=self.drops,
            on_first=self.notes.first_rtp_sent,
        )
        self._sender.connect(self._listener.getsockname())
        port = cast("Any", SimpleNamespace(sender_to=lambda _remote: self._sender.send))
        self.egress.use_path(Path(port, self._listener.getsockname()))
        self.egress.is_released = True
        self.ingress.sink = self.egress
        self._far_sender = SrtpContext(
            self.buffer, SrtpKeys(profile, receive=outward, send=inward), receiving=False
        )
        policy = pylibsrtp.Policy(
            key=outward,
            ssrc_type=pylibsrtp.Policy.SSRC_ANY_INBOUND,
            srtp_profile=profile.libsrtp_profile,
        )
        policy.window_size = 1024
        self._far_receiver = pylibsrtp.Session(policy)

    def make_ingress(self) -> Ingress:
        return Ingress(
            self.spec,
            buffer=self.buffer,
            bounds=self.bounds,
            observer=self.notes,
            drops=self.drops,
            keys=self.source_keys,
        )

    def protect(
        self,
        sequence: int,
        timestamp: int,
        payload: bytes = b"speech",
        *,
        payload_type: int = OPUS,
        marker: bool = False,
        ssrc: int = 7,
        first: int = 0x80,
    ) -> bytes:
        """An SRTP packet of the sending peer."""
        view = self.buffer.view
        second = payload_type | (0x80 if marker else 0)
        HEADER.pack_into(
            view, 0, first, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc
        )
        view[12 : 12 + len(payload)] = payload
        self.buffer.length[0] = 12 + len(payload)
        error = srtp_protect(
            self._far_sender.context, self.buffer.bytes_address, self.buffer.length
        )
        assert error == 0
        return bytes(view[: self.buffer.length[0]])

    def deliver(self, packet: bytes, now: float, ingress: Ingress | None = None) -> None:
        """Let our ingress receive `packet` as if it had come at `now`."""
        self.buffer.view[: len(packet)] = packet
        (ingress or self.ingress).receive(len(packet), now)

    def say(self, sequence: int, timestamp: int, now: float, **extra: Any) -> None:
        """Protect and deliver one packet."""
        self.deliver(self.protect(sequence, timestamp, **extra), now)

    def heard(self) -> list[Packet]:
        """What has reached the far end since the last call."""
        packets: list[Packet] = []
        while True:
            try:
                raw = self._listener.recv(2048)
            except BlockingIOError:
                return packets
            plain = self._far_receiver.unprotect(raw)
            first, second, sequence, timestamp, ssrc = HEADER.unpack_from(plain)
            packets.append(
                Packet(
                    marker=bool(second & 0x80),
                    payload_type=second & 0x7F,
                    sequence=sequence,
                    timestamp=timestamp,
                    ssrc=ssrc,
                    payload=plain[12:],
                    first=first,
                )
            )

    def close(self) -> None:
        self._listener.close()
        self._sender.close()


def steps(packets: list[Packet]) -> list[tuple[int, int]]:
    """Differences of sequence and timestamp between neighbours."""
    return [
        (
            (after.sequence - before.sequence) & 0xFFFF,
            (after.timestamp - before.timestamp) & 0xFFFFFFFF,
        )
        for before, after in itertools.pairwise(packets)
    ]
