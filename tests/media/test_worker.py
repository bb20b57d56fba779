"""The worker as a process and as a server: who is admitted, what is kept, how it ends."""

import asyncio
import os
import secrets
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from media import protocol
from media.protocol import (
    CloseReason,
    Done,
    Failed,
    FirstRtp,
    FromGateway,
    Hello,
    KeyPressed,
    LegKind,
    LegState,
    Refused,
    Resync,
    StartSending,
    TakeSnapshot,
)
from media.settings import LegSettings, WorkerSettings
from tests.conftest import Rounds
from tests.media.gateway_client import GatewayClient, receive, send
from tests.media.peers import Peer
from tests.media.raw_peer import KEYPAD, RawPeer
from tests.media.sdp_samples import CHROME, SAFARI, WHATSAPP_OFFER
from tests.media.test_calls import join_agent, join_customer
from tests.media.worker_process import WorkerProcess, running_worker, serving

pytestmark = pytest.mark.e2e


async def greet(worker: WorkerProcess, hello: Hello) -> object:
    reader, writer = await asyncio.open_unix_connection(worker.socket_path)
    await send(writer, hello)
    answer = await receive(reader)
    writer.close()
    return answer


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
    reader, writer = await asyncio.open_unix_connection(worker.socket_path)
    writer.write(garbage)
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), 20) == b""
    writer.close()
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
        reader, writer = await asyncio.open_unix_connection(worker.socket_path)
        await send(writer, hello(worker))
        await receive(reader)
        writer.write(len(body).to_bytes(4, "big") + body)
        assert await asyncio.wait_for(reader.read(), 20) == b""
        writer.close()
    await (await worker.connect()).close()


async def test_a_command_that_comes_twice_has_one_effect(gateway: GatewayClient) -> None:
    command = protocol.MakeOffer(id="same", epoch=1, leg_id="wa", tag="t")
    first = await gateway.do(command)
    second = await gateway.do(command)
    assert first == second
    assert len((await gateway.snapshot()).legs) == 1
    other = await gateway.ask(protocol.MakeOffer(id="other", epoch=1, leg_id="wa", tag="t"))
    assert isinstance(other, Failed)
    assert other.code == "conflict"


async def test_a_command_repeated_over_a_new_connection_gets_the_first_answer(
    worker: WorkerProcess,
) -> None:
    command = protocol.MakeOffer(id=secrets.token_hex(8), epoch=1, leg_id="wa", tag="t")
    first = await worker.connect()
    before = await first.do(command)
    await first.close()
    second = await worker.connect()
    assert await second.do(command) == before
    await second.close_leg("wa")
    await second.close()


async def test_an_older_owner_of_a_call_is_refused(gateway: GatewayClient) -> None:
    gateway.epoch = 5
    await gateway.make_offer("wa")
    stale = await gateway.ask(StartSending(id=gateway.next_id(), epoch=4, leg_id="wa"))
    assert isinstance(stale, Failed)
    assert stale.code == "stale_epoch"
    gateway.epoch = 6
    await gateway.start_sending("wa")
    gateway.epoch = 5
    closing = await gateway.ask(protocol.CloseLeg(id=gateway.next_id(), epoch=5, leg_id="wa"))
    assert isinstance(closing, Failed)
    assert closing.code == "stale_epoch"
    (leg,) = (await gateway.snapshot()).legs
    assert leg.epoch == 6
    assert leg.sending


async def test_commands_that_make_no_sense_are_refused_by_name(
    gateway: GatewayClient,
) -> None:
    async with Peer(440.0) as agent:
        await join_agent(gateway, agent)
        await gateway.make_offer("wa")
        cases: list[tuple[dict[str, object], str]] = [
            ({"type": "start_sending", "leg_id": "none"}, "no_such_leg"),
            ({"type": "start_sending", "leg_id": "agent"}, "conflict"),
            (
                {"type": "attach", "whatsapp_leg_id": "wa", "agent_leg_id": "none"},
                "no_such_leg",
            ),
            ({"type": "attach", "whatsapp_leg_id": "wa", "agent_leg_id": "wa"}, "conflict"),
            ({"type": "set_mute", "whatsapp_leg_id": "agent", "muted": True}, "conflict"),
            ({"type": "apply_answer", "leg_id": "agent", "answer": SAFARI}, "conflict"),
            ({"type": "apply_answer", "leg_id": "wa", "answer": "x"}, "bad_sdp"),
            (
                {"type": "answer_offer", "leg_id": "x", "kind": "agent", "offer": "x"},
                "bad_sdp",
            ),
            (
                {"type": "answer_offer", "leg_id": "x", "kind": "whatsapp", "offer": CHROME},
                "bad_sdp",
            ),
        ]
        for fields, code in cases:
            shared = {"id": gateway.next_id(), "epoch": 1}
            if fields["type"] == "answer_offer":
                shared["tag"] = ""
            command = FromGateway.validate_python(fields | shared)
            assert not isinstance(command, Hello)
            answer = await gateway.ask(command)
            assert isinstance(answer, Failed), fields
            assert answer.code == code, answer
            assert "\n" not in answer.reason
        await gateway.close_leg("none")
        legs = {leg.leg_id for leg in (await gateway.snapshot()).legs}
        assert legs == {"agent", "wa"}


async def test_an_answer_is_applied_once(gateway: GatewayClient) -> None:
    async with Peer(1000.0) as customer:
        offer = await gateway.make_offer("wa")
        answer = await customer.answer(offer)
        await gateway.apply_answer("wa", answer)
        again = await gateway.ask(
            protocol.ApplyAnswer(id=gateway.next_id(), epoch=1, leg_id="wa", answer=answer)
        )
        assert isinstance(again, Failed)
        assert again.code == "conflict"
        await gateway.wait_state("wa", LegState.CONNECTED)


async def test_attaching_moves_an_agent_from_one_call_to_the_next(
    gateway: GatewayClient,
) -> None:
    async with RawPeer() as agent, RawPeer() as one, RawPeer() as two:
        await join_agent(gateway, agent)
        await join_customer(gateway, one, "one")
        await join_customer(gateway, two, "two")
        for leg_id in ("one", "two"):
            await gateway.start_sending(leg_id)
            await gateway.attach(leg_id, "agent")
        await agent.talk(20)
        await two.wait_heard(20, b"\x48speech")
        assert one.of(b"\x48speech") == []
        legs = {leg.leg_id: leg.attached_to for leg in (await gateway.snapshot()).legs}
        assert legs == {"agent": "two", "one": None, "two": "agent"}


async def test_events_are_numbered_without_gaps(gateway: GatewayClient) -> None:
    start = gateway.welcome.snapshot.last_seq
    async with Peer(440.0) as agent:
        await join_agent(gateway, agent)
        await gateway.wait_for(FirstRtp)
    await gateway.wait_state("agent", LegState.CLOSED)
    numbers = [event.seq for event in gateway.events]
    assert numbers == list(range(start + 1, start + 1 + len(numbers)))
    assert (await gateway.snapshot()).last_seq == numbers[-1]


async def test_a_gateway_that_does_not_read_gets_a_resync() -> None:
    settings = WorkerSettings(Path(), Path(), events_max=8)
    async with serving(settings) as worker, RawPeer() as agent:
        gateway = await worker.connect()
        offer = await agent.offer()
        # A large tag makes the socket's buffers full after some events.
        answer = await gateway.answer_offer("agent", LegKind.AGENT, offer, tag="x" * 50_000)
        await agent.accept(answer)
        await gateway.wait_state("agent", LegState.CONNECTED)
        before = gateway.pause_reading()
        for index in range(200):
            agent.speech.timestamp = index * 8000
            await agent.send(bytes([1, 0x8A, 3, 0x20]), payload_type=KEYPAD)
            await asyncio.sleep(0.005)
        await gateway.resume_reading()
        resync = await gateway.wait_for(Resync)
        snapshot = await gateway.snapshot()
        assert snapshot.last_seq >= resync.seq
        last = before
        for event in gateway.events[[e.seq for e in gateway.events].index(before) + 1 :]:
            dropped = event.dropped if isinstance(event, Resync) else 1
            assert event.seq == last + dropped
            last = event.seq
        assert len([e for e in gateway.events if isinstance(e, KeyPressed)]) < 200
        await gateway.close()


async def test_a_gateway_that_floods_is_read_no_faster_than_it_reads(
    worker: WorkerProcess, gateway: GatewayClient
) -> None:
    answers = await asyncio.gather(
        *(gateway.ask(TakeSnapshot(id=f"flood{index}")) for index in range(2000))
    )
    assert all(isinstance(answer, Done) for answer in answers)
    assert worker.ps.memory_info().rss < 400 << 20


async def test_a_leg_whose_peer_has_gone_silent_for_long_is_lost() -> None:
    settings = WorkerSettings(Path(), Path(), leg=LegSettings(media_lost_s=1.0))
    async with serving(settings) as worker, RawPeer() as agent, RawPeer() as idle:
        gateway = await worker.connect()
        await join_agent(gateway, agent)
        await join_agent(gateway, idle, "idle")
        await agent.talk(10)
        closed = await gateway.wait_state("agent", LegState.CLOSED)
        assert closed.reason is CloseReason.MEDIA_LOST
        # A leg that never had any media, as one that rings, is left to ICE consent.
        (leg,) = (await gateway.snapshot()).legs
        assert leg.leg_id == "idle"
        await gateway.close()


async def test_more_legs_than_allowed_are_refused() -> None:
    async with serving(WorkerSettings(Path(), Path(), legs_max=2)) as worker:
        gateway = await worker.connect()
        for index in range(2):
            await gateway.make_offer(f"wa{index}")
        more = await gateway.ask(
            protocol.MakeOffer(id=gateway.next_id(), epoch=1, leg_id="more", tag="")
        )
        assert isinstance(more, Failed)
        assert more.code == "limit"
        await gateway.close()


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
