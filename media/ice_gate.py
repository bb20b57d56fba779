"""Lets only authenticated STUN reach the ICE library; strangers get no answer at all.

aioice answers unauthenticated requests with errors (a small reflector), and its parser
raises more than `ValueError` on hostile input. Both end here.
"""

import struct
import time
from collections import Counter
from typing import Any, Protocol

from aioice import stun
from aioice.ice import Connection, StunProtocol
from typing_extensions import override

from media.port import SocketAddress, UdpPort

COOKIE = b"\x21\x12\xa4\x42"
HEADER_BYTES = 20
BINDING_REQUEST = 0x0001
BINDING_ANSWERS = (0x0101, 0x0111)
ROLE_CONFLICT = 487
ROLE_CONFLICTS_MAX = 8
PARSE_FAILURES = (ValueError, struct.error, IndexError, KeyError)


class GateBounds(Protocol):
    """The bounds that the gate keeps; `LegSettings` has them."""

    @property
    def stun_per_second_max(self) -> int:
        """Requests with our ufrag whose integrity is checked per second."""

    @property
    def remote_candidates_max(self) -> int:
        """Remote candidates, signalled and peer-reflexive."""


class GatedStun(StunProtocol):
    """The ICE library's view of one port; feeds it only what passed the gate."""

    def __init__(
        self, agent: Connection, port: UdpPort, drops: Counter[str], bounds: GateBounds
    ) -> None:
        super().__init__(agent)
        self.port = port
        self._drops = drops
        self._bounds = bounds
        self._username_start = f"{agent.local_username}:".encode()
        self._window_at = 0.0
        self._window_requests = 0
        self._role_conflicts = 0
        self.connection_made(port)

    @override
    async def close(self) -> None:
        """Close the port; the library awaits that no datagram can come any more."""
        self.port.close()
        self.connection_lost(None)

    def receive(self, datagram: bytes, source: SocketAddress) -> None:
        """Judge one STUN datagram from anybody and pass it on if it is expected."""
        if (
            len(datagram) < HEADER_BYTES
            or datagram[4:8] != COOKIE
            or len(datagram) != HEADER_BYTES + int.from_bytes(datagram[2:4], "big")
        ):
            self._drops["stun_malformed"] += 1
            return
        kind = int.from_bytes(datagram[0:2], "big")
        if kind == BINDING_REQUEST:
            self._request(datagram, source)
        elif kind in BINDING_ANSWERS and datagram[8:20] in self.transactions:
            self._answer(datagram, source)
        else:
            self._drops["stun_unexpected"] += 1

    def _request(self, datagram: bytes, source: SocketAddress) -> None:
        # Cheap test first: a stranger does not know our ufrag.
        if self._username_start not in datagram:
            self._drops["stun_unauthenticated"] += 1
            return
        if not self._has_time_for_request():
            self._drops["stun_rate"] += 1
            return
        message = self._parse(datagram)
        if message is None:
            return
        agent = self.receiver
        if not (
            agent._valid_username(message.attributes.get("USERNAME", ""))  # noqa: SLF001
            and message.check_message_integrity(agent.local_password.encode())
        ):
            self._drops["stun_unauthenticated"] += 1
        elif "PRIORITY" not in message.attributes:
            self._drops["stun_malformed"] += 1
        elif not self.port.allows(source[0]) or not self._is_known_or_fits(source):
            self._drops["stun_forbidden_source"] += 1
        else:
            agent.request_received(message, source, self)

    def _answer(self, datagram: bytes, source: SocketAddress) -> None:
        message = self._parse(datagram)
        if message is None:
            return
        error: Any = message.attributes.get("ERROR-CODE")
        if error is not None and error[0] == ROLE_CONFLICT:
            # Each conflict makes the library try again with the other role; a hostile
            # peer could keep that up for ever.
            self._role_conflicts += 1
            if self._role_conflicts > ROLE_CONFLICTS_MAX:
                self._drops["stun_role_conflict"] += 1
                return
        self.transactions[message.transaction_id].response_received(message, source)

    def _parse(self, datagram: bytes) -> stun.Message | None:
        try:
            return stun.parse_message(datagram)
        except PARSE_FAILURES:
            self._drops["stun_malformed"] += 1
            return None

    def _is_known_or_fits(self, source: SocketAddress) -> bool:
        known = self.receiver.remote_candidates
        return len(known) < self._bounds.remote_candidates_max or any(
            (candidate.host, candidate.port) == source for candidate in known
        )

    def _has_time_for_request(self) -> bool:
        now = time.monotonic()
        if now - self._window_at >= 1.0:
            self._window_at = now
            self._window_requests = 0
        self._window_requests += 1
        return self._window_requests <= self._bounds.stun_per_second_max
