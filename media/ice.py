"""The ICE agent of a leg: aioice's checks on sockets that are ours."""

from collections import Counter
from collections.abc import Callable, Sequence

from aioice import Candidate
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import CandidatePair, Connection
from typing_extensions import override

from media.ice_gate import GateBounds, GatedStun
from media.port import DATAGRAM_BYTES_MAX, Path, SocketAddress, UdpPort
from media.sdp import RemoteCandidate

UFRAG_BYTES = 8
PASSWORD_BYTES = 24
EARLY_SOURCES_MAX = 8


class IceAgent(Connection):
    """One leg's ICE; never asks a STUN or TURN server, never resolves a name.

    The leg reads `path` for sending and is called back when it changes.
    """

    def __init__(
        self,
        *,
        credentials: tuple[str, str],
        on_path: Callable[[Path], None],
        on_dtls: Callable[[bytes], None],
        early_datagrams_max: int,
    ) -> None:
        super().__init__(
            # The leg sets it when it knows who offers.
            ice_controlling=False,
            local_username=credentials[0],
            local_password=credentials[1],
        )
        self.path: Path | None = None
        self._on_path = on_path
        self._on_dtls = on_dtls
        self._early_datagrams_max = early_datagrams_max
        self._early: dict[tuple[UdpPort, SocketAddress], list[bytes]] = {}
        self._stun: dict[UdpPort, GatedStun] = {}
        self._drops: Counter[str] = Counter()

    def use_ports(
        self, ports: Sequence[UdpPort], drops: Counter[str], bounds: GateBounds
    ) -> None:
        """Take the place of gathering: the bound ports are the host candidates."""
        self._drops = drops
        self._local_candidates_start = True
        for rank, port in enumerate(ports):
            host, number = port.address
            stun = GatedStun(self, port, drops, bounds)
            stun.local_candidate = Candidate(
                foundation=candidate_foundation("host", "udp", host),
                component=1,
                transport="udp",
                priority=candidate_priority(1, "host", 65535 - rank),
                host=host,
                port=number,
                type="host",
            )
            self._stun[port] = stun
            self._protocols.append(stun)
            self._local_candidates.append(stun.local_candidate)
            port.owner = self
        self._local_candidates_end = True

    async def set_remote(
        self,
        *,
        ufrag: str,
        password: str,
        is_lite: bool,
        candidates: Sequence[RemoteCandidate],
    ) -> None:
        """Say who the peer is. A full peer may still come from an address not in its SDP."""
        self.remote_username = ufrag
        self.remote_password = password
        self.remote_is_lite = is_lite
        for candidate in candidates:
            await self.add_remote_candidate(
                Candidate(
                    foundation=candidate.foundation,
                    component=1,
                    transport="udp",
                    priority=candidate.priority,
                    host=candidate.address,
                    port=candidate.port,
                    type=candidate.kind,
                )
            )
        if is_lite:
            # It never sends a check, so nothing but these candidates can become a pair.
            await self.add_remote_candidate(None)

    def stun_received(self, port: UdpPort, datagram: bytes, source: SocketAddress) -> None:
        """Let the gate judge a STUN datagram."""
        self._stun[port].receive(datagram, source)

    def dtls_received(self, port: UdpPort, datagram: bytes, source: SocketAddress) -> None:
        """Pass DTLS on if ICE has validated the pair; else keep or drop it.

        A controlling peer may start DTLS the moment it got our answer, which can be before
        our own check of the same pair is answered. Such a datagram waits, if its source
        has at least sent an authenticated check.
        """
        if source in port.validated:
            self._on_dtls(datagram)
        elif len(datagram) <= DATAGRAM_BYTES_MAX and self._has_pair(port, source):
            waiting = self._early.setdefault((port, source), [])
            if len(self._early) <= EARLY_SOURCES_MAX and (
                len(waiting) < self._early_datagrams_max
            ):
                waiting.append(datagram)
            else:
                self._drops["unvalidated_source"] += 1
        else:
            self._drops["unvalidated_source"] += 1

    def _has_pair(self, port: UdpPort, source: SocketAddress) -> bool:
        return any(
            pair.remote_addr == source and pair.protocol is self._stun.get(port)
            for pair in self._check_list
        )

    @override
    def check_state(self, pair: CandidatePair, state: CandidatePair.State) -> None:
        """Open or shut the gate for the pair's address as its check succeeds or fails."""
        super().check_state(pair, state)
        stun = pair.protocol
        assert isinstance(stun, GatedStun)
        if state is CandidatePair.State.SUCCEEDED:
            stun.port.validated.add(pair.remote_addr)
            for datagram in self._early.pop((stun.port, pair.remote_addr), []):
                self._on_dtls(datagram)
        elif state is CandidatePair.State.FAILED and not pair.nominated:
            stun.port.validated.discard(pair.remote_addr)

    @override
    def check_complete(self, pair: CandidatePair) -> None:
        """Follow the nomination: what is nominated last is where we send."""
        super().check_complete(pair)
        chosen = self._nominated.get(1)
        if chosen is None:
            return
        stun = chosen.protocol
        assert isinstance(stun, GatedStun)
        path = Path(stun.port, chosen.remote_addr)
        if path != self.path:
            self.path = path
            self._on_path(path)

    async def wait_closed(self) -> None:
        """Return when consent to send has expired or the agent was closed (RFC 7675)."""
        await self.get_event()

    def send_control(self, datagram: bytes) -> None:
        """Send a control datagram on the nominated path; dropped while there is none."""
        if self.path is not None:
            self.path.port.sendto(datagram, self.path.remote)
