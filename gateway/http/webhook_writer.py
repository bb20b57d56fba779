"""Group commit for webhook deliveries.

While one transaction runs, the deliveries that arrive wait together and go into the next one:
a burst costs as many commits as the database can do, not one per request, and a delivery that
comes alone waits for nobody.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.core.errors import StoreDown
from gateway.http.metrics import HttpMetrics
from gateway.ports.clock import Clock
from gateway.ports.webhooks import Inbox, InboxItem

DELIVERIES_MAX = 2_000
"""Deliveries that may wait; more are refused, and Meta sends them again."""
ITEMS_PER_COMMIT_MAX = 500
ANSWER_MAX_S = 5.0
"""A delivery that is not stored by then is refused, however many wait before it: Meta does not
wait for ever either, and one that is stored after all is known by its keys when it comes again.
"""


@dataclass(frozen=True, slots=True)
class _Waiting:
    items: Sequence[InboxItem]
    stored: "asyncio.Future[None]"


class InboxWriter:
    """Stores deliveries; what it acknowledged is in the database."""

    def __init__(self, inbox: Inbox, clock: Clock, metrics: HttpMetrics) -> None:
        self._inbox = inbox
        self._clock = clock
        self._metrics = metrics
        self._waiting: deque[_Waiting] = deque()
        self._writing: asyncio.Task[None] | None = None

    async def add(self, items: Sequence[InboxItem]) -> None:
        """Return once the items are durable. Raises `StoreDown`: then nothing is promised."""
        if len(self._waiting) >= DELIVERIES_MAX:
            raise StoreDown("too many webhook deliveries wait for the database")
        loop = asyncio.get_running_loop()
        waiting = _Waiting(items, loop.create_future())
        self._waiting.append(waiting)
        if self._writing is None:
            self._writing = loop.create_task(self._write_all(), name="webhook inbox writer")
        try:
            async with asyncio.timeout(ANSWER_MAX_S):
                await waiting.stored
        except TimeoutError:
            raise StoreDown("the database takes too long to store a delivery") from None

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                await self._write(self._next_batch())
        finally:
            self._writing = None
            for waiting in self._waiting:
                waiting.stored.cancel()
            self._waiting.clear()

    def _next_batch(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size = 0
        while self._waiting and (not batch or size < ITEMS_PER_COMMIT_MAX):
            waiting = self._waiting.popleft()
            if not waiting.stored.done():
                batch.append(waiting)
                size += len(waiting.items)
        return batch

    async def _write(self, batch: list[_Waiting]) -> None:
        items = [item for waiting in batch for item in waiting.items]
        try:
            new = await self._inbox.add(items, received_at=self._clock.wall())
        except StoreDown as error:
            for waiting in batch:
                # Each request gets an exception of its own: tracebacks grow where raised.
                _fail(waiting, StoreDown(str(error)))
        except Exception as error:  # noqa: BLE001 - handed to the request it belongs to
            if len(batch) == 1:
                _fail(batch[0], error)
                return
            for waiting in batch:  # One that cannot be stored must not fail the others.
                await self._write([waiting])
        else:
            self._metrics.inbox_items.labels("new").inc(new)
            self._metrics.inbox_items.labels("again").inc(len(items) - new)
            for waiting in batch:
                if not waiting.stored.done():
                    waiting.stored.set_result(None)
        finally:
            for waiting in batch:
                waiting.stored.cancel()  # Only what a cancelled write left undecided.


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.stored.done():
        waiting.stored.set_exception(error)
