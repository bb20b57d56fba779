"""Calls that are recorded by a worker process, from the first command to the finished file."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from media.capture_files import capture_files, write_whole
from media.capture_format import StopReason
from media.protocol_capture import (
    CaptureStarted,
    CaptureState,
    CaptureStopped,
    CaptureWritten,
    SegmentFinished,
)
from media.settings import CaptureSettings, WorkerSettings
from tests.media.eventually import eventually
from tests.media.gateway_client import GatewayClient
from tests.media.raw_peer import KEYPAD, RawPeer
from tests.media.recording import Books, files, kept, run_module
from tests.media.test_calls import join_agent, join_customer
from tests.media.worker_process import WorkerProcess, running_worker, serving
from tests.media_capture.audio import encode, ffmpeg_decode, speech

pytestmark = pytest.mark.e2e

FRAME_MS = 20


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the worker of this module keeps captures."""
    return tmp_path_factory.mktemp("recording") / "captures"


@pytest.fixture(scope="module")
def worker(directory: Path) -> Iterator[WorkerProcess]:
    with running_worker("--captures", str(directory)) as process:
        yield process


@pytest.fixture(autouse=True)
def _no_files_of_other_tests(directory: Path) -> Iterator[None]:
    yield
    for path in directory.glob("*"):
        path.unlink()


@asynccontextmanager
async def call(gateway: GatewayClient) -> AsyncIterator[tuple[RawPeer, RawPeer]]:
    """An agent and a customer who can hear each other."""
    async with RawPeer() as agent, RawPeer() as customer:
        await join_agent(gateway, agent)
        await join_customer(gateway, customer)
        await gateway.attach("wa", "agent")
        await gateway.start_sending("wa")
        yield agent, customer


async def talk(agent: RawPeer, customer: RawPeer, frames: int) -> None:
    await asyncio.gather(agent.talk(frames, b"\x48agent"), customer.talk(frames, b"\x48user"))


async def test_recording_stops_at_the_grant_and_the_call_goes_on(
    gateway: GatewayClient, directory: Path
) -> None:
    books = Books(gateway)
    await books.open(1_200)
    phrase = encode(speech(4, 1))
    async with call(gateway) as (agent, customer):
        await books.start()

        async def say(peer: RawPeer) -> None:
            for packet in phrase:
                await peer.talk(1, packet)

        talking = asyncio.gather(say(agent), say(customer))
        await books.refuse((await books.asked()).ask)
        stopped = await books.stopped(StopReason.QUOTA)
        assert abs(stopped.recorded_ms - 1_200) <= FRAME_MS
        assert not stopped.is_final
        await talking
        await customer.wait_heard(1, phrase[-1])
        await agent.wait_heard(1, phrase[-1])
        (first,) = await asyncio.to_thread(files, directory)
        assert (first.duration_ms, first.end_reason) == (1_200, StopReason.QUOTA)

        budget = await books.grant(1, 2_000, answers=0)
        assert (budget.granted_ms, budget.drawn_ms) == (2_000, 1_200)
        await gateway.wait_for(CaptureStarted, lambda event: event.segment == 1)
        await talk(agent, customer, 20)
        final = await books.stop()
    first, second = files(directory)
    assert (second.header.segment, second.end_reason) == (1, StopReason.COMMAND)
    assert final.is_final
    assert final.recorded_ms == first.duration_ms + second.duration_ms <= 2_000
    assert [event.duration_ms for event in books.finished()] == [
        first.duration_ms,
        second.duration_ms,
    ]
    out = directory / "call.ogg"
    (made,) = await asyncio.to_thread(
        run_module, "media.assemble", "--out", out, *capture_files(directory)
    )
    assert made["duration_ms"] == final.recorded_ms
    assert made["blob"] == "blob of call"
    assert len(ffmpeg_decode(out)) == made["samples"] == final.recorded_ms * 48
    assert (await books.close()).drawn_ms == final.recorded_ms


async def test_a_late_grant_leaves_no_hole(gateway: GatewayClient, directory: Path) -> None:
    books = Books(gateway)
    await books.open(500)
    async with call(gateway) as (agent, customer):
        await customer.talk(5)
        await books.start()
        talking = asyncio.create_task(talk(agent, customer, 150))
        ask = await books.asked()
        # What is granted runs dry meanwhile; the packets wait in memory.
        await customer.wait_heard(100, b"\x48agent")
        await books.grant(1, 100_000, answers=ask.ask)
        await talking
        await books.stop()
    (file,) = files(directory)
    numbers = [each.sequence for each in kept(file, file.customer)]
    assert len(numbers) >= 145
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    await books.close()


async def test_the_file_holds_what_came_from_the_customer_and_what_the_customer_heard(
    gateway: GatewayClient, directory: Path
) -> None:
    books = Books(gateway)
    await books.open()
    async with call(gateway) as (agent, customer):
        await talk(agent, customer, 10)
        await books.start()
        await talk(agent, customer, 20)
        await agent.send(bytes([1, 0x8A, 3, 0x20]), payload_type=KEYPAD)
        await gateway.mute("wa", muted=True)
        await talk(agent, customer, 20)
        await gateway.mute("wa", muted=False)
        await gateway.hold("wa", held=True)
        await talk(agent, customer, 20)
        await gateway.hold("wa", held=False)
        await talk(agent, customer, 20)
        await books.stop()
        heard = [(one.timestamp, one.sequence, one.payload) for one in customer.heard]
        assert any(one.payload_type == KEYPAD for one in customer.heard)
        keys = {one.sequence for one in customer.heard if one.payload_type == KEYPAD}
    (file,) = files(directory)
    agent_side = [
        (each.timestamp, each.sequence, each.payload) for each in kept(file, file.agent)
    ]
    begin = heard.index(agent_side[0])
    audible = [each for each in heard[begin:] if each[1] not in keys]
    assert agent_side == audible[: len(agent_side)]
    assert len({payload for _, _, payload in agent_side}) > 2, "no comfort frame was kept"
    customer_side = kept(file, file.customer)
    assert {each.payload for each in customer_side} == {b"\x48user"}
    assert len(customer_side) >= 75
    await books.close()


async def test_paused_time_is_neither_written_nor_paid(
    gateway: GatewayClient, directory: Path
) -> None:
    books = Books(gateway)
    await books.open()
    async with call(gateway) as (agent, customer):
        await books.start()
        await talk(agent, customer, 25)
        assert (await books.pause()).state is CaptureState.PAUSED
        await asyncio.gather(customer.talk(50, b"\x48secret"))
        assert (await books.resume()).state is CaptureState.RECORDING
        await talk(agent, customer, 25)
        final = await books.stop()
    (file,) = files(directory)
    payloads = {each.payload for each in kept(file, file.customer)}
    assert b"\x48user" in payloads
    assert b"\x48secret" not in payloads
    (pause,) = file.pauses
    assert pause.paused_ms >= 900
    assert (await books.close()).drawn_ms == final.recorded_ms == file.duration_ms


async def test_a_capture_ends_with_its_leg(gateway: GatewayClient, directory: Path) -> None:
    books = Books(gateway)
    await books.open()
    async with call(gateway) as (agent, customer):
        await books.start()
        await talk(agent, customer, 25)
        await gateway.close_leg("wa")
        final = await books.over()
    assert final.reason is StopReason.LEG_CLOSED
    (file,) = files(directory)
    assert file.end_reason is StopReason.LEG_CLOSED
    assert (await gateway.snapshot()).captures == ()
    assert (await books.close()).drawn_ms == file.duration_ms


async def test_a_capture_may_begin_before_its_leg_is_connected(
    gateway: GatewayClient, directory: Path
) -> None:
    books = Books(gateway)
    await books.open()
    async with RawPeer() as customer:
        offer = await gateway.make_offer("wa")
        await books.start()
        await gateway.apply_answer("wa", await customer.answer(offer))
        await gateway.start_sending("wa")
        await customer.wait_heard(1)
        await customer.talk(10, b"\x48early")
        await books.stop()
    (file,) = files(directory)
    assert len(file.customer) >= 8
    assert len(file.agent) >= 8
    await books.close()


async def test_the_gateway_hears_how_far_captures_are(gateway: GatewayClient) -> None:
    books = Books(gateway)
    await books.open()
    async with call(gateway) as (agent, customer):
        await books.start()
        written = await gateway.wait_for(CaptureWritten)
        (one,) = written.captures
        (budget,) = written.budgets
        assert one.capture_id == "call"
        assert 0 < one.written_ms <= budget.drawn_ms
        snapshot = await gateway.snapshot()
        (capture,) = snapshot.captures
        assert capture.state is CaptureState.RECORDING
        assert capture.written_ms >= one.written_ms
        assert capture.whatsapp_leg_id == "wa"
        await talk(agent, customer, 1)
        await books.stop()
    await books.close()


async def test_a_gateway_that_comes_back_finds_captures_and_budgets(
    worker: WorkerProcess, directory: Path
) -> None:
    first = await worker.connect()
    books = Books(first)
    await books.open(400)
    async with RawPeer() as customer:
        await join_customer(first, customer)
        await books.start()
        await books.asked()
        await first.close()
        second = await worker.connect()
        (capture,) = second.welcome.snapshot.captures
        (budget,) = second.welcome.snapshot.budgets
        assert second.welcome.captures_directory == str(directory)
        assert (capture.capture_id, capture.state) == ("call", CaptureState.RECORDING)
        assert budget.is_asking
        books = Books(second)
        await books.grant(budget.grant_number + 1, 100_000, answers=budget.asked)
        await customer.talk(20)
        final = await books.stop()
        assert final.recorded_ms > 400
        await books.close()
        await second.close_leg("wa")
        await second.close()


async def test_a_full_disk_ends_the_capture_and_not_the_call(tmp_path: Path) -> None:
    captures = tmp_path / "captures"
    with running_worker("--captures", str(captures)) as worker:
        gateway = await worker.connect()
        books = Books(gateway)
        await books.open()
        async with call(gateway) as (agent, customer):
            await books.start()
            await talk(agent, customer, 25)
            (path,) = captures.iterdir()
            held = path.stat().st_size
            worker.ps.rlimit(psutil.RLIMIT_FSIZE, (held + 2_000, psutil.RLIM_INFINITY))
            await talk(agent, customer, 25)
            stopped = await books.stopped(StopReason.DISK_FULL)
            assert not stopped.is_final
            before = len(agent.heard)
            await talk(agent, customer, 25)
            await eventually(lambda: len(agent.heard) >= before + 20)

            worker.ps.rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))
            await books.resume()
            await talk(agent, customer, 10)
            final = await books.stop()
        first, second = files(captures)
        assert first.duration_ms == stopped.recorded_ms > 0
        assert len(first.content) == first.valid_bytes
        assert second.header.segment == 1
        total = first.duration_ms + second.duration_ms
        assert (await books.close()).drawn_ms == final.recorded_ms == total
        await gateway.close()


async def test_a_stalled_disk_holds_up_no_packet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moving = threading.Event()
    moving.set()

    def stalling(fd: int, content: bytes) -> None:
        moving.wait(60)
        write_whole(fd, content)

    monkeypatch.setattr("media.capture_writer.write_whole", stalling)
    settings = WorkerSettings(
        Path(),
        Path(),
        captures_path=tmp_path / "captures",
        capture=CaptureSettings(backlog_bytes_max=4_000, hold_s=0.5),
    )
    async with serving(settings) as worker:
        gateway = await worker.connect()
        books = Books(gateway)
        await books.open()
        async with call(gateway) as (agent, customer):
            await books.start()
            await talk(agent, customer, 20)
            moving.clear()
            before = len(agent.heard)
            await talk(agent, customer, 100)
            await eventually(lambda: len(agent.heard) >= before + 95)
            stopped = await books.stopped(StopReason.DISK_SLOW)
            moving.set()
            await books.resume()
            await talk(agent, customer, 10)
            final = await books.stop()
        first, second = files(tmp_path / "captures")
        assert first.duration_ms == stopped.recorded_ms
        assert first.end_reason is StopReason.DISK_SLOW
        assert final.recorded_ms == first.duration_ms + second.duration_ms
        await gateway.close()


async def test_a_worker_that_is_told_to_stop_finishes_its_files(tmp_path: Path) -> None:
    captures = tmp_path / "captures"
    with running_worker("--captures", str(captures)) as worker:
        gateway = await worker.connect()
        books = Books(gateway)
        await books.open()
        async with call(gateway) as (agent, customer):
            await books.start()
            await talk(agent, customer, 25)
            worker.process.terminate()
            final = await books.over()
            assert await worker.ended() == 0
        await gateway.close()
    assert final.reason is StopReason.WORKER_CLOSING
    (file,) = files(captures)
    assert file.end_reason is StopReason.WORKER_CLOSING
    (finished,) = gateway.of(SegmentFinished)
    assert finished.duration_ms == file.duration_ms == final.recorded_ms
    (told,) = run_module("media.recover", captures)
    assert told["outcome"] == "finished"


async def test_a_worker_without_a_gateway_finishes_its_files(tmp_path: Path) -> None:
    captures = tmp_path / "captures"
    with running_worker("--captures", str(captures), "--gateway-timeout", "1") as worker:
        gateway = await worker.connect()
        books = Books(gateway)
        await books.open()
        async with call(gateway) as (agent, customer):
            await books.start()
            await talk(agent, customer, 25)
            await gateway.close()
            assert await worker.ended() == 0
    (file,) = files(captures)
    assert file.end_reason is StopReason.WORKER_CLOSING
    assert file.duration_ms >= 1_000
    assert not [event for event in gateway.of(CaptureStopped) if event.is_final]
