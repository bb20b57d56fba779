"""The minutes run out in a call: the recording stops there, and the call goes on."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from gateway.demo.check import AGENT_HZ, BROKEN_OFF, CUSTOMER_HZ, PATIENCE_S, customer_tone
from gateway.demo.headless_agent import HeadlessAgent
from gateway.demo.sandbox_control import at_ms
from gateway.demo.stack import CUSTOMER_ID, Stack

LEFT_MS = 12_000
TALK_S = 20.0
_FRAME_MS = 20
_LOOK_EVERY_S = 0.2
_RATE = 48_000


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
    faults: tuple[str, ...] = ()
    """Why the check counts as failed; empty when all held."""


async def check_minutes(stack: Stack) -> MinutesFacts:
    """Talk for 20 s with 12 s of recording left.

    A call that breaks off is reported as a fact with its reason; nothing is raised for it.
    """
    await stack.sell_minutes(leave_ms=LEFT_MS)
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
    await asyncio.sleep(TALK_S)
    stopped = await _recording(agent, call_id, lambda it: it["state"] == "stopped")
    agent.ear.forget()
    await agent.hears(CUSTOMER_HZ, within_s=PATIENCE_S)
    await agent.hang_up(call_id)
    report = await stack.sandbox.wait_for(wacid, "call.ended", timeout_s=PATIENCE_S)
    kept = await _recording(agent, call_id, lambda it: it["state"] == "kept")
    played_ms = await asyncio.to_thread(_played_ms, stack.recording_of(call_id))
    heard = await stack.sandbox.heard(wacid, from_s=LEFT_MS / 1000 + 2)
    talked_ms = at_ms(report, "call.ended") - at_ms(report, "call.accepted")
    held = {
        f"the recording stopped because of {stopped['reason']}": stopped["reason"] == "quota",
        "another time was charged than there was": abs(kept["duration_ms"] - LEFT_MS)
        <= _FRAME_MS,
        "the file plays longer or shorter than charged": abs(played_ms - kept["duration_ms"])
        <= _FRAME_MS,
        "the call did not go on": talked_ms >= TALK_S * 1000,
        "the customer heard nothing after the stop": abs(heard["dominant_hz"] - AGENT_HZ) < 15,  # noqa: PLR2004
    }
    return MinutesFacts(
        talked_ms=talked_ms,
        charged_ms=kept["duration_ms"],
        played_ms=played_ms,
        stopped_for=stopped["reason"],
        faults=tuple(fault for fault, is_well in held.items() if not is_well),
    )


async def _recording(
    agent: HeadlessAgent, call_id: str, wanted: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """Wait until a call's recording is as wanted."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            shown: dict[str, Any] = (await agent.read(call_id))["recording"]
            if wanted(shown):
                return shown
            await asyncio.sleep(_LOOK_EVERY_S)


def _played_ms(path: Path) -> float:
    """Decode a file and say how long it is."""
    with av.open(str(path)) as file:
        return sum(frame.samples for frame in file.decode(audio=0)) * 1000 / _RATE
