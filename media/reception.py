"""Loss and jitter of one incoming SSRC (RFC 3550 sections 6.4.1, A.3 and A.8)."""

import math
from typing import Final

from media.rtp import CLOCK_HZ, SEQUENCE_MASK, signed16

SEQUENCE_JUMP_MAX: Final = 3000
"""MAX_DROPOUT of RFC 3550 appendix A.1: a larger step starts the count anew."""


class Reception:
    """Counts what came of one SSRC and what should have come."""

    __slots__ = (
        "_base",
        "_cycles",
        "_highest",
        "_lost_before",
        "_transit",
        "jitter",
        "received",
    )

    def __init__(self, sequence: int, lost_before: int = 0) -> None:
        self._base = sequence
        self._highest = sequence - 1
        self._cycles = 0
        self._lost_before = lost_before
        self._transit = -math.inf
        self.received = 0
        self.jitter = 0.0
        """In timestamp units."""

    @property
    def highest(self) -> int:
        """Extended highest sequence number received."""
        return self._cycles + (self._highest & SEQUENCE_MASK)

    @property
    def expected(self) -> int:
        """Packets from the first to the highest."""
        return self._cycles + self._highest - self._base + 1

    @property
    def lost(self) -> int:
        """Packets that never came, those of earlier numberings included; never negative."""
        return self._lost_before + max(0, self.expected - self.received)

    def note(self, sequence: int, timestamp: int, now: float) -> None:
        """Take note of an audio packet: that it came, and when."""
        if sequence == self._highest + 1:
            # The common case; a wrap goes the long way.
            self._highest = sequence
            self.received += 1
        else:
            self.count(sequence)
        transit = now * CLOCK_HZ - timestamp
        difference = transit - self._transit
        self._transit = transit
        if -CLOCK_HZ < difference < CLOCK_HZ:
            # A wrap or a new clock is no jitter.
            self.jitter += (abs(difference) - self.jitter) / 16.0

    def count(self, sequence: int) -> None:
        """Take note of any packet's arrival."""
        self.received += 1
        step = signed16(sequence - self._highest)
        if step > SEQUENCE_JUMP_MAX or step < -SEQUENCE_JUMP_MAX:
            self._lost_before = self.lost
            self._base = sequence
            self._highest = sequence
            self._cycles = 0
            self.received = 1
        elif step > 0:
            if sequence < self._highest:
                self._cycles += 0x10000
            self._highest = sequence
