"""What commands do, twice, out of turn or without sense; and the events that follow."""

import asyncio
import secrets
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
    Resync,
    StartSending,
    TakeSnapshot,
)
from media.settings import LegSettings, WorkerSettings
from tests.media.gateway_client import GatewayClient
from tests.media.lite_peer import LitePeer
from tests.media.peers import Peer
from tests.media.raw_peer import KEYPAD, RawPeer
from tests.media.sdp_samples import CHROME, SAFARI
from tests.media.test_calls import join_agent, join_customer
from tests.media.worker_process import WorkerProcess, serving

pytestmark = pytest.mark.e2e


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
    async with serving(settings) as worker, RawPeer() as agent, LitePeer() as silent:
        gateway = await worker.connect()
        await join_agent(gateway, agent)
        offer = silent.description("actpass")
        silent.start(await gateway.answer_offer("wa", LegKind.WHATSAPP, offer), "server")
        await gateway.wait_state("wa", LegState.CONNECTED)
        await agent.talk(10)
        closed = await gateway.wait_state("agent", LegState.CLOSED)
        assert closed.reason is CloseReason.MEDIA_LOST
        # A leg that never had any media, as one that rings, is left to ICE consent.
        (leg,) = (await gateway.snapshot()).legs
        assert leg.leg_id == "wa"
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
