"""Steps of one call on their way into the store, in order.

The rule: a step is durable before it is carried out. The exception, for the call's sake: a
store that stays down longer than a little patience must not keep people from hanging up. Then
steps go on *on credit*: they wait here, in order and bounded, and are written first thing when
the store is back. Only orders that may be repeated go out on credit; `connect` never does.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from gateway.core.errors import StoreDown, VersionConflict
from gateway.core.ids import InboxId
from gateway.ports.calls import CallRow, CallStore, PendingCommand, TraceLine
from gateway.ports.clock import Clock
from gateway.runtime.world import RuntimeLimits

_log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class Step:
    """What one event made of a call, as it will be stored."""

    row: CallRow
    commands: Sequence[PendingCommand]
    trace: Sequence[TraceLine]
    inbox_id: InboxId | None


class Commits:
    """One call's way into the store."""

    def __init__(self, store: CallStore, clock: Clock, limits: RuntimeLimits) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits
        self._backlog: deque[Step] = deque()

    @property
    def is_behind(self) -> bool:
        """Whether steps wait for the store."""
        return bool(self._backlog)

    async def put(self, step: Step) -> bool:
        """Store a step; False if it had to go on credit.

        Raises `VersionConflict` or `NotOwner` when the call is somebody else's by now.
        """
        was_behind = self.is_behind
        self._backlog.append(step)
        patience_s = 0.0 if was_behind else self._limits.store_patience_s
        until = self._clock.monotonic() + patience_s
        pause_s = FIRST_PAUSE_S
        while not await self.flush():
            is_full = len(self._backlog) >= self._limits.backlog_max
            if self._clock.monotonic() >= until and not is_full:
                if not was_behind:
                    _log.warning("a call goes on without the store")
                return False
            await self._clock.sleep(pause_s)
            pause_s = min(pause_s * 2, self._limits.store_retry_max_s)
        return True

    async def flush(self) -> bool:
        """Write what waits; True when nothing does any more."""
        while self._backlog:
            step = self._backlog[0]
            try:
                await self._write(step)
            except StoreDown:
                return False
            self._backlog.popleft()
        return True

    async def _write(self, step: Step) -> None:
        try:
            await self._store.save(
                step.row, commands=step.commands, trace=step.trace, inbox_id=step.inbox_id
            )
        except VersionConflict:
            # The answer to an earlier try may have been lost on its way back.
            if await self._store.load(step.row.call_id) != step.row:
                raise
