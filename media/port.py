"""The UDP sockets of a leg: read datagrams and send each kind where it belongs."""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from typing_extensions import override

from media.addresses import AddressPolicy
from media.srtp import PacketBuffer

SocketAddress = tuple[str, int]

RTP_FIRST_BITS = 0x80
"""RFC 7983: a first byte of 128..191 (highest bits 10) is SRTP or SRTCP."""
DTLS_FIRST_BYTE = range(20, 64)
STUN_FIRST_BYTE = range(4)
DATAGRAM_BYTES_MAX = 1500
WAITING_MAX = 1000
"""Datagrams read in one go from a socket that changes hands; its buffer holds fewer."""


class PacketSink(Protocol):
    """What a leg does with the SRTP packets of its ports."""

    def receive(self, size: int, now: float) -> None:
        """Take the packet of `size` bytes that lies at the start of the shared buffer."""


class PortOwner(Protocol):
    """What a leg does with everything that is not SRTP."""

    def stun_received(self, port: "UdpPort", datagram: bytes, source: SocketAddress) -> None:
        """Take a datagram whose first byte says STUN, from anybody."""

    def dtls_received(self, port: "UdpPort", datagram: bytes, source: SocketAddress) -> None:
        """Take a datagram whose first byte says DTLS, from anybody."""


class Readable(Protocol):
    """Something with a socket that a poller watches."""

    @property
    def fileno(self) -> int:
        """The descriptor to watch."""

    def receive(self, now: float) -> None:
        """Read one datagram; it is waiting."""


class Watch(Protocol):
    """Who reads sockets when they are readable."""

    def register(self, readable: Readable) -> None:
        """Watch from here on."""

    def unregister(self, readable: Readable) -> None:
        """Watch no more; must come before the socket closes."""


class UdpPort(asyncio.DatagramTransport):
    """A bound, non-blocking UDP socket that takes datagrams from anybody."""

    def __init__(
        self,
        sock: socket.socket,
        *,
        policy: AddressPolicy,
        buffer: PacketBuffer,
        drops: Counter[str],
        packets_per_second_max: int,
        watch: Watch,
    ) -> None:
        super().__init__()
        self.fileno = sock.fileno()
        name = sock.getsockname()
        self.address: SocketAddress = (name[0], name[1])
        self.validated: set[SocketAddress] = set()
        """Sources whose ICE pair with this port has succeeded."""
        self.sink: PacketSink | None = None
        self.owner: PortOwner | None = None
        self._sock = sock
        self._receive_into = sock.recvfrom_into
        self._policy = policy
        self._buffer = buffer
        self._is_ipv6 = sock.family == socket.AF_INET6
        self._drops = drops
        self._closed = False
        self._watch = watch
        self._peer: PeerSocket | None = None
        self._allowance_per_s = packets_per_second_max
        self._allowance = float(packets_per_second_max)
        self._refilled_at = 0.0
        watch.register(self)

    def allows(self, address: str) -> bool:
        """Whether the address policy lets packets go to `address`."""
        return self._policy.allows(address)

    def receive(self, now: float) -> None:
        """Read one datagram, which must be waiting, and pass it on."""
        try:
            size, source = self._receive_into(self._buffer.view)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._drops["socket_error"] += 1
            return
        self.take(size, source[:2] if self._is_ipv6 else source, now)

    def take(self, size: int, source: SocketAddress, now: float) -> None:
        """Pass on the datagram of `size` bytes in the buffer that came from `source`."""
        view = self._buffer.view
        if size and view[0] & 0xC0 == RTP_FIRST_BITS and source in self.validated:
            self.take_media(size, now)
        else:
            self.pass_on(bytes(view[:size]), source)

    def take_media(self, size: int, now: float) -> None:
        """Hand the SRTP packet in the buffer, from a validated source, to the leg."""
        self._allowance -= 1.0
        if self._allowance < 0.0 and not self._refill(now):
            self._drops["rate"] += 1
        elif (sink := self.sink) is not None and size <= DATAGRAM_BYTES_MAX:
            sink.receive(size, now)
        else:
            self._drops["before_keys" if sink is None else "oversize"] += 1

    def sender_to(self, remote: SocketAddress) -> Callable[[Any], int]:
        """A function that sends media to `remote`, which ICE must have validated.

        From here on the packets of `remote` have a receive queue of their own where the
        system can do that, so that a flood from strangers does not crowd them out.
        """
        if self._peer is not None:
            self._peer.hand_back()
            self._peer = None
        sock = self._sock
        try:
            self._peer = PeerSocket(self, sock, remote, self._buffer, self._watch)
        except OSError:
            # Not every system lets two sockets share a port; then one serves all.
            self._drops["no_peer_socket"] += 1
            return lambda packet: sock.sendto(packet, remote)
        return self._peer.send

    def take_waiting(self, sock: socket.socket) -> None:
        """Read what waits in a socket of this port that changes hands, from anybody.

        What is no media is judged when the change is done: it may call for another one.
        """
        view, now = self._buffer.view, time.monotonic()
        loop = asyncio.get_running_loop()
        for _ in range(WAITING_MAX):
            try:
                size, source = sock.recvfrom_into(view)
            except BlockingIOError:
                return
            except OSError:
                continue
            source = source[:2]
            if size and view[0] & 0xC0 == RTP_FIRST_BITS and source in self.validated:
                self.take_media(size, now)
            else:
                loop.call_soon(self.pass_on, bytes(view[:size]), source)

    def _refill(self, now: float) -> bool:
        """Grant what the time since the last refill allows; False when it is nothing."""
        granted = (now - self._refilled_at) * self._allowance_per_s
        if granted < 1.0:
            self._allowance = 0.0
            return False
        self._refilled_at = now
        self._allowance = min(granted, float(self._allowance_per_s)) - 1.0
        return True

    def pass_on(self, datagram: bytes, source: SocketAddress) -> None:
        """Hand a datagram that is no media of a validated source to who judges it."""
        owner = self.owner
        first = datagram[0] if datagram else 255
        if owner is None or not datagram or len(datagram) > DATAGRAM_BYTES_MAX:
            self._drops["malformed"] += 1
        elif first in STUN_FIRST_BYTE:
            owner.stun_received(self, datagram, source)
        elif first in DTLS_FIRST_BYTE:
            owner.dtls_received(self, datagram, source)
        elif first & 0xC0 == RTP_FIRST_BITS:
            self._drops["unvalidated_source"] += 1
        else:
            self._drops["malformed"] += 1

    @override
    def sendto(self, data: Any, addr: Any = None) -> None:
        """Send a control datagram, unless the address policy forbids its destination."""
        if self._closed:
            return
        if not self._policy.allows(addr[0]):
            self._drops["forbidden_destination"] += 1
            return
        try:
            self._sock.sendto(data, addr)
        except OSError:
            self._drops["send_error"] += 1

    @override
    def is_closing(self) -> bool:
        return self._closed

    @override
    def close(self) -> None:
        """Free the port at once; idempotent."""
        if not self._closed:
            self._closed = True
            self.sink = None
            self.owner = None
            if self._peer is not None:
                self._peer.close()
            self._watch.unregister(self)
            self._sock.close()

    @override
    def abort(self) -> None:
        self.close()


class PeerSocket:
    """A second socket on a port, connected to one peer, whose packets the kernel gives it.

    Sending needs no address and no route look-up, receiving no look at the source.
    """

    def __init__(
        self,
        port: UdpPort,
        shared: socket.socket,
        remote: SocketAddress,
        buffer: PacketBuffer,
        watch: Watch,
    ) -> None:
        """Raises `OSError` if the system does not let two sockets share the port."""
        self._port = port
        self._remote = remote
        self._view = buffer.view
        self._watch = watch
        sock = socket.socket(shared.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._join(sock, shared)
        except OSError:
            sock.close()
            raise
        self._sock = sock
        self._receive_into = sock.recv_into
        self.fileno = sock.fileno()
        self.send: Callable[[Any], int] = sock.send
        # What came between bind and connect may be from anybody.
        port.take_waiting(sock)
        watch.register(self)

    def receive(self, now: float) -> None:
        """Read one datagram of the peer."""
        try:
            size = self._receive_into(self._view)
        except OSError:
            # Nothing there, or the peer's host said "port unreachable": consent decides.
            return
        # The kernel has matched the source, and ICE has validated it.
        if size and self._view[0] & 0xC0 == RTP_FIRST_BITS:
            self._port.take_media(size, now)
        else:
            self._port.pass_on(bytes(self._view[:size]), self._remote)

    def hand_back(self) -> None:
        """Leave the peer's packets to the port again, those too that wait here."""
        self._port.take_waiting(self._sock)
        self.close()

    def close(self) -> None:
        """Read no more; what waits is lost."""
        self._watch.unregister(self)
        self._sock.close()

    def _join(self, sock: socket.socket, shared: socket.socket) -> None:
        sizes = socket.SOL_SOCKET, socket.SO_RCVBUF
        sock.setsockopt(*sizes, shared.getsockopt(*sizes) // 2)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # Sharing is allowed for this moment only: afterwards nobody else can bind the port.
        for one in (shared, sock):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            sock.bind(self._port.address)
            sock.connect(self._remote)
        finally:
            for one in (shared, sock):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 0)


@dataclass(frozen=True, slots=True)
class Path:
    """Where a leg sends: one of its ports and the peer's address."""

    port: UdpPort
    remote: SocketAddress
