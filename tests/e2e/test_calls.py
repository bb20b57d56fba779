"""Calls in both directions: who hears what, from when on, and what Meta's rules say to it."""

import asyncio
import math

import numpy as np
import pytest

from gateway.demo.headless_agent import HeadlessAgent
from gateway.demo.sandbox_control import at_ms
from gateway.demo.sound import TONE_AMPLITUDE
from gateway.demo.stack import Stack
from tests.e2e.talks import (
    AGENT_HZ,
    CUSTOMER_DBFS,
    CUSTOMER_HZ,
    PATIENCE_S,
    Talk,
    eventually,
    reach,
    ring,
    take_call,
)

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="session"),
]
WORDS_FRAMES = 25
"""Half a second of speech."""
BLURRED_FRAMES = 2
"""A word begins and ends inside of frames, and the codec blurs its edges."""


async def check_tones(talk: Talk) -> None:
    """Each side has heard the other's tone, at its level, for a second."""
    await talk.heard_both_ways()
    await asyncio.sleep(1.2)
    length = (await talk.stack.sandbox.heard(talk.wacid))["duration_s"]
    there = await talk.stack.sandbox.heard(talk.wacid, from_s=length - 1.0)
    here = talk.agent.ear.tone(1.0)
    assert abs(there["dominant_hz"] - AGENT_HZ) <= 5
    assert abs(there["level_dbfs"] - 20 * math.log10(TONE_AMPLITUDE / math.sqrt(2))) <= 2
    assert abs(here.hz - CUSTOMER_HZ) <= 5
    assert abs(20 * math.log10(here.rms) - CUSTOMER_DBFS) <= 2


async def test_a_customer_calls_and_each_hears_the_other(
    stack: Stack, agent: HeadlessAgent
) -> None:
    talk = await take_call(stack, agent)
    await check_tones(talk)
    ended = await talk.customer_hangs_up()
    assert ended["outcome"] == "completed"
    report = await talk.report()
    assert report["faults"] == {}
    assert report["outcome"]["status"] == "COMPLETED"


async def test_the_caller_hears_nothing_before_the_call_is_accepted(
    stack: Stack, agent: HeadlessAgent
) -> None:
    talk = await ring(stack, agent)
    await stack.sandbox.wait_for(talk.wacid, "dtls.connected")
    await asyncio.sleep(1.0)
    ringing = await talk.report()
    assert ringing["received"] is None or ringing["received"]["packets"] == 0
    await agent.answer(talk.call_id)
    await stack.sandbox.wait_for(talk.wacid, "rtp.first_received")
    await talk.customer_hangs_up()
    report = await talk.report()
    assert at_ms(report, "rtp.first_received") >= at_ms(report, "call.accepted")
    assert "media_before_accept" not in report["faults"]


async def test_no_first_word_is_lost_when_an_agent_answers(
    stack: Stack, agent: HeadlessAgent
) -> None:
    agent.mouth.level = 0.0
    talk = await ring(stack, agent)
    agent.ear.forget()
    await agent.answer(talk.call_id)
    await agent.wait_state(talk.call_id, "talking")
    await say_words(agent)
    await check_words_at_customer(talk)
    await check_words_at_agent(talk)


async def test_the_first_thing_a_caller_hears_is_the_agent(
    stack: Stack, agent: HeadlessAgent
) -> None:
    talk = await take_call(stack, agent)
    await talk.heard_by_customer()
    first = (await stack.sandbox.heard(talk.wacid))["first_sound_s"]
    await talk.hang_up()
    assert first <= 0.02 * BLURRED_FRAMES


@pytest.mark.parametrize("setup", ["passive", "active", "actpass"])
async def test_an_agent_calls_and_each_hears_the_other(
    stack: Stack, agent: HeadlessAgent, setup: str
) -> None:
    await stack.replace_sandbox(bic_answer_setup=setup)
    talk = await reach(stack, agent)
    await check_tones(talk)
    ended = await talk.hang_up()
    assert ended["outcome"] == "completed"
    report = await talk.report()
    assert report["faults"] == {}
    assert report["outcome"]["status"] == "COMPLETED"
    # On `actpass` the choice is ours, and we are the client.
    assert report["dtls"]["role"] == ("client" if setup == "active" else "server")


async def test_no_first_word_is_lost_when_a_customer_answers(
    stack: Stack, agent: HeadlessAgent
) -> None:
    agent.mouth.level = 0.0
    agent.ear.forget()
    talk = await reach(stack, agent)
    await say_words(agent)
    await check_words_at_customer(talk)
    await check_words_at_agent(talk)


async def test_a_customer_who_is_called_hears_the_agent_from_the_pick_up_on(
    stack: Stack, agent: HeadlessAgent
) -> None:
    talk = await reach(stack, agent)
    await talk.heard_by_customer()
    first = (await stack.sandbox.heard(talk.wacid))["first_sound_s"]
    await talk.hang_up()
    assert first <= 0.02 * BLURRED_FRAMES


async def say_words(agent: HeadlessAgent) -> None:
    """Make a sound of a known length, at once."""
    agent.mouth.say(frames=WORDS_FRAMES, level=TONE_AMPLITUDE)
    async with asyncio.timeout(PATIENCE_S):
        await agent.mouth.was_said.wait()
    await asyncio.sleep(0.5)


async def check_words_at_customer(talk: Talk) -> None:
    """The customer has heard the agent's words from beginning to end."""
    levels = np.array((await talk.stack.sandbox.heard(talk.wacid))["levels_dbfs"])
    loud = int((levels > -25).sum())
    assert WORDS_FRAMES - BLURRED_FRAMES <= loud <= WORDS_FRAMES + BLURRED_FRAMES


async def check_words_at_agent(talk: Talk) -> None:
    """The agent has heard the customer's sound from its first packet on."""
    said = (await talk.report())["sent"]["packets"]
    sandbox = talk.stack.sandbox
    await sandbox.ask("POST", f"/calls/{talk.wacid}/mute", {"is_muted": True})
    # Until all of it is out of the receiver's jitter buffer.
    await eventually(lambda: is_silent(talk.agent))
    heard = int((talk.agent.ear.levels() > 0.03).sum())
    await talk.customer_hangs_up()
    assert said > 25
    assert heard >= said - BLURRED_FRAMES


async def is_silent(agent: HeadlessAgent) -> bool:
    return bool((agent.ear.levels()[-5:] < 0.001).all())
