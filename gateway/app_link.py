"""Redis as the settings want it, and what this node has to do with the others through it."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from gateway.adapters.redis_bus import RedisBus
from gateway.adapters.redis_link import LinkBounds, RedisLink
from gateway.adapters.redis_nodes import RedisNodes
from gateway.adapters.redis_presence import RedisPresence
from gateway.adapters.valkey_server import ValkeyServer
from gateway.app_later import RuntimeLater
from gateway.runtime.world import NodeLife
from gateway.settings import Settings

_START_WAIT_S = 3.0


@dataclass(frozen=True, slots=True)
class Shared:
    """What goes through Redis."""

    link: RedisLink
    presence: RedisPresence
    bus: RedisBus
    nodes: RedisNodes


async def open_shared(
    stack: AsyncExitStack, settings: Settings, life: NodeLife, later: RuntimeLater
) -> Shared:
    """Open the link for as long as `stack` is open; `later` is told what comes over it.

    A Redis that is away is waited for a moment, so that other nodes' people are known from
    the start, and then not any more.
    """
    link = RedisLink(
        await _url(stack, settings),
        life.node_id,
        bounds=LinkBounds(command_max_s=settings.redis_timeout_s),
    )
    shared = Shared(
        link=link,
        presence=RedisPresence(link, on_change=later.presence_changed),
        bus=RedisBus(link, waiting_max=settings.browser_events_max),
        nodes=RedisNodes(link, epoch=life.epoch, live_calls=later.live_count),
    )
    link.on_change(later.redis_link_changed)
    stack.push_async_callback(link.close)
    await link.start()
    await link.wait_up(within_s=_START_WAIT_S)
    return shared


async def _url(stack: AsyncExitStack, settings: Settings) -> str:
    if settings.redis_url is not None:
        return settings.redis_url.get_secret_value()
    server = ValkeyServer(settings.redis_directory)
    await server.start()
    stack.push_async_callback(server.close)
    return server.url
