"""An aiortc peer whose RTP we write and read ourselves, packet by packet."""

import asyncio
import os
import struct
from dataclasses import dataclass, field
from typing import Any, Self

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.rtcdtlstransport import RTCDtlsTransport

from tests.media.eventually import eventually

HEADER = struct.Struct("!BBHII")
FRAME = 960
OPUS = 96
KEYPAD = 126
KEYPAD_LINES = "a=rtpmap:126 telephone-event/8000\r\na=fmtp:126 0-15\r\n"


@dataclass(frozen=True)
class Heard:
    """An RTP packet that arrived."""

    at: float
    marker: bool
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


@dataclass
class Speech:
    """Where our own numbering stands."""

    ssrc: int = field(default_factory=lambda: int.from_bytes(os.urandom(4), "big"))
    sequence: int = 1
    timestamp: int = 0


def offer_keypad(sdp: str) -> str:
    """The peer's library knows no telephone-event; say that we take it all the same."""
    lines = []
    for line in sdp.split("\r\n"):
        if line.startswith("m=audio"):
            fields = line.split(" ")
            lines.append(" ".join([*fields[:3], str(OPUS), str(KEYPAD)]))
        else:
            lines.append(line)
    return "\r\n".join(lines).rstrip("\r\n") + "\r\n" + KEYPAD_LINES


class RawPeer:
    """ICE, DTLS and SRTP by aiortc; what is said and heard is bytes."""

    def __init__(self) -> None:
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.pc.addTransceiver("audio")
        self.heard: list[Heard] = []
        self.reports: list[bytes] = []
        self.speech = Speech()
        self._opus = OPUS

    async def offer(self) -> str:
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return offer_keypad(self.pc.localDescription.sdp)

    async def accept(self, answer: str) -> None:
        self._listen()
        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def answer(self, offer: str) -> str:
        self._opus = 111
        await self.pc.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await self.pc.setLocalDescription(await self.pc.createAnswer())
        self._listen()
        sdp: str = self.pc.localDescription.sdp
        return sdp.replace("SAVPF 111\r\n", "SAVPF 111 126\r\n") + KEYPAD_LINES

    @property
    def dtls(self) -> RTCDtlsTransport:
        transport: RTCDtlsTransport = self.pc.getTransceivers()[0].receiver.transport
        return transport

    async def send(
        self, payload: bytes, *, payload_type: int | None = None, marker: bool = False
    ) -> None:
        """Send one packet with the present numbers; the sequence moves on by itself."""
        kind = self._opus if payload_type is None else payload_type
        header = HEADER.pack(
            0x80,
            kind | (0x80 if marker else 0),
            self.speech.sequence & 0xFFFF,
            self.speech.timestamp & 0xFFFFFFFF,
            self.speech.ssrc,
        )
        self.speech.sequence += 1
        await self.dtls._send_rtp(header + payload)

    async def talk(self, frames: int, payload: bytes = b"\x48speech") -> None:
        """Audio packets in real time."""
        for _ in range(frames):
            await self.send(payload)
            self.speech.timestamp += FRAME
            await asyncio.sleep(0.02)

    async def wait_heard(self, count: int, payload: bytes | None = None) -> None:
        """Return when so many packets (of that payload) have come."""
        await eventually(lambda: len(self.of(payload)) >= count)

    def of(self, payload: bytes | None) -> list[Heard]:
        return [one for one in self.heard if payload is None or one.payload == payload]

    async def close(self) -> None:
        await self.pc.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_failure: object) -> None:
        await self.close()

    def _listen(self) -> None:
        transport: Any = self.dtls
        transport._handle_rtp_data = self._rtp
        transport._handle_rtcp_data = self._rtcp

    async def _rtp(self, packet: bytes, arrival_time_ms: int) -> None:
        _, second, sequence, timestamp, ssrc = HEADER.unpack_from(packet)
        self.heard.append(
            Heard(
                at=asyncio.get_running_loop().time(),
                marker=bool(second & 0x80),
                payload_type=second & 0x7F,
                sequence=sequence,
                timestamp=timestamp,
                ssrc=ssrc,
                payload=packet[12:],
            )
        )

    async def _rtcp(self, packet: bytes) -> None:
        self.reports.append(packet)
