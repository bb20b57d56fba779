"""Single parts: the data channel's bounds, DTLS, the poller's two ways, the self-test."""

import asyncio
import math
import random
import socket
import time
from collections import Counter
from pathlib import Path

import pytest
from aiortc import RTCDataChannelParameters
from aiortc.rtcdatachannel import RTCDataChannel

from media.addresses import LocalAddresses
from media.comfort_clock import ComfortClock
from media.data_channel import CHANNELS_MAX, DataChannelKeeper
from media.dtls import DATAGRAM_BYTES_MAX, DtlsEndpoint, DtlsState, make_certificate
from media.endpoints import EndpointFactory, NoFreePort, PortPoller
from media.event_log import EventLog
from media.protocol import LegState, MediaQuiet, Resync
from media.selftest import SelfTestFailed, require_parts, run_selftest
from media.settings import NetworkSettings, PollSettings, WorkerSettings, parse_arguments
from media.srtp import PacketBuffer
from tests.conftest import Rounds
from tests.media.eventually import eventually
from tests.media.raw_peer import RawPeer
from tests.media.test_calls import join_agent, join_customer
from tests.media.worker_process import serving


def pump(client: DtlsEndpoint, server: DtlsEndpoint) -> list[bytes]:
    """Carry datagrams to and fro until both are silent; returns all of them."""
    carried: list[bytes] = []
    while True:
        out, back = client.datagrams_to_send(), server.datagrams_to_send()
        if not out and not back:
            return carried
        for datagram in out:
            server.receive(datagram)
        for datagram in back:
            client.receive(datagram)
        carried += out + back


def dtls_pair() -> tuple[DtlsEndpoint, DtlsEndpoint]:
    ours, theirs = make_certificate(), make_certificate()
    client = DtlsEndpoint(ours, "client", theirs.fingerprint)
    server = DtlsEndpoint(theirs, "server", ours.fingerprint)
    client.start()
    return client, server


def test_a_handshake_agrees_on_mirrored_keys_in_small_datagrams() -> None:
    client, server = dtls_pair()
    carried = pump(client, server)
    assert client.state is server.state is DtlsState.ESTABLISHED
    ours, theirs = client.srtp_keys(), server.srtp_keys()
    assert ours is not None
    assert theirs is not None
    assert (ours.send, ours.receive) == (theirs.receive, theirs.send)
    assert max(map(len, carried)) <= DATAGRAM_BYTES_MAX


@pytest.mark.parametrize("wrong_side", ["client", "server"])
def test_a_certificate_that_was_not_announced_is_refused(wrong_side: str) -> None:
    ours, theirs, other = make_certificate(), make_certificate(), make_certificate()
    expected = other if wrong_side == "client" else theirs
    client = DtlsEndpoint(ours, "client", expected.fingerprint)
    expected = other if wrong_side == "server" else ours
    server = DtlsEndpoint(theirs, "server", expected.fingerprint)
    client.start()
    pump(client, server)
    refused = client if wrong_side == "client" else server
    assert refused.state is DtlsState.FAILED


def test_a_lost_flight_is_sent_again_after_its_time_out() -> None:
    client, server = dtls_pair()
    assert client.datagrams_to_send()
    while timeout := client.timeout_s():
        time.sleep(timeout)
    client.handle_timeout()
    pump(client, server)
    assert client.state is server.state is DtlsState.ESTABLISHED


def test_garbage_after_the_handshake_is_passed_over(rounds: Rounds, seed: int) -> None:
    client, server = dtls_pair()
    pump(client, server)
    chance = random.Random(seed)
    for _ in range(rounds(quick=500, soak=100_000)):
        server.receive(bytes([22]) + chance.randbytes(chance.randrange(200)))
    client.send(b"still here")
    (datagram,) = client.datagrams_to_send()
    assert server.receive(datagram) == [b"still here"]


def test_goodbye_is_heard() -> None:
    client, server = dtls_pair()
    pump(client, server)
    client.close()
    pump(client, server)
    assert server.state is DtlsState.CLOSED


async def test_hostile_sctp_is_counted_and_bounded(rounds: Rounds, seed: int) -> None:
    chance = random.Random(seed)
    drops: Counter[str] = Counter()
    seen: list[bytes] = []

    def to_server(message: bytes) -> None:
        seen.append(message)
        server.receive(message)

    def to_client(message: bytes) -> None:
        client.receive(message)

    client = DataChannelKeeper("client", send=to_server, drops=Counter())
    server = DataChannelKeeper("server", send=to_client, drops=drops)
    client.start(5000)
    server.start(5000)
    channels = [
        RTCDataChannel(client.association, RTCDataChannelParameters(label=f"{index}"))
        for index in range(CHANNELS_MAX + 4)
    ]
    opened = server.association._data_channels
    await eventually(lambda: len(opened) >= CHANNELS_MAX)
    channels[0].send(b"x" * 3000)
    await eventually(lambda: drops["sctp_malformed"] >= 4)
    assert len(opened) == CHANNELS_MAX
    for _ in range(rounds(quick=3000, soak=300_000)):
        message = bytearray(chance.choice(seen))
        for _ in range(chance.randrange(1, 9)):
            message[chance.randrange(len(message))] = chance.randrange(256)
        server.receive(bytes(message))
        if chance.random() < 0.1:
            await asyncio.sleep(0)
    await asyncio.sleep(0.05)
    assert server.association.state in {"connected", "closed"}
    await client.close()
    await server.close()


async def test_the_self_test_passes_with_the_locked_versions() -> None:
    await run_selftest()


def test_the_self_test_names_what_a_library_lacks() -> None:
    with pytest.raises(SelfTestFailed, match="thing of this version lacks nothing_like_this"):
        require_parts("thing", object(), ("__class__", "nothing_like_this"))


async def test_speech_goes_on_when_the_poller_changes_its_way() -> None:
    poll = PollSettings(tick_above_pps=20, tick_below_pps=10)
    async with serving(WorkerSettings(Path(), Path(), poll=poll)) as worker:
        gateway = await worker.connect()
        async with RawPeer() as agent, RawPeer() as customer:
            await join_agent(gateway, agent)
            await join_customer(gateway, customer)
            await gateway.attach("wa", "agent")
            await gateway.start_sending("wa")
            for payload in (b"one", b"two"):
                await agent.talk(60, payload)
                await customer.wait_heard(60, payload)
                await asyncio.sleep(1.2)
            assert [one.payload for one in customer.heard if one.payload != b"one"]
            await gateway.wait_state("agent", LegState.CONNECTED)
        await gateway.close()


async def test_the_pollers_ways_change_with_the_load() -> None:
    loop = asyncio.get_running_loop()
    poller = PortPoller(loop, PollSettings(tick_above_pps=200, tick_below_pps=100))
    drops: Counter[str] = Counter()
    network = NetworkSettings(bind_addresses=("127.0.0.1",))
    factory = EndpointFactory(
        network=network,
        addresses=LocalAddresses.from_settings(network, ()),
        poller=poller,
        buffer=PacketBuffer(),
        packets_per_second_max=400,
    )
    (port,) = factory.open(drops)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(600):
            sock.sendto(b"\xffgarbage", port.address)
            await asyncio.sleep(0.001)
            if poller.is_ticking:
                break
        assert poller.is_ticking
        await eventually(lambda: not poller.is_ticking)
        before = drops["malformed"]
        sock.sendto(b"\xffgarbage", port.address)
        await eventually(lambda: drops["malformed"] == before + 1)
    port.close()
    poller.close()


async def test_a_port_range_that_is_used_up_says_so() -> None:
    loop = asyncio.get_running_loop()
    poller = PortPoller(loop, PollSettings())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        number = taken.getsockname()[1]
        network = NetworkSettings(
            bind_addresses=("127.0.0.1",), port_min=number, port_max=number
        )
        factory = EndpointFactory(
            network=network,
            addresses=LocalAddresses.from_settings(network, ()),
            poller=poller,
            buffer=PacketBuffer(),
            packets_per_second_max=400,
        )
        with pytest.raises(NoFreePort):
            factory.open(Counter())
    poller.close()


def publish(log: EventLog, count: int) -> None:
    for _ in range(count):
        log.publish(lambda seq, at: MediaQuiet(seq=seq, at=at, leg_id="a", tag=""))


def test_events_without_a_reader_are_counted_and_not_kept() -> None:
    log = EventLog(events_max=4)
    publish(log, 10)
    log.open(lambda: None)
    assert log.take() == []
    publish(log, 1)
    assert [event.seq for event in log.take()] == [11]


def test_events_that_nobody_takes_become_one_resync() -> None:
    log = EventLog(events_max=4)
    log.open(lambda: None)
    publish(log, 11)
    events = log.take()
    resync = events[0]
    assert isinstance(resync, Resync)
    assert (resync.seq, resync.dropped) == (10, 10)
    assert [event.seq for event in events] == [10, 11]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--socket", "s", "--token-file", "t", "--bind", "localhost"],
        ["--socket", "s", "--token-file", "t", "--port-range", "40000"],
        ["--socket", "s", "--token-file", "t", "--port-range", "2000-1024"],
        ["--socket", "s", "--token-file", "t", "--port-range", "80-90"],
    ],
)
def test_a_wrong_command_line_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(arguments)


def test_addresses_may_be_given_together_or_one_by_one() -> None:
    start = ["--socket", "s", "--token-file", "t"]
    together = parse_arguments([*start, "--bind", "127.0.0.1", "::1"])
    single = parse_arguments([*start, "--bind", "127.0.0.1", "--bind", "::1"])
    assert together == single
    assert single.network.bind_addresses == ("127.0.0.1", "::1")
    ranged = parse_arguments([*start, "--port-range", "40000-40100"])
    assert (ranged.network.port_min, ranged.network.port_max) == (40000, 40100)


async def test_a_peers_packets_have_a_queue_of_their_own() -> None:
    loop = asyncio.get_running_loop()
    poller = PortPoller(loop, PollSettings())
    drops: Counter[str] = Counter()
    network = NetworkSettings(bind_addresses=("127.0.0.1",), receive_buffer_bytes=4096)
    factory = EndpointFactory(
        network=network,
        addresses=LocalAddresses.from_settings(network, ()),
        poller=poller,
        buffer=PacketBuffer(),
        packets_per_second_max=400,
    )
    (port,) = factory.open(drops)
    sizes: list[int] = []

    class Sink:
        def receive(self, size: int, now: float) -> None:
            sizes.append(size)

    port.sink = Sink()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
    ):
        for sock in (peer, other, stranger):
            sock.bind(("127.0.0.1", 0))
        port.validated |= {peer.getsockname(), other.getsockname()}
        send = port.sender_to(peer.getsockname())
        assert drops == Counter()
        send(b"from the port")
        assert peer.recvfrom(100) == (b"from the port", port.address)
        # Without a pause for the poller: the shared queue overflows, the peer's does not.
        for _ in range(300):
            stranger.sendto(b"\x80" + b"flood" * 100, port.address)
        for size in (20, 30):
            peer.sendto(b"\x80" + b"x" * (size - 1), port.address)
        await eventually(lambda: sizes == [20, 30])
        assert 0 < drops["malformed"] < 300
        other.sendto(b"\x80" + b"x" * 39, port.address)
        await eventually(lambda: sizes == [20, 30, 40])
        # The peer moves: its new address gets the queue, the old one is still heard.
        port.sender_to(other.getsockname())(b"moved")
        assert other.recvfrom(100) == (b"moved", port.address)
        peer.sendto(b"\x80" + b"x" * 49, port.address)
        other.sendto(b"\x80" + b"x" * 59, port.address)
        await eventually(lambda: sorted(sizes) == [20, 30, 40, 50, 60])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as thief:
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            with pytest.raises(OSError, match="in use"):
                thief.bind(port.address)
    port.close()
    poller.close()


async def test_what_waits_when_a_peer_moves_is_still_heard_in_order() -> None:
    poller = PortPoller(asyncio.get_running_loop(), PollSettings())
    network = NetworkSettings(bind_addresses=("127.0.0.1",))
    factory = EndpointFactory(
        network=network,
        addresses=LocalAddresses.from_settings(network, ()),
        poller=poller,
        buffer=PacketBuffer(),
        packets_per_second_max=400,
    )
    (port,) = factory.open(Counter())
    heard: list[tuple[int, float]] = []

    class Sink:
        def receive(self, size: int, now: float) -> None:
            heard.append((size, now))

    port.sink = Sink()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as old,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as new,
    ):
        for sock in (old, new):
            sock.bind(("127.0.0.1", 0))
        port.validated |= {old.getsockname(), new.getsockname()}
        started = time.monotonic()
        port.sender_to(old.getsockname())
        # Without a pause for the poller, as when the loop is late.
        for size in range(20, 30):
            old.sendto(b"\x80" + b"x" * (size - 1), port.address)
        port.sender_to(new.getsockname())
        new.sendto(b"\x80" + b"x" * 29, port.address)
        await eventually(lambda: len(heard) == 11)
    assert [size for size, _ in heard] == list(range(20, 31))
    assert all(now >= started for _, now in heard)
    port.close()
    poller.close()


async def test_a_packet_at_which_we_fail_costs_no_other() -> None:
    poller = PortPoller(asyncio.get_running_loop(), PollSettings())
    received: list[bytes] = []

    class Reader:
        def __init__(self, *, fails: bool) -> None:
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.sock.bind(("127.0.0.1", 0))
            self.fileno = self.sock.fileno()
            self._fails = fails

        def receive(self, now: float) -> None:
            datagram = self.sock.recv(100)
            if self._fails:
                raise ZeroDivisionError
            received.append(datagram)

    readers = [Reader(fails=True), Reader(fails=False)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for reader in readers:
            poller.register(reader)
        for _ in range(5):
            for reader in readers:
                sender.sendto(b"packet", reader.sock.getsockname())
        await eventually(lambda: len(received) == 5 and poller.failures == 5)
    for reader in readers:
        poller.unregister(reader)
        reader.sock.close()
    poller.close()


async def test_the_comfort_clock_keeps_its_beat_and_sleeps_when_it_can() -> None:
    clock = ComfortClock(asyncio.get_running_loop())

    class Member:
        def __init__(self, wait_s: float) -> None:
            self.wait_s = wait_s
            self.asked: list[float] = []

        def tick(self, now: float) -> float:
            self.asked.append(now)
            return now + self.wait_s

    class Broken:
        def tick(self, now: float) -> float:
            raise ZeroDivisionError

    sleeper, busy = Member(math.inf), Member(0.0)
    clock.add(sleeper)
    clock.add(Broken())
    await asyncio.sleep(0.3)
    assert 1 <= len(sleeper.asked) <= 2
    clock.add(busy)
    await eventually(lambda: len(busy.asked) >= 50)
    whole = busy.asked[-1] - busy.asked[0]
    assert abs(whole - 0.02 * (len(busy.asked) - 1)) < 0.02 + 0.2
    clock.remove(busy)
    asked = len(busy.asked)
    clock.hasten()
    await asyncio.sleep(0.1)
    assert len(busy.asked) == asked
    clock.close()
