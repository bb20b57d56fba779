"""The secured path of one leg: its ports, ICE, DTLS and, for an agent, the data channel."""

import asyncio
import secrets
import string
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from media.data_channel import DataChannelKeeper
from media.dtls import DtlsEndpoint, DtlsState, Role, make_certificate
from media.endpoints import EndpointFactory
from media.ice import PASSWORD_BYTES, UFRAG_BYTES, IceAgent
from media.port import Path, UdpPort
from media.protocol import CloseReason
from media.sdp import RemoteDescription
from media.settings import LegSettings
from media.srtp import SrtpKeys

ICE_CHARACTERS = string.ascii_letters + string.digits
EARLY_DATAGRAMS_MAX = 8

Trace = Callable[[str, dict[str, str | int | float]], None]


class TransportFailed(Exception):
    """The path could not be set up."""

    def __init__(self, reason: CloseReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Secured:
    """A path over which SRTP may flow."""

    keys: SrtpKeys
    path: Path


def _random_text(length: int) -> str:
    return "".join(secrets.choice(ICE_CHARACTERS) for _ in range(length))


class LegTransport:
    """Set up once with `connect`, then up until `wait_closed` returns; always `close` it."""

    def __init__(
        self,
        endpoints: EndpointFactory,
        settings: LegSettings,
        *,
        trace: Trace,
        on_path: Callable[[Path], None],
    ) -> None:
        self.drops: Counter[str] = Counter()
        self.certificate = make_certificate()
        self.ufrag = _random_text(UFRAG_BYTES)
        self.password = _random_text(PASSWORD_BYTES)
        self._settings = settings
        self._trace = trace
        self._loop = asyncio.get_running_loop()
        self._ice = IceAgent(
            credentials=(self.ufrag, self.password),
            on_path=on_path,
            on_dtls=self._dtls_received,
            early_datagrams_max=settings.early_datagrams_max,
        )
        self.ports: list[UdpPort] = endpoints.open(self.drops)
        self._ice.use_ports(self.ports, self.drops, settings)
        self._dtls: DtlsEndpoint | None = None
        self._dtls_waiting: list[bytes] = []
        self._dtls_timer: asyncio.TimerHandle | None = None
        self._dtls_settled = asyncio.Event()
        self._peer_closed = asyncio.Event()
        self._channel: DataChannelKeeper | None = None
        self._is_closed = False

    def take_role(self, *, controlling: bool) -> None:
        """Settle the ICE role; must be done before the peer learns our description.

        A peer may send checks before we have its answer, and would see a role conflict.
        """
        self._ice.ice_controlling = controlling

    async def connect(self, remote: RemoteDescription, role: Role) -> Secured:
        """Run ICE and DTLS; raises `TransportFailed` at the latest after the time-out."""
        try:
            async with asyncio.timeout(self._settings.connect_timeout_s):
                await self._connect_ice(remote)
                keys = await self._connect_dtls(remote, role)
        except TimeoutError:
            raise TransportFailed(CloseReason.CONNECT_TIMEOUT) from None
        if remote.channel is not None:
            self._channel = DataChannelKeeper(role, send=self._send_message, drops=self.drops)
            self._channel.start(remote.channel.sctp_port)
        # The peer may have nominated another pair while DTLS was under way.
        path = self._ice.path
        assert path is not None
        return Secured(keys, path)

    async def wait_closed(self) -> CloseReason:
        """Return why the path is gone: consent expired, or the peer said so."""
        consent = asyncio.create_task(self._ice.wait_closed())
        goodbye = asyncio.create_task(self._peer_closed.wait())
        try:
            await asyncio.wait({consent, goodbye}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            consent.cancel()
            goodbye.cancel()
            await asyncio.gather(consent, goodbye, return_exceptions=True)
        return (
            CloseReason.PEER_CLOSED if self._peer_closed.is_set() else CloseReason.CONSENT_LOST
        )

    async def close(self) -> None:
        """Say goodbye as far as there is a path, and free the ports."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._channel is not None:
            await self._channel.close()
        if self._dtls is not None:
            self._dtls.close()
            self._flush()
        if self._dtls_timer is not None:
            self._dtls_timer.cancel()
        await self._ice.close()
        for port in self.ports:
            port.close()

    async def _connect_ice(self, remote: RemoteDescription) -> None:
        started = time.monotonic()
        policy_allows = self.ports[0].allows
        await self._ice.set_remote(
            ufrag=remote.ufrag,
            password=remote.password,
            is_lite=remote.is_lite,
            candidates=[c for c in remote.candidates if policy_allows(c.address)],
        )
        try:
            await self._ice.connect()
        except ConnectionError:
            raise TransportFailed(CloseReason.ICE_FAILED) from None
        self._trace("ice_connected", {"ms": _milliseconds_since(started)})

    async def _connect_dtls(self, remote: RemoteDescription, role: Role) -> SrtpKeys:
        started = time.monotonic()
        endpoint = DtlsEndpoint(self.certificate, role, remote.fingerprint)
        self._dtls = endpoint
        endpoint.start()
        self._after_dtls()
        for datagram in self._dtls_waiting:
            self._dtls_received(datagram)
        self._dtls_waiting.clear()
        await self._dtls_settled.wait()
        keys = endpoint.srtp_keys() if endpoint.state is DtlsState.ESTABLISHED else None
        if keys is None:
            raise TransportFailed(CloseReason.DTLS_FAILED)
        self._trace(
            "dtls_connected",
            {"ms": _milliseconds_since(started), "role": role, "profile": keys.profile.name},
        )
        return keys

    def _dtls_received(self, datagram: bytes) -> None:
        if self._dtls is None:
            if len(self._dtls_waiting) < EARLY_DATAGRAMS_MAX:
                self._dtls_waiting.append(datagram)
            return
        for message in self._dtls.receive(datagram):
            if self._channel is not None:
                self._channel.receive(message)
            else:
                self.drops["no_data_channel"] += 1
        self._after_dtls()

    def _after_dtls(self) -> None:
        """Send what DTLS has ready, watch its clock, notice its end."""
        self._flush()
        assert self._dtls is not None
        if self._dtls_timer is not None:
            self._dtls_timer.cancel()
            self._dtls_timer = None
        if self._dtls.state is DtlsState.HANDSHAKING:
            timeout = self._dtls.timeout_s()
            if timeout is not None:
                self._dtls_timer = self._loop.call_later(timeout, self._on_dtls_timeout)
            return
        self._dtls_settled.set()
        if self._dtls.state is DtlsState.CLOSED:
            self._peer_closed.set()

    def _on_dtls_timeout(self) -> None:
        assert self._dtls is not None
        self._dtls.handle_timeout()
        self._after_dtls()

    def _send_message(self, message: bytes) -> None:
        if self._dtls is not None:
            self._dtls.send(message)
            self._flush()

    def _flush(self) -> None:
        assert self._dtls is not None
        for datagram in self._dtls.datagrams_to_send():
            self._ice.send_control(datagram)


def _milliseconds_since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
