"""An account's minutes at one moment; thresholds and forecast. All amounts are ms."""

from dataclasses import dataclass, replace

FULL = 100
THRESHOLDS = (80, 95, FULL)
"""Per cent of capacity in use that people are told about."""
HYSTERESIS_POINTS = 5
"""How far use must fall below a threshold before crossing it counts again."""
FRAME_MS = 20
"""The least that can be recorded: one Opus frame (see the Opus profile of the legs)."""


@dataclass(frozen=True, slots=True)
class Balance:
    """capacity + overdrawn = free + reserved + used, each at least 0."""

    capacity_ms: int = 0
    """Owned: free quota and add-ons that count now."""
    used_ms: int = 0
    """Held by recordings, as settled."""
    reserved_ms: int = 0
    """Granted to captures or held for calls, and not settled yet; suspense included."""

    def __post_init__(self) -> None:
        assert self.capacity_ms >= 0
        assert self.used_ms >= 0
        assert self.reserved_ms >= 0

    @property
    def free_ms(self) -> int:
        """What can be granted."""
        return max(0, self.capacity_ms - self.used_ms - self.reserved_ms)

    @property
    def overdrawn_ms(self) -> int:
        """By how much capacity has fallen below what is taken. Nothing is granted then."""
        return max(0, self.used_ms + self.reserved_ms - self.capacity_ms)

    def moved(
        self, *, capacity_ms: int = 0, used_ms: int = 0, reserved_ms: int = 0
    ) -> "Balance":
        """Return the balance changed by these amounts, which may be negative."""
        return Balance(
            self.capacity_ms + capacity_ms,
            self.used_ms + used_ms,
            self.reserved_ms + reserved_ms,
        )

    def shown(self, written_ms: int) -> "Balance":
        """Return what people see: `written_ms` of what is reserved already stands in files.

        Used shown = settled + written so far; the sum does not change.
        """
        written_ms = min(max(written_ms, 0), self.reserved_ms)
        return replace(
            self,
            used_ms=self.used_ms + written_ms,
            reserved_ms=self.reserved_ms - written_ms,
        )


@dataclass(frozen=True, slots=True)
class Crossing:
    """The level an account is at now, and the thresholds it crossed upwards to get there."""

    level: int
    """0, or the highest threshold reached."""
    fired: tuple[int, ...]


def cross(level: int, shown: Balance) -> Crossing:
    """Compare use with the thresholds, given the level reached before.

    Each threshold fires once when use rises to it, and again only after use has been
    `HYSTERESIS_POINTS` below it. 100 is reached when less than one frame is left. `shown`
    must include what is written and not settled.
    """
    reached = max((t for t in THRESHOLDS if _reaches(shown, t)), default=0)
    if reached >= level:
        return Crossing(reached, tuple(t for t in THRESHOLDS if level < t <= reached))
    kept = max(
        (t for t in THRESHOLDS if t <= level and not _is_well_below(shown, t)), default=0
    )
    return Crossing(max(reached, kept), ())


def _reaches(shown: Balance, threshold: int) -> bool:
    if shown.used_ms == 0:
        # Nothing owned and nothing used is no alarm.
        return False
    if threshold == FULL:
        return shown.capacity_ms - shown.used_ms < FRAME_MS
    return shown.used_ms * 100 >= shown.capacity_ms * threshold


def _is_well_below(shown: Balance, threshold: int) -> bool:
    return shown.used_ms * 100 < shown.capacity_ms * (threshold - HYSTERESIS_POINTS) or (
        shown.used_ms == 0
    )


def empty_at(left_ms: int, rate: float, now: float) -> float | None:
    """Return the wall-clock time when `left_ms` are gone, or None if nothing takes any.

    `rate` is recorded ms per ms: with three captures writing it is 3.
    """
    if rate <= 0:
        return None
    return now + left_ms / rate / 1000
