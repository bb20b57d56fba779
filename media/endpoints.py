"""Makes and frees the UDP sockets of legs, and waits on all of them at once."""

import asyncio
import random
import select
import socket
import time
from collections import Counter

from media.addresses import AddressPolicy, LocalAddresses
from media.port import UdpPort
from media.settings import NetworkSettings, PollSettings
from media.srtp import PacketBuffer

RATE_WINDOW_S = 0.5


class NoFreePort(Exception):
    """Every port of the configured range is in use."""


class PortPoller:
    """Drains readable ports: woken per packet, or at fixed ticks when there is much to do.

    A wake-up of the event loop costs more than the relaying of a packet, so above some
    thousand packets a second it is cheaper to look every 2 ms than to be told each time.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, settings: PollSettings) -> None:
        self._loop = loop
        self._settings = settings
        self._epoll = select.epoll()
        self._ports: dict[int, UdpPort] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._window_at = 0.0
        self._window_packets = 0
        loop.add_reader(self._epoll.fileno(), self._on_readable)

    @property
    def is_ticking(self) -> bool:
        """Whether the poller looks at fixed times instead of being woken."""
        return self._timer is not None

    def register(self, port: UdpPort) -> None:
        """Watch `port` until it is unregistered, which must happen before its socket closes."""
        self._ports[port.fileno] = port
        self._epoll.register(port.fileno, select.EPOLLIN)

    def unregister(self, port: UdpPort) -> None:
        """Forget `port`."""
        if self._ports.pop(port.fileno, None) is not None:
            self._epoll.unregister(port.fileno)

    def close(self) -> None:
        """Stop waiting; no port is drained any more."""
        if self._timer is None:
            self._loop.remove_reader(self._epoll.fileno())
        else:
            self._timer.cancel()
        self._epoll.close()

    def _drain(self, rounds: int) -> None:
        """Read one datagram of each readable port per round, so that none starves another."""
        now = time.monotonic()
        ports = self._ports
        for _ in range(rounds):
            ready = self._epoll.poll(0)
            if not ready:
                return
            self._window_packets += len(ready)
            for fileno, _events in ready:
                # A port read earlier in this round may have closed this one.
                port = ports.get(fileno)
                if port is not None:
                    port.receive(now)

    def _rate(self) -> float | None:
        """Packets per second over the window that just ended, None while it lasts."""
        now = time.monotonic()
        elapsed = now - self._window_at
        if elapsed < RATE_WINDOW_S:
            return None
        rate = self._window_packets / elapsed
        self._window_at = now
        self._window_packets = 0
        return rate

    def _on_readable(self) -> None:
        # What one round leaves makes the loop call again.
        self._drain(1)
        rate = self._rate()
        if rate is not None and rate > self._settings.tick_above_pps:
            self._loop.remove_reader(self._epoll.fileno())
            self._timer = self._loop.call_later(self._settings.tick_s, self._on_tick)

    def _on_tick(self) -> None:
        # Armed before the work, so that a failing packet cannot end the polling.
        self._timer = self._loop.call_later(self._settings.tick_s, self._on_tick)
        self._drain(self._settings.rounds_max)
        rate = self._rate()
        if rate is not None and rate < self._settings.tick_below_pps:
            self._timer.cancel()
            self._timer = None
            self._loop.add_reader(self._epoll.fileno(), self._on_readable)


class EndpointFactory:
    """Opens one socket per bound address for a leg, inside the configured port range."""

    def __init__(
        self,
        *,
        network: NetworkSettings,
        addresses: LocalAddresses,
        poller: PortPoller,
        buffer: PacketBuffer,
        packets_per_second_max: int,
    ) -> None:
        self.addresses = addresses
        self.policy: AddressPolicy = addresses.policy()
        self._network = network
        self._poller = poller
        self._buffer = buffer
        self._packets_per_second_max = packets_per_second_max
        self._random = random.SystemRandom()

    def open(self, drops: Counter[str]) -> list[UdpPort]:
        """Bind the sockets of one leg; raises `NoFreePort`. The caller closes the ports."""
        ports: list[UdpPort] = []
        try:
            for address in self.addresses.bound:
                port = UdpPort(
                    self._bind(address),
                    policy=self.policy,
                    buffer=self._buffer,
                    drops=drops,
                    packets_per_second_max=self._packets_per_second_max,
                    on_close=self._poller.unregister,
                )
                self._poller.register(port)
                ports.append(port)
        except NoFreePort:
            for port in ports:
                port.close()
            raise
        return ports

    def _bind(self, address: str) -> socket.socket:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        for number in self._candidate_ports():
            sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            try:
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sock.setsockopt(
                    socket.SOL_SOCKET, socket.SO_RCVBUF, self._network.receive_buffer_bytes
                )
                sock.bind((address, number))
            except OSError:
                sock.close()
            else:
                return sock
        raise NoFreePort

    def _candidate_ports(self) -> list[int]:
        if self._network.port_max == 0:
            return [0]
        numbers = list(range(self._network.port_min, self._network.port_max + 1))
        # A random start keeps a port unused for long after its leg closed, so that a
        # peer's last packets seldom meet the next leg.
        self._random.shuffle(numbers)
        return numbers
