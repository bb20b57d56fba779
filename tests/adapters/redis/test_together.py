"""Nodes on the server of our own: whatever happens to it, presence and news come back."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import psutil
import pytest

from gateway.adapters.valkey_server import ServerTimes, ValkeyServer
from gateway.core.ids import AccountId, UserId
from gateway.ports.live import Availability, LiveEvent
from tests.adapters.redis.conftest import SOON_S, Node, until
from tests.conftest import Rounds

pytestmark = [pytest.mark.services, pytest.mark.soak]

ACME, ANA = AccountId("acme"), UserId("ana")
QUICK = ServerTimes(ping_max_s=0.5, check_every_s=0.05, frozen_max_s=1.0, backoff_first_s=0.05)


async def test_presence_and_news_survive_whatever_happens_to_the_server(
    tmp_path_factory: pytest.TempPathFactory,
    open_node: Callable[[str, str], Awaitable[Node]],
    rounds: Rounds,
    seed: int,
) -> None:
    choose = random.Random(seed)
    server = ValkeyServer(tmp_path_factory.mktemp("v") / "valkey", times=QUICK)
    await server.start()
    a, b = await open_node(server.url, "a"), await open_node(server.url, "b")
    try:
        await until(lambda: a.link.is_up and b.link.is_up)
        await a.presence.enter(ACME, ANA)
        for number in range(rounds(quick=4, soak=60)):
            await hurt(server, choose.choice(("kill", "stop", "stop and go on", "flush")))
            availability = choose.choice(list(Availability))
            await a.presence.choose(ACME, ANA, availability)
            await until_known(b, availability)
            await until_heard(a, b, number)
    finally:
        await a.link.close()
        await b.link.close()
        await server.close()


async def hurt(server: ValkeyServer, how: str) -> None:
    pid = server._owner_pid()
    assert pid is not None
    process = psutil.Process(pid)
    match how:
        case "kill":
            process.kill()
        case "stop":
            process.suspend()
        case "stop and go on":
            process.suspend()
            await asyncio.sleep(0.3)
            process.resume()
        case _:
            await server._ask(b"FLUSHALL\r\n")


async def until_heard(a: Node, b: Node, number: int) -> None:
    """News of the first seconds may be lost: an outage is known only after a while."""

    async def hear() -> None:
        async for event in news:
            if event.body == {"n": number}:
                return

    async with b.bus.subscribe(ACME) as news, asyncio.timeout(SOON_S):
        hearing = asyncio.ensure_future(hear())
        while not hearing.done():
            a.bus.publish(LiveEvent(ACME, "call", {"n": number}))
            await asyncio.wait({hearing}, timeout=0.1)
        await hearing


async def until_known(node: Node, wanted: Availability) -> None:
    async with asyncio.timeout(SOON_S):
        while await known(node) != [wanted]:  # noqa: ASYNC110 (it lies behind Redis)
            await asyncio.sleep(0.01)


async def known(node: Node) -> list[Availability]:
    return [each.availability for each in await node.presence.of_account(ACME)]
