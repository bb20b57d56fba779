"""News to browsers on all nodes (port `LiveBus`): here directly, elsewhere through Redis."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import structlog
from typing_extensions import override

from gateway.adapters.redis_link import Message, RedisLink
from gateway.core.ids import AccountId, NodeId, UserId
from gateway.ports import Json
from gateway.ports.live import LiveBus, LiveEvent

_log = structlog.get_logger(__name__)

_KIND = "live"


class RedisBus(LiveBus):
    """Delivers to this node's readers at once, to the other nodes' through the link."""

    def __init__(self, link: RedisLink, *, waiting_max: int = 1_000) -> None:
        """`waiting_max` events may wait for one reader; then its stream ends."""
        self._link = link
        self._waiting_max = waiting_max
        self._readers: dict[AccountId, set[_Reader]] = {}
        self.counts: Counter[str] = Counter()
        """`slow_readers`: streams that were ended because their reader did not keep up."""
        link.on_message(_KIND, self._hear)

    @override
    def publish(self, event: LiveEvent) -> None:
        self._deliver(event)
        if not event.is_local:
            self._link.send(_KIND, _message_of(event))

    @override
    def subscribe(
        self, account_id: AccountId
    ) -> AbstractAsyncContextManager[AsyncIterator[LiveEvent]]:
        return self._subscribed(account_id)

    @asynccontextmanager
    async def _subscribed(
        self, account_id: AccountId
    ) -> AsyncIterator[AsyncIterator[LiveEvent]]:
        reader = _Reader(self._waiting_max)
        self._readers.setdefault(account_id, set()).add(reader)
        try:
            yield reader.stream()
        finally:
            readers = self._readers.get(account_id, set())
            readers.discard(reader)
            if not readers:
                self._readers.pop(account_id, None)

    def _hear(self, _node: NodeId, message: Message) -> None:
        self._deliver(_event_of(message))

    def _deliver(self, event: LiveEvent) -> None:
        readers = self._readers.get(event.account_id, set())
        for reader in [each for each in readers if not each.offer(event)]:
            readers.discard(reader)
            self.counts["slow_readers"] += 1
            _log.warning("a browser was too slow for its news", waiting_max=self._waiting_max)


class _Reader:
    """One subscriber's queue; full, it ends."""

    def __init__(self, waiting_max: int) -> None:
        self._waiting: deque[LiveEvent] = deque()
        self._waiting_max = waiting_max
        self._has_news = asyncio.Event()
        self._is_over = False

    def offer(self, event: LiveEvent) -> bool:
        if len(self._waiting) < self._waiting_max:
            self._waiting.append(event)
        else:
            # What waits would be stale by now: the browser begins again with a snapshot.
            self._waiting.clear()
            self._is_over = True
        self._has_news.set()
        return not self._is_over

    async def stream(self) -> AsyncIterator[LiveEvent]:
        while not self._is_over:
            while self._waiting:
                yield self._waiting.popleft()
            if not self._is_over:
                self._has_news.clear()
                await self._has_news.wait()


def _message_of(event: LiveEvent) -> Message:
    audience: list[Json] | None = None if event.audience is None else [*event.audience]
    return {
        "account_id": event.account_id,
        "kind": event.kind,
        "body": event.body,
        "audience": audience,
        "is_personal": event.is_personal,
    }


def _event_of(message: Message) -> LiveEvent:
    """Read another node's message. Raises `TypeError`, `KeyError` or `ValueError`."""
    audience, body = message["audience"], message["body"]
    if not isinstance(body, dict) or not isinstance(audience, list | None):
        raise TypeError("no event")
    return LiveEvent(
        account_id=AccountId(str(message["account_id"])),
        kind=str(message["kind"]),
        body=body,
        audience=None if audience is None else tuple(UserId(str(each)) for each in audience),
        is_personal=message["is_personal"] is True,
    )
