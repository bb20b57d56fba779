"""The one connection to Redis: news between nodes, and what each node keeps there.

Nothing waits for it. Messages go into a bounded queue that background tasks empty; what cannot
be told is dropped and counted. The link is up while a node hears its own heart-beat back over
the subscription, so a server that is gone, frozen, half open or read-only counts as down.
"""

import asyncio
import contextlib
import json
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from gateway.core.ids import NodeId
from gateway.ports import Json

_log = structlog.get_logger(__name__)

Message = dict[str, Json]
_OUTAGES = (RedisError, OSError, TimeoutError)
# The client's own time-outs come first (connecting, greeting, asking): it tidies up then.
_LAST_RESORT = 3
_MESSAGE_CHARS_MAX = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LinkBounds:
    """How much of what, in seconds and counts."""

    command_max_s: float = 1.0
    beat_every_s: float = 1.0
    unheard_max_s: float = 3.0
    """Without hearing the own heart-beat for so long the link counts as down."""
    kept_s: float = 5.0
    """What a node keeps in Redis goes so long after the node's last heart-beat."""
    waiting_max: int = 2_000
    """Messages that may wait to be sent."""
    batch_max: int = 100


@dataclass(slots=True)
class Kept:
    """What each node keeps in Redis under one name, and what it makes of the others'."""

    name: str
    write: Callable[[], Json]
    """Asked at every heart-beat for what this node keeps."""
    read: Callable[[Mapping[NodeId, Json]], None]
    """Told what the other nodes keep: when it changed, and at every heart-beat."""
    told: str = ""
    """What the others were last told, as JSON."""
    peers: dict[NodeId, tuple[Json, float]] = field(default_factory=dict)
    """What others keep, and when it was last seen."""


class RedisLink:
    """Owns the client; `start` begins the background work, `close` ends it."""

    def __init__(
        self,
        url: str,
        node_id: NodeId,
        *,
        bounds: LinkBounds | None = None,
        namespace: str = "callgate",
    ) -> None:
        """`url` as redis-py takes it; nothing is connected before `start`."""
        self._bounds = bounds or LinkBounds()
        self.node_id = node_id
        self._namespace = namespace
        self._channel = f"{namespace}:news"
        self._nodes = f"{namespace}:nodes"
        self._client: Redis = Redis.from_url(
            url,
            socket_timeout=self._bounds.command_max_s,
            socket_connect_timeout=self._bounds.command_max_s,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )
        self._outgoing: deque[str] = deque()
        self._has_outgoing = asyncio.Event()
        self._beat_now = asyncio.Event()
        self._receivers: dict[str, Callable[[NodeId, Message], None]] = {}
        self._kept: list[Kept] = []
        self._watchers: list[Callable[[bool], None]] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._closing = asyncio.Event()
        self._heard_at = float("-inf")
        self.is_up = False
        self._came_up = asyncio.Event()
        self.counts: Counter[str] = Counter()
        """`dropped`: messages not told to others; `unreadable`: messages not understood."""

    def on_message(self, kind: str, receive: Callable[[NodeId, Message], None]) -> None:
        """Have messages of a kind from other nodes delivered. Call it before `start`."""
        self._receivers[kind] = receive

    def keep(self, kept: Kept) -> None:
        """Keep something in Redis while this node lives. Call it before `start`."""
        self._kept.append(kept)

    def on_change(self, watcher: Callable[[bool], None]) -> None:
        """Have it told when the link comes up (True) or goes down (False)."""
        self._watchers.append(watcher)

    async def wait_up(self, *, within_s: float) -> bool:
        """Wait until the link is up, but not longer than that; whether it is."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._came_up.wait()
        return self.is_up

    def send(self, kind: str, message: Message) -> None:
        """Tell all other nodes, soon and in order. Never blocks; drops while it is down."""
        if not self.is_up or len(self._outgoing) >= self._bounds.waiting_max:
            self.counts["dropped"] += 1
            return
        self._outgoing.append(self._encoded(kind, message))
        self._has_outgoing.set()

    def beat_soon(self) -> None:
        """Write what is kept now instead of at the next heart-beat."""
        self._beat_now.set()

    async def start(self) -> None:
        """Begin the background work; returns at once."""
        for name, work in (
            ("listen", self._listen),
            ("beat", self._beat),
            ("send", self._send),
        ):
            self._tasks[name] = asyncio.create_task(self._forever(work), name=f"redis {name}")

    async def close(self) -> None:
        """End the background work and tell the others that this node goes.

        The tasks are asked to end before they are cancelled: redis-py loses sight of a
        connection whose opening is cancelled.
        """
        if self._closing.is_set():
            return
        self._closing.set()
        self._beat_now.set()
        self._has_outgoing.set()
        await self._ended("beat", "send")
        with contextlib.suppress(*_OUTAGES):
            await self._run(
                ("SREM", self._nodes, self.node_id),
                *(("DEL", self._key(each, self.node_id)) for each in self._kept),
                # Wakes our own listener as well.
                ("PUBLISH", self._channel, self._encoded("bye", {})),
            )
        await self._ended("listen")
        await self._client.aclose()
        self._set_up(is_up=False)

    async def _ended(self, *names: str) -> None:
        tasks = [self._tasks[name] for name in names if name in self._tasks]
        if tasks:
            await asyncio.wait(tasks, timeout=_LAST_RESORT * self._bounds.command_max_s)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _forever(self, work: Callable[[], Awaitable[None]]) -> None:
        while not self._closing.is_set():
            try:
                await work()
            except _OUTAGES as error:
                _log.debug("Redis does not answer", error_kind=type(error).__name__)
            except (ValueError, TypeError, LookupError, AttributeError) as error:
                # What answers is no Redis, or one of another mind; it counts as down.
                self.counts["unreadable"] += 1
                _log.warning("Redis answers nonsense", error_kind=type(error).__name__)
            self._judge()
            await self._pause(self._bounds.beat_every_s / 4, until=self._closing)

    async def _pause(self, seconds: float, *, until: asyncio.Event) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await until.wait()

    async def _beat(self) -> None:
        try:
            while not self._closing.is_set():
                self._beat_now.clear()
                await self._write_kept()
                await self._read_kept()
                self._tell_peers()
                self._judge()
                if not self._closing.is_set():
                    await self._pause(self._bounds.beat_every_s, until=self._beat_now)
        finally:
            self._tell_peers()

    async def _write_kept(self) -> None:
        commands: list[tuple[str, ...]] = [("SADD", self._nodes, self.node_id)]
        kept_ms = str(int(self._bounds.kept_s * 1000))
        for each in self._kept:
            value = each.write()
            text = json.dumps(value)
            commands.append(("SET", self._key(each, self.node_id), text, "PX", kept_ms))
            if text != each.told:
                news: Message = {"name": each.name, "value": value}
                commands.append(("PUBLISH", self._channel, self._encoded("kept", news)))
                each.told = text
        commands.append(("PUBLISH", self._channel, self._encoded("beat", {})))
        await self._run(*commands)

    async def _read_kept(self) -> None:
        (names,) = await self._run(("SMEMBERS", self._nodes))
        others = sorted(NodeId(str(name)) for name in names if name != self.node_id)
        if not others:
            return
        answers = await self._run(
            *(("MGET", *(self._key(each, other) for other in others)) for each in self._kept)
        )
        silent = set(others)
        for each, answer in zip(self._kept, answers, strict=True):
            for other, text in zip(others, answer, strict=True):
                if text is not None:
                    silent.discard(other)
                    self._note_peer(each, other, str(text))
        if silent:
            await self._run(("SREM", self._nodes, *silent))

    async def _run(self, *commands: tuple[str, ...]) -> list[Any]:
        """Send commands in one go and return the answers."""
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            _ = pipeline.execute_command(*command)  # queued: a pipeline sends in `execute`
        async with asyncio.timeout(_LAST_RESORT * self._bounds.command_max_s):
            answers: list[Any] = await pipeline.execute()
        return answers

    def _note_peer(self, kept: Kept, node: NodeId, text: str) -> None:
        try:
            kept.peers[node] = (json.loads(text), asyncio.get_running_loop().time())
        except (ValueError, RecursionError):
            self.counts["unreadable"] += 1

    def _tell_peers(self) -> None:
        """Pass on what is known of the others.

        A key that is missing once is no departure (somebody may have flushed the database):
        a node is gone when it said so, or was not seen for `kept_s`.
        """
        oldest = asyncio.get_running_loop().time() - self._bounds.kept_s
        for each in self._kept:
            each.peers = {
                node: noted for node, noted in each.peers.items() if noted[1] >= oldest
            }
            each.read({node: value for node, (value, _) in each.peers.items()})

    async def _send(self) -> None:
        while not self._closing.is_set():
            await self._has_outgoing.wait()
            count = min(len(self._outgoing), self._bounds.batch_max)
            batch = [self._outgoing.popleft() for _ in range(count)]
            if not self._outgoing and not self._closing.is_set():
                self._has_outgoing.clear()
            try:
                await self._run(*(("PUBLISH", self._channel, message) for message in batch))
            except BaseException:
                # Some may have arrived; repeating them could put old news after new.
                self.counts["dropped"] += len(batch)
                raise

    async def _listen(self) -> None:
        pubsub: PubSub = self._client.pubsub(ignore_subscribe_messages=True)
        try:
            async with asyncio.timeout(_LAST_RESORT * self._bounds.command_max_s):
                await pubsub.subscribe(self._channel)
            subscribed_at = asyncio.get_running_loop().time()
            self._beat_now.set()
            while not self._closing.is_set():
                message = await pubsub.get_message(timeout=self._bounds.beat_every_s)
                if message is not None:
                    self._receive(str(message["data"]))
                self._judge()
                silent_since = max(self._heard_at, subscribed_at)
                now = asyncio.get_running_loop().time()
                if now - silent_since > self._bounds.unheard_max_s:
                    raise TimeoutError  # half open: begin with a fresh connection
        finally:
            # Not closed in good order: the server may be frozen, and nobody waits for it.
            with contextlib.suppress(*_OUTAGES):
                async with asyncio.timeout(_LAST_RESORT * self._bounds.command_max_s):
                    await pubsub.aclose()  # type: ignore[no-untyped-call]  # as redis ships it

    def _receive(self, text: str) -> None:
        try:
            message = json.loads(text[:_MESSAGE_CHARS_MAX])
            node, kind, body = message["node"], message["kind"], message["body"]
            if node == self.node_id:
                if kind == "beat":
                    self._heard_at = asyncio.get_running_loop().time()
                return
            self._dispatch(NodeId(str(node)), str(kind), dict(body))
        except (ValueError, KeyError, TypeError, RecursionError):
            # Another program, or another version of this one, uses our channel.
            self.counts["unreadable"] += 1

    def _dispatch(self, node: NodeId, kind: str, body: Message) -> None:
        if kind == "kept":
            for each in self._kept:
                if each.name == body["name"]:
                    each.peers[node] = (body["value"], asyncio.get_running_loop().time())
            self._tell_peers()
        elif kind == "bye":
            for each in self._kept:
                each.peers.pop(node, None)
            self._tell_peers()
        elif kind in self._receivers:
            self._receivers[kind](node, body)

    def _judge(self) -> None:
        now = asyncio.get_running_loop().time()
        self._set_up(is_up=now - self._heard_at <= self._bounds.unheard_max_s)

    def _set_up(self, *, is_up: bool) -> None:
        if is_up == self.is_up:
            return
        self.is_up = is_up
        if is_up:
            self._came_up.set()
            _log.info("Redis answers")
        else:
            self._came_up.clear()
            _log.warning("Redis does not answer; other nodes are not heard of")
            self.counts["dropped"] += len(self._outgoing)
            self._outgoing.clear()
        for watcher in self._watchers:
            watcher(is_up)

    def _key(self, kept: Kept, node: NodeId) -> str:
        return f"{self._namespace}:{kept.name}:{node}"

    def _encoded(self, kind: str, body: Message) -> str:
        return json.dumps({"node": self.node_id, "kind": kind, "body": body})
