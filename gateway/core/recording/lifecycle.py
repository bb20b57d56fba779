"""The life of a recording: it only moves forward, so news that come late change nothing."""

from collections.abc import Mapping
from enum import StrEnum


class Life(StrEnum):
    """Where a recording is."""

    CAPTURING = "capturing"
    """The call goes on."""
    FINALISING = "finalising"
    """The call is over; the file is being made."""
    AVAILABLE = "available"
    TRASHED = "trashed"
    """Deleted: unreachable, its minutes returned, its bytes gone when that is due."""
    PURGED = "purged"
    """Nothing is left but the fact."""


class Why(StrEnum):
    """Why a recording was deleted."""

    HAND = "hand"
    """Somebody wanted it."""
    ROOM = "room"
    """To make room for a new one."""
    RETENTION = "retention"
    """Its time was over."""
    ERASURE = "erasure"
    """The customer wanted to be forgotten."""


class Deletion(StrEnum):
    """What came of an order to delete a recording."""

    DELETED = "deleted"
    ALREADY = "already"
    """It had been deleted before; nothing changed."""
    HELD = "held"
    """A legal hold forbids it."""
    UNKNOWN = "unknown"
    """There is no such recording, or it is another account's."""
    NOT_MADE_YET = "not_made_yet"
    """Its call goes on, or its file is being made: possible in a moment."""


_NEXT: Mapping[Life, frozenset[Life]] = {
    Life.CAPTURING: frozenset({Life.FINALISING, Life.TRASHED}),
    Life.FINALISING: frozenset({Life.AVAILABLE, Life.TRASHED, Life.PURGED}),
    Life.AVAILABLE: frozenset({Life.TRASHED, Life.PURGED}),
    Life.TRASHED: frozenset({Life.PURGED}),
    Life.PURGED: frozenset(),
}


def may_become(now: Life, wanted: Life) -> bool:
    """Whether a recording may go from one state to another in one step."""
    return wanted in _NEXT[now]


def later(left: Life, right: Life) -> Life:
    """Return the later of two states that are told of one recording, in any order."""
    order = list(Life)
    return max(left, right, key=order.index)
