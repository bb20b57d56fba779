"""What became of calls' recordings, as pydantic models."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from gateway.http.quota_schemas import Amount
from gateway.http.schemas import DirectionName, Moment, PeerView, VerdictName
from gateway.http.shapes import Shape
from gateway.ports.case_books import CURSOR_PATTERN


class PassageView(Shape):
    """What one person said without a pause."""

    speaker: str
    """`business`, `customer`, or what WhatsApp calls them."""
    begin_ms: Amount
    """Since the official recording began."""
    end_ms: Amount
    text: str


class TranscriptView(Shape):
    """What was said, in the order of time."""

    language: str | None
    passages: list[PassageView]


class OpenQuery(Shape):
    """Which of what is open, the oldest call first."""

    cursor: Annotated[str, StringConstraints(pattern=f"^{CURSOR_PATTERN}$")] | None = None
    limit: int = Field(default=50, ge=1, le=200)
    at_risk: bool = False
    """Only what may be lost, or is."""


class OpenRecordingView(Shape):
    """A recording that is not settled."""

    call_id: str
    direction: DirectionName
    peer: PeerView
    ended_at: Moment
    verdict: VerdictName | None
    """What is concluded so far."""
    waits_for: Literal["own_file", "announcement", "fetch", "comparison", "lost"]
    """`own_file`: the gateway's own is being made; `announcement`: WhatsApp has not told of
    its file; `fetch`: it has, and the file could not be fetched yet; `comparison`: all is
    there; `lost`: nothing is."""
    until: Moment | None
    """When that is over, one way or the other; null: when somebody sees to it."""
    at_risk: bool
    tries: Amount
    """How often WhatsApp's file was asked for in vain."""
    trouble: str
    """What the last try said; empty before the first."""
    next_try_at: Moment | None


class OpenPage(Shape):
    """One page."""

    items: list[OpenRecordingView]
    next_cursor: str | None


class ReportDay(Shape):
    """The recorded calls that ended on one day."""

    day: date
    calls: Amount
    undecided: Amount
    """Not compared yet."""
    verdicts: dict[str, Amount]
    """How many calls ended with each verdict; those without any are left out."""
    stored_ms: Amount
    charged_ms: Amount
    """As the books of minutes have it now: less than stored once minutes were returned."""
    official_ms: Amount
    """All official files as they came, what was cut off included."""
    local_ms: Amount
    difference_ms: int
    """Official less local, of the calls that have both."""


class ReportView(Shape):
    """Days on which recorded calls ended, oldest first."""

    timezone: str
    since: date
    until: date
    days: list[ReportDay]
