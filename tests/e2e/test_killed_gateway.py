"""The gateway is killed with kill -9 and started again, at the worst moments."""

import asyncio
import contextlib
import os
import random
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Sequence

import aiohttp
import pytest
import pytest_asyncio

from gateway.demo.headless_agent import AgentError, HeadlessAgent
from gateway.demo.sandbox_control import Report
from gateway.demo.stack import Stack
from tests.conftest import Rounds
from tests.e2e.conftest import SUPERVISOR
from tests.e2e.talks import (
    CUSTOMER,
    CUSTOMERS,
    FOURTH,
    SECOND,
    THIRD,
    Talk,
    come_back,
    dial,
    eventually,
    media_ports,
    media_process,
    no_leg_left,
    reach,
    ring,
    take_call,
)
from tests.e2e.webhook_relay import Webhook, WebhookRelay, calls_in

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.soak,
    pytest.mark.timeout(3600),
    pytest.mark.asyncio(loop_scope="session"),
]
LATER = {"dialling": "remote_ringing"}
BREAK_SHARE = 1 / 3
"""A gap of this share of the gateway's absence is a break; a busy machine's are shorter."""


@pytest_asyncio.fixture(loop_scope="session")
async def agents(stack: Stack) -> AsyncIterator[list[HeadlessAgent]]:
    """Four agents who are ready."""
    async with contextlib.AsyncExitStack() as open_agents:
        people = [await open_agents.enter_async_context(stack.agent(at)) for at in range(4)]
        for agent in people:
            await agent.go_ready()
        yield people


async def test_calls_outlive_a_killed_gateway(
    stack: Stack, agents: list[HeadlessAgent], rounds: Rounds
) -> None:
    ports = media_ports(stack)
    worker = media_process(stack)
    for _ in range(rounds(quick=1, soak=25)):
        await one_kill_in_four_calls(stack, agents)
        await no_leg_left(stack, ports)
        assert media_process(stack) == worker


async def one_kill_in_four_calls(stack: Stack, agents: list[HeadlessAgent]) -> None:
    ana, budi, citra, dewi = agents
    answered = await take_call(stack, ana, CUSTOMER)
    placed = await reach(stack, budi, SECOND)
    # The gateway learns neither that it rings nor the answer before it is killed.
    for name in ("statuses.RINGING", "calls.connect"):
        fault = {"kind": "webhook_delay", "match": name, "seconds": 3}
        await stack.sandbox.ask("POST", "/faults", fault)
    dialling = await dial(stack, citra, THIRD, answer_after_s=300)
    assert (await citra.read(dialling.call_id))["state"] == "dialling"
    ringing = await ring(stack, dewi, FOURTH)
    for talk in (answered, placed):
        await talk.heard_both_ways()
        talk.agent.ear.forget()

    killed_at = time.monotonic()
    await stack.kill_gateway()
    await stack.start_gateway()
    await asyncio.gather(*(come_back(agent) for agent in agents))
    break_s = (time.monotonic() - killed_at) * BREAK_SHARE

    for talk, state in (
        (answered, "talking"),
        (placed, "talking"),
        (dialling, "dialling"),
        (ringing, "ringing"),
    ):
        await talk.agent.wait_state(talk.call_id, state, LATER.get(state, state))
    for talk in (answered, placed):
        assert talk.agent.ear.longest_gap_s() < break_s
        await talk.heard_both_ways()
        report = await talk.report()
        assert report["received"]["max_gap_ms"] < break_s * 1000
        assert report["faults"] == {}

    await dewi.answer(ringing.call_id)
    await dewi.wait_state(ringing.call_id, "talking")
    await citra.wait_state(dialling.call_id, "remote_ringing")
    await stack.sandbox.ask("POST", f"/calls/{dialling.wacid}/answer")
    await citra.wait_state(dialling.call_id, "talking")
    for talk in (ringing, dialling):
        await talk.heard_both_ways()

    # Hang-up works from both sides.
    for talk in (answered, dialling):
        assert (await talk.hang_up())["outcome"] == "completed"
    for talk in (placed, ringing):
        assert (await talk.customer_hangs_up())["outcome"] == "completed"
    for talk in (answered, placed, dialling, ringing):
        await check_story(talk)
    await nothing_is_left_to_do(stack)


async def check_story(talk: Talk) -> None:
    """WhatsApp was told each thing once, and the trace knows both lives of the gateway."""
    report = await talk.report()
    assert report["outcome"]["status"] == "COMPLETED"
    begun = "graph.accept" if report["direction"] == "USER_INITIATED" else "graph.connect"
    assert count(report, begun) == 1
    assert count(report, "call.accepted") == 1
    lines = (await talk.agent.request("GET", f"/calls/{talk.call_id}/trace"))["lines"]
    offsets = [line["offset_ms"] for line in lines]
    assert offsets == sorted(offsets)
    moves = [line["fields"]["state"] for line in lines if "state" in line["fields"]]
    assert moves[-2:] == ["talking", "ended"]
    assert len(moves) == len(set(moves)), "no state was entered twice"


def count(report: Report, event: str) -> int:
    return sum(entry["event"] == event for entry in report["timeline"])


async def nothing_is_left_to_do(stack: Stack) -> None:
    """Wait until the database holds no order that is not carried out, no webhook not worked."""

    async def is_done() -> bool:
        database = sqlite3.connect(f"file:{stack.folder}/data/callgate.db?mode=ro", uri=True)
        with contextlib.closing(database):
            orders = "SELECT count(*) FROM call_commands"
            waiting = "SELECT count(*) FROM webhook_inbox WHERE state = 'waiting'"
            return [database.execute(q).fetchone()[0] for q in (orders, waiting)] == [0, 0]

    await eventually(is_done)


async def test_a_gateway_killed_while_calls_are_set_up_leaves_none_hanging(
    stack: Stack, agents: list[HeadlessAgent], rounds: Rounds, seed: int
) -> None:
    chance = random.Random(seed)
    ports = media_ports(stack)
    ana, budi, *_ = agents
    for _ in range(rounds(quick=2, soak=50)):
        known = len(await stack.sandbox.calls())
        await stack.sandbox.behave(SECOND, answer_after_s=0.3)
        begun = [
            asyncio.create_task(without_luck(take_call(stack, ana, CUSTOMER))),
            asyncio.create_task(without_luck(budi.dial(CUSTOMERS[SECOND]))),
        ]
        await asyncio.sleep(chance.uniform(0.0, 1.5))
        await stack.kill_gateway()
        await stack.start_gateway()
        await asyncio.gather(*(come_back(agent) for agent in agents))
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)
        await brought_to_an_end(stack, (ana, budi), known)
        await nothing_is_left_to_do(stack)
        await no_leg_left(stack, ports)


async def without_luck(work: Awaitable[object]) -> None:
    """Let the gateway be killed under somebody's hands."""
    with contextlib.suppress(aiohttp.ClientError, AgentError, TimeoutError):
        await work


async def brought_to_an_end(stack: Stack, agents: Sequence[HeadlessAgent], known: int) -> None:
    """Answer what rings, end what talks, until all calls beyond the first `known` are over."""

    async def is_over() -> bool:
        for agent in agents:
            for call in list(agent.calls.values()):
                with contextlib.suppress(AgentError):
                    if call["state"] == "ringing":
                        await agent.answer(call["id"])
                    elif call["state"] == "talking":
                        await agent.hang_up(call["id"])
        # Who was rung for a call that somebody else has hears no more of it.
        ours = [
            call["state"]
            for agent in agents
            for call in agent.calls.values()
            if call["agent"] is None or call["agent"]["id"] == agent.me["user"]["id"]
        ]
        theirs = [call["state"] for call in (await stack.sandbox.calls())[known:]]
        return set(ours + theirs) <= {"ended"}

    try:
        await eventually(is_over, within_s=60.0)
    except TimeoutError:
        ours = [view for agent in agents for view in agent.calls.values()]
        pytest.fail(f"never over: {ours} {(await stack.sandbox.calls())[known:]}")


async def test_a_webhook_that_was_taken_is_worked_although_the_gateway_is_killed_at_once(
    stack: Stack, rounds: Rounds
) -> None:
    async with WebhookRelay(stack) as relay, stack.agent(SUPERVISOR) as boss:
        for index in range(rounds(quick=3, soak=100)):
            event = "terminate" if index % 2 else "connect"
            if event == "connect":
                wacid = await killed_after(stack, relay, event)
                await stack.start_gateway()
                call_id = await only_call(boss, "ringing")
                await stack.sandbox.hang_up(wacid)
            else:
                wacid = (await stack.sandbox.call_business(CUSTOMER))["wacid"]
                call_id = await only_call(boss, "ringing")
                await killed_after(stack, relay, event, wacid)
                await stack.start_gateway()
            await missed(boss, call_id)
            deliveries = await stack.sandbox.ask("GET", "/webhooks", wacid=wacid)
            [taken] = [
                each for each in deliveries["deliveries"] if each["name"] == f"calls.{event}"
            ]
            assert [attempt["status"] for attempt in taken["attempts"]] == [200]


async def killed_after(
    stack: Stack, relay: WebhookRelay, event: str, wacid: str | None = None
) -> str:
    """Have a webhook delivered and kill the gateway the moment it has answered 200."""
    killed = asyncio.Event()

    def kill(webhook: Webhook) -> None:
        if any(call["event"] == event for call in calls_in(webhook)) and not killed.is_set():
            os.kill(stack.gateway_pid, signal.SIGKILL)
            killed.set()

    relay.taken = kill
    if wacid is None:
        wacid = (await stack.sandbox.call_business(CUSTOMER))["wacid"]
    else:
        await stack.sandbox.hang_up(wacid)
    async with asyncio.timeout(30):
        await killed.wait()
    relay.taken = lambda webhook: None
    await stack.kill_gateway()
    return wacid


async def only_call(boss: HeadlessAgent, state: str) -> str:
    """Wait until the one live call is in `state`; its id."""
    found: list[str] = []

    async def is_there() -> bool:
        with contextlib.suppress(aiohttp.ClientError):
            live = (await boss.request("GET", "/calls?live=true"))["items"]
            found[:] = [call["id"] for call in live if call["state"] == state]
            return len(live) == len(found) == 1
        return False

    await eventually(is_there)
    return found[0]


async def missed(boss: HeadlessAgent, call_id: str) -> None:
    """Wait until a call counts as missed; a refusal by WhatsApp may tell of its end first."""

    async def is_missed() -> bool:
        return bool((await boss.read(call_id))["outcome"] == "missed")

    await eventually(is_missed)
