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
    """Deleted by hand: unreachable, its minutes returned, its bytes soon gone."""
    PURGED = "purged"
    """Nothing is left but the fact."""


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
