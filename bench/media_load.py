"""Load for a media relay: many WebRTC legs in one process, sending stamped Opus packets.

Runs as `python -m bench.media_load` and talks with its parent in JSON lines. ICE and DTLS
run on the event loop; then one tight loop owns the sockets, sends every 20 ms per leg and
reads what comes back with the kernel's arrival stamps.
"""

import argparse
import asyncio
import json
import select
import socket
import struct
import sys
import time
from dataclasses import dataclass, field

from media.addresses import LocalAddresses
from media.endpoints import EndpointFactory, PortPoller
from media.leg_transport import LegTransport
from media.negotiation import OwnSide, accept_answer, make_offer
from media.prompts import make_comfort_noise
from media.sdp import parse_sdp
from media.sdp_writer import LocalCandidate
from media.settings import LegSettings, NetworkSettings, PollSettings
from media.srtp import PacketBuffer, SrtpContext, srtp_protect, srtp_unprotect

FRAME_S = 0.02
WARM_UP_S = 2.0
SO_TIMESTAMPNS = 35
STAMP = struct.Struct("!Q")
HEADER = struct.Struct("!BBHII")
TIMESPEC = struct.Struct("qq")
HOST = "127.0.0.1"
SETUPS_AT_ONCE = 8
LATENCY_NS_MAX = 5_000_000_000
DRAIN_S = 0.3


@dataclass(slots=True)
class LoadLeg:
    """One peer: its keys, its socket, where it sends."""

    sock: socket.socket
    remote: tuple[str, int]
    sender: SrtpContext | None
    """None toward the empty relay, which speaks no SRTP."""
    receiver: SrtpContext | None
    ssrc: int
    sequence: int = 0
    next_at: float = 0.0


@dataclass(slots=True)
class Tally:
    """What was counted inside the measured window."""

    sent: int = 0
    received: int = 0
    unstamped: int = 0
    refused: int = 0
    latencies_ns: list[int] = field(default_factory=list)


class Exchange:
    """Asks the parent to have our offer answered by the relay under test."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._waiting: dict[str, asyncio.Future[str]] = {}
        self._joined = asyncio.Event()
        self._task = asyncio.create_task(self._read())

    async def answer(self, leg_id: str, offer: str) -> str:
        """The relay's answer to `offer`."""
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting[leg_id] = future
        say({"leg": leg_id, "offer": offer})
        return await future

    async def joined(self) -> None:
        """Return when the relay passes audio between the legs of each call."""
        say({"connected": True})
        await self._joined.wait()

    async def _read(self) -> None:
        while line := await self._reader.readline():
            message = json.loads(line)
            if "joined" in message:
                self._joined.set()
                continue
            self._waiting.pop(message["leg"]).set_result(message["answer"])


def say(message: dict[str, object]) -> None:
    """One line to the parent."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


async def connect_leg(
    leg_id: str, endpoints: EndpointFactory, buffer: PacketBuffer, exchange: Exchange
) -> LoadLeg:
    """Offer, wait for the answer, run ICE and DTLS."""
    transport = LegTransport(
        endpoints,
        LegSettings(connect_timeout_s=60.0),
        trace=lambda _step, _fields: None,
        on_path=lambda _path: None,
    )
    ssrc = hash(leg_id) & 0x7FFFFFFF
    port = transport.ports[0].address[1]
    own = OwnSide(
        session_id=1,
        ufrag=transport.ufrag,
        password=transport.password,
        fingerprint=transport.certificate.fingerprint,
        ssrc=ssrc,
        candidates=(LocalCandidate(HOST, port),),
    )
    transport.take_role(controlling=True)
    answer = parse_sdp(await exchange.answer(leg_id, make_offer(own)))
    terms = accept_answer(answer, "client")
    secured = await transport.connect(terms.remote, terms.role)
    return LoadLeg(
        sock=secured.path.port.sock,
        remote=secured.path.remote,
        sender=SrtpContext(buffer, secured.keys, receiving=False),
        receiver=SrtpContext(buffer, secured.keys, receiving=True),
        ssrc=ssrc,
    )


def run_load(
    legs: list[LoadLeg], buffer: PacketBuffer, seconds: float, frames: tuple[bytes, ...]
) -> Tally:
    """Send and receive for the warm-up and `seconds`; reports the window to the parent."""
    poll = select.epoll()
    by_fileno = {leg.sock.fileno(): leg for leg in legs}
    for leg in legs:
        leg.sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        poll.register(leg.sock.fileno(), select.EPOLLIN)
    start = time.monotonic()
    for index, leg in enumerate(legs):
        leg.next_at = start + FRAME_S * index / len(legs)
    order = list(legs)
    tally = Tally()
    opens, ends = start + WARM_UP_S, start + WARM_UP_S + seconds
    state = "warm"
    position = 0
    while True:
        now = time.monotonic()
        if state == "warm" and now >= opens:
            state = "open"
            tally = Tally()
            say({"window": "open"})
        elif state == "open" and now >= ends:
            state = "closed"
            say({"window": "closed"})
        if now >= ends + DRAIN_S:
            return tally
        while order[position].next_at <= now:
            leg = order[position]
            if now < ends:
                send_frame(leg, buffer, frames[leg.sequence % len(frames)])
                tally.sent += 1
            leg.next_at += FRAME_S
            position = (position + 1) % len(order)
        wait = max(0.0, order[position].next_at - time.monotonic())
        for fileno, _ in poll.poll(min(wait, FRAME_S)):
            receive_frames(by_fileno[fileno], buffer, tally)


def send_frame(leg: LoadLeg, buffer: PacketBuffer, frame: bytes) -> None:
    """Protect and send one packet; its payload ends with the time of sending."""
    leg.sequence += 1
    view = buffer.view
    HEADER.pack_into(
        view, 0, 0x80, 111, leg.sequence & 0xFFFF, leg.sequence * 960 & 0xFFFFFFFF, leg.ssrc
    )
    end = 12 + len(frame)
    view[12:end] = frame
    STAMP.pack_into(view, end, time.time_ns())
    buffer.length[0] = end + 8
    if leg.sender is not None:
        srtp_protect(leg.sender.context, buffer.bytes_address, buffer.length)
    leg.sock.sendto(view[: buffer.length[0]], leg.remote)


def receive_frames(leg: LoadLeg, buffer: PacketBuffer, tally: Tally) -> None:
    """Read all waiting packets; count those that are stamped and how long they took."""
    while True:
        try:
            size, ancillary, _, _ = leg.sock.recvmsg_into([buffer.view], 64)
        except BlockingIOError:
            return
        if buffer.view[0] < 128 or buffer.view[1] in range(192, 224):
            continue
        buffer.length[0] = size
        if leg.receiver is not None and srtp_unprotect(
            leg.receiver.context, buffer.bytes_address, buffer.length
        ):
            tally.refused += 1
            continue
        seconds, nanoseconds = TIMESPEC.unpack(ancillary[0][2])
        (stamp,) = STAMP.unpack_from(buffer.view, buffer.length[0] - 8)
        latency = seconds * 1_000_000_000 + nanoseconds - stamp
        # Comfort frames carry no stamp; what they end with is no plausible time.
        if 0 < latency < LATENCY_NS_MAX:
            tally.received += 1
            tally.latencies_ns.append(latency)
        else:
            tally.unstamped += 1


async def open_exchange() -> Exchange:
    """The lines that the parent writes to us."""
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    return Exchange(reader)


def leg_names(calls: int) -> list[str]:
    """Two legs per call."""
    return [f"{kind}{index}" for index in range(calls) for kind in ("agent", "wa")]


async def connect_secured(
    calls: int, buffer: PacketBuffer, exchange: Exchange
) -> list[LoadLeg]:
    """Connect all legs over ICE and DTLS, a few at a time."""
    poller = PortPoller(asyncio.get_running_loop(), PollSettings())
    network = NetworkSettings(bind_addresses=(HOST,))
    endpoints = EndpointFactory(
        network=network,
        addresses=LocalAddresses.from_settings(network, (HOST,)),
        poller=poller,
        buffer=buffer,
        packets_per_second_max=1000,
    )
    gate = asyncio.Semaphore(SETUPS_AT_ONCE)

    async def one(leg_id: str) -> LoadLeg:
        async with gate:
            return await connect_leg(leg_id, endpoints, buffer, exchange)

    legs = await asyncio.gather(*(one(name) for name in leg_names(calls)))
    # From here the tight loop owns the sockets.
    poller.close()
    return list(legs)


async def connect_plain(calls: int, exchange: Exchange) -> list[LoadLeg]:
    """Sockets toward the empty relay, which answers with a port number."""
    legs = []
    for index, name in enumerate(leg_names(calls)):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        sock.bind((HOST, 0))
        remote = HOST, int(await exchange.answer(name, ""))
        legs.append(LoadLeg(sock, remote, None, None, index + 1))
    return legs


def report(tally: Tally) -> dict[str, object]:
    """The window's figures in milliseconds and counts."""
    ordered = sorted(tally.latencies_ns)

    def percentile(share: float) -> float | None:
        if not ordered:
            return None
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] / 1e6

    return {
        "sent": tally.sent,
        "received": tally.received,
        "unstamped": tally.unstamped,
        "refused": tally.refused,
        "p50_ms": percentile(0.5),
        "p99_ms": percentile(0.99),
        "p999_ms": percentile(0.999),
        "max_ms": ordered[-1] / 1e6 if ordered else None,
    }


async def run(calls: int, seconds: float, *, plain: bool) -> None:
    """Connect, load, report."""
    frames = make_comfort_noise().frames
    buffer = PacketBuffer()
    exchange = await open_exchange()
    if plain:
        legs = await connect_plain(calls, exchange)
    else:
        legs = await connect_secured(calls, buffer, exchange)
    await exchange.joined()
    say(report(run_load(legs, buffer, seconds, frames)))
    # Consent and close are of no interest to a measurement that is over.
    sys.exit(0)


def main() -> None:
    """Run one load as the parent asks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--plain", action="store_true", help="no ICE, DTLS and SRTP")
    chosen = parser.parse_args()
    asyncio.run(run(chosen.calls, chosen.seconds, plain=chosen.plain))


if __name__ == "__main__":
    main()
