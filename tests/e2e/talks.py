"""Calls as the tests make them: begun, heard on both sides, ended and judged."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import psutil

from gateway.demo.headless_agent import HeadlessAgent, View
from gateway.demo.processes import listener_pid
from gateway.demo.sandbox_control import Report, SandboxRefused
from gateway.demo.stack import CUSTOMER_ID, CUSTOMER_PHONE, Stack

CUSTOMERS = {CUSTOMER_ID: CUSTOMER_PHONE} | {
    f"US.customer{place}": f"1408555010{place}" for place in range(4)
}
CUSTOMER, SECOND, THIRD, FOURTH, FIFTH = CUSTOMERS
AGENT_HZ, CUSTOMER_HZ = 440.0, 620.0
CUSTOMER_DBFS = -20.0
PATIENCE_S = 30.0
TONE = {"kind": "tone", "frequency_hz": CUSTOMER_HZ, "level_dbfs": CUSTOMER_DBFS}


@dataclass
class Talk:
    """A call with both its names: ours, and Meta's."""

    stack: Stack
    agent: HeadlessAgent
    call_id: str
    wacid: str

    async def report(self) -> Report:
        """What the sandbox has seen so far."""
        return await self.stack.sandbox.report(self.wacid)

    async def heard_by_customer(self, *, within_s: float = PATIENCE_S) -> None:
        """Wait until the last half second at the customer is the agent's tone."""

        async def is_heard() -> bool:
            length = (await self.stack.sandbox.heard(self.wacid))["duration_s"]
            last = await self.stack.sandbox.heard(self.wacid, from_s=max(0.0, length - 0.5))
            is_long = last["duration_s"] >= 0.4
            is_tone = abs(last["dominant_hz"] - self.agent.mouth.tone_hz) <= 15
            return is_long and is_tone and bool(last["level_dbfs"] > -25)

        await eventually(is_heard, within_s=within_s)

    async def heard_both_ways(self) -> None:
        """Wait until each side hears the other one's tone, in sound that comes from now on."""
        self.agent.ear.forget()
        await self.agent.hears(CUSTOMER_HZ, within_s=PATIENCE_S)
        await self.heard_by_customer()

    async def hang_up(self) -> View:
        """End it as the agent, and wait until all know."""
        await self.agent.hang_up(self.call_id)
        return await self.ended()

    async def customer_hangs_up(self) -> View:
        """End it as the customer, and wait until all know."""
        await self.stack.sandbox.hang_up(self.wacid)
        return await self.ended()

    async def ended(self) -> View:
        """Wait until the call is over here and at WhatsApp."""
        await self.stack.sandbox.wait_for(self.wacid, "call.ended", timeout_s=PATIENCE_S)
        return await self.agent.wait_state(self.call_id, "ended", within_s=PATIENCE_S)


async def ring(
    stack: Stack, agent: HeadlessAgent, user_id: str = CUSTOMER, **persona: object
) -> Talk:
    """Have a customer call; returns when it rings at the agent."""
    wacid = (await stack.sandbox.call_business(user_id, **{"says": TONE} | persona))["wacid"]
    view = await agent.wait_for(
        lambda call: call["state"] == "ringing" and call["peer"]["user_id"] == user_id,
        within_s=PATIENCE_S,
    )
    return Talk(stack, agent, view["id"], wacid)


async def take_call(
    stack: Stack, agent: HeadlessAgent, user_id: str = CUSTOMER, **persona: object
) -> Talk:
    """Have a customer call and the agent answer; returns when they talk."""
    talk = await ring(stack, agent, user_id, **persona)
    await agent.answer(talk.call_id)
    await agent.wait_state(talk.call_id, "talking", within_s=PATIENCE_S)
    return talk


async def dial(
    stack: Stack, agent: HeadlessAgent, user_id: str = CUSTOMER, **persona: object
) -> Talk:
    """Have the agent call a customer; returns as soon as WhatsApp knows of it."""
    await stack.sandbox.behave(user_id, **{"answer_after_s": 0.5, "says": TONE} | persona)
    known = {call["wacid"] for call in await stack.sandbox.calls()}
    view = await agent.dial(CUSTOMERS[user_id])
    found: list[str] = []

    async def is_known() -> bool:
        found[:] = [
            call["wacid"]
            for call in await stack.sandbox.calls()
            if call["user_id"] == user_id and call["wacid"] not in known
        ]
        return bool(found)

    await eventually(is_known)
    return Talk(stack, agent, view["id"], found[0])


async def reach(
    stack: Stack, agent: HeadlessAgent, user_id: str = CUSTOMER, **persona: object
) -> Talk:
    """Have the agent call a customer who answers; returns when they talk."""
    talk = await dial(stack, agent, user_id, **persona)
    await agent.wait_state(talk.call_id, "talking", within_s=PATIENCE_S)
    await stack.sandbox.wait_for(talk.wacid, "call.accepted", timeout_s=PATIENCE_S)
    return talk


async def come_back(agent: HeadlessAgent) -> None:
    """Have an agent's page connect again, as often as it takes, and be available."""
    await agent.unwatch()

    async def is_back() -> bool:
        with contextlib.suppress(OSError, TypeError):
            await agent.watch()
            return True
        return False

    await eventually(is_back)
    await agent.request("PUT", "/me/availability", {"availability": "available"})


async def eventually(
    holds: Callable[[], Awaitable[bool]], *, within_s: float = PATIENCE_S
) -> None:
    """Wait until a condition holds. Raises `TimeoutError`."""
    until = time.monotonic() + within_s
    while not await holds():
        if time.monotonic() > until:
            raise TimeoutError(f"{getattr(holds, '__name__', holds)} never held")
        await asyncio.sleep(0.05)


def media_process(stack: Stack) -> psutil.Process:
    """The media worker that listens now."""
    pid = listener_pid(stack.media_socket)
    assert pid is not None, "a media worker listens"
    return psutil.Process(pid)


def media_ports(stack: Stack) -> set[tuple[str, int]]:
    """The UDP addresses that the media worker has open: those of its legs, and no others."""
    found = media_process(stack).net_connections("udp")
    return {(one.laddr.ip, one.laddr.port) for one in found}


async def no_leg_left(stack: Stack, before: set[tuple[str, int]]) -> None:
    """Wait until the worker has no port open that it had not `before`."""

    async def is_clean() -> bool:
        return media_ports(stack) <= before

    await eventually(is_clean)


async def end_all_calls(stack: Stack, supervisor: HeadlessAgent) -> None:
    """Hang up whatever is left, on both sides."""
    for call in await stack.sandbox.calls():
        if call["state"] != "ended":
            with contextlib.suppress(SandboxRefused):
                await stack.sandbox.hang_up(call["wacid"])

    async def is_quiet() -> bool:
        live = (await supervisor.request("GET", "/calls?live=true"))["items"]
        for call in live:
            await supervisor.hang_up(call["id"])
        return not live

    await eventually(is_quiet)
