"""The minutes run out in a call: the recording stops there, and the call goes on."""

import asyncio
from dataclasses import dataclass

from gateway.demo.check import AGENT_HZ, BROKEN_OFF, CUSTOMER_HZ, PATIENCE_S, customer_tone
from gateway.demo.check_official import outcome_of, recording
from gateway.demo.headless_agent import HeadlessAgent
from gateway.demo.sandbox_control import at_ms
from gateway.demo.sound_files import played_ms
from gateway.demo.stack import CUSTOMER_ID, Stack

LEFT_MS = 12_000
TALK_MS = 20_000
LAST_S = 3.0
"""So much of the call's end is listened to."""
_FRAME_MS = 20


@dataclass(frozen=True, slots=True)
class MinutesFacts:
    """What the call showed; times in milliseconds."""

    left_ms: int = LEFT_MS
    """What the account had before."""
    talked_ms: float = 0.0
    charged_ms: int = 0
    played_ms: float = 0.0
    """How long the recording's file plays."""
    stopped_for: str | None = None
    verdict: str = ""
    """Of the two recordings: WhatsApp's goes on after the stop, and is cut."""
    official_ms: int = 0
    """WhatsApp's file as it came."""
    faults: tuple[str, ...] = ()
    """Why the check counts as failed; empty when all held."""


async def check_minutes(stack: Stack) -> MinutesFacts:
    """Talk for 20 s or more with 12 s of recording left, which WhatsApp records too.

    A call that breaks off is reported as a fact with its reason; nothing is raised for it.
    """
    await stack.sell_minutes(leave_ms=LEFT_MS)
    await stack.ask_official()
    try:
        async with stack.agent(tone_hz=AGENT_HZ) as agent:
            await agent.go_ready()
            return await _talk(stack, agent)
    except BROKEN_OFF as error:
        return MinutesFacts(faults=(f"{type(error).__name__}: {error}",))


async def _talk(stack: Stack, agent: HeadlessAgent) -> MinutesFacts:
    wacid = (await stack.sandbox.call_business(CUSTOMER_ID, says=customer_tone()))["wacid"]
    call_id = (
        await agent.wait_for(lambda call: call["state"] == "ringing", within_s=PATIENCE_S)
    )["id"]
    await agent.answer(call_id)
    await agent.wait_state(call_id, "talking", within_s=PATIENCE_S)
    began = asyncio.get_running_loop().time()
    stopped = await recording(
        agent, call_id, lambda it: it["state"] == "stopped", within_s=3 * PATIENCE_S
    )
    talked_s = asyncio.get_running_loop().time() - began
    await asyncio.sleep(max(LAST_S + 1, TALK_MS / 1000 - talked_s))
    agent.ear.forget()
    await agent.hears(CUSTOMER_HZ, within_s=PATIENCE_S)
    await agent.hang_up(call_id)
    report = await stack.sandbox.wait_for(wacid, "call.ended", timeout_s=PATIENCE_S)
    talked_ms = at_ms(report, "call.ended") - at_ms(report, "call.accepted")
    heard = await stack.sandbox.heard(wacid, from_s=talked_ms / 1000 - LAST_S)
    outcome = await outcome_of(agent, call_id)
    stored_ms = outcome["stored_ms"]
    plays_ms = await asyncio.to_thread(played_ms, await stack.record_of(call_id))
    held = {
        f"the recording stopped because of {stopped['reason']}": stopped["reason"] == "quota",
        "another time was charged than there was": abs(stored_ms - LEFT_MS) <= _FRAME_MS,
        "the file plays longer or shorter than charged": abs(plays_ms - stored_ms) <= _FRAME_MS,
        f"the verdict is {outcome['verdict']}": outcome["verdict"] == "trimmed_to_quota",
        "the call did not go on": talked_ms >= TALK_MS,
        "the customer heard nothing after the stop": abs(heard["dominant_hz"] - AGENT_HZ) < 15,  # noqa: PLR2004
    }
    return MinutesFacts(
        talked_ms=talked_ms,
        charged_ms=stored_ms,
        played_ms=plays_ms,
        stopped_for=stopped["reason"],
        verdict=outcome["verdict"],
        official_ms=outcome["official_ms"] or 0,
        faults=tuple(fault for fault, is_well in held.items() if not is_well),
    )
