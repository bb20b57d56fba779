"""Nodes that share a Redis, as gateways do."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest

from gateway.adapters.redis_bus import RedisBus
from gateway.adapters.redis_link import LinkBounds, RedisLink
from gateway.adapters.redis_nodes import RedisNodes
from gateway.adapters.redis_presence import RedisPresence
from gateway.core.ids import AccountId, NodeId, UserId
from tests.services.redis import redis_server

__all__ = ["redis_server"]

QUICK = LinkBounds(
    command_max_s=0.5, beat_every_s=0.1, unheard_max_s=0.6, kept_s=1.0, waiting_max=500
)
# For waiting until something holds: far above what it takes, far under a hang.
SOON_S = 20.0


@dataclass(slots=True)
class Node:
    """What one gateway has of Redis."""

    link: RedisLink
    bus: RedisBus
    presence: RedisPresence
    nodes: RedisNodes
    changes: list[bool] = field(default_factory=list)
    people: list[tuple[AccountId, UserId]] = field(default_factory=list)


OpenNode = Callable[[str, str], Node]


@pytest.fixture
async def open_node() -> AsyncIterator[Callable[..., object]]:
    """Open nodes on a URL; they are closed at the end."""
    stack = AsyncExitStack()

    async def opener(url: str, name: str) -> Node:
        link = RedisLink(url, NodeId(name), bounds=QUICK)
        people: list[tuple[AccountId, UserId]] = []
        node = Node(
            link=link,
            bus=RedisBus(link, waiting_max=50),
            presence=RedisPresence(
                link, on_change=lambda account, user: people.append((account, user))
            ),
            nodes=RedisNodes(link, epoch=7, live_calls=lambda: 3),
            people=people,
        )
        link.on_change(node.changes.append)
        await link.start()
        stack.push_async_callback(link.close)
        return node

    yield opener
    await stack.aclose()


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds, looking at it often."""
    async with asyncio.timeout(SOON_S):
        while not holds():  # noqa: ASYNC110 (what is waited for lies behind Redis)
            await asyncio.sleep(0.01)
