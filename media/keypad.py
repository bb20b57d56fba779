"""Follows keypad tones in a stream and says when one has ended (RFC 4733 section 2.3)."""

from collections.abc import Callable
from struct import Struct
from typing import Final

DIGITS: Final = "0123456789*#ABCD"
EVENT: Final = Struct("!BBH")
END_BIT: Final = 0x80
UNITS_PER_MS: Final = 8
SILENCE_MS: Final = 200


class KeypadListener:
    """Turns telephone-event payloads into one call per key."""

    __slots__ = ("_duration", "_ended", "_event", "_on_key", "_seen_at", "_timestamp")

    def __init__(self, on_key: Callable[[str, int], None]) -> None:
        self._on_key = on_key
        self._timestamp: int | None = None
        self._event = 0
        self._duration = 0
        self._seen_at = 0.0
        self._ended = True

    def receive(self, timestamp: int, payload: memoryview, now: float) -> None:
        """Take one event payload; its end comes three times and counts once."""
        event, flags, duration = EVENT.unpack_from(payload)
        if timestamp != self._timestamp:
            self._finish()
            self._timestamp = timestamp
            self._event = event
            self._duration = 0
            self._ended = False
        if self._ended:
            return
        self._seen_at = now
        self._duration = max(self._duration, duration)
        if flags & END_BIT:
            self._finish()

    def expire(self, now: float) -> None:
        """End a tone whose end packets were all lost."""
        if not self._ended and (now - self._seen_at) * 1000 > SILENCE_MS:
            self._finish()

    def _finish(self) -> None:
        if not self._ended:
            self._ended = True
            if self._event < len(DIGITS):
                self._on_key(DIGITS[self._event], self._duration // UNITS_PER_MS)
