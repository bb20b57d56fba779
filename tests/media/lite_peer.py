"""A small ICE-lite peer in the shape of WhatsApp's relay: answers checks, never sends one."""

import asyncio
import secrets
import struct
from typing import Any, Self

from aioice import stun
from aiortc.rtcdtlstransport import (
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
)

from media.sdp import parse_sdp

HEADER = struct.Struct("!BBHII")
WAIT_S = 20.0


class LitePeer(asyncio.DatagramProtocol):
    """Offers or answers as WhatsApp does; its DTLS is aiortc's."""

    def __init__(self) -> None:
        self.role = "controlled"
        self.checks: list[stun.Message] = []
        self.deaf_checks = 0
        """How many checks to leave unanswered first."""
        self.nominated = asyncio.Event()
        self.connected = asyncio.Event()
        self.heard: list[tuple[int, int, int]] = []
        self.ufrag = secrets.token_hex(8)
        self.password = secrets.token_urlsafe(16) + "=="
        self.certificate = RTCCertificate.generateCertificate()
        self._inbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._remote: tuple[str, int] | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._dtls = RTCDtlsTransport(self, [self.certificate])  # type: ignore[arg-type]
        handler: Any = self._dtls
        handler._handle_rtp_data = self._rtp
        self._task: asyncio.Task[None] | None = None
        self._port = 0

    async def __aenter__(self) -> Self:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self, local_addr=("127.0.0.1", 0)
        )
        self._transport = transport
        self._port = transport.get_extra_info("sockname")[1]
        return self

    async def __aexit__(self, *_failure: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._dtls.stop()
        assert self._transport is not None
        self._transport.close()

    def description(self, setup: str) -> str:
        fingerprint = self.certificate.getFingerprints()[0]
        return "\r\n".join(
            [
                "v=0",
                "o=- 1790000000000 2 IN IP4 127.0.0.1",
                "s=-",
                "t=0 0",
                "a=group:BUNDLE audio",
                "a=ice-lite",
                f"m=audio {self._port} UDP/TLS/RTP/SAVPF 111 126",
                "c=IN IP4 127.0.0.1",
                "a=rtcp:9 IN IP4 0.0.0.0",
                f"a=candidate:277 1 udp 2122260223 127.0.0.1 {self._port} typ host",
                f"a=ice-ufrag:{self.ufrag}",
                f"a=ice-pwd:{self.password}",
                f"a=fingerprint:{fingerprint.algorithm} {fingerprint.value}",
                f"a=setup:{setup}",
                "a=mid:audio",
                "a=sendrecv",
                "a=rtcp-mux",
                "a=rtpmap:111 opus/48000/2",
                "a=rtpmap:126 telephone-event/8000",
                "a=maxptime:20",
                "a=ptime:20",
                "a=ssrc:3435760938 cname:WhatsAppAudioStream1",
                "",
            ]
        )

    def start(self, business_sdp: str, dtls_role: str) -> None:
        """Connect to who wrote `business_sdp`, with that DTLS role."""
        remote = parse_sdp(business_sdp)
        self._task = asyncio.create_task(self._connect(remote.fingerprint, dtls_role))

    async def send(self, sequence: int, payload: bytes = b"\x48customer") -> None:
        await self._dtls._send_rtp(
            HEADER.pack(0x80, 111, sequence, sequence * 960, 3435760938) + payload
        )

    async def _connect(self, fingerprint: str, dtls_role: str) -> None:
        await self.nominated.wait()
        self._dtls._set_role(dtls_role)
        await self._dtls.start(
            RTCDtlsParameters(fingerprints=[RTCDtlsFingerprint("sha-256", fingerprint)])
        )
        if self._dtls.state == "connected":
            self.connected.set()

    async def _rtp(self, packet: bytes, arrival_time_ms: int) -> None:
        _, _, sequence, timestamp, ssrc = HEADER.unpack_from(packet)
        self.heard.append((sequence, timestamp, ssrc))

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        if data[0] > 3:
            self._inbox.put_nowait(data)
            return
        message = stun.parse_message(data)
        if not message.check_message_integrity(self.password.encode()):
            return
        self.checks.append(message)
        if len(self.checks) <= self.deaf_checks:
            return
        response = stun.Message(
            message_method=stun.Method.BINDING,
            message_class=stun.Class.RESPONSE,
            transaction_id=message.transaction_id,
        )
        response.attributes["XOR-MAPPED-ADDRESS"] = addr
        response.add_message_integrity(self.password.encode())
        assert self._transport is not None
        self._transport.sendto(bytes(response), addr)
        if "USE-CANDIDATE" in message.attributes:
            self._remote = (addr[0], addr[1])
            self.nominated.set()

    async def _recv(self) -> bytes:
        return await self._inbox.get()

    async def _send(self, datagram: bytes) -> None:
        assert self._transport is not None
        self._transport.sendto(datagram, self._remote)
