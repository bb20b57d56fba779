"""Recorded calls' cases, read: what became of them, what is open, and how the days add up."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from gateway.core.ids import AccountId, CallId, UserId, Wacid
from gateway.core.recording.outcome import RecordingOutcome
from gateway.core.recording.outlook import Patience
from gateway.core.recording.report import ReconciledDay
from gateway.core.whatsapp import Direction, Peer
from gateway.ports.cases import Case

CURSOR_PATTERN = "[0-9a-f]{16}[0-9a-z]{26}"
"""What a cursor of `open_cases` looks like; any that does is taken."""


@dataclass(frozen=True, slots=True)
class CasesInTrouble:
    """How many cases of an account somebody should look at."""

    account_id: AccountId
    stuck: int
    """They should have been compared long ago."""
    lost: int


@dataclass(frozen=True, slots=True)
class OpenCase:
    """A case that something is still expected of, or whose recording is lost."""

    case: Case
    wacid: Wacid | None
    direction: Direction
    peer: Peer
    agent_id: UserId | None


@dataclass(frozen=True, slots=True)
class OpenCases:
    """One page, the oldest call first; `next_cursor` is None on the last."""

    items: tuple[OpenCase, ...]
    next_cursor: str | None


class CaseBooks(Protocol):
    """Every method raises `StoreDown`. Times are wall clock, s."""

    async def outcomes(self, call_ids: Collection[CallId]) -> Mapping[CallId, RecordingOutcome]:
        """Tell what became of calls' recordings; calls without a case are left out."""

    async def transcribed(self, call_ids: Collection[CallId]) -> frozenset[CallId]:
        """Return those of the calls that there is a transcript of."""

    async def open_cases(
        self,
        account_id: AccountId,
        *,
        now: float,
        patience: Patience,
        at_risk_only: bool = False,
        cursor: str | None = None,
        limit: int = 50,
    ) -> OpenCases:
        """List what is open. Raises `BadInput` for a cursor not made here."""

    async def in_trouble(self, *, now: float, patience: Patience) -> Sequence[CasesInTrouble]:
        """Count, for each account that has any, the cases somebody should look at."""

    async def days(
        self, account_id: AccountId, *, since: date, until: date, zone: str
    ) -> Sequence[ReconciledDay]:
        """Add up by local day, both ends included, days without any left out.

        Raises `BadInput` for more than 366 days.
        """
