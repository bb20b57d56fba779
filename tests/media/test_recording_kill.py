"""`kill -9` of a worker during ten recorded calls, at any moment."""

import asyncio
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from media.capture_scan import CaptureContent
from media.protocol_capture import CaptureStarted, CaptureWritten
from tests.conftest import Rounds
from tests.media.eventually import eventually
from tests.media.gateway_client import GatewayClient
from tests.media.raw_peer import RawPeer
from tests.media.recording import Books, Kept, files, kept, run_module
from tests.media.test_calls import join_agent, join_customer
from tests.media.worker_process import WorkerProcess, running_worker
from tests.media_capture.audio import encode, ffmpeg_decode, speech
from tests.media_capture.disk import undisturbed_directory

pytestmark = pytest.mark.e2e

CALLS = 10
LOST_FRAMES_MAX = 15
"""300 ms."""


@dataclass
class Call:
    """A recorded call whose frames are known by what they hold."""

    name: str
    agent: RawPeer
    customer: RawPeer
    numbers: dict[bytes, int] = field(repr=False)

    async def talk(self, phrase: list[bytes], until: asyncio.Event) -> None:
        """Both speak in numbered frames until the worker is killed."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number, packet in enumerate(phrase):
            if until.is_set():
                return
            for peer in (self.agent, self.customer):
                peer.speech.timestamp = number * 960
                await peer.send(packet)
            await asyncio.sleep(max(0.0, began + (number + 1) * 0.02 - loop.time()))

    def arrived(self, peer: RawPeer) -> int:
        """Number of the last frame that the worker had passed on to `peer`."""
        return max((self.numbers.get(one.payload, -1) for one in peer.heard), default=-1)


async def connect(
    gateway: GatewayClient, stack: AsyncExitStack, name: str, numbers: dict[bytes, int]
) -> Call:
    agent = await stack.enter_async_context(RawPeer())
    customer = await stack.enter_async_context(RawPeer())
    await join_agent(gateway, agent, f"agent-{name}")
    await join_customer(gateway, customer, f"wa-{name}")
    await gateway.attach(f"wa-{name}", f"agent-{name}")
    await gateway.start_sending(f"wa-{name}")
    return Call(name, agent, customer, numbers)


@pytest.mark.soak
@pytest.mark.timeout(7200)
async def test_a_killed_worker_loses_at_most_300_ms_and_nobody_pays_for_it(
    rounds: Rounds, seed: int
) -> None:
    chance = random.Random(seed)
    phrase = encode(speech(20, 1))
    numbers = {packet: number for number, packet in enumerate(phrase)}
    assert len(numbers) == len(phrase)
    for _ in range(rounds(quick=3, soak=100)):
        with undisturbed_directory() as directory:
            with running_worker("--captures", str(directory)) as worker:
                calls, gateway = await kill_amid_calls(worker, phrase, numbers, chance)
            await asyncio.to_thread(check, directory, calls, gateway, chance)


async def kill_amid_calls(
    worker: WorkerProcess, phrase: list[bytes], numbers: dict[bytes, int], chance: random.Random
) -> tuple[list[Call], GatewayClient]:
    gateway = await worker.connect()
    books = Books(gateway)
    await books.open()
    over = asyncio.Event()
    async with AsyncExitStack() as stack:
        calls = [
            await connect(gateway, stack, f"call{number}", numbers) for number in range(CALLS)
        ]
        for call in calls:
            await books.start(call.name, f"wa-{call.name}")
        talking = asyncio.gather(*(call.talk(phrase, over) for call in calls))
        await eventually(lambda: len(gateway.of(CaptureStarted)) == CALLS)
        await asyncio.sleep(chance.uniform(0.3, 4.0))
        worker.process.kill()
        over.set()
        await worker.ended()
        await gateway.wait_ended()
        await asyncio.gather(talking, return_exceptions=True)
    await gateway.close()
    return calls, gateway


def check(
    directory: Path, calls: list[Call], gateway: GatewayClient, chance: random.Random
) -> None:
    """Recover what is there, and compare it with what had come and what was announced."""
    recovered = {each["capture_id"]: each for each in run_module("media.recover", directory)}
    contents = {each.header.capture_id: each for each in files(directory)}
    announced = {
        each.capture_id: each.written_ms
        for event in gateway.of(CaptureWritten)
        for each in event.captures
    }
    assert set(recovered) == set(contents) == {call.name for call in calls}
    for call in calls:
        each, content = recovered[call.name], contents[call.name]
        assert each["outcome"] == "recovered", each
        assert each["blob"] == f"blob of {call.name}"
        assert each["duration_ms"] == content.duration_ms >= announced.get(call.name, 0)
        assert content.damaged_bytes == 0
        check_side(call, kept(content, content.customer), call.arrived(call.agent))
        check_side(call, kept(content, content.agent), call.arrived(call.customer))
    check_playable(directory, contents[chance.choice(calls).name])


def check_side(call: Call, packets: list[Kept], arrived: int) -> None:
    held = [call.numbers[each.payload] for each in packets if each.payload in call.numbers]
    assert held == list(range(len(held))), "a frame in the middle is missing"
    assert arrived - (len(held) - 1) <= LOST_FRAMES_MAX


def check_playable(directory: Path, content: CaptureContent) -> None:
    out = directory / "call.ogg"
    file = directory / f"{content.header.capture_id}.000.capture"
    (made,) = run_module("media.assemble", "--out", out, file)
    assert made["duration_ms"] == content.duration_ms
    assert len(ffmpeg_decode(out)) == made["samples"] == content.duration_ms * 48
