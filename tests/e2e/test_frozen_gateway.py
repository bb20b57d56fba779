"""The process that decides stands still; the one that moves the audio must not notice."""

import asyncio
import os
import signal
import statistics

import pytest

from gateway.demo.headless_agent import HeadlessAgent
from gateway.demo.stack import Stack
from tests.conftest import Rounds
from tests.e2e.talks import Talk, take_call

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.soak,
    pytest.mark.timeout(900),
    pytest.mark.asyncio(loop_scope="session"),
]
FROZEN_S = 0.5
REPORTED_GAP_S = 0.06
"""The sandbox lists no shorter gap than this."""


async def test_a_frozen_gateway_does_not_interrupt_the_talk(
    stack: Stack, agent: HeadlessAgent, rounds: Rounds
) -> None:
    talk = await take_call(stack, agent)
    await talk.heard_both_ways()
    calm: list[tuple[float, float]] = []
    frozen: list[tuple[float, float]] = []
    for _ in range(rounds(quick=5, soak=60)):
        calm.append(await gaps(talk, freeze=False))
        frozen.append(await gaps(talk, freeze=True))
    await talk.heard_both_ways()
    assert (await talk.hang_up())["outcome"] == "completed"
    # The machine makes gaps of its own; half the rounds are enough to tell ours.
    for side in (0, 1):
        undisturbed = statistics.median(gap[side] for gap in calm)
        disturbed = statistics.median(gap[side] for gap in frozen)
        assert disturbed < max(2 * undisturbed, 2 * REPORTED_GAP_S)
        assert disturbed < FROZEN_S / 2


async def gaps(talk: Talk, *, freeze: bool) -> tuple[float, float]:
    """The longest gap at the customer and at the agent within some time."""
    before = len((await talk.report())["received"]["gaps"])
    talk.agent.ear.forget()
    pid = talk.stack.gateway_pid
    await asyncio.sleep(0.1)
    if freeze:
        os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(FROZEN_S)
    finally:
        os.kill(pid, signal.SIGCONT)
    await asyncio.sleep(0.1)
    at_agent = talk.agent.ear.longest_gap_s()
    found = (await talk.report())["received"]["gaps"][before:]
    at_customer = max((gap["gap_ms"] / 1000 for gap in found), default=REPORTED_GAP_S)
    return at_customer, at_agent
