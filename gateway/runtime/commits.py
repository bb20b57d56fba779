"""Steps of one call on their way into the store, in order.

The rule: a step is durable before it is carried out. The exception, for the call's sake: a
store that stays away longer than a little patience must not keep people from hanging up. Then
steps go on *on credit*: they wait here, in order and bounded, and are written as soon as the
store is back. Only orders that may be repeated go out on credit; `connect` never does.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace

import structlog

from gateway.core.errors import StoreDown, VersionConflict
from gateway.core.ids import CommandId, InboxId
from gateway.core.recording.evidence import Happening
from gateway.ports.calls import CallRow, CallStore, PendingCommand, TraceLine
from gateway.ports.clock import Clock
from gateway.runtime.world import RuntimeLimits

_log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 0.05
FINISH_PAUSE_S = 0.5
"""So long a finished command waits for a step to go along with, before it goes alone."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one event made of a call, as it will be stored."""

    row: CallRow
    commands: Sequence[PendingCommand]
    trace: Sequence[TraceLine]
    inbox_id: InboxId | None
    evidence: Sequence[Happening] = ()
    finished: Sequence[CommandId] = ()
    """Commands known to be done by now."""


class Commits:
    """One call's way into the store. `put` and `settle` may run side by side."""

    def __init__(self, store: CallStore, clock: Clock, limits: RuntimeLimits) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits
        self._backlog: deque[Step] = deque()
        self._finished: deque[CommandId] = deque()
        self._has_room = asyncio.Event()

    @property
    def is_settled(self) -> bool:
        """Whether the store knows everything."""
        return not (self._backlog or self._finished)

    async def put(self, step: Step) -> bool:
        """Store a step; False if it has to wait on credit, for `settle` to write it.

        Raises `VersionConflict` or `NotOwner` when the call is somebody else's by now.
        """
        step = replace(step, finished=tuple(self._finished))
        self._finished.clear()
        if self._backlog:
            await self._wait_for_room()
            self._backlog.append(step)
            return False
        until = self._clock.monotonic() + self._limits.store_patience_s
        pause_s = FIRST_PAUSE_S
        while not await self.is_served(self._write(step)):
            if self._clock.monotonic() >= until:
                _log.warning("a call goes on without the store")
                self._backlog.append(step)
                return False
            await self._clock.sleep(pause_s)
            pause_s = min(pause_s * 2, self._limits.store_retry_max_s)
        return True

    def finish(self, command_id: CommandId) -> None:
        """Have a command marked done, with the next step or else a little later.

        Called before the step that its result leads to: then both are one transaction.
        """
        self._finished.append(command_id)

    async def settle(self) -> None:
        """Write what waits, however long that takes. Raises as `put` does."""
        pause_s = FIRST_PAUSE_S
        while not self.is_settled:
            if not self._backlog:
                await self._clock.sleep(FINISH_PAUSE_S)
            if await self.is_served(self._write_next()):
                pause_s = FIRST_PAUSE_S
                continue
            await self._clock.sleep(pause_s)
            pause_s = min(pause_s * 2, self._limits.store_retry_max_s)

    async def is_served(self, work: Awaitable[None]) -> bool:
        """Do something with the store; False if it is down or hangs."""
        try:
            async with asyncio.timeout(self._limits.store_patience_s):
                await work
        except (StoreDown, TimeoutError):
            return False
        return True

    async def _wait_for_room(self) -> None:
        while len(self._backlog) >= self._limits.backlog_max:
            self._has_room.clear()
            await self._has_room.wait()

    async def _write_next(self) -> None:
        if self._backlog:
            await self._write(self._backlog[0])
            self._backlog.popleft()
            self._has_room.set()
            return
        while self._finished:
            command_id = self._finished.popleft()
            try:
                await self._store.finish(command_id)
            except BaseException:
                self._finished.appendleft(command_id)
                raise

    async def _write(self, step: Step) -> None:
        try:
            await self._store.save(
                step.row,
                commands=step.commands,
                trace=step.trace,
                evidence=step.evidence,
                inbox_id=step.inbox_id,
                finished=step.finished,
            )
        except VersionConflict:
            # The answer to an earlier try may have been lost on its way back.
            if await self._store.load(step.row.call_id) != step.row:
                raise
