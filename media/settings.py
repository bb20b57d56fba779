"""Every knob and bound of the media worker, read once from the command line."""

import argparse
import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

PORT_MIN = 1024
PORT_MAX = 65535


@dataclass(frozen=True, slots=True)
class LegSettings:
    """Times and bounds of one leg; seconds unless the name says otherwise."""

    connect_timeout_s: float = 8.0
    """From both descriptions known to DTLS up; ends what would hang for ever."""
    media_quiet_s: float = 2.0
    """No RTP for so long raises `MediaQuiet`."""
    media_lost_s: float = 30.0
    """No authenticated RTP or RTCP for so long, once some came, closes the leg."""
    rtcp_interval_s: float = 5.0
    """One compound report per leg in this time, and one `LegQuality`."""
    packets_per_second_max: int = 400
    """Packets taken from validated addresses of one leg; audio with keys needs about 60."""
    stun_per_second_max: int = 100
    """STUN requests that carry our ufrag and may cost an HMAC."""
    remote_candidates_max: int = 48
    """Signalled and peer-reflexive candidates together."""
    ssrcs_max: int = 8
    """SSRCs of a peer that may hold SRTP state."""
    foreign_ssrc_after_s: float = 0.5
    """Silence of the present SSRC after which another one may take over."""
    payload_bytes_max: int = 1300
    """A 20 ms Opus frame has at most 1275 bytes (RFC 6716 section 3.2.1)."""
    comfort_after_whatsapp_s: float = 0.1
    """Silence of the agent after which the customer gets the comfort stream."""
    comfort_after_agent_s: float = 1.0
    """The same toward the agent; longer than the 400 ms pauses of a DTX sender."""
    early_datagrams_max: int = 4
    """DTLS datagrams kept per address while its ICE pair is being validated."""


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Where media sockets live and what the peers are told about it."""

    bind_addresses: tuple[str, ...] = ()
    """Empty means every address of this host except loopback and link-local ones."""
    public_addresses: tuple[str, ...] = ()
    """Addresses behind which this host appears to the internet (one-to-one NAT)."""
    port_min: int = 0
    port_max: int = 0
    """Both 0: the system picks ports."""
    receive_buffer_bytes: int = 1 << 18


@dataclass(frozen=True, slots=True)
class PollSettings:
    """When the poller stops waking per packet and starts to look at fixed times."""

    tick_s: float = 0.002
    tick_above_pps: int = 700
    tick_below_pps: int = 500
    rounds_max: int = 32
    """Datagrams read from one socket in one tick before the loop gets its turn."""


@dataclass(frozen=True, slots=True)
class CaptureSettings:
    """Times and bounds of captures."""

    flush_interval_s: float = 0.15
    """Between two ticks; what a killed worker loses at most, but for the disk's own time."""
    sync_interval_s: float = 0.9
    """With a tick and the sync itself, a power loss costs 1.2 s at most."""
    hold_s: float = 5.0
    """How long packets wait in memory for a grant or for a stalled disk."""
    records_max: int = 2_000
    """Of one capture that wait in memory; both directions make 100 a second."""
    budgets_max: int = 4_096
    backlog_bytes_max: int = 32 << 20
    """Handed over to the disk and not yet written, of all captures."""
    free_bytes_min: int = 64 << 20
    """With less space than that no file is begun."""
    closing_s: float = 5.0
    """How long a worker that stops waits for the disk."""


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """All settings of a worker process."""

    socket_path: Path
    token_path: Path
    captures_path: Path | None = None
    """Where capture files are written; None: no captures are taken."""
    gateway_timeout_s: float = 120.0
    """Without a gateway for so long the worker closes its legs and exits."""
    hello_timeout_s: float = 5.0
    legs_max: int = 2000
    events_max: int = 2048
    """Events waiting for a slow gateway before they are replaced by `Resync`."""
    commands_in_flight_max: int = 64
    answers_max: int = 4096
    """Answers remembered for commands that come twice."""
    announcements_max: int = 64
    """Announcements kept in memory; one that was dropped is loaded again."""
    housekeeping_s: float = 0.25
    leg: LegSettings = field(default_factory=LegSettings)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    poll: PollSettings = field(default_factory=PollSettings)
    capture: CaptureSettings = field(default_factory=CaptureSettings)


def _address(text: str) -> str:
    return str(ipaddress.ip_address(text))


def _port_range(text: str) -> tuple[int, int]:
    low, dash, high = text.partition("-")
    if not dash or not low.isdecimal() or not high.isdecimal():
        raise argparse.ArgumentTypeError("expected LOW-HIGH, for example 40000-40999")
    if not PORT_MIN <= int(low) <= int(high) <= PORT_MAX:
        raise argparse.ArgumentTypeError("expected 1024 <= LOW <= HIGH <= 65535")
    return int(low), int(high)


def parse_arguments(arguments: list[str] | None = None) -> WorkerSettings:
    """Read the command line; exits with a usage message if it is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m media", description="Moves call audio for a Callgate gateway."
    )
    parser.add_argument("--socket", type=Path, required=True, help="Unix socket to serve")
    parser.add_argument(
        "--token-file", type=Path, required=True, help="shared secret; made if missing"
    )
    parser.add_argument(
        "--captures",
        type=Path,
        metavar="DIR",
        help="where recordings are captured; made if missing",
    )
    parser.add_argument("--bind", type=_address, action="extend", nargs="+", default=[])
    parser.add_argument(
        "--public-address", type=_address, action="extend", nargs="+", default=[]
    )
    parser.add_argument("--port-range", type=_port_range, default=(0, 0), metavar="LOW-HIGH")
    parser.add_argument("--gateway-timeout", type=float, default=120.0, metavar="SECONDS")
    chosen = parser.parse_args(arguments)
    return WorkerSettings(
        socket_path=chosen.socket,
        token_path=chosen.token_file,
        captures_path=chosen.captures,
        gateway_timeout_s=chosen.gateway_timeout,
        network=NetworkSettings(
            bind_addresses=tuple(chosen.bind),
            public_addresses=tuple(chosen.public_address),
            port_min=chosen.port_range[0],
            port_max=chosen.port_range[1],
        ),
    )
