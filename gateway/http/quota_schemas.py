"""Answers about recording minutes, as pydantic models. All amounts are milliseconds."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from gateway.http.schemas import Moment
from gateway.http.shapes import Shape

Amount = Annotated[int, Field(ge=0)]


class QuotaCapture(Shape):
    """What one call that is being captured has taken."""

    call_id: str
    written_ms: Amount
    stopped: bool
    """It takes nothing now: stopped by the quota, or paused; the call goes on."""


class QuotaView(Shape):
    """An account's minutes now: capacity + overdrawn = used + reserved + free."""

    at: Moment
    version: int
    """Grows with every change of the balance; between two changes `at` tells the newer."""
    capacity_ms: Amount
    used_ms: Amount
    """Settled, and written so far by the calls that are being captured."""
    reserved_ms: Amount
    free_ms: Amount
    overdrawn_ms: Amount
    suspense_ms: Amount
    """Part of what is reserved that waits for the files of a media worker that died."""
    level: Literal[0, 80, 95, 100]
    """The highest threshold, in per cent of the capacity, that use has reached."""
    empty_at: Moment | None
    """When nothing will be left at the present rate; null while nothing is captured."""
    captures: list[QuotaCapture]


class UsageDay(Shape):
    """What one day did to the minutes in use."""

    day: date
    recorded_ms: int
    """Settled and corrected; a correction may make it negative."""
    returned_ms: Amount
    """Freed by deletions and purges."""
    calls: Amount


class UsageView(Shape):
    """Days on which something happened, oldest first."""

    timezone: str
    since: date
    until: date
    days: list[UsageDay]


class LedgerQuery(Shape):
    """Which entries."""

    cursor: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,18}$")] | None = None
    limit: int = Field(default=50, ge=1, le=200)


class LedgerLine(Shape):
    """One entry, and what all until then add up to."""

    at: Moment
    kind: Literal[
        "top_up", "capacity_change", "expiry", "settle", "correction", "delete", "purge"
    ]
    amount_ms: int
    """Added to the capacity by the first three kinds, to what is used by the others."""
    call_id: str | None
    actor_id: str | None
    """Who did it; null for the operator and for the gateway itself."""
    note: str
    capacity_ms: Amount
    used_ms: Amount


class LedgerView(Shape):
    """One page, newest first."""

    items: list[LedgerLine]
    next_cursor: str | None
