"""What a doctor's check finds."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warn"
    FAULT = "FAULT"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: how it is and, unless it is well, what to do."""

    verdict: Verdict
    what: str
    state: str
    advice: str = ""


def well(what: str, state: str) -> Finding:
    """All is as it should be."""
    return Finding(Verdict.OK, what, state)


def warning(what: str, state: str, advice: str) -> Finding:
    """Calls work, but something is worth a look."""
    return Finding(Verdict.WARNING, what, state, advice)


def fault(what: str, state: str, advice: str) -> Finding:
    """Something that was asked for does not work: calls, or keeping their recordings."""
    return Finding(Verdict.FAULT, what, state, advice)
