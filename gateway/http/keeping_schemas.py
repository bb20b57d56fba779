"""How long recordings are kept, and what goes when, as pydantic models."""

from typing import Annotated, Literal

from pydantic import Field

from gateway.core.recording.retention import DAYS_MAX
from gateway.http.quota_schemas import Amount
from gateway.http.shapes import Shape

AHEAD_DAYS_MAX = 366
"""How far ahead is told what goes: so many lines at most."""
# Told here, checked by the rules themselves, which say in words what to do instead.
Days = Annotated[int, Field(json_schema_extra={"minimum": 1, "maximum": DAYS_MAX})]


class KeepingChange(Shape):
    """What is wanted of the life of recordings; the days of all that are kept follow."""

    version: int = Field(ge=0, le=2**31 - 1)
    """Of the rules that were shown when the change was made."""
    when_full: Literal["auto", "stop", "rotate"]
    """When the minutes are used up: `stop`, recording stops; `rotate`, the oldest recordings
    make room; `auto`, it stops, but once a lapsed add-on's grace is over they make room."""
    retention_days: Days | None
    """Null: two years by the calendar."""
    encrypts: bool
    """Files are sealed at rest, those that are there already, too."""


class KeepingView(KeepingChange):
    """The rules in force."""

    retention_days_max: int


class ForecastQuery(Shape):
    """How far ahead, and under which rules; without any, those in force."""

    within_days: int = Field(default=30, ge=0, le=AHEAD_DAYS_MAX)
    if_days: Days | None = None
    """As if recordings were kept for so many days."""
    if_two_years: bool = False
    """As if they were kept for two years, whatever `if_days` says."""


class GoingView(Shape):
    """How much goes together."""

    recordings: Amount
    returned_ms: Amount
    """Recording time that is free again then."""
    bytes: Amount
    held: Amount
    """Besides: their time is over, too, but a legal hold keeps them."""


class GoingDay(GoingView):
    """What goes on one day of the account's time zone."""

    on: str


class ForecastView(Shape):
    """What goes by itself from today up to a day."""

    today: str
    until: str
    """The last day that is told."""
    retention_days: int | None
    """Under which rule; null: two years."""
    kept: GoingView
    """All that is there, whenever it goes."""
    at_once: GoingView
    """Whose time is over already: they go with the next round, within the hour."""
    going: GoingView
    """From today up to the last day, all together."""
    days: list[GoingDay]
    """The days on which something goes."""
