"""One UDP port for one call: ICE-lite, DTLS and SRTP between the socket and the media."""

import asyncio
import time
from dataclasses import dataclass
from typing import Protocol, cast

from typing_extensions import override

from sandbox.business_sdp import BusinessSdp
from sandbox.call_record import CallRecord, MediaFault
from sandbox.dtls import Certificate, DtlsEndpoint, DtlsRole, DtlsState, is_dtls
from sandbox.ice_lite import IceCredentials, IceLite
from sandbox.rtp import is_rtcp, is_rtp
from sandbox.srtp import BadSrtp, Srtp
from sandbox.stun import Address, is_stun

# With `actpass` on both sides we wait this long for a ClientHello, then send our own.
_CLIENT_HELLO_WAIT_S = 1.5


class MediaSink(Protocol):
    """Who takes the decrypted packets."""

    def connected(self) -> None:
        """The handshake is done; packets can be sent."""

    def rtp_arrived(self, packet: bytes, now: float) -> None:
        """An authentic RTP packet arrived."""

    def rtcp_arrived(self, packet: bytes, now: float) -> None:
        """An authentic RTCP packet arrived."""


@dataclass(slots=True)
class TransportCounts:
    """Datagrams by fate."""

    received: int = 0
    sent: int = 0
    from_strangers: int = 0
    unknown: int = 0
    before_keys: int = 0
    while_dark: int = 0


class CallTransport(asyncio.DatagramProtocol):
    """The socket of one call; make it with `open`, give it back with `close`."""

    def __init__(self, record: CallRecord, certificate: Certificate, sink: MediaSink) -> None:
        self.ice = IceLite(IceCredentials.random())
        self.counts = TransportCounts()
        self._record = record
        self._certificate = certificate
        self._sink = sink
        self._socket: asyncio.DatagramTransport | None = None
        self._remote: BusinessSdp | None = None
        self._role: DtlsRole | None = None
        self._dtls: DtlsEndpoint | None = None
        self._srtp: Srtp | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._dark_until = 0.0

    async def open(self, host: str) -> int:
        """Bind an ephemeral port and return its number."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(host, 0))
        port: int = transport.get_extra_info("sockname")[1]
        return port

    def connect(self, remote: BusinessSdp, role: DtlsRole | None) -> None:
        """Let checks of `remote` in; `role` is ours in DTLS, None to see who starts."""
        self._remote = remote
        self._role = role
        self.ice.remote = remote.ice

    def close(self) -> None:
        """Say goodbye in DTLS and close the socket."""
        if self._timer is not None:
            self._timer.cancel()
        if self._dtls is not None:
            self._dtls.close()
            self._flush_dtls()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def go_dark(self, seconds: float) -> None:
        """Lose the network: send nothing and take nothing for a while."""
        self._dark_until = time.monotonic() + seconds

    def send_rtp(self, packet: bytes) -> None:
        """Protect and send; dropped while there is no connection."""
        if self._srtp is not None:
            self._send(self._srtp.protect(packet), self.ice.selected)

    def send_rtcp(self, packet: bytes) -> None:
        """Protect and send; dropped while there is no connection."""
        if self._srtp is not None:
            self._send(self._srtp.protect_rtcp(packet), self.ice.selected)

    @property
    def dtls_state(self) -> DtlsState | None:
        """How far the handshake is, None before it began."""
        return self._dtls.state if self._dtls else None

    @property
    def dtls_role(self) -> DtlsRole | None:
        """Our role, None before it is known."""
        return self._dtls.role if self._dtls else self._role

    @property
    def is_connected(self) -> bool:
        """Whether media can flow."""
        return self._srtp is not None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._socket = cast("asyncio.DatagramTransport", transport)

    @override
    def error_received(self, exc: Exception) -> None:
        self._record.note("udp.error", reason=type(exc).__name__)

    @override
    def datagram_received(self, data: bytes, addr: Address) -> None:
        now = time.monotonic()
        source = addr[:2]
        self.counts.received += 1
        if now < self._dark_until:
            self.counts.while_dark += 1
        elif is_stun(data):
            self._check_arrived(data, source, now)
        elif not self.ice.has_validated(source):
            self.counts.from_strangers += 1
        elif is_dtls(data):
            self._dtls_arrived(data)
        elif is_rtp(data):
            self._media_arrived(data, now)
        else:
            self.counts.unknown += 1

    def _check_arrived(self, datagram: bytes, source: Address, now: float) -> None:
        before = (self.ice.selected, self.ice.counts.aggressive_nominations)
        reply = self.ice.answer(datagram, source, now)
        if reply is None:
            return
        self._send(reply, source)
        if self.ice.counts.answered == 1:
            self._record.note("ice.first_check")
        if self.ice.counts.aggressive_nominations > before[1]:
            self._record.fault(MediaFault.AGGRESSIVE_NOMINATION)
        if self.ice.selected != before[0]:
            self._nominated(is_first=before[0] is None)

    def _nominated(self, *, is_first: bool) -> None:
        if not is_first:
            self._record.fault(MediaFault.CANDIDATE_CHANGED)
            return
        self._record.note("ice.nominated")
        if self._role is DtlsRole.CLIENT:
            self._begin_dtls(DtlsRole.CLIENT)
        elif self._role is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(_CLIENT_HELLO_WAIT_S, self._stop_waiting)

    def _stop_waiting(self) -> None:
        if self._dtls is None:
            self._begin_dtls(DtlsRole.CLIENT)

    def _begin_dtls(self, role: DtlsRole) -> DtlsEndpoint:
        assert self._remote is not None
        self._dtls = DtlsEndpoint(self._certificate, role, self._remote.fingerprint)
        self._record.note("dtls.started", role=role)
        if role is DtlsRole.CLIENT:
            self._dtls.start()
            self._flush_dtls()
        return self._dtls

    def _dtls_arrived(self, datagram: bytes) -> None:
        endpoint = self._dtls
        if endpoint is None:
            if self._role is DtlsRole.CLIENT:
                self.counts.unknown += 1
                return
            endpoint = self._begin_dtls(DtlsRole.SERVER)
        before = endpoint.state
        endpoint.receive(datagram)
        self._flush_dtls()
        if endpoint.state is before:
            return
        if endpoint.state is DtlsState.CONNECTED and endpoint.keys is not None:
            self._srtp = Srtp(endpoint.keys)
            self._record.note("dtls.connected", role=endpoint.role)
            self._sink.connected()
        elif endpoint.state is DtlsState.FAILED:
            self._record.fault(MediaFault.DTLS_FAILED, endpoint.failure or "")
        else:
            self._record.note("dtls.closed_by_peer")

    def _flush_dtls(self) -> None:
        """Send what is waiting and re-arm the timer for repeating it."""
        if self._dtls is None:
            return
        for datagram in self._dtls.take_outgoing():
            self._send(datagram, self.ice.selected or self.ice.last_validated)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wait_s = self._dtls.timeout_s()
        if wait_s is not None:
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._repeat_dtls)

    def _repeat_dtls(self) -> None:
        if self._dtls is not None:
            self._dtls.retransmit()
            self._flush_dtls()

    def _media_arrived(self, datagram: bytes, now: float) -> None:
        if self._srtp is None:
            self.counts.before_keys += 1
            return
        try:
            if is_rtcp(datagram):
                self._sink.rtcp_arrived(self._srtp.unprotect_rtcp(datagram), now)
            else:
                self._sink.rtp_arrived(self._srtp.unprotect(datagram), now)
        except BadSrtp as error:
            self._record.fault(MediaFault.NOT_AUTHENTIC, str(error))

    def _send(self, datagram: bytes, target: Address | None) -> None:
        if self._socket is None or target is None or time.monotonic() < self._dark_until:
            return
        self.counts.sent += 1
        self._socket.sendto(datagram, target)
