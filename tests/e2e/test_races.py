"""Two people want the same call in the same instant."""

import asyncio

import pytest

from gateway.demo.headless_agent import AgentError
from gateway.demo.stack import Stack
from tests.conftest import Rounds
from tests.e2e.talks import media_ports, no_leg_left, ring

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.soak,
    pytest.mark.timeout(1800),
    pytest.mark.asyncio(loop_scope="session"),
]


async def test_of_two_agents_who_answer_at_once_one_wins_and_the_other_is_told(
    stack: Stack, rounds: Rounds
) -> None:
    async with (
        stack.agent(0) as ana,
        stack.agent(1) as budi,
        stack.agent(2) as citra,
        stack.agent(3) as dewi,
    ):
        for agent in (ana, budi):
            await agent.go_ready()
        for agent in (citra, dewi):
            await agent.request("PUT", "/me/availability", {"availability": "available"})
        ports = media_ports(stack)
        for index in range(rounds(quick=5, soak=200)):
            # By turns with legs that are up already, and with legs made for the call.
            is_warm = index % 2 == 0
            pair = (ana, budi) if is_warm else (citra, dewi)
            talk = await ring(stack, pair[0])
            await pair[1].wait_state(talk.call_id, "ringing")
            outcomes = await asyncio.gather(
                *(
                    agent.answer(talk.call_id) if is_warm else agent.answer_afresh(talk.call_id)
                    for agent in pair
                ),
                return_exceptions=True,
            )
            refusals = [each for each in outcomes if isinstance(each, AgentError)]
            assert [(each.status, each.problem["code"]) for each in refusals] == [
                (409, "call_taken")
            ]
            winner = pair[0] if isinstance(outcomes[0], dict) else pair[1]
            view = await winner.wait_state(talk.call_id, "talking")
            assert view["agent"]["id"] == winner.me["user"]["id"]
            await stack.sandbox.hang_up(talk.wacid)
            assert (await winner.wait_state(talk.call_id, "ended"))["outcome"] == "completed"
            if not is_warm:
                await winner.drop_leg()
        await no_leg_left(stack, ports)
