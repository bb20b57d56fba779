"""One UDP socket of a leg: reads datagrams and sends each kind where it belongs."""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from typing_extensions import override

from media.addresses import AddressPolicy
from media.srtp import PacketBuffer

SocketAddress = tuple[str, int]

RTP_FIRST_BITS = 0x80
"""RFC 7983: first byte 128..191 is SRTP or SRTCP, 20..63 DTLS, 0..3 STUN."""
DTLS_FIRST_BYTE = range(20, 64)
STUN_FIRST_BYTE = range(4)
DATAGRAM_BYTES_MAX = 1500


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


class UdpPort(asyncio.DatagramTransport):
    """A bound, non-blocking UDP socket; the poller calls `receive` when it is readable."""

    def __init__(
        self,
        sock: socket.socket,
        *,
        policy: AddressPolicy,
        buffer: PacketBuffer,
        drops: Counter[str],
        packets_per_second_max: int,
        on_close: Callable[["UdpPort"], None],
    ) -> None:
        super().__init__()
        self.sock = sock
        self.fileno = sock.fileno()
        self._receive_into = sock.recvfrom_into
        name = sock.getsockname()
        self.address: SocketAddress = (name[0], name[1])
        self.validated: set[SocketAddress] = set()
        """Sources whose ICE pair with this port has succeeded."""
        self.sink: PacketSink | None = None
        self.owner: PortOwner | None = None
        self._policy = policy
        self._buffer = buffer
        self._is_ipv6 = sock.family == socket.AF_INET6
        self._drops = drops
        self._closed = False
        self._on_close = on_close
        self._allowance_per_s = packets_per_second_max
        self._allowance = float(packets_per_second_max)
        self._refilled_at = 0.0

    def allows(self, address: str) -> bool:
        """Whether the address policy lets packets go to `address`."""
        return self._policy.allows(address)

    def receive(self, now: float) -> None:
        """Read one datagram, which must be waiting, and pass it on."""
        view = self._buffer.view
        try:
            size, source = self._receive_into(view)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._drops["socket_error"] += 1
            return
        if self._is_ipv6:
            source = source[:2]
        # The two highest bits 10: 128..191, as RFC 7983 assigns it to RTP and RTCP.
        if size and view[0] & 0xC0 == RTP_FIRST_BITS and source in self.validated:
            self._allowance -= 1.0
            if self._allowance < 0.0 and not self._refill(now):
                self._drops["rate"] += 1
            elif (sink := self.sink) is not None and size <= DATAGRAM_BYTES_MAX:
                sink.receive(size, now)
            else:
                self._drops["before_keys" if sink is None else "oversize"] += 1
        else:
            self._pass_on(bytes(view[:size]), source)

    def _refill(self, now: float) -> bool:
        """Grant what the time since the last refill allows; False when it is nothing."""
        granted = (now - self._refilled_at) * self._allowance_per_s
        if granted < 1.0:
            self._allowance = 0.0
            return False
        self._refilled_at = now
        self._allowance = min(granted, float(self._allowance_per_s)) - 1.0
        return True

    def _pass_on(self, datagram: bytes, source: SocketAddress) -> None:
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
            self.sock.sendto(data, addr)
        except OSError:
            self._drops["send_error"] += 1

    @override
    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Answer what the ICE library asks of a transport."""
        return {"sockname": self.address, "socket": self.sock}.get(name, default)

    @override
    def is_closing(self) -> bool:
        return self._closed

    @override
    def close(self) -> None:
        """Close the socket at once and say so to who watches it; idempotent."""
        if not self._closed:
            self._closed = True
            self.sink = None
            self.owner = None
            self._on_close(self)
            self.sock.close()

    @override
    def abort(self) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Path:
    """Where a leg sends: one of its ports and the peer's address."""

    port: UdpPort
    remote: SocketAddress
