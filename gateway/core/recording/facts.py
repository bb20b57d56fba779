"""What is known of a recorded call's files, gathered in any order, each fact once or often.

Facts only ever add up: `learn` with the same facts in another order, or twice, ends the same.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from gateway.core.recording.intervals import Interval, Intervals, tidy, total


class Mode(StrEnum):
    """Who records an account's calls."""

    OFFICIAL = "official"
    """Meta, after its announcement; the gateway's capture is the safety copy and the quota."""
    LOCAL = "local"
    """The gateway alone, after the account's own announcement."""


@dataclass(frozen=True, slots=True)
class LocalCopy:
    """What the gateway's own capture holds. Times are real ms since the capture began."""

    granted: Intervals = ()
    """What it wrote, every ms of it covered by the quota. Empty: missing, or unreadable."""
    paused: Intervals = ()
    """What was deliberately not recorded."""
    stopped_by_quota: bool = False
    """At least once nothing more was granted."""
    began_at: float | None = None
    """When the capture began, wall clock, seconds; None: not known."""

    @property
    def is_there(self) -> bool:
        """Whether there is anything to play."""
        return bool(self.granted)

    @property
    def duration_ms(self) -> int:
        """How long it plays."""
        return total(self.granted)


MISSING = LocalCopy()


@dataclass(frozen=True, slots=True)
class OfficialCopy:
    """One file of Meta's whose digest was right and which is sound Ogg Opus."""

    sha256: str
    duration_ms: int
    channels: int
    offset_ms: int | None = None
    """When it begins, in the capture's time; None while nothing could be compared."""
    extra_ms: int | None = None
    """How much beyond the capture was charged and kept when it was cut; None before."""


class OfficialFailure(StrEnum):
    """Why a file that Meta announced will never be had."""

    CORRUPT = "corrupt"
    """Its digest stayed wrong, or it is no sound Ogg Opus."""
    EXPIRED = "expired"
    """It could not be fetched within the days that Meta keeps it."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known of one recorded call."""

    mode: Mode
    ended_at: float
    """Wall clock, seconds."""
    local: LocalCopy | None = None
    """None: its files are still being looked for or put together."""
    officials: tuple[OfficialCopy, ...] = ()
    """By digest."""
    failures: frozenset[OfficialFailure] = frozenset()
    announced_until: float = 0.0
    """Until when a file that Meta has announced can be fetched; 0: none announced."""
    is_declined: bool = False
    """The call ended before the announcement did."""
    is_deleted: bool = False
    """Its recording was deleted; what still comes is not wanted."""
    surplus_max_ms: int = 0
    """By how much the capture can have begun too early: the longest announcement there may
    have been, less what was waited for."""

    @property
    def ends_ms(self) -> int | None:
        """When the call ended, in the capture's time; None: not known.

        A capture that the quota did not stop ended with the call, as exactly as can be.
        """
        local = self.local
        if local is None or not local.is_there:
            return None
        last = local.granted[-1].end
        if not local.stopped_by_quota:
            return last
        if local.began_at is None:
            return None
        return max(last, round((self.ended_at - local.began_at) * 1000))

    @property
    def official(self) -> OfficialCopy | None:
        """The one that counts: the longest."""
        return max(
            self.officials, key=lambda each: (each.duration_ms, each.sha256), default=None
        )


@dataclass(frozen=True, slots=True)
class Announced:
    """Meta has told of a file."""

    until: float


@dataclass(frozen=True, slots=True)
class Failed:
    """An announced file will never be had."""

    why: OfficialFailure


@dataclass(frozen=True, slots=True)
class Declined:
    """The call ended before the announcement did."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """The recording was deleted."""


Fact = LocalCopy | OfficialCopy | Announced | Failed | Declined | Deleted


def learn(facts: Facts, fact: Fact) -> Facts:
    """Add one fact."""
    match fact:
        case LocalCopy():
            return replace(facts, local=_fuller(facts.local, fact))
        case OfficialCopy():
            return replace(facts, officials=_with_copy(facts.officials, fact))
        case Announced(until=until):
            return replace(facts, announced_until=max(facts.announced_until, until))
        case Failed(why=why):
            return replace(facts, failures=facts.failures | {why})
        case Declined():
            return replace(facts, is_declined=True)
        case Deleted():
            return replace(facts, is_deleted=True)


def _fuller(known: LocalCopy | None, told: LocalCopy) -> LocalCopy:
    """Keep the copy that holds more: files of a dead worker may be found later."""
    if known is None:
        return told
    return max(known, told, key=_fullness)


def _fullness(copy: LocalCopy) -> tuple[int, bool, Intervals, Intervals, float]:
    began_at = copy.began_at or 0.0
    return (copy.duration_ms, copy.stopped_by_quota, copy.granted, copy.paused, began_at)


def _with_copy(known: tuple[OfficialCopy, ...], told: OfficialCopy) -> tuple[OfficialCopy, ...]:
    copies = {each.sha256: each for each in known}
    before = copies.get(told.sha256, told)
    copies[told.sha256] = OfficialCopy(
        told.sha256,
        min(told.duration_ms, before.duration_ms),
        max(told.channels, before.channels),
        _most(told.offset_ms, before.offset_ms),
        _most(told.extra_ms, before.extra_ms),
    )
    return tuple(copies[sha256] for sha256 in sorted(copies))


def _most(left: int | None, right: int | None) -> int | None:
    return max((each for each in (left, right) if each is not None), default=None)


@dataclass(frozen=True, slots=True)
class Segment:
    """One stretch that a capture wrote, as the worker tells of it."""

    begins_ms: int
    """Real time since the capture began."""
    duration_ms: int
    """Recorded time; pauses are not in it."""
    pauses: tuple[tuple[int, int], ...] = ()
    """Place on the segment's recorded timeline and real length of each pause, in ms."""
    stopped_by_quota: bool = False
    started_at: float | None = None
    """When it was begun, wall clock, seconds."""


def local_copy(segments: Iterable[Segment]) -> LocalCopy:
    """Lay a capture's segments out in real time."""
    granted: list[Interval] = []
    paused: list[Interval] = []
    stopped = False
    began_at: float | None = None
    for segment in segments:
        if segment.started_at is not None:
            began_at = segment.started_at - segment.begins_ms / 1000
        at, recorded = segment.begins_ms, 0
        for place_ms, length_ms in sorted(segment.pauses):
            granted.append(Interval(at, at + place_ms - recorded))
            at, recorded = at + place_ms - recorded, place_ms
            paused.append(Interval(at, at + length_ms))
            at += length_ms
        granted.append(Interval(at, at + segment.duration_ms - recorded))
        stopped = stopped or segment.stopped_by_quota
    return LocalCopy(tidy(granted), tidy(paused), stopped_by_quota=stopped, began_at=began_at)
