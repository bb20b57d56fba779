"""Recorded calls by day: how official and own recordings compare, and what was charged."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from gateway.core.recording.reconcile import Verdict


@dataclass(frozen=True, slots=True)
class ReconciledDay:
    """The recorded calls that ended on one local day."""

    day: date
    calls: int
    verdicts: Mapping[Verdict, int]
    undecided: int
    """Not compared yet."""
    stored_ms: int
    charged_ms: int
    """As the books of minutes have it now; less than is stored once minutes were returned."""
    official_ms: int
    """Of all official files as they came, what was cut off included."""
    local_ms: int
    difference_ms: int
    """Official less local, of the calls that have both."""


REPORT_COLUMNS = (
    "day",
    "calls",
    "undecided",
    *(verdict.value for verdict in Verdict),
    "stored_ms",
    "charged_ms",
    "official_ms",
    "local_ms",
    "difference_ms",
)
"""Of the report as a table."""


def report_cells(day: ReconciledDay) -> tuple[str | int, ...]:
    """Write a day as a line of the table."""
    return (
        day.day.isoformat(),
        day.calls,
        day.undecided,
        *(day.verdicts.get(verdict, 0) for verdict in Verdict),
        day.stored_ms,
        day.charged_ms,
        day.official_ms,
        day.local_ms,
        day.difference_ms,
    )
