"""WhatsApp announces and records too: its file comes, is verified, and agrees with ours."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.demo.check import AGENT_HZ, BROKEN_OFF, PATIENCE_S
from gateway.demo.headless_agent import HeadlessAgent
from gateway.demo.sandbox_control import at_ms
from gateway.demo.sound_files import played_ms
from gateway.demo.stack import CUSTOMER_ID, Stack

# Long enough not to begin anew in a call: what repeats cannot be told apart.
SPEECH = {
    "kind": "speech",
    "text": (
        "Good morning. I am calling about the order of last week. Two of the seven boxes have "
        "arrived, and one of them was open when the driver brought it to our door. The lamps "
        "inside seem to be fine, but nobody here can find the four cables that should be with "
        "them. Could you tell me when the other five boxes will come? We open on Thursday, and "
        "my sister has promised the painter that everything hangs by Wednesday evening."
    ),
}
RECORDED_S = 8.0
CALLS_MAX = 4
"""The announcement is timed by its text at first, then as it was measured twice."""
_LENGTHS_OFF_MAX_MS = 20
_VERDICT_WITHIN_S = 90.0
_LOOK_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class OfficialFacts:
    """What the last of the calls showed; times in milliseconds."""

    verdicts: tuple[str, ...] = ()
    """Of each call, in order: the announcement's length is learned in the first ones."""
    official_ms: int = 0
    local_ms: int = 0
    stored_ms: int = 0
    offset_ms: int | None = None
    """When WhatsApp's recording begins in ours."""
    digest: str = ""
    played_ms: float = 0.0
    faults: tuple[str, ...] = ()
    """Why the check counts as failed; empty when all held."""


async def check_official(stack: Stack) -> OfficialFacts:
    """Talk until both recordings of a call agree, four times at most.

    A call that breaks off is reported as a fact with its reason; nothing is raised for it.
    """
    await stack.sell_minutes()
    await stack.ask_official()
    try:
        async with stack.agent(tone_hz=AGENT_HZ) as agent:
            await agent.go_ready()
            return await _until_matched(stack, agent)
    except BROKEN_OFF as error:
        return OfficialFacts(faults=(f"{type(error).__name__}: {error}",))


async def _until_matched(stack: Stack, agent: HeadlessAgent) -> OfficialFacts:
    verdicts: list[str] = []
    while True:
        call_id = await _talk(stack, agent)
        outcome = await outcome_of(agent, call_id)
        verdicts.append(outcome["verdict"])
        if outcome["verdict"] == "matched" or len(verdicts) == CALLS_MAX:
            return await _facts(stack, call_id, verdicts, outcome)


async def _talk(stack: Stack, agent: HeadlessAgent) -> str:
    wacid = (await stack.sandbox.call_business(CUSTOMER_ID, says=SPEECH))["wacid"]
    ringing = await agent.wait_for(lambda call: call["state"] == "ringing", within_s=PATIENCE_S)
    call_id = str(ringing["id"])
    await agent.answer(call_id)
    await agent.wait_state(call_id, "talking", within_s=PATIENCE_S)
    # A hum tells no moment from another: what is compared is the customer's speech.
    await agent.request("POST", f"/calls/{call_id}/mute", {"muted": True})
    report = await stack.sandbox.wait_for(wacid, "recording.began", timeout_s=PATIENCE_S)
    assert at_ms(report, "recording.began") > 0
    await recording(agent, call_id, lambda it: it["state"] == "recording")
    await asyncio.sleep(RECORDED_S)
    await agent.hang_up(call_id)
    await stack.sandbox.wait_for(wacid, "call.ended", timeout_s=PATIENCE_S)
    return call_id


async def _facts(
    stack: Stack, call_id: str, verdicts: list[str], outcome: dict[str, Any]
) -> OfficialFacts:
    plays_ms = await asyncio.to_thread(played_ms, await stack.record_of(call_id))
    held = {
        f"the last verdict is {verdicts[-1]}": verdicts[-1] == "matched",
        f"the digest is {outcome['digest']}": outcome["digest"] == "verified",
        "the file plays longer or shorter than stored": abs(plays_ms - outcome["stored_ms"])
        <= _LENGTHS_OFF_MAX_MS,
        "a part of the announcement was captured": (outcome["offset_ms"] or 0) <= 0,
    }
    return OfficialFacts(
        verdicts=tuple(verdicts),
        official_ms=outcome["official_ms"] or 0,
        local_ms=outcome["local_ms"] or 0,
        stored_ms=outcome["stored_ms"] or 0,
        offset_ms=outcome["offset_ms"],
        digest=outcome["digest"],
        played_ms=plays_ms,
        faults=tuple(fault for fault, is_well in held.items() if not is_well),
    )


async def outcome_of(agent: HeadlessAgent, call_id: str) -> dict[str, Any]:
    """Wait until the recordings of a call have been compared; what came of it."""
    shown = await recording(
        agent,
        call_id,
        lambda it: bool(it["outcome"] and it["outcome"]["verdict"]),
        within_s=_VERDICT_WITHIN_S,
    )
    found: dict[str, Any] = shown["outcome"]
    return found


async def recording(
    agent: HeadlessAgent,
    call_id: str,
    wanted: Callable[[dict[str, Any]], bool],
    *,
    within_s: float = PATIENCE_S,
) -> dict[str, Any]:
    """Wait until a call's recording is as wanted. Raises `TimeoutError`."""
    async with asyncio.timeout(within_s):
        while True:
            shown: dict[str, Any] = (await agent.read(call_id))["recording"]
            if wanted(shown):
                return shown
            await asyncio.sleep(_LOOK_EVERY_S)
