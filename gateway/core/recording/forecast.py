"""What goes by itself, and when: under the rules in force, or under others, before they are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from gateway.core.recording.retention import KeepingRules, purge_day


@dataclass(frozen=True, slots=True)
class Going:
    """How much goes together."""

    recordings: int = 0
    returned_ms: int = 0
    """Recording time that is free again then."""
    bytes: int = 0
    held: int = 0
    """Besides: these would go, but a legal hold keeps them."""

    def __add__(self, other: "Going") -> "Going":
        return Going(
            self.recordings + other.recordings,
            self.returned_ms + other.returned_ms,
            self.bytes + other.bytes,
            self.held + other.held,
        )


@dataclass(frozen=True, slots=True)
class KeptOfDay:
    """What is kept of the recordings made on one day of the account's calendar."""

    made: date
    kept: Going


@dataclass(frozen=True, slots=True)
class GoingOn:
    """What goes on one day of the account's calendar."""

    on: date
    going: Going


def forecast(
    kept: Iterable[KeptOfDay], rules: KeepingRules, *, today: date, until: date
) -> Sequence[GoingOn]:
    """Tell what goes on which day up to `until`, in the order of days.

    What is over already goes today.
    """
    days: dict[date, Going] = {}
    for each in kept:
        on = max(purge_day(each.made, rules), today)
        if on <= until:
            days[on] = days.get(on, Going()) + each.kept
    return [GoingOn(on, days[on]) for on in sorted(days)]


def together(days: Iterable[GoingOn]) -> Going:
    """Add up what goes on several days."""
    return sum((each.going for each in days), Going())
