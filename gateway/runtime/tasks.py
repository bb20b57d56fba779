"""The one place that creates tasks, and the one that catches everything.

A crash is always reported, and always has a consequence that the caller chose: a call is
ended, a loop starts again, a row is tried later.
"""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

from gateway.ports.clock import Clock

_log = structlog.get_logger(__name__)

RESTART_PAUSE_S = 1.0
_FRAMES_MAX = 12

Cancel = Callable[[], None]


class Tasks:
    """Holds the tasks of one part; closing cancels and awaits them all."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: set[asyncio.Task[None]] = set()
        self.crash_count = 0
        """Crashes since the start, for the metrics."""

    def spawn(
        self,
        work: Coroutine[Any, Any, None],
        *,
        name: str,
        on_crash: Callable[[], None],
    ) -> Cancel:
        """Run `work`; should it crash, report it and call `on_crash`.

        Returns what cancels it; cancelling what is over does nothing.
        """
        task = asyncio.get_running_loop().create_task(
            self._guarded(work, name, on_crash), name=name
        )
        self._held.add(task)
        task.add_done_callback(self._held.discard)
        # A task that is cancelled before its first step never gets to its work.
        task.add_done_callback(lambda _: work.close())

        def cancel() -> None:
            task.cancel()

        return cancel

    def keep_running(
        self, make: Callable[[], Coroutine[Any, Any, None]], *, name: str
    ) -> Cancel:
        """Run a loop for good; a crash is reported and the loop begins anew."""
        return self.spawn(self._again_and_again(make, name), name=name, on_crash=lambda: None)

    async def attempt(self, work: Awaitable[None]) -> Exception | None:
        """Run `work` here and return what it raised; the caller must judge it."""
        try:
            await work
        except Exception as error:  # noqa: BLE001 - returned, and judged by the caller
            return error
        return None

    def report(self, name: str, error: BaseException) -> None:
        """Log a crash: where and what kind, never the message, which may quote a person."""
        self.crash_count += 1
        frames = traceback.extract_tb(error.__traceback__)[-_FRAMES_MAX:]
        _log.error(
            "a task crashed",
            task=name,
            error=type(error).__name__,
            at=[f"{frame.filename}:{frame.lineno}" for frame in frames],
        )

    async def close(self) -> None:
        """Cancel everything and wait until it is over."""
        while self._held:
            held = list(self._held)
            for task in held:
                task.cancel()
            await asyncio.gather(*held, return_exceptions=True)

    async def _guarded(
        self, work: Coroutine[Any, Any, None], name: str, on_crash: Callable[[], None]
    ) -> None:
        error = await self.attempt(work)
        if error is not None:
            self.report(name, error)
            on_crash()

    async def _again_and_again(
        self, make: Callable[[], Coroutine[Any, Any, None]], name: str
    ) -> None:
        while True:
            error = await self.attempt(make())
            if error is None:
                return
            self.report(name, error)
            await self._clock.sleep(RESTART_PAUSE_S)
