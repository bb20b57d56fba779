"""Days that a query names, in an account's zone; none is an error that a calendar has."""

from datetime import date, timedelta

from gateway.core.zones import local_day, start_of_day

# The bounds of a day are found in UTC, up to a day before and after it.
FIRST_DAY = date.min + timedelta(days=1)
LAST_DAY = date.max - timedelta(days=2)


def begin_of(day: date | None, zone: str) -> float | None:
    """Return when the first day of a query begins; None: it names none."""
    return None if day is None else start_of_day(_within(day), zone)


def end_of(day: date | None, zone: str) -> float | None:
    """Return when the last day of a query is over; None: it names none."""
    return None if day is None else start_of_day(_within(day) + timedelta(days=1), zone)


def last_days(until: date | None, days: int, *, now: float, zone: str) -> tuple[date, date]:
    """Return first and last of so many days up to `until`, or today."""
    last = _within(until or local_day(now, zone))
    return last - min(timedelta(days=days - 1), last - FIRST_DAY), last


def _within(day: date) -> date:
    return max(FIRST_DAY, min(day, LAST_DAY))
