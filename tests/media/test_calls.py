"""Whole calls through a worker process, heard at both ends."""

import pytest

from media.protocol import FirstRtp, LegKind, LegState
from tests.media.gateway_client import GatewayClient
from tests.media.peers import Peer

pytestmark = pytest.mark.e2e

AGENT_TONE = 440.0
CUSTOMER_TONE = 1000.0


async def join_agent(gateway: GatewayClient, agent: Peer, leg_id: str = "agent") -> None:
    answer = await gateway.answer_offer(leg_id, LegKind.AGENT, await agent.offer())
    await agent.accept(answer)
    await gateway.wait_state(leg_id, LegState.CONNECTED)


async def test_an_inbound_call_is_heard_at_both_ends(gateway: GatewayClient) -> None:
    async with Peer(AGENT_TONE, data_channel=True) as agent, Peer(CUSTOMER_TONE) as customer:
        await join_agent(gateway, agent)
        answer = await gateway.answer_offer("wa", LegKind.WHATSAPP, await customer.offer())
        await customer.accept(answer)
        await gateway.wait_state("wa", LegState.CONNECTED)
        await gateway.attach("wa", "agent")
        await gateway.start_sending("wa")
        await customer.hears(AGENT_TONE)
        await agent.hears(CUSTOMER_TONE)
        await gateway.wait_for(FirstRtp, lambda event: event.leg_id == "wa")
        await gateway.wait_for(FirstRtp, lambda event: event.leg_id == "agent")


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
