"""How long recordings are kept: by days of the account's own calendar, never by hours."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from gateway.core.errors import BadInput
from gateway.core.zones import local_day

YEARS = 2
DAYS_MAX = 36_600
"""A hundred years: a longer retention is a slip of the finger."""
TRASH_S = 24 * 3600.0
"""How long after a deletion by hand the bytes go."""


class WhenFull(StrEnum):
    """What happens when the minutes are used up."""

    AUTO = "auto"
    """Recording stops; once a lapsed add-on's grace is over, the oldest make room."""
    STOP = "stop"
    ROTATE = "rotate"


@dataclass(frozen=True, slots=True)
class KeepingRules:
    """What an account wants of the life of its recordings."""

    when_full: WhenFull = WhenFull.AUTO
    retention_days: int | None = None
    """None: two years, by the calendar."""
    encrypts: bool = False
    """Files are sealed at rest."""

    def __post_init__(self) -> None:
        if self.retention_days is not None:
            check_days(self.retention_days)


def check_days(days: int) -> None:
    """Raise `BadInput` unless recordings can be kept for so many days."""
    if not 1 <= days <= DAYS_MAX:
        raise BadInput(
            f"recordings are kept for 1 to {DAYS_MAX:,} days, not {days:,}; "
            "to remove them now, delete them"
        )


def anniversary(day: date, years: int) -> date:
    """Return the same day some years later; 29 February counts as the 28th."""
    if (day.month, day.day) == (2, 29):
        day = day.replace(day=28)
    return day.replace(year=day.year + years)


def purge_day(made: date, rules: KeepingRules) -> date:
    """Return the day on which a recording made on a day goes: the one after its last."""
    if rules.retention_days is None:
        last = anniversary(made, YEARS)
    else:
        last = made + timedelta(days=rules.retention_days)
    return last + timedelta(days=1)


def is_over(purge: date, *, now: float, zone: str) -> bool:
    """Whether the day has come on which a recording goes."""
    return local_day(now, zone) >= purge
