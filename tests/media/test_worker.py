"""The worker as a process and as a server: who is admitted, and how it ends."""

import asyncio
import os
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
import uvloop

from media import protocol
from media.commands import CommandDesk
from media.event_log import EventLog
from media.gateway_link import GatewayLink
from media.protocol import (
    PROTOCOL_VERSION,
    CloseReason,
    Failed,
    Hello,
    LegKind,
    LegState,
    Refused,
    Snapshot,
    Welcome,
)
from tests.conftest import Rounds
from tests.media.gateway_client import GatewayClient, receive, send
from tests.media.peers import Peer
from tests.media.raw_peer import RawPeer
from tests.media.sdp_samples import WHATSAPP_OFFER
from tests.media.test_calls import join_agent, join_customer
from tests.media.worker_process import WorkerProcess, running_worker

pytestmark = pytest.mark.e2e


@asynccontextmanager
async def connection(
    worker: WorkerProcess,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A bare connection to the worker's socket."""
    reader, writer = await asyncio.open_unix_connection(worker.socket_path)
    try:
        yield reader, writer
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def greet(worker: WorkerProcess, hello: Hello) -> object:
    async with connection(worker) as (reader, writer):
        await send(writer, hello)
        return await receive(reader)


def hello(worker: WorkerProcess, **changes: object) -> Hello:
    worker.gateway_epoch += 1
    fields = {
        "protocol_version": protocol.PROTOCOL_VERSION,
        "gateway_epoch": worker.gateway_epoch,
        "token": worker.token,
    }
    return Hello.model_validate(fields | changes)


async def test_a_wrong_token_is_refused(worker: WorkerProcess) -> None:
    answer = await greet(worker, hello(worker, token="wrong"))
    assert answer == Refused(reason="bad_token")


async def test_another_protocol_version_is_refused(worker: WorkerProcess) -> None:
    answer = await greet(worker, hello(worker, protocol_version=99))
    assert answer == Refused(reason="protocol_version")


async def test_an_older_gateway_is_refused(
    worker: WorkerProcess, gateway: GatewayClient
) -> None:
    answer = await greet(worker, hello(worker, gateway_epoch=worker.gateway_epoch - 1))
    assert answer == Refused(reason="stale_epoch")
    await gateway.snapshot()


async def test_a_newer_gateway_displaces_the_older_and_finds_its_legs(
    worker: WorkerProcess,
) -> None:
    older = await worker.connect()
    await older.make_offer("wa")
    newer = await worker.connect()
    await older.wait_ended()
    assert older.refused == Refused(reason="displaced")
    await older.close()
    (leg,) = newer.welcome.snapshot.legs
    assert (leg.leg_id, leg.kind, leg.state) == ("wa", LegKind.WHATSAPP, LegState.NEW)
    assert leg.local_sdp.startswith("v=0\r\n")
    assert newer.welcome.boot_id == older.welcome.boot_id
    await newer.close_leg("wa")
    await newer.close()


async def test_a_call_goes_on_while_no_gateway_is_there(worker: WorkerProcess) -> None:
    first = await worker.connect()
    async with RawPeer() as agent, RawPeer() as customer:
        await join_agent(first, agent)
        await join_customer(first, customer)
        await first.attach("wa", "agent")
        await first.start_sending("wa")
        await agent.talk(10, b"before")
        await first.close()
        await agent.talk(30, b"alone")
        await customer.wait_heard(30, b"alone")
        second = await worker.connect()
        legs = {leg.leg_id: leg for leg in second.welcome.snapshot.legs}
        assert legs["wa"].attached_to == "agent"
        assert legs["agent"].attached_to == "wa"
        assert legs["wa"].sending
        assert legs["agent"].received_rtp
        assert not legs["wa"].received_rtp
        assert legs["wa"].state is LegState.CONNECTED
        assert legs["wa"].packets_out >= 40
        await second.detach("wa")
        for leg_id in legs:
            await second.close_leg(leg_id)
        await second.close()


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\0\0",
        b"\0\0\0\0",
        b"\xff\xff\xff\xff" + b"x" * 100,
        b"\0\0\0\5hello",
        b"\0\0\0\2{}",
        b"\0\0\0\4\xff\xff\xff\xff",
        b'\0\0\0\x11{"type": "hello"}',
        b"\0\0\1\0" + b"[" * 256,
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
async def test_garbage_ends_the_connection_and_nothing_else(
    worker: WorkerProcess, gateway: GatewayClient, garbage: bytes
) -> None:
    async with connection(worker) as (reader, writer):
        writer.write(garbage)
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 20) == b""
    await gateway.snapshot()


async def test_garbage_of_an_admitted_gateway_ends_its_connection_only(
    worker: WorkerProcess,
) -> None:
    for body in (
        b'{"type":"attach"}',
        b'{"type":"leave"}',
        b"[]",
        hello(worker).model_dump_json().encode(),
    ):
        async with connection(worker) as (reader, writer):
            await send(writer, hello(worker))
            await receive(reader)
            writer.write(len(body).to_bytes(4, "big") + body)
            assert await asyncio.wait_for(reader.read(), 20) == b""
    await (await worker.connect()).close()


def test_news_for_a_gateway_that_was_killed_is_no_mistake_of_ours() -> None:
    async def scene() -> None:
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)
        events = EventLog(10)
        link = GatewayLink(
            reader,
            writer,
            desk=cast("CommandDesk", None),
            commands=set(),
            events=events,
            commands_in_flight_max=1,
        )
        welcome = Welcome(
            protocol_version=PROTOCOL_VERSION,
            worker_id="w",
            boot_id="b",
            snapshot=Snapshot(last_seq=0, legs=()),
        )
        theirs.close()
        writer.transport.abort()
        await asyncio.sleep(0.05)
        await asyncio.wait_for(link.run(welcome), 20)

    # The worker's own loop: asyncio's takes a write to a closed connection without a word.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scene())


async def test_files_are_ours_alone(worker: WorkerProcess) -> None:
    assert stat.S_IMODE(worker.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((worker.directory / "token").stat().st_mode) == 0o600
    assert stat.S_IMODE(worker.socket_path.stat().st_mode) == 0o600


def second_worker(directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "media", "--bind", "127.0.0.1"),
            *("--socket", str(directory / "media.sock")),
            *("--token-file", str(directory / "token")),
        ],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


async def test_a_second_worker_on_the_same_socket_refuses_to_start(
    worker: WorkerProcess, gateway: GatewayClient
) -> None:
    result = await asyncio.to_thread(second_worker, worker.directory)
    assert result.returncode == 2
    assert "another media worker" in result.stderr
    await gateway.snapshot()


def test_a_token_that_others_can_read_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "token").write_text("secret")
    (tmp_path / "token").chmod(0o644)
    result = second_worker(tmp_path)
    assert result.returncode == 2
    assert "0600" in result.stderr
    assert "secret" not in result.stderr


def test_a_directory_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    result = second_worker(tmp_path)
    assert result.returncode == 2
    assert "us alone" in result.stderr


async def test_sigterm_closes_legs_and_leaves_nothing_behind() -> None:
    with running_worker() as worker:
        gateway = await worker.connect()
        async with Peer(440.0, data_channel=True) as agent:
            await join_agent(gateway, agent)
            worker.process.terminate()
            closed = await gateway.wait_state("agent", LegState.CLOSED)
            assert closed.reason is CloseReason.WORKER_STOPPED
            assert await worker.ended() == 0
        assert not worker.socket_path.exists()
        await gateway.close()


async def test_a_worker_that_no_gateway_visits_ends_by_itself() -> None:
    with running_worker("--gateway-timeout", "1.5") as worker:
        gateway = await worker.connect()
        await gateway.make_offer("wa")
        await asyncio.sleep(2.0)
        await gateway.snapshot()
        await gateway.close()
        assert await worker.ended() == 0
        assert not worker.socket_path.exists()


async def test_ports_stay_in_their_range_and_are_freed() -> None:
    low = 42000 + os.getpid() % 1000
    with running_worker("--port-range", f"{low}-{low + 2}") as worker:
        gateway = await worker.connect()
        for _ in range(3):
            ports = set()
            for index in range(3):
                sdp = await gateway.make_offer(f"wa{index}")
                ports.add(int(sdp.split("m=audio ")[1].split(" ")[0]))
            assert ports == {low, low + 1, low + 2}
            full = await gateway.ask(
                protocol.MakeOffer(id=gateway.next_id(), epoch=1, leg_id="more", tag="")
            )
            assert isinstance(full, Failed)
            assert full.code == "limit"
            for index in range(3):
                await gateway.close_leg(f"wa{index}")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", low))
        await gateway.close()


async def test_public_addresses_are_what_whatsapp_is_told() -> None:
    with running_worker("--public-address", "203.0.113.7") as worker:
        gateway = await worker.connect()
        offer = await gateway.make_offer("wa")
        assert "203.0.113.7" in offer
        assert "127.0.0.1 " not in offer.replace("IN IP4 127.0.0.1", "")
        async with Peer(440.0) as agent:
            answer = await gateway.answer_offer("a", LegKind.AGENT, await agent.offer())
        assert "203.0.113.7" in answer
        assert " 127.0.0.1 " in answer
        await gateway.close()


async def test_nothing_is_left_over_after_many_legs(
    worker: WorkerProcess, gateway: GatewayClient, rounds: Rounds
) -> None:
    async def cycle() -> None:
        async with Peer(440.0, data_channel=True) as agent, RawPeer() as customer:
            await join_agent(gateway, agent)
            await join_customer(gateway, customer)
            await gateway.attach("wa", "agent")
            await gateway.start_sending("wa")
            await customer.wait_heard(3)
            await gateway.close_leg("agent")
            await gateway.close_leg("wa")
            await gateway.answer_offer("lost", LegKind.WHATSAPP, WHATSAPP_OFFER)
            await gateway.close_leg("lost")
            gateway.events.clear()

    for _ in range(5):
        await cycle()
    files, memory = worker.ps.num_fds(), worker.ps.memory_info().rss
    threads = worker.ps.num_threads()
    for _ in range(rounds(quick=30, soak=1000)):
        await cycle()
    assert worker.ps.num_fds() == files
    assert worker.ps.num_threads() == threads
    grown = worker.ps.memory_info().rss - memory
    assert grown < 20 << 20, f"{grown / (1 << 20):.1f} MiB"
