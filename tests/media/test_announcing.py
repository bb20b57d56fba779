"""An announcement through a worker process, as both ends of a call hear it."""

import asyncio
import base64
import io
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from media.announcement_file import write_frames
from media.prompts import FRAME_SAMPLES, encode_opus
from media.protocol import Done, Failed, LegKind, LegState, TraceStep
from media.protocol_announcement import (
    AnnouncementEnded,
    LoadAnnouncement,
    PlayAnnouncement,
)
from media.protocol_message import Message
from tests.media.eventually import eventually
from tests.media.gateway_client import GatewayClient
from tests.media.peers import Peer
from tests.media.raw_peer import RawPeer
from tests.media.recording import Books, files, kept
from tests.media.test_calls import join_agent, join_customer
from tests.media.worker_process import WorkerProcess, running_worker

pytestmark = pytest.mark.e2e

ANNOUNCED_HZ = 700.0


def tone(hertz: float, seconds: float) -> list[bytes]:
    when = np.arange(round(48_000 * seconds)) / 48_000
    samples = (np.sin(2 * np.pi * hertz * when) * 9_000).astype(np.int16)
    return encode_opus(samples.tolist())


def numbered(count: int) -> list[bytes]:
    """Frames of 20 ms that tell which they are; no decoder is asked."""
    return [b"\x48announcement %d" % index for index in range(count)]


def as_file(frames: list[bytes]) -> bytes:
    out = io.BytesIO()
    write_frames(out, frames, pre_skip=312, samples=len(frames) * FRAME_SAMPLES - 312)
    return out.getvalue()


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("announcing") / "captures"


@pytest.fixture(scope="module")
def worker(directory: Path) -> Iterator[WorkerProcess]:
    with running_worker("--captures", str(directory)) as process:
        yield process


async def load(gateway: GatewayClient, name: str, ogg: bytes) -> Done | Failed:
    content = base64.b64encode(ogg)
    order = LoadAnnouncement(id=gateway.next_id(), announcement_id=name, ogg=content)
    return await gateway.ask(order)


async def play(gateway: GatewayClient, name: str, leg_id: str = "wa") -> Done | Failed:
    return await gateway.ask(
        PlayAnnouncement(
            id=gateway.next_id(),
            epoch=gateway.epoch,
            whatsapp_leg_id=leg_id,
            announcement_id=name,
        )
    )


def code_of(answer: Message) -> str:
    assert isinstance(answer, Failed)
    assert answer.reason
    return answer.code


def is_announced(answer: Message) -> bool | None:
    assert isinstance(answer, Done)
    return answer.is_announced


async def test_both_sides_hear_the_announcement_and_then_each_other(
    gateway: GatewayClient,
) -> None:
    await load(gateway, "tone", as_file(tone(ANNOUNCED_HZ, 3.0)))
    async with Peer(440.0) as agent, Peer(1000.0) as customer:
        await join_agent(gateway, agent)
        await join_customer(gateway, customer)
        await gateway.attach("wa", "agent")
        await gateway.start_sending("wa")
        await play(gateway, "tone")
        await asyncio.gather(customer.hears(ANNOUNCED_HZ), agent.hears(ANNOUNCED_HZ))
        await gateway.wait_for(AnnouncementEnded)
        await asyncio.gather(customer.hears(440.0), agent.hears(1000.0))
        assert "announcement_began" in {event.step for event in gateway.of(TraceStep)}


async def test_every_frame_of_it_arrives_once_and_in_order_and_nothing_between(
    gateway: GatewayClient, directory: Path
) -> None:
    frames = numbered(50)
    await load(gateway, "numbered", as_file(frames))
    books = Books(gateway)
    await books.open()
    async with RawPeer() as agent, RawPeer() as customer:
        await join_agent(gateway, agent)
        await join_customer(gateway, customer)
        await gateway.attach("wa", "agent")
        await gateway.start_sending("wa")
        talking = asyncio.gather(
            agent.talk(250, b"\x48agent"), customer.talk(250, b"\x48customer")
        )
        await customer.wait_heard(3, b"\x48agent")
        assert is_announced(await play(gateway, "numbered")) is False
        await gateway.wait_for(AnnouncementEnded)
        await books.start()
        await talking
        await books.stop()
        for peer, others in ((customer, b"\x48agent"), (agent, b"\x48customer")):
            told = [one.payload for one in peer.heard]
            begin = told.index(frames[0])
            assert told[begin : begin + 50] == frames
            assert others in told[begin + 50 :]
            assert not set(frames) & set(told[begin + 50 :])
        announced = [one for one in customer.heard if one.payload in frames]
        steps = {
            (after.sequence - before.sequence, after.timestamp - before.timestamp)
            for before, after in pairwise(announced)
        }
        assert {ahead * 960 == time for ahead, time in steps} == {True}
        assert len({one.ssrc for one in customer.heard}) == 1
    (file,) = await asyncio.to_thread(files, directory)
    recorded = kept(file, [*file.agent, *file.customer])
    assert {one.payload for one in recorded} >= {b"\x48agent", b"\x48customer"}
    assert not {one.payload for one in recorded} & set(frames)


async def test_it_waits_for_the_pick_up_and_is_heard_by_an_agent_who_comes_late(
    gateway: GatewayClient,
) -> None:
    frames = numbered(150)
    await load(gateway, "long", as_file(frames))
    async with RawPeer() as agent, RawPeer() as other, RawPeer() as customer:
        await join_agent(gateway, agent)
        await join_customer(gateway, customer)
        await gateway.attach("wa", "agent")
        await play(gateway, "long")
        (leg,) = [one for one in (await gateway.snapshot()).legs if one.leg_id == "wa"]
        assert leg.is_announced is False
        told = {one.payload for one in agent.heard}
        assert not told & set(frames), "nobody has picked up"
        await gateway.start_sending("wa")
        await customer.wait_heard(1, frames[30])
        await join_agent(gateway, other, "other")
        await gateway.attach("wa", "other")
        await gateway.wait_for(AnnouncementEnded)
        await other.wait_heard(1, frames[-1])
        await customer.wait_heard(1, frames[-1])
        assert [one.payload for one in customer.heard[:150]] == frames
        late = [one.payload for one in other.heard if one.payload in frames]
        assert late == frames[150 - len(late) :]
        assert len(agent.of(frames[-1])) == 0
        (leg,) = [one for one in (await gateway.snapshot()).legs if one.leg_id == "wa"]
        assert leg.is_announced is True


async def test_a_call_is_announced_once_however_often_that_is_ordered(
    gateway: GatewayClient,
) -> None:
    frames = numbered(25)
    await load(gateway, "once", as_file(frames))
    async with RawPeer() as customer:
        await join_customer(gateway, customer)
        await gateway.start_sending("wa")
        assert is_announced(await play(gateway, "once")) is False
        assert is_announced(await play(gateway, "once")) is False
        await gateway.wait_for(AnnouncementEnded)
        assert is_announced(await play(gateway, "once")) is True
        assert is_announced(await play(gateway, "another that is not loaded")) is True
        await eventually(lambda: len(customer.heard) > 40)
        assert len([one for one in customer.heard if one.payload in frames]) == 25
        assert len(gateway.of(AnnouncementEnded)) == 1


async def test_what_makes_no_sense_is_refused(gateway: GatewayClient) -> None:
    stereo = as_file(numbered(5)).replace(b"OpusHead\x01\x01", b"OpusHead\x01\x02")
    for junk in (b"junk", as_file(numbered(5))[:-10], stereo):
        assert code_of(await load(gateway, "junk", junk)) == "bad_announcement"
    # 60 ms in a packet.
    assert code_of(await load(gateway, "junk", as_file([b"\x58xx"]))) == "bad_announcement"
    assert code_of(await play(gateway, "tone", "nobody")) == "no_such_leg"
    async with RawPeer() as customer, RawPeer() as agent:
        await join_customer(gateway, customer)
        await join_agent(gateway, agent)
        assert code_of(await play(gateway, "junk")) == "no_such_announcement"
        assert code_of(await play(gateway, "junk", "agent")) == "conflict"
        gateway.epoch = 7
        await gateway.start_sending("wa")
        gateway.epoch = 6
        assert code_of(await play(gateway, "junk")) == "stale_epoch"


async def test_of_many_announcements_the_latest_are_kept(gateway: GatewayClient) -> None:
    content = as_file(numbered(1))
    for index in range(66):
        await load(gateway, f"many-{index}", content)
    async with RawPeer() as customer:
        await join_customer(gateway, customer)
        assert code_of(await play(gateway, "many-0")) == "no_such_announcement"
        assert is_announced(await play(gateway, "many-65")) is False


async def test_a_leg_that_goes_in_the_middle_takes_it_along(gateway: GatewayClient) -> None:
    await load(gateway, "cut", as_file(numbered(100)))
    async with RawPeer() as agent, RawPeer() as customer:
        await join_agent(gateway, agent)
        answer = await gateway.answer_offer("wa", LegKind.WHATSAPP, await customer.offer())
        await gateway.start_sending("wa")
        await gateway.attach("wa", "agent")
        # Ordered before there is a path.
        await play(gateway, "cut")
        await customer.accept(answer)
        await agent.wait_heard(5)
        await gateway.close_leg("wa")
        await gateway.wait_state("wa", LegState.CLOSED)
        count = len(agent.heard)
        await gateway.snapshot()
        assert len(agent.heard) <= count + 1
        assert not gateway.of(AnnouncementEnded)
