"""What this process has done to keep recordings, counted for whoever watches it."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Move(StrEnum):
    """What came of trying to move or seal a file."""

    MOVED = "moved"
    OUTAGE = "outage"
    REFUSED = "refused"
    DAMAGED = "damaged"
    NOT_YET = "not_yet"
    DROPPED = "dropped"
    """Not to be moved any more: deleted, or faulty itself."""
    LOST = "lost"
    """Given up after a day; ordered anew."""


class Look(StrEnum):
    """What a look at a kept file found."""

    RIGHT = "right"
    REPAIRED = "repaired"
    MISSING = "missing"
    DAMAGED = "damaged"
    UNREADABLE = "unreadable"
    AWAY = "away"
    """Its storage did not answer."""


@dataclass
class KeepingFigures:
    """Counts since the process began; whoever does it counts it."""

    moves: Counter[Move] = field(default_factory=Counter)
    moved_bytes: int = 0
    looks: Counter[Look] = field(default_factory=Counter)
    retired: int = 0
    """Recordings deleted because their time was over."""
    removed_files: int = 0
    """Files whose bytes are gone."""
