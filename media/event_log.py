"""Numbers the events and keeps those that the gateway has not read yet, within a bound."""

import time
from collections import deque
from collections.abc import Callable

from media import protocol
from media.protocol import Resync


class EventLog:
    """Events of the worker in order. With no reader they are counted and not kept.

    A reader that falls behind by more than `events_max` loses what is waiting: one `Resync`
    that carries the number of the last lost event stands for all of it.
    """

    def __init__(self, events_max: int) -> None:
        self.last_seq = 0
        self._events_max = events_max
        self._waiting: deque[protocol.Event] = deque()
        self._wake: Callable[[], None] | None = None

    def open(self, wake: Callable[[], None]) -> None:
        """A reader takes over and is woken by `wake`; what was before, its snapshot tells."""
        self._waiting.clear()
        self._wake = wake

    def shut(self) -> None:
        """The reader is gone."""
        self._waiting.clear()
        self._wake = None

    def publish(self, build: Callable[[int, float], protocol.Event]) -> None:
        """Number an event and keep it for the reader."""
        self.last_seq += 1
        if self._wake is None:
            return
        if len(self._waiting) >= self._events_max:
            lost = sum(
                event.dropped if isinstance(event, Resync) else 1 for event in self._waiting
            )
            self._waiting.clear()
            self._waiting.append(Resync(seq=self.last_seq - 1, dropped=lost))
        self._waiting.append(build(self.last_seq, time.time()))
        self._wake()

    def take(self) -> list[protocol.Event]:
        """All waiting events, oldest first."""
        events = list(self._waiting)
        self._waiting.clear()
        return events
