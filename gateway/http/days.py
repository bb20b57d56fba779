"""Days that a query names, in an account's zone; none is an error that a calendar has."""

import re
from datetime import date, timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field

from gateway.core.zones import local_day, start_of_day
from gateway.http.shapes import Shape

# The bounds of a day are found in UTC, up to a day before and after it.
FIRST_DAY = date.min + timedelta(days=1)
LAST_DAY = date.max - timedelta(days=2)


def _written_out(day: object) -> object:
    """Refuse what pydantic would take for a day besides YYYY-MM-DD, such as a number."""
    if isinstance(day, str) and not re.fullmatch(r"\d{4}-\d\d-\d\d", day, re.ASCII):
        raise ValueError("a day is written YYYY-MM-DD")
    return day


Day = Annotated[date, BeforeValidator(_written_out)]


class DaysQuery(Shape):
    """How many days, until which; both in the account's time zone."""

    until: Day | None = None
    """The last day; the default is today."""
    days: int = Field(default=31, ge=1, le=366)

    def bounds(self, *, now: float, zone: str) -> tuple[date, date]:
        """Return the first and the last of them."""
        last = _within(self.until or local_day(now, zone))
        return last - min(timedelta(days=self.days - 1), last - FIRST_DAY), last


def begin_of(day: date | None, zone: str) -> float | None:
    """Return when the first day of a query begins; None: it names none."""
    return None if day is None else start_of_day(_within(day), zone)


def end_of(day: date | None, zone: str) -> float | None:
    """Return when the last day of a query is over; None: it names none."""
    return None if day is None else start_of_day(_within(day) + timedelta(days=1), zone)


def _within(day: date) -> date:
    return max(FIRST_DAY, min(day, LAST_DAY))
