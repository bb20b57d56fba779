"""Whole calls through a worker process, heard at both ends."""

import asyncio

import pytest

from media.protocol import (
    CloseReason,
    FirstRtp,
    KeyPressed,
    LegKind,
    LegQuality,
    LegState,
    MediaQuiet,
    MediaResumed,
    TraceStep,
)
from tests.media.eventually import eventually
from tests.media.gateway_client import GatewayClient
from tests.media.lite_peer import LitePeer
from tests.media.peers import Peer
from tests.media.raw_peer import FRAME, KEYPAD, RawPeer

pytestmark = pytest.mark.e2e

AGENT_TONE = 440.0
CUSTOMER_TONE = 1000.0


async def join_agent(
    gateway: GatewayClient, agent: Peer | RawPeer, leg_id: str = "agent"
) -> None:
    answer = await gateway.answer_offer(leg_id, LegKind.AGENT, await agent.offer())
    await agent.accept(answer)
    await gateway.wait_state(leg_id, LegState.CONNECTED)


async def join_customer(
    gateway: GatewayClient, customer: Peer | RawPeer, leg_id: str = "wa"
) -> None:
    answer = await gateway.answer_offer(leg_id, LegKind.WHATSAPP, await customer.offer())
    await customer.accept(answer)
    await gateway.wait_state(leg_id, LegState.CONNECTED)


async def test_an_inbound_call_is_heard_at_both_ends(gateway: GatewayClient) -> None:
    async with Peer(AGENT_TONE, data_channel=True) as agent, Peer(CUSTOMER_TONE) as customer:
        await join_agent(gateway, agent)
        await join_customer(gateway, customer)
        await gateway.attach("wa", "agent")
        await gateway.start_sending("wa")
        await customer.hears(AGENT_TONE)
        await agent.hears(CUSTOMER_TONE)
        await eventually(lambda: len(gateway.of(FirstRtp)) == 2)
        steps = {(event.leg_id, event.step) for event in gateway.of(TraceStep)}
        expected = ("ice_gathered", "ice_connected", "dtls_connected", "first_rtp_out")
        assert steps >= {(leg, step) for leg in ("wa", "agent") for step in expected}


async def test_an_outbound_call_is_heard_at_both_ends(gateway: GatewayClient) -> None:
    async with Peer(AGENT_TONE) as agent, Peer(CUSTOMER_TONE) as customer:
        await join_agent(gateway, agent)
        offer = await gateway.make_offer("wa")
        await gateway.apply_answer("wa", await customer.answer(offer))
        await gateway.wait_state("wa", LegState.CONNECTED)
        await gateway.attach("wa", "agent")
        await gateway.start_sending("wa")
        await customer.hears(AGENT_TONE)
        await agent.hears(CUSTOMER_TONE)


async def test_an_agents_data_channel_opens_and_survives_what_comes_through_it(
    gateway: GatewayClient,
) -> None:
    async with Peer(AGENT_TONE, data_channel=True) as agent:
        opened = asyncio.Event()
        assert agent.channel is not None
        agent.channel.on("open", opened.set)
        await join_agent(gateway, agent)
        await asyncio.wait_for(opened.wait(), 20)
        for index in range(200):
            agent.channel.send(b"x" * 5000 if index % 2 else "unasked")
        second = agent.pc.createDataChannel("another")
        await eventually(lambda: second.readyState == "open")
        assert agent.channel.readyState == "open"


async def test_the_customer_hears_nothing_before_sending_is_released(
    gateway: GatewayClient,
) -> None:
    async with RawPeer() as agent, RawPeer() as customer:
        await join_agent(gateway, agent)
        await join_customer(gateway, customer)
        await gateway.attach("wa", "agent")
        talking = asyncio.create_task(agent.talk(75))
        await customer.talk(50)
        assert customer.heard == []
        assert customer.reports == []
        await gateway.start_sending("wa")
        await customer.wait_heard(10, b"\x48speech")
        assert customer.heard[0].marker
        await talking


async def test_mute_is_heard_as_comfort_and_hold_as_a_tune(gateway: GatewayClient) -> None:
    async with Peer(AGENT_TONE) as agent, Peer(CUSTOMER_TONE) as customer:
        await join_agent(gateway, agent)
        await join_customer(gateway, customer)
        await gateway.attach("wa", "agent")
        await gateway.start_sending("wa")
        await customer.hears(AGENT_TONE)
        await gateway.mute("wa", muted=True)
        await customer.hears_no_tone()
        await agent.hears(CUSTOMER_TONE)
        await gateway.mute("wa", muted=False)
        await customer.hears(AGENT_TONE)
        await gateway.hold("wa", held=True)
        # The first notes of the tune: C5, E5.
        await customer.hears(523.0)
        await customer.hears(659.0)
        await agent.hears_no_tone()
        await gateway.hold("wa", held=False)
        await customer.hears(AGENT_TONE)
        await agent.hears(CUSTOMER_TONE)


async def test_agents_come_and_go_while_the_customers_line_has_no_break(
    gateway: GatewayClient,
) -> None:
    async with RawPeer() as customer, RawPeer() as first, RawPeer() as second:
        await join_customer(gateway, customer)
        await gateway.start_sending("wa")
        await customer.wait_heard(10)
        for leg_id, agent in (("first", first), ("second", second)):
            await join_agent(gateway, agent, leg_id)
            await gateway.attach("wa", leg_id)
            await agent.talk(30, leg_id.encode())
        # Attached in the middle of its speech, then closed in the middle of it.
        talking = asyncio.create_task(first.talk(50, b"back"))
        await gateway.attach("wa", "first")
        await customer.wait_heard(20, b"back")
        await gateway.close_leg("first")
        talking.cancel()
        await asyncio.sleep(0.5)
        heard = customer.heard
        assert {one.ssrc for one in heard} == {heard[0].ssrc}
        for payload in (b"first", b"second", b"back"):
            assert len(customer.of(payload)) >= 20
        before = heard[0]
        for one in heard[1:]:
            # Packets on loopback are neither lost nor reordered: the numbers show all.
            number = (one.sequence - before.sequence) & 0xFFFF
            # Where the machine held somebody up, the line skips as much time as passed.
            assert 1 <= number <= 250
            assert (one.timestamp - before.timestamp) & 0xFFFFFFFF == number * FRAME
            before = one
        elapsed = (heard[-1].at - heard[0].at) * 48000
        total = (heard[-1].timestamp - heard[0].timestamp) & 0xFFFFFFFF
        assert abs(total - elapsed) < 48000 / 2


async def test_keys_are_carried_and_reported_both_ways(gateway: GatewayClient) -> None:
    def event(code: int, duration: int, *, end: bool) -> bytes:
        return bytes([code, (0x80 if end else 0) | 10]) + duration.to_bytes(2, "big")

    async with RawPeer() as agent, RawPeer() as customer:
        await join_agent(gateway, agent)
        await join_customer(gateway, customer)
        await gateway.attach("wa", "agent")
        await gateway.start_sending("wa")
        for sender, receiver, code in ((agent, customer, 5), (customer, agent, 11)):
            await sender.talk(5)
            for index in range(5):
                await sender.send(
                    event(code, 160 * (index + 1), end=False),
                    payload_type=KEYPAD,
                    marker=index == 0,
                )
                await asyncio.sleep(0.02)
            for _ in range(3):
                await sender.send(event(code, 800, end=True), payload_type=KEYPAD)
            await receiver.wait_heard(3, event(code, 800, end=True))
            pressed = [one for one in receiver.heard if one.payload_type == KEYPAD]
            assert len(pressed) == 8
            assert len({one.timestamp for one in pressed}) == 1
        star = await gateway.wait_for(KeyPressed, lambda e: e.leg_id == "wa")
        five = await gateway.wait_for(KeyPressed, lambda e: e.leg_id == "agent")
        assert (star.digit, star.duration_ms) == ("#", 100)
        assert (five.digit, five.duration_ms) == ("5", 100)


@pytest.mark.parametrize(
    ("setup", "actpass_role", "peer_role"),
    [
        ("active", "client", "client"),
        ("passive", "client", "server"),
        ("actpass", "client", "server"),
        ("actpass", "server", "client"),
    ],
)
async def test_a_lite_peers_answer_connects_in_every_dtls_role(
    gateway: GatewayClient, setup: str, actpass_role: str, peer_role: str
) -> None:
    async with LitePeer() as whatsapp:
        offer = await gateway.make_offer("wa")
        whatsapp.start(offer, peer_role)
        await gateway.apply_answer("wa", whatsapp.description(setup), actpass_role)
        await gateway.wait_state("wa", LegState.CONNECTED)
        await asyncio.wait_for(whatsapp.connected.wait(), 20)
        # Regular nomination (RFC 8445 section 8.1.1): first a check, then the nomination.
        assert "USE-CANDIDATE" not in whatsapp.checks[0].attributes
        assert all("ICE-CONTROLLING" in check.attributes for check in whatsapp.checks)
        await gateway.start_sending("wa")
        await eventually(lambda: len(whatsapp.heard) >= 20)
        assert len({ssrc for _, _, ssrc in whatsapp.heard}) == 1


async def test_a_lite_peers_offer_is_answered_and_connected(gateway: GatewayClient) -> None:
    async with LitePeer() as whatsapp:
        answer = await gateway.answer_offer(
            "wa", LegKind.WHATSAPP, whatsapp.description("actpass")
        )
        assert "a=setup:active" in answer
        whatsapp.start(answer, "server")
        await gateway.wait_state("wa", LegState.CONNECTED)
        for sequence in range(1, 11):
            await whatsapp.send(sequence)
        await gateway.wait_for(FirstRtp)
        await gateway.wait_packets_in("wa", 10)


async def test_a_peer_that_learns_our_answer_late_is_asked_again_and_again(
    gateway: GatewayClient,
) -> None:
    async with LitePeer() as whatsapp:
        # As WhatsApp does until the gateway's request with our answer has arrived.
        whatsapp.deaf_checks = 8
        offer = whatsapp.description("actpass")
        answer = await gateway.answer_offer("wa", LegKind.WHATSAPP, offer)
        await eventually(lambda: len(whatsapp.checks) >= 8)
        assert len({check.transaction_id for check in whatsapp.checks[:8]}) == 1
        whatsapp.start(answer, "server")
        await gateway.wait_state("wa", LegState.CONNECTED)


@pytest.mark.parametrize("role", ["client", "server"])
async def test_a_wrong_fingerprint_closes_the_leg(gateway: GatewayClient, role: str) -> None:
    async with LitePeer() as whatsapp, LitePeer() as other:
        offer = await gateway.make_offer("wa")
        whatsapp.start(offer, role)
        setup = "active" if role == "client" else "passive"
        theirs = whatsapp.certificate.getFingerprints()[0].value
        wrong = other.certificate.getFingerprints()[0].value
        await gateway.apply_answer("wa", whatsapp.description(setup).replace(theirs, wrong))
        closed = await gateway.wait_state("wa", LegState.CLOSED)
        assert closed.reason is CloseReason.DTLS_FAILED


async def test_a_peer_that_never_comes_is_given_up_after_the_time_out(
    gateway: GatewayClient,
) -> None:
    async with Peer(AGENT_TONE) as agent:
        await gateway.answer_offer("agent", LegKind.AGENT, await agent.offer())
        connecting = await gateway.wait_state("agent", LegState.CONNECTING)
        closed = await gateway.wait_state("agent", LegState.CLOSED, timeout_s=40)
        assert closed.reason is CloseReason.CONNECT_TIMEOUT
        assert closed.at - connecting.at >= 7.9


async def test_a_page_that_closes_is_noticed_at_once(gateway: GatewayClient) -> None:
    async with Peer(AGENT_TONE) as agent:
        await join_agent(gateway, agent)
        await agent.pc.close()
        closed = await gateway.wait_state("agent", LegState.CLOSED)
        assert closed.reason is CloseReason.PEER_CLOSED


async def test_silence_of_a_leg_and_its_return_are_events(gateway: GatewayClient) -> None:
    async with RawPeer() as agent, RawPeer() as customer:
        await join_agent(gateway, agent)
        await join_customer(gateway, customer)
        await gateway.attach("wa", "agent")
        await gateway.start_sending("wa")
        await customer.talk(10, b"customer")
        quiet = await gateway.wait_for(MediaQuiet, lambda e: e.leg_id == "wa")
        # Meanwhile the agent hears comfort, not nothing.
        count = len(agent.heard)
        await agent.wait_heard(count + 25)
        await customer.talk(30, b"customer")
        resumed = await gateway.wait_for(MediaResumed, lambda e: e.leg_id == "wa")
        assert resumed.seq > quiet.seq
        # The agent never spoke: that is no silence to report.
        assert not [e for e in gateway.events if isinstance(e, MediaQuiet) and e.leg_id != "wa"]


async def test_quality_reports_tell_what_both_ends_know(gateway: GatewayClient) -> None:
    async with Peer(AGENT_TONE) as agent, Peer(CUSTOMER_TONE) as customer:
        await join_agent(gateway, agent)
        await join_customer(gateway, customer)
        await gateway.attach("wa", "agent")
        await gateway.start_sending("wa")
        quality = await gateway.wait_for(
            LegQuality,
            lambda e: e.leg_id == "wa" and e.round_trip_ms is not None,
            timeout_s=40,
        )
        assert quality.packets_in > 100
        assert quality.packets_out > 100
        assert quality.lost_in == 0
        # Where this machine holds the agent up, the customer rightly counts a gap.
        assert quality.remote_lost is not None
        assert 0 <= quality.remote_lost < quality.packets_out
        assert quality.round_trip_ms is not None
        assert 0 <= quality.round_trip_ms < 1000
        assert 0 <= quality.jitter_ms < 100
        assert not {"not_authentic", "protect_error", "malformed"} & set(quality.dropped)
