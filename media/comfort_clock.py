"""Keeps the 20 ms beat of comfort streams, and sleeps while nobody needs one."""

import asyncio
import time
from typing import Final, Protocol

import structlog

from media.relay import COMFORT_TICK_S

log = structlog.get_logger()

SLEEP_MAX_S: Final = 1.0


class Comforted(Protocol):
    """Something that may owe its peer a comfort frame."""

    def tick(self, now: float) -> float:
        """Send a frame if one is due; returns when to be asked again (monotonic)."""


class ComfortClock:
    """Asks its members on a fixed grid of 20 ms, so that frames neither drift nor bunch up."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._members: dict[Comforted, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._grid_at = time.monotonic()
        self._due_at = 0.0

    def add(self, member: Comforted) -> None:
        """Ask `member` from here on."""
        self._members[member] = None
        self.hasten()

    def remove(self, member: Comforted) -> None:
        """Ask `member` no more."""
        self._members.pop(member, None)

    def hasten(self) -> None:
        """Something changed: ask everybody at the next point of the grid."""
        self._schedule(time.monotonic())

    def close(self) -> None:
        """Stop the clock."""
        self._members.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self, wanted_at: float) -> None:
        """Wake at the first point of the grid that is not before `wanted_at`, or sooner."""
        now = time.monotonic()
        beats = max(1, -int((self._grid_at - max(wanted_at, now)) // COMFORT_TICK_S))
        due_at = self._grid_at + beats * COMFORT_TICK_S
        if self._timer is not None:
            if self._due_at <= due_at:
                return
            self._timer.cancel()
        self._due_at = due_at
        self._timer = self._loop.call_later(max(0.0, due_at - now), self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._grid_at = self._due_at
        if not self._members:
            return
        now = time.monotonic()
        next_at = now + SLEEP_MAX_S
        for member in list(self._members):
            try:
                next_at = min(next_at, member.tick(now))
            except Exception:
                # A mistake of ours costs one leg its comfort, not all legs theirs.
                log.exception("comfort failed")
                self.remove(member)
        self._schedule(next_at)
