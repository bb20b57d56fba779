"""Bus and presence: this node at once, the others through Redis, nobody ever waiting."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from gateway.core.ids import AccountId, NodeId, UserId
from gateway.ports.live import AgentPresence, Availability, LiveEvent
from tests.adapters.redis.conftest import SOON_S, Node, until
from tests.services.redis import RedisServer

pytestmark = pytest.mark.services

OpenNode = Callable[[str, str], Awaitable[Node]]
ACME, OTHER = AccountId("acme"), AccountId("other")
ANA, BEN = UserId("ana"), UserId("ben")


def event(number: int, account: AccountId = ACME) -> LiveEvent:
    return LiveEvent(account, "call", {"n": number, "nested": {"name": "🌺"}}, (ANA,))


async def pair(open_node: OpenNode, url: str) -> tuple[Node, Node]:
    a, b = await open_node(url, "a"), await open_node(url, "b")
    await until(lambda: a.link.is_up and b.link.is_up)
    await until(lambda: a.nodes.others() and b.nodes.others())
    return a, b


async def take(stream: AsyncIterator[LiveEvent], count: int) -> list[LiveEvent]:
    async with asyncio.timeout(SOON_S):
        return [await anext(stream) for _ in range(count)]


async def here(node: Node, account: AccountId = ACME) -> set[tuple[str, str, str]]:
    return {
        (each.user_id, each.node_id, each.availability)
        for each in await node.presence.of_account(account)
    }


async def until_here(node: Node, wanted: set[tuple[str, str, str]]) -> None:
    async with asyncio.timeout(SOON_S):
        while await here(node) != wanted:  # noqa: ASYNC110 (it lies behind Redis)
            await asyncio.sleep(0.01)


async def test_news_reach_all_nodes_in_order_and_only_the_account(
    redis_server: RedisServer, open_node: OpenNode
) -> None:
    a, b = await pair(open_node, redis_server.url)
    async with (
        a.bus.subscribe(ACME) as on_a,
        b.bus.subscribe(ACME) as on_b,
        b.bus.subscribe(ACME) as also_on_b,
        b.bus.subscribe(OTHER) as foreign,
    ):
        for number in range(40):
            a.bus.publish(event(number))
        a.bus.publish(event(99, OTHER))
        wanted = [event(number) for number in range(40)]
        assert await take(on_a, 40) == wanted
        assert await take(on_b, 40) == wanted
        assert await take(also_on_b, 40) == wanted
        assert await take(foreign, 1) == [event(99, OTHER)]


async def test_a_personal_event_stays_personal_on_the_way(
    redis_server: RedisServer, open_node: OpenNode
) -> None:
    a, b = await pair(open_node, redis_server.url)
    sent = [
        LiveEvent(ACME, "notice", {}, (ANA,), is_personal=True),
        LiveEvent(ACME, "presence", {"x": None}, None),
    ]
    async with b.bus.subscribe(ACME) as on_b:
        for each in sent:
            a.bus.publish(each)
        assert await take(on_b, 2) == sent


async def test_news_about_one_node_stay_there(
    redis_server: RedisServer, open_node: OpenNode
) -> None:
    a, b = await pair(open_node, redis_server.url)
    own = LiveEvent(ACME, "notice", {"code": "media_away"}, is_local=True)
    async with a.bus.subscribe(ACME) as on_a, b.bus.subscribe(ACME) as on_b:
        a.bus.publish(own)
        a.bus.publish(event(1))
        assert await take(on_a, 2) == [own, event(1)]
        assert await take(on_b, 1) == [event(1)]


async def test_a_start_may_wait_for_redis_but_not_for_ever(
    redis_server: RedisServer, open_node: OpenNode
) -> None:
    there = await open_node(redis_server.url, "a")
    nowhere = await open_node("unix:///nowhere/redis.sock", "b")
    assert await there.link.wait_up(within_s=SOON_S)
    assert await there.link.wait_up(within_s=0.01)
    assert not await nowhere.link.wait_up(within_s=0.05)


async def test_without_redis_this_node_serves_its_own_at_once(open_node: OpenNode) -> None:
    node = await open_node("unix:///nowhere/redis.sock", "a")
    async with node.bus.subscribe(ACME) as stream:
        node.bus.publish(event(1))
        assert await take(stream, 1) == [event(1)]
    await node.presence.enter(ACME, ANA)
    await node.presence.choose(ACME, ANA, Availability.AVAILABLE)
    assert await here(node) == {("ana", "a", "available")}
    assert not node.link.is_up
    assert node.link.counts["dropped"] == 2


async def test_a_slow_reader_is_ended_and_the_others_go_on(
    redis_server: RedisServer, open_node: OpenNode
) -> None:
    node = await open_node(redis_server.url, "a")
    async with node.bus.subscribe(ACME) as slow, node.bus.subscribe(ACME) as quick:
        for number in range(60):
            node.bus.publish(event(number))
            assert await take(quick, 1) == [event(number)]
        with pytest.raises(StopAsyncIteration):
            await take(slow, 1)
        with pytest.raises(StopAsyncIteration):
            await take(slow, 1)
    assert node.bus.counts["slow_readers"] == 1


async def test_a_cancelled_reader_leaves_nothing_behind(
    redis_server: RedisServer, open_node: OpenNode
) -> None:
    node = await open_node(redis_server.url, "a")

    async def read() -> None:
        async with node.bus.subscribe(ACME) as stream:
            async for _ in stream:
                pass

    tasks_before = len(asyncio.all_tasks())
    readers = [asyncio.create_task(read()) for _ in range(5)]
    await asyncio.sleep(0)
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    assert len(asyncio.all_tasks()) <= tasks_before
    node.bus.publish(event(1))
    assert node.bus.counts == {}


async def test_people_are_known_on_all_nodes(
    redis_server: RedisServer, open_node: OpenNode
) -> None:
    a, b = await pair(open_node, redis_server.url)
    await a.presence.enter(ACME, ANA)
    await b.presence.enter(ACME, BEN)
    await b.presence.enter(OTHER, UserId("zed"))
    assert await a.presence.of_account(ACME) == [
        AgentPresence(ANA, ACME, NodeId("a"), Availability.AWAY),
        *(each for each in await a.presence.of_account(ACME) if each.user_id == BEN),
    ]
    await until_here(a, {("ana", "a", "away"), ("ben", "b", "away")})
    await until_here(b, {("ana", "a", "away"), ("ben", "b", "away")})
    await a.presence.choose(ACME, ANA, Availability.AVAILABLE)
    assert ("ana", "a", "available") in await here(a)
    await until_here(b, {("ana", "a", "available"), ("ben", "b", "away")})
    await a.presence.leave(ACME, ANA)
    await until_here(b, {("ben", "b", "away")})
    assert (ACME, ANA) in b.people
    assert (ACME, BEN) in a.people


async def test_a_person_stays_while_one_connection_lives_and_the_choice_with_it(
    redis_server: RedisServer, open_node: OpenNode
) -> None:
    node = await open_node(redis_server.url, "a")
    await node.presence.choose(ACME, ANA, Availability.AVAILABLE)
    assert await here(node) == set()
    await node.presence.enter(ACME, ANA)
    await node.presence.enter(ACME, ANA)
    await node.presence.choose(ACME, ANA, Availability.AVAILABLE)
    await node.presence.leave(ACME, ANA)
    assert await here(node) == {("ana", "a", "available")}
    await node.presence.leave(ACME, ANA)
    await node.presence.leave(ACME, ANA)
    assert await here(node) == set()
    await node.presence.enter(ACME, ANA)
    assert await here(node) == {("ana", "a", "away")}
    assert node.people == [(ACME, ANA)] * 4


async def test_a_choice_holds_for_a_person_s_browsers_on_all_nodes(
    redis_server: RedisServer, open_node: OpenNode
) -> None:
    a, b = await pair(open_node, redis_server.url)
    await a.presence.enter(ACME, ANA)
    await b.presence.enter(ACME, ANA)
    await a.presence.choose(ACME, ANA, Availability.AVAILABLE)
    await until_here(a, {("ana", "a", "available"), ("ana", "b", "available")})
    await until_here(b, {("ana", "a", "available"), ("ana", "b", "available")})


async def test_a_node_that_closes_is_gone_at_once_and_one_that_dies_soon(
    redis_server: RedisServer, open_node: OpenNode
) -> None:
    a, b = await pair(open_node, redis_server.url)
    await b.presence.enter(ACME, BEN)
    await until_here(a, {("ben", "b", "away")})
    await b.link.close()
    await until_here(a, set())
    assert list(a.nodes.others()) == []

    c = await open_node(redis_server.url, "c")
    await c.presence.enter(ACME, BEN)
    await until_here(a, {("ben", "c", "away")})
    assert [beat.node_id for beat in a.nodes.others()] == ["c"]
    for task in c.link._tasks.values():
        task.cancel()  # dies without a word
    await until_here(a, set())
    await until(lambda: not a.nodes.others())


async def test_a_newcomer_learns_who_is_here(
    redis_server: RedisServer, open_node: OpenNode
) -> None:
    a = await open_node(redis_server.url, "a")
    await a.presence.enter(ACME, ANA)
    await until(lambda: a.link.is_up)
    b = await open_node(redis_server.url, "b")
    await until_here(b, {("ana", "a", "away")})
    (beat,) = b.nodes.others()
    assert (beat.node_id, beat.epoch, beat.live_calls) == ("a", 7, 3)


async def test_a_flushed_redis_is_filled_again_and_nobody_seems_to_leave(
    redis_server: RedisServer, open_node: OpenNode
) -> None:
    a, b = await pair(open_node, redis_server.url)
    await a.presence.enter(ACME, ANA)
    await until_here(b, {("ana", "a", "away")})
    b.people.clear()
    for _ in range(5):
        assert redis_server.ask(b"FLUSHALL\r\n") == b"+OK\r\n"
        await until(lambda: redis_server.ask(b"EXISTS callgate:presence:a\r\n") == b":1\r\n")
        assert await here(b) == {("ana", "a", "away")}
    assert b.people == []
    assert a.changes == [True]


async def test_a_killed_redis_is_noticed_and_all_comes_back_by_itself(
    redis_server: RedisServer, open_node: OpenNode
) -> None:
    a, b = await pair(open_node, redis_server.url)
    await a.presence.enter(ACME, ANA)
    await until_here(b, {("ana", "a", "away")})
    redis_server.kill()
    await until(lambda: not a.link.is_up and not b.link.is_up)
    await until_here(b, set())
    await a.presence.choose(ACME, ANA, Availability.AVAILABLE)
    redis_server.start()
    await until_here(b, {("ana", "a", "available")})
    await until(lambda: a.link.is_up and b.link.is_up)
    assert a.changes == [True, False, True]
    async with b.bus.subscribe(ACME) as on_b:
        a.bus.publish(event(1))
        assert await take(on_b, 1) == [event(1)]


async def test_nobody_waits_for_a_frozen_redis(
    redis_server: RedisServer, open_node: OpenNode
) -> None:
    a, b = await pair(open_node, redis_server.url)
    redis_server.freeze()
    try:
        async with a.bus.subscribe(ACME) as on_a:
            slowest_s = 0.0
            for number in range(300):
                began = time.perf_counter()
                a.bus.publish(event(number))
                await a.presence.enter(ACME, ANA)
                await a.presence.of_account(ACME)
                await a.presence.leave(ACME, ANA)
                slowest_s = max(slowest_s, time.perf_counter() - began)
                assert await take(on_a, 1) == [event(number)]
        # The shortest wait for Redis would be half a second.
        assert slowest_s < 0.4
        await until(lambda: not a.link.is_up)
        await until(lambda: not b.link.is_up)
        assert a.link.counts["dropped"] >= 100
    finally:
        redis_server.thaw()
    await until(lambda: a.link.is_up and b.link.is_up)
    async with b.bus.subscribe(ACME) as on_b:
        a.bus.publish(event(7))
        assert (await take(on_b, 1))[-1] == event(7)


async def test_a_half_open_connection_counts_as_down_and_is_replaced(
    redis_server: RedisServer, open_node: OpenNode, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # A relay that goes on accepting bytes and passes none of them on.
    path = tmp_path_factory.mktemp("relay") / "s"
    is_deaf = False
    pumps: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65536):
            if not is_deaf:
                writer.write(piece)

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(redis_server.socket)
        both = [
            asyncio.create_task(pump(reader, far_writer)),
            asyncio.create_task(pump(far_reader, writer)),
        ]
        pumps.update(both)
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for end in (writer, far_writer):
            end.close()

    server = await asyncio.start_unix_server(relay, path)
    node = await open_node(f"unix://{path}", "a")
    await until(lambda: node.link.is_up)
    is_deaf = True
    await until(lambda: not node.link.is_up)
    is_deaf = False
    await until(lambda: node.link.is_up)
    await node.link.close()
    for task in pumps:
        task.cancel()
    await asyncio.gather(*pumps, return_exceptions=True)
    server.close()
    await server.wait_closed()
    path.unlink()


@pytest.mark.parametrize(
    "answer", [b"-OOM command not allowed\r\n", b"-LOADING x\r\n", b"+OK\r\n"]
)
async def test_a_server_that_refuses_or_talks_nonsense_counts_as_down(
    open_node: OpenNode, tmp_path_factory: pytest.TempPathFactory, answer: bytes
) -> None:
    path = tmp_path_factory.mktemp("odd") / "s"

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            writer.write(answer)
        writer.close()

    server = await asyncio.start_unix_server(refuse, path)
    node = await open_node(f"unix://{path}", "a")
    async with node.bus.subscribe(ACME) as stream:
        for number in range(20):
            node.bus.publish(event(number))
            assert await take(stream, 1) == [event(number)]
            await asyncio.sleep(0.02)
    assert not node.link.is_up
    assert all(not task.done() for task in node.link._tasks.values())
    await node.link.close()
    server.close()
    await server.wait_closed()
    path.unlink()


async def test_rubbish_on_our_channel_is_counted_and_ignored(
    redis_server: RedisServer, open_node: OpenNode
) -> None:
    a, b = await pair(open_node, redis_server.url)
    rubbish = [
        "no json",
        "[]",
        "{}",
        '{"node":"b","kind":"live","body":{"account_id":"acme"}}',
        '{"node":"b","kind":"live","body":7}',
        '{"node":"b","kind":"choice","body":{"account_id":"a","user_id":"u","availability":"x"}}',
        '{"node":"b","kind":"kept","body":{}}',
        "[" * 5000,
    ]
    await a.presence.enter(AccountId("a"), UserId("u"))
    for each in rubbish:
        text = each.encode()
        redis_server.ask(
            b"*3\r\n$7\r\nPUBLISH\r\n$13\r\ncallgate:news\r\n$%d\r\n%s\r\n" % (len(text), text)
        )
    redis_server.ask(b"SADD callgate:nodes odd\r\n")
    redis_server.ask(b"SET callgate:presence:odd [[1,2,3],7,[]]\r\n")
    redis_server.ask(b"SET callgate:node:odd not-json\r\n")
    await until(lambda: a.link.counts["unreadable"] > len(rubbish))
    async with a.bus.subscribe(ACME) as stream:
        b.bus.publish(event(1))
        assert await take(stream, 1) == [event(1)]
    assert await here(a, AccountId("a")) == {("u", "a", "away")}
