"""The demo without a person: real calls in both directions, and what was heard in them."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from gateway.demo.headless_agent import AgentError, HeadlessAgent, View
from gateway.demo.sandbox_control import Report, SandboxControl, SandboxRefused, at_ms
from gateway.demo.sound import TONE_AMPLITUDE
from gateway.demo.stack import CUSTOMER_ID, CUSTOMER_PHONE, Stack

AGENT_HZ, CUSTOMER_HZ = 440.0, 620.0
CUSTOMER_DBFS = -20.0
SILENT_DBFS = -96.0
TALK_S = 4.0
_LEVEL_OFF_MAX_DB = 3.0
_HZ_OFF_MAX = 15.0
_PATIENCE_S = 30.0
# Where a busy machine holds this process up, the gateway bridges the silence and numbers it.
_LOSS_MAX = 0.1


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What one call of the check showed; times in milliseconds."""

    name: str
    ring_ms: float | None = None
    """From the caller's wish until the other side rings."""
    pick_up_ms: float | None = None
    """From the answer until WhatsApp counts the call as picked up."""
    customer_hears_ms: float | None = None
    """From the pick-up until the customer hears the agent's first packet."""
    agent_hears_ms: float | None = None
    """From the answer (outbound: the pick-up) until the agent has heard the customer's tone."""
    packets_to_customer: int = 0
    packets_from_customer: int = 0
    lost_to_customer: int = 0
    tone_at_customer_hz: float = 0.0
    tone_at_customer_dbfs: float = SILENT_DBFS
    tone_at_agent_hz: float = 0.0
    tone_at_agent_dbfs: float = SILENT_DBFS
    rules_broken: dict[str, int] = field(default_factory=dict)
    """Meta's media rules that the gateway broke, as the sandbox counted them."""
    faults: tuple[str, ...] = ()
    """Why the call counts as failed; empty when all held."""


async def check_calls(stack: Stack) -> list[CallFacts]:
    """Have the customer call and be called, with a tone from either side.

    A call that breaks off is reported as a fact with its reason; nothing is raised for it.
    """
    facts = []
    async with stack.agent(tone_hz=AGENT_HZ) as agent:
        await agent.go_ready()
        for name, talk in (("user calls us", _inbound), ("we call the user", _outbound)):
            facts.append(await _guarded(name, talk, agent, stack.sandbox))
    return facts


async def _guarded(
    name: str,
    talk: Callable[[HeadlessAgent, SandboxControl], Awaitable[CallFacts]],
    agent: HeadlessAgent,
    sandbox: SandboxControl,
) -> CallFacts:
    try:
        return await talk(agent, sandbox)
    except (AgentError, SandboxRefused, TimeoutError, ConnectionError, KeyError) as error:
        return CallFacts(name, faults=(f"{type(error).__name__}: {error}",))


async def _inbound(agent: HeadlessAgent, sandbox: SandboxControl) -> CallFacts:
    agent.ear.forget()
    wanted_at = time.monotonic()
    wacid = (await sandbox.call_business(CUSTOMER_ID, says=_tone()))["wacid"]
    ringing = await agent.wait_for(
        lambda call: call["state"] == "ringing" and call["direction"] == "inbound",
        within_s=_PATIENCE_S,
    )
    rang_at = time.monotonic()
    await agent.answer(ringing["id"])
    agent_hears_ms = await _until_heard(agent, rang_at)
    await agent.wait_state(ringing["id"], "talking", within_s=_PATIENCE_S)
    picked_up = await sandbox.wait_for(wacid, "call.accepted", timeout_s=_PATIENCE_S)
    # The sandbox counts from the user's first wish, we from ours: a request's way apart.
    pick_up_ms = at_ms(picked_up, "call.accepted") - (rang_at - wanted_at) * 1000
    await asyncio.sleep(TALK_S)
    tone = agent.ear.tone(1.0)
    await sandbox.hang_up(wacid)
    ended = await agent.wait_state(ringing["id"], "ended", within_s=_PATIENCE_S)
    return await _facts(
        "user calls us",
        sandbox,
        wacid,
        ended,
        ring_ms=(rang_at - wanted_at) * 1000,
        pick_up_ms=pick_up_ms,
        agent_hears_ms=agent_hears_ms,
        tone_at_agent_hz=tone.hz,
        tone_at_agent_dbfs=_dbfs(tone.rms),
    )


async def _outbound(agent: HeadlessAgent, sandbox: SandboxControl) -> CallFacts:
    await sandbox.behave(CUSTOMER_ID, answers="yes", answer_after_s=1.0, says=_tone())
    calls_before = len(await sandbox.calls())
    agent.ear.forget()
    dialled_at = time.monotonic()
    call = await agent.dial(f"+{CUSTOMER_PHONE}")
    await agent.wait_state(call["id"], "remote_ringing", within_s=_PATIENCE_S)
    rang_at = time.monotonic()
    await agent.wait_state(call["id"], "talking", within_s=_PATIENCE_S)
    talking_at = time.monotonic()
    wacid = (await sandbox.calls(count=calls_before + 1))[-1]["wacid"]
    report = await sandbox.wait_for(wacid, "call.accepted", timeout_s=_PATIENCE_S)
    agent_hears_ms = await _until_heard(agent, talking_at)
    await asyncio.sleep(TALK_S)
    tone = agent.ear.tone(1.0)
    await agent.hang_up(call["id"])
    ended = await agent.wait_state(call["id"], "ended", within_s=_PATIENCE_S)
    since_dialled_ms = (talking_at - dialled_at) * 1000
    return await _facts(
        "we call the user",
        sandbox,
        wacid,
        ended,
        ring_ms=(rang_at - dialled_at) * 1000,
        pick_up_ms=since_dialled_ms - at_ms(report, "call.accepted"),
        agent_hears_ms=agent_hears_ms,
        tone_at_agent_hz=tone.hz,
        tone_at_agent_dbfs=_dbfs(tone.rms),
    )


async def _until_heard(agent: HeadlessAgent, since: float) -> float:
    await agent.hears(CUSTOMER_HZ, within_s=_PATIENCE_S)
    return (time.monotonic() - since) * 1000


async def _facts(
    name: str,
    sandbox: SandboxControl,
    wacid: str,
    ended: View,
    **measured: Any,  # noqa: ANN401 - the fields of CallFacts that only the agent's side knows
) -> CallFacts:
    report = await sandbox.wait_for(wacid, "call.ended", timeout_s=_PATIENCE_S)
    accepted_ms = at_ms(report, "call.accepted")
    first_ms = report["heard"]["first_packet_at_ms"]
    heard = await sandbox.heard(wacid, from_s=1.0)
    received = report["received"] or {"packets": 0, "lost": 0}
    facts = CallFacts(
        name=name,
        customer_hears_ms=None if first_ms is None else first_ms - accepted_ms,
        packets_to_customer=received["packets"],
        packets_from_customer=report["sent"]["packets"],
        lost_to_customer=received["lost"],
        tone_at_customer_hz=heard["dominant_hz"],
        tone_at_customer_dbfs=heard["level_dbfs"],
        rules_broken={kind: count["count"] for kind, count in report["faults"].items()},
        **measured,
    )
    return CallFacts(**asdict(facts) | {"faults": tuple(_faults(facts, report, ended))})


def _faults(facts: CallFacts, report: Report, ended: View) -> list[str]:
    """Say what of a call did not hold."""
    enough = TALK_S * 50 * 0.9
    agent_dbfs = _dbfs(TONE_AMPLITUDE / math.sqrt(2))
    held = {
        "the customer did not hear the agent's tone": abs(facts.tone_at_customer_hz - AGENT_HZ)
        <= _HZ_OFF_MAX,
        "the agent did not hear the customer's tone": abs(facts.tone_at_agent_hz - CUSTOMER_HZ)
        <= _HZ_OFF_MAX,
        "the agent's tone changed its level": abs(facts.tone_at_customer_dbfs - agent_dbfs)
        <= _LEVEL_OFF_MAX_DB,
        "the customer's tone changed its level": abs(facts.tone_at_agent_dbfs - CUSTOMER_DBFS)
        <= _LEVEL_OFF_MAX_DB,
        "too few packets to the customer": facts.packets_to_customer >= enough,
        "too few packets from the customer": facts.packets_from_customer >= enough,
        "packets were lost on the way to the customer": facts.lost_to_customer
        <= _LOSS_MAX * facts.packets_to_customer,
        "a rule of Meta's was broken": not facts.rules_broken,
        f"the call counts as {ended['outcome']}": ended["outcome"] == "completed",
        f"WhatsApp says {(report['outcome'] or {}).get('status')}": report["outcome"]
        is not None
        and report["outcome"]["status"] == "COMPLETED",
    }
    return [fault for fault, is_well in held.items() if not is_well]


def _tone() -> dict[str, object]:
    return {"kind": "tone", "frequency_hz": CUSTOMER_HZ, "level_dbfs": CUSTOMER_DBFS}


def _dbfs(rms: float) -> float:
    return max(SILENT_DBFS, 20 * math.log10(max(rms, 1e-9)))
