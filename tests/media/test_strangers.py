"""What strangers send at media ports changes nothing, and gets no answer."""

import asyncio
import os
import random
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import aioice.ice
import pytest
from aioice import Candidate, stun

from media.addresses import LocalAddresses, host_addresses
from media.dtls import DtlsEndpoint, make_certificate
from media.endpoints import EndpointFactory, PortPoller
from media.ice import IceAgent
from media.port import UdpPort
from media.protocol import CloseReason, LegKind, LegQuality, LegState
from media.settings import LegSettings, NetworkSettings, PollSettings, WorkerSettings
from media.srtp import PacketBuffer
from tests.conftest import Rounds
from tests.media.eventually import eventually
from tests.media.gateway_client import GatewayClient
from tests.media.peers import Peer
from tests.media.raw_peer import RawPeer
from tests.media.test_calls import join_agent, join_customer
from tests.media.worker_process import WorkerProcess, running_worker, serving


def client_hello() -> bytes:
    """What a DTLS client says first."""
    certificate = make_certificate()
    endpoint = DtlsEndpoint(certificate, "client", certificate.fingerprint)
    endpoint.start()
    return endpoint.datagrams_to_send()[0]


def port_of(sdp: str) -> int:
    return int(sdp.split("m=audio ")[1].split(" ", maxsplit=1)[0])


@asynccontextmanager
async def stranger_at(port: int, *datagrams: bytes) -> AsyncIterator[socket.socket]:
    """Somebody who sends those datagrams at a port, twenty times a second each."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)

    async def shout() -> None:
        while True:
            for datagram in datagrams:
                sock.sendto(datagram, ("127.0.0.1", port))
            await asyncio.sleep(0.05)

    task = asyncio.create_task(shout())
    try:
        yield sock
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        sock.close()


@pytest.mark.e2e
async def test_client_hellos_of_a_stranger_fail_no_set_up(
    gateway: GatewayClient, rounds: Rounds
) -> None:
    hello = client_hello()
    for index in range(rounds(quick=5, soak=50)):
        for kind in (LegKind.AGENT, LegKind.WHATSAPP):
            leg_id = f"{kind}{index}"
            async with Peer(440.0) as peer:
                answer = await gateway.answer_offer(leg_id, kind, await peer.offer())
                async with stranger_at(port_of(answer), hello, b"\x16" + os.urandom(60)):
                    await asyncio.sleep(0.1)
                    await peer.accept(answer)
                    await gateway.wait_state(leg_id, LegState.CONNECTED)
                await gateway.close_leg(leg_id)
        # We are the DTLS server here, where an early hello would do the most harm.
        async with Peer(440.0) as peer:
            leg_id = f"offered{index}"
            offer = await gateway.make_offer(leg_id)
            async with stranger_at(port_of(offer), hello):
                answer = await peer.answer(offer)
                await gateway.apply_answer(leg_id, answer)
                await gateway.wait_state(leg_id, LegState.CONNECTED)
            await gateway.close_leg(leg_id)


@pytest.mark.e2e
async def test_a_flood_of_garbage_leaves_a_call_alone_and_is_counted(
    worker: WorkerProcess, gateway: GatewayClient
) -> None:
    async with RawPeer() as agent, RawPeer() as customer:
        await join_agent(gateway, agent)
        answer = await gateway.answer_offer("wa", LegKind.WHATSAPP, await customer.offer())
        await customer.accept(answer)
        await gateway.wait_state("wa", LegState.CONNECTED)
        await gateway.attach("wa", "agent")
        await gateway.start_sending("wa")
        memory = worker.ps.memory_info().rss
        chance = random.Random(7)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for index in range(100):
                for _ in range(100):
                    size = chance.randrange(0, 1600)
                    sock.sendto(chance.randbytes(size), ("127.0.0.1", port_of(answer)))
                if index % 2:
                    await agent.talk(1)
        await customer.wait_heard(50, b"\x48speech")
        quality = await gateway.wait_for(
            LegQuality, lambda e: e.leg_id == "wa" and e.dropped.get("malformed", 0) > 0
        )
        assert quality.dropped["unvalidated_source"] > 0
        assert "not_authentic" not in quality.dropped
        assert worker.ps.memory_info().rss - memory < 50 << 20


@pytest.mark.e2e
async def test_a_stranger_gets_no_answer_to_stun(gateway: GatewayClient) -> None:
    offer = await gateway.make_offer("wa")
    ufrag = offer.split("a=ice-ufrag:")[1].split("\r\n")[0]
    bare = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    named = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    named.attributes["USERNAME"] = f"{ufrag}:abcd"
    named.attributes["PRIORITY"] = 1
    forged = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    forged.attributes.update(named.attributes)
    forged.add_message_integrity(b"guess")
    allocate = stun.Message(stun.Method.ALLOCATE, stun.Class.REQUEST)
    answer = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE)
    datagrams = [bytes(one) for one in (bare, named, forged, allocate, answer)]
    async with stranger_at(port_of(offer), *datagrams) as sock:
        await asyncio.sleep(0.5)
        with pytest.raises(BlockingIOError):
            sock.recv(2048)


@pytest.mark.e2e
async def test_media_from_another_validated_pair_is_heard(
    gateway: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Safari may send from a pair that it has not nominated."""
    monkeypatch.setattr(
        aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1", "127.0.0.2"]
    )
    async with RawPeer() as agent:
        await join_agent(gateway, agent)
        connection: Any = cast("Any", agent.dtls.transport)._connection
        nominated = connection._nominated[1]
        other = next(p for p in connection._protocols if p is not nominated.protocol)
        check = connection.build_request(nominated, nominate=False)
        await other.request(
            check, nominated.remote_addr, integrity_key=connection.remote_password.encode()
        )
        # Our check back to the new address must be answered before it counts as validated.
        await asyncio.sleep(0.3)
        nominated.protocol = other
        await agent.talk(10)
        await gateway.wait_packets_in("agent", 10)


@pytest.mark.e2e
async def test_nothing_is_sent_to_forbidden_addresses() -> None:
    own = [address for address in host_addresses() if ":" not in address]
    if not own:
        pytest.skip("this host has no address but loopback")
    with running_worker("--bind", own[0]) as worker:
        gateway = await worker.connect()
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as loopback,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reachable,
        ):
            loopback.bind(("127.0.0.1", 0))
            reachable.bind((own[0], 0))
            loopback.setblocking(False)
            reachable.setblocking(False)
            async with Peer(440.0) as peer:
                offer = await peer.offer()
            lines = [line for line in offer.split("\r\n") if "candidate" not in line]
            lines[-1:] = [
                f"a=candidate:{rank} 1 udp {rank} {address} {port} typ host"
                for rank, (address, port) in enumerate(
                    [
                        ("127.0.0.1", loopback.getsockname()[1]),
                        ("224.0.0.251", 5353),
                        ("255.255.255.255", 9),
                        ("0.0.0.0", loopback.getsockname()[1]),
                        (own[0], reachable.getsockname()[1]),
                    ],
                    1,
                )
            ]
            await gateway.answer_offer("a", LegKind.AGENT, "\r\n".join([*lines, ""]))

            def is_checked() -> bool:
                try:
                    return bool(reachable.recv(2048))
                except BlockingIOError:
                    return False

            await eventually(is_checked)
            await asyncio.sleep(0.5)
            with pytest.raises(BlockingIOError):
                loopback.recv(2048)
            sockets = worker.ps.net_connections("inet")
            assert {connection.laddr.ip for connection in sockets} == {own[0]}
            assert {connection.type for connection in sockets} == {socket.SOCK_DGRAM}
        await gateway.close()


async def test_a_peer_that_vanishes_is_noticed_by_lost_consent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(aioice.ice, "CONSENT_INTERVAL", 0.1)
    async with serving(WorkerSettings(Path(), Path())) as worker, RawPeer() as customer:
        gateway = await worker.connect()
        await join_customer(gateway, customer)
        connection: Any = cast("Any", customer.dtls.transport)._connection
        for protocol in connection._protocols:
            protocol.datagram_received = lambda _data, _source: None
        connection._query_consent_task.cancel()
        closed = await gateway.wait_state("wa", LegState.CLOSED)
        assert closed.reason is CloseReason.CONSENT_LOST
        await gateway.close()


@pytest.fixture
async def agent() -> AsyncIterator[tuple[IceAgent, UdpPort, Counter[str]]]:
    """An ICE agent on a real port, as a leg has it."""
    loop = asyncio.get_running_loop()
    drops: Counter[str] = Counter()
    poller = PortPoller(loop, PollSettings())
    network = NetworkSettings(bind_addresses=("127.0.0.1",))
    factory = EndpointFactory(
        network=network,
        addresses=LocalAddresses.from_settings(network, ()),
        poller=poller,
        buffer=PacketBuffer(),
        packets_per_second_max=400,
    )
    (port,) = factory.open(drops)
    made = IceAgent(
        credentials=("ownufrag", "ownpassword0123456789abcd"),
        on_path=lambda _path: None,
        on_dtls=lambda _datagram: None,
        early_datagrams_max=4,
    )
    made.use_ports([port], drops, LegSettings())
    yield made, port, drops
    await made.close()
    poller.close()


def authentic_check(agent: IceAgent) -> stun.Message:
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    message.attributes["USERNAME"] = f"{agent.local_username}:peer"
    message.attributes["PRIORITY"] = 1853824767
    message.attributes["ICE-CONTROLLING"] = 4242
    message.attributes["USE-CANDIDATE"] = None
    message.add_message_integrity(agent.local_password.encode())
    return message


async def test_mutated_stun_is_counted_and_never_raises(
    agent: tuple[IceAgent, UdpPort, Counter[str]], rounds: Rounds, seed: int
) -> None:
    made, port, drops = agent
    chance = random.Random(seed)
    samples = [bytes(authentic_check(made))]
    error = stun.Message(stun.Method.BINDING, stun.Class.ERROR)
    error.attributes["ERROR-CODE"] = (487, "Role Conflict")
    samples.append(bytes(error))
    for _ in range(rounds(quick=20_000, soak=5_000_000)):
        datagram = bytearray(chance.choice(samples))
        for _ in range(chance.randrange(1, 8)):
            datagram[chance.randrange(len(datagram))] = chance.randrange(256)
        if chance.random() < 0.3:
            del datagram[chance.randrange(4, len(datagram)) :]
            if chance.random() < 0.8 and len(datagram) >= 20:
                datagram[2:4] = (len(datagram) - 20).to_bytes(2, "big")
        datagram[0] &= 3
        made.stun_received(port, bytes(datagram), ("127.0.0.1", 9))
    assert drops["stun_malformed"] > 0
    assert drops["stun_unauthenticated"] > 0


async def test_an_authentic_check_without_priority_is_refused(
    agent: tuple[IceAgent, UdpPort, Counter[str]],
) -> None:
    made, port, drops = agent
    message = authentic_check(made)
    del message.attributes["PRIORITY"]
    message.add_message_integrity(made.local_password.encode())
    made.stun_received(port, bytes(message), ("127.0.0.1", 9))
    assert drops == Counter({"stun_malformed": 1})


async def test_checks_from_ever_new_addresses_are_bounded(
    agent: tuple[IceAgent, UdpPort, Counter[str]],
) -> None:
    made, port, drops = agent
    await made.set_remote(ufrag="peer", password="x" * 24, is_lite=False, candidates=[])
    connecting = asyncio.create_task(made.connect())
    await asyncio.sleep(0)
    for index in range(90):
        made.stun_received(port, bytes(authentic_check(made)), ("127.0.0.1", 2000 + index))
    assert len(made.remote_candidates) <= LegSettings().remote_candidates_max
    assert drops["stun_forbidden_source"] == 90 - LegSettings().remote_candidates_max
    connecting.cancel()
    await asyncio.gather(connecting, return_exceptions=True)


async def test_a_flood_of_checks_with_our_name_is_limited(
    agent: tuple[IceAgent, UdpPort, Counter[str]],
) -> None:
    made, port, drops = agent
    check = bytes(authentic_check(made))
    for _ in range(1000):
        made.stun_received(port, check, ("127.0.0.1", 9))
    assert drops["stun_rate"] >= 1000 - 2 * LegSettings().stun_per_second_max


async def test_early_dtls_waits_for_its_pair_and_is_bounded(
    agent: tuple[IceAgent, UdpPort, Counter[str]],
) -> None:
    made, port, drops = agent
    received: list[bytes] = []
    made._on_dtls = received.append
    stranger, peer = ("127.0.0.1", 9), ("127.0.0.1", 10)
    made.dtls_received(port, b"\x16hello", stranger)
    assert drops["unvalidated_source"] == 1
    await made.add_remote_candidate(Candidate("1", 1, "udp", 1, "127.0.0.1", 10, "host"))
    for _ in range(10):
        made.dtls_received(port, b"\x16hello", peer)
    assert received == []
    pair = made._check_list[0]
    made.check_state(pair, aioice.ice.CandidatePair.State.SUCCEEDED)
    assert received == [b"\x16hello"] * 4
    made.dtls_received(port, b"\x16more", peer)
    made.dtls_received(port, b"\x16more", stranger)
    assert received[4:] == [b"\x16more"]


async def test_no_server_is_ever_asked_for_an_address(
    agent: tuple[IceAgent, UdpPort, Counter[str]],
) -> None:
    made, _, _ = agent
    assert made.stun_server is None
    assert made.turn_server is None
    (candidate,) = made.local_candidates
    assert (candidate.host, candidate.type) == ("127.0.0.1", "host")
