"""Redis, the database and the media worker fail while people talk."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from gateway.demo.headless_agent import HeadlessAgent
from gateway.demo.processes import listener_pid
from gateway.demo.sandbox_control import Report
from gateway.demo.stack import Stack
from tests.e2e.conftest import OpenStack, full_options
from tests.e2e.talks import (
    CUSTOMER,
    SECOND,
    THIRD,
    Talk,
    eventually,
    media_ports,
    media_process,
    no_leg_left,
    reach,
    ring,
    take_call,
)
from tests.services.postgres import PostgresServer, private_postgres

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="session"),
]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
async def test_without_redis_calls_go_on_and_new_ones_ring(
    stack: Stack, agent: HeadlessAgent, how: signal.Signals
) -> None:
    async with stack.agent(1) as other:
        await other.go_ready()
        talk = await take_call(stack, agent)
        await talk.heard_both_ways()
        server = listener_pid(stack.valkey_socket)
        assert server is not None
        os.kill(server, how)
        second = await take_call(stack, other, SECOND)
        await second.heard_both_ways()
        await talk.heard_both_ways()
        assert (await second.customer_hangs_up())["outcome"] == "completed"
        assert (await talk.hang_up())["outcome"] == "completed"

        async def is_replaced() -> bool:
            return listener_pid(stack.valkey_socket) not in {None, server}

        await eventually(is_replaced)
        third = await take_call(stack, other, THIRD)
        await third.hang_up()


@asynccontextmanager
async def locked(stack: Stack) -> AsyncIterator[None]:
    """Hold the database's write lock, as a careless tool of the operator would."""
    database = sqlite3.connect(stack.folder / "data" / "callgate.db", isolation_level=None)
    with contextlib.closing(database):
        database.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            database.execute("ROLLBACK")


async def test_while_the_database_is_locked_talk_goes_on_and_webhooks_come_again(
    stack: Stack, agent: HeadlessAgent
) -> None:
    async with stack.agent(1) as other:
        await other.go_ready()
        talk = await take_call(stack, agent)
        leaving = await take_call(stack, other, SECOND)
        for each in (talk, leaving):
            await each.heard_both_ways()
        lost = (await talk.report())["received"]["lost"]
        async with locked(stack):
            wacid = (await stack.sandbox.call_business(THIRD))["wacid"]
            await stack.sandbox.hang_up(leaving.wacid)
            await refused_with(503, stack, wacid, "calls.connect")
            await refused_with(503, stack, leaving.wacid, "calls.terminate")
            await talk.heard_both_ways()
        await other.wait_state(leaving.call_id, "ended")
        late = await other.wait_for(
            lambda call: call["state"] == "ringing" and call["peer"]["user_id"] == THIRD
        )
        await other.answer(late["id"])
        await other.wait_state(late["id"], "talking")
        await talk.heard_both_ways()
        report = await talk.report()
        assert report["received"]["lost"] - lost < 50
        assert report["faults"] == {}
        for call in (wacid, leaving.wacid):
            deliveries = (await stack.sandbox.ask("GET", "/webhooks", wacid=call))["deliveries"]
            assert all(each["is_delivered"] for each in deliveries)
        assert (await talk.hang_up())["outcome"] == "completed"
        await other.hang_up(late["id"])


async def refused_with(status: int, stack: Stack, wacid: str, name: str) -> None:
    """Wait until a webhook has been answered with `status`."""

    async def is_refused() -> bool:
        deliveries = (await stack.sandbox.ask("GET", "/webhooks", wacid=wacid))["deliveries"]
        return any(
            attempt["status"] == status
            for each in deliveries
            if each["name"] == name
            for attempt in each["attempts"]
        )

    await eventually(is_refused)


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL of our own, which may be stopped."""
    with private_postgres() as running:
        yield running


@pytest.mark.services
async def test_while_postgresql_is_away_talk_goes_on_and_webhooks_come_again(
    open_stack: OpenStack, server: PostgresServer
) -> None:
    async with (
        open_stack(full_options(database_url=server.url())) as stack,
        stack.agent() as agent,
        stack.agent(1) as other,
    ):
        await agent.go_ready()
        await other.go_ready()
        talk = await take_call(stack, agent)
        await talk.heard_both_ways()
        await asyncio.to_thread(server.stop)
        wacid = (await stack.sandbox.call_business(SECOND))["wacid"]
        await refused_with(503, stack, wacid, "calls.connect")
        await talk.heard_both_ways()
        await asyncio.to_thread(server.start)
        late = await other.wait_for(lambda call: call["state"] == "ringing")
        await other.answer(late["id"])
        await other.wait_state(late["id"], "talking")
        await other.hang_up(late["id"])
        await talk.heard_both_ways()
        assert (await talk.hang_up())["outcome"] == "completed"


async def test_a_killed_media_worker_ends_its_calls_clearly_and_the_next_call_works(
    stack: Stack, agent: HeadlessAgent
) -> None:
    async with stack.agent(1) as other, stack.agent(2) as third:
        for each in (other, third):
            await each.go_ready()
        answered = await take_call(stack, agent)
        placed = await reach(stack, other, SECOND)
        ringing = await ring(stack, third, THIRD)
        for talk in (answered, placed):
            await talk.heard_both_ways()
        worker = media_process(stack)
        worker.kill()
        for talk in (answered, placed):
            view = await talk.ended()
            assert view["problem"]["code"] == "media_away"
            assert (await over_at_meta(talk))["ended_by"] == "business"
        view = await ringing.ended()
        assert (view["outcome"], view["problem"]["code"]) == ("missed", "media_away")
        assert (await over_at_meta(ringing))["ended_by"] == "business"
        for each in (agent, other, third):
            await each.wait_notice("leg_gone")
            await each.drop_leg()
            await each.go_ready()
        assert media_process(stack) != worker
        ports = media_ports(stack)
        again = await take_call(stack, agent)
        await again.heard_both_ways()
        assert (await again.customer_hangs_up())["outcome"] == "completed"
        again = await reach(stack, other, CUSTOMER)
        await again.heard_both_ways()
        assert (await again.hang_up())["outcome"] == "completed"
        await no_leg_left(stack, ports)


async def over_at_meta(talk: Talk) -> Report:
    report = await talk.stack.sandbox.wait_for(talk.wacid, "call.ended")
    outcome: Report = report["outcome"]
    return outcome


async def test_a_customer_without_network_for_a_while_keeps_the_call(
    stack: Stack, agent: HeadlessAgent
) -> None:
    talk = await take_call(stack, agent)
    await talk.heard_both_ways()
    await stack.sandbox.ask("POST", f"/calls/{talk.wacid}/drop_network", {"seconds": 4})
    await stack.sandbox.wait_for(talk.wacid, "network.dropped")
    await asyncio.sleep(4)
    await talk.heard_both_ways()
    assert (await agent.read(talk.call_id))["state"] == "talking"
    assert (await talk.hang_up())["outcome"] == "completed"
    assert (await talk.report())["faults"] == {}


@pytest.mark.parametrize("how", ["closed", "vanished"])
async def test_an_agent_who_loses_the_leg_comes_back_and_the_customer_stays(
    stack: Stack, agent: HeadlessAgent, how: str
) -> None:
    talk = await take_call(stack, agent)
    await talk.heard_both_ways()
    if how == "closed":
        await agent.drop_leg()
        await agent.wait_for(lambda call: call["id"] == talk.call_id and call["agent_away"])
    else:
        vanish(agent)
    packets = (await talk.report())["received"]["packets"]

    async def is_comforted() -> bool:
        return bool((await talk.report())["received"]["packets"] > packets + 50)

    await eventually(is_comforted)
    started = time.monotonic()
    await agent.open_leg()
    await agent.reattach(talk.call_id)
    await talk.heard_both_ways()
    assert time.monotonic() - started < 15
    view = await agent.read(talk.call_id)
    assert (view["state"], view["agent_away"]) == ("talking", False)
    report = await talk.report()
    assert report["faults"] == {}
    assert len(report["received"]["ssrcs"]) == 1
    assert (await talk.customer_hangs_up())["outcome"] == "completed"


def vanish(agent: HeadlessAgent) -> None:
    """Cut a browser's network: nothing goes out any more, no goodbye either."""
    assert agent._peer is not None
    for sender in agent._peer.getSenders():
        connection = sender.transport.transport._connection
        for protocol in list(connection._protocols):
            protocol.transport.abort()
