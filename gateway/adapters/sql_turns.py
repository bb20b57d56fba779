"""Taking turns at SQLite's one writer: in order, except that who is in a hurry goes first."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

Waiting = deque["asyncio.Future[None]"]


class Turns:
    """One at a time. A hurried turn precedes all ordinary ones that wait, but never two in a
    row: so somebody outside who counts seconds waits for one ordinary turn at most, and the
    ordinary ones still get every other turn.
    """

    def __init__(self) -> None:
        self._is_taken = False
        self._was_hurried = False
        self._hurried: Waiting = deque()
        self._ordinary: Waiting = deque()

    @asynccontextmanager
    async def turn(self, *, hurried: bool = False) -> AsyncIterator[None]:
        """Wait for a turn and hold it."""
        await self._take(hurried=hurried)
        try:
            yield
        finally:
            self._pass_on()

    async def _take(self, *, hurried: bool) -> None:
        if not self._is_taken:
            self._is_taken = True
            self._was_hurried = hurried
            return
        waiting = self._hurried if hurried else self._ordinary
        called = asyncio.get_running_loop().create_future()
        waiting.append(called)
        try:
            await called
        except asyncio.CancelledError:
            if called.done() and not called.cancelled():
                self._pass_on()  # It was our turn already; the next one must not miss it.
            raise

    def _pass_on(self) -> None:
        for waiting in (self._hurried, self._ordinary):
            while waiting and waiting[0].done():
                del waiting[0]  # Gave up waiting.
        is_hurried = bool(self._hurried) and not (self._was_hurried and self._ordinary)
        waiting = self._hurried if is_hurried else self._ordinary
        self._is_taken = bool(waiting)
        self._was_hurried = is_hurried
        if waiting:
            waiting.popleft().set_result(None)
