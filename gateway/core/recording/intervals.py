"""Sets of time intervals on one timeline, in whole milliseconds."""

from collections.abc import Iterable
from typing import NamedTuple


class Interval(NamedTuple):
    """From `begin` up to, and without, `end`."""

    begin: int
    end: int

    @property
    def length(self) -> int:
        """How long it is; at least 0."""
        return max(0, self.end - self.begin)


Intervals = tuple[Interval, ...]
"""In order, apart from each other, none empty."""


def tidy(intervals: Iterable[Interval]) -> Intervals:
    """Put intervals in order, join those that touch, drop the empty ones."""
    tidied: list[Interval] = []
    for each in sorted(Interval(*each) for each in intervals):
        if not each.length:
            continue
        if tidied and each.begin <= tidied[-1].end:
            tidied[-1] = Interval(tidied[-1].begin, max(tidied[-1].end, each.end))
        else:
            tidied.append(each)
    return tuple(tidied)


def total(intervals: Iterable[Interval]) -> int:
    """Return how long all of them are together."""
    return sum(each.length for each in intervals)


def shifted(intervals: Iterable[Interval], by: int) -> Intervals:
    """Move them to a timeline whose 0 lies `by` earlier."""
    return tuple(Interval(each.begin + by, each.end + by) for each in intervals)


def common(left: Iterable[Interval], right: Iterable[Interval]) -> Intervals:
    """Return what both cover."""
    others = tuple(right)
    return tidy(
        Interval(max(each.begin, other.begin), min(each.end, other.end))
        for each in left
        for other in others
    )


def without(intervals: Iterable[Interval], taken: Iterable[Interval]) -> Intervals:
    """Return what is covered and not taken."""
    left = tidy(intervals)
    for begin, end in taken:
        left = tidy(
            part
            for each in left
            for part in (
                Interval(each.begin, min(each.end, begin)),
                Interval(max(each.begin, end), each.end),
            )
        )
    return left


def first(intervals: Iterable[Interval], length: int) -> Intervals:
    """Return their first `length` ms."""
    kept: list[Interval] = []
    for each in intervals:
        part = Interval(each.begin, min(each.end, each.begin + max(0, length)))
        kept.append(part)
        length -= part.length
    return tidy(kept)
