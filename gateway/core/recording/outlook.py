"""What the recording of a call still waits for, until when, and whether that is a risk."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.core.recording.facts import Facts, Mode
from gateway.core.recording.reconcile import AWAITED_S, FINAL_S, Conclusion, Verdict

KEPT_S = 7 * 24 * 3600.0
"""How long Meta keeps a file after it has told of it."""


class Waiting(StrEnum):
    """Why a recording is open."""

    OWN_FILE = "own_file"
    """Our own file is being made."""
    ANNOUNCEMENT = "announcement"
    """WhatsApp has not told of its file."""
    FETCH = "fetch"
    """WhatsApp has told of its file, which could not be fetched yet."""
    COMPARISON = "comparison"
    """All is there, and still no conclusion: for want of space, for instance."""
    LOST = "lost"
    """Neither recording is there."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long things may take before somebody is told; seconds."""

    fetch_s: float = 24 * 3600.0
    """Fetching a file, since Meta told of it."""
    comparison_s: float = 3600.0
    """Comparing, after the time in which nothing is concluded anyway."""
    lost_shown_s: float = KEPT_S
    """For so long after its call a lost recording is shown."""

    def fetch_ends_before(self, now: float) -> float:
        """Return the moment such that what can be had only until then waits too long."""
        return now + KEPT_S - self.fetch_s

    def stuck_before(self, now: float) -> float:
        """Return the end of calls which should have been compared by now."""
        return now - AWAITED_S - self.comparison_s


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is waited for."""

    waits_for: Waiting
    until: float | None
    """Wall clock when that is over, one way or the other; None: when somebody sees to it."""
    is_at_risk: bool
    """Something may be lost, or is."""


def outlook(
    facts: Facts, conclusion: Conclusion | None, *, now: float, patience: Patience
) -> Outlook | None:
    """Say what is still open about a call's recording; None: nothing is."""
    if conclusion is not None and conclusion.verdict is Verdict.LOST:
        until = None if conclusion.is_final else facts.ended_at + FINAL_S
        return Outlook(Waiting.LOST, until, is_at_risk=True)
    if conclusion is not None and (conclusion.is_final or not conclusion.is_open):
        return None
    is_awaited = facts.official is None and not facts.failures
    is_stuck = conclusion is None and facts.ended_at < patience.stuck_before(now)
    if facts.announced_until and facts.mode is Mode.OFFICIAL and is_awaited:
        is_late = facts.announced_until < patience.fetch_ends_before(now)
        return Outlook(Waiting.FETCH, facts.announced_until, is_late or is_stuck)
    awaited_until = facts.ended_at + AWAITED_S
    if facts.local is None and now < awaited_until:
        return Outlook(Waiting.OWN_FILE, awaited_until, is_at_risk=False)
    if conclusion is not None or (is_awaited and now < awaited_until):
        return Outlook(Waiting.ANNOUNCEMENT, facts.ended_at + FINAL_S, is_at_risk=False)
    return Outlook(Waiting.COMPARISON, None, is_stuck)
