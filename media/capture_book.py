"""Who records and who pays: the worker's records of captures and budgets."""

from dataclasses import dataclass, field
from typing import ClassVar

from media.budget import Budget
from media.capture import Capture
from media.capture_files import SegmentFile
from media.protocol_capture import BudgetSnapshot, CaptureSnapshot, CaptureState
from media.protocol_message import FailureCode


class CaptureConflict(Exception):
    """The state of a budget or capture forbids the command; the text says why.

    CaptureConflict
    ├── NoSuchBudget
    ├── NoSuchCapture    unknown, or over with all its files finished
    └── TooManyBudgets
    """

    code: ClassVar[FailureCode] = "conflict"


class NoSuchBudget(CaptureConflict):
    """No budget of that name is open."""

    code = "no_such_budget"


class NoSuchCapture(CaptureConflict):
    """No capture of that name is known any more, or was ever."""

    code = "no_such_capture"


class TooManyBudgets(CaptureConflict):
    """Another budget would be more than the worker holds."""

    code = "limit"


@dataclass(frozen=True, slots=True)
class CaptureOrder:
    """What it takes to start a capture."""

    capture_id: str
    budget_id: str
    whatsapp_leg_id: str
    blob: str
    first_segment: int = 0


@dataclass(slots=True, eq=False)
class Account:
    """A budget and who draws on it."""

    budget: Budget
    captures: dict[str, Capture] = field(default_factory=dict)
    dry_since: float | None = None
    """Monotonic time since which captures wait for a grant that does not come."""

    def snapshot(self) -> BudgetSnapshot:
        """Describe the budget to the gateway."""
        return BudgetSnapshot(
            budget_id=self.budget.budget_id,
            granted_ms=self.budget.granted_ms,
            drawn_ms=self.budget.drawn_ms,
            grant_number=self.budget.grant_number,
            asked=self.budget.asked,
            is_asking=self.budget.is_asking,
        )


@dataclass(slots=True, eq=False)
class CaptureCall:
    """A capture and what belongs to it outside of the tap."""

    capture: Capture
    account: Account
    whatsapp_leg_id: str
    segment: SegmentFile | None = None
    """The file being written; None before the first covered ms of a segment."""
    unfinished: int = 0
    """Files on their way to the disk."""
    files: int = 0
    reported_ms: int = 0

    @property
    def is_alive(self) -> bool:
        """Whether it records, or may again."""
        return self.capture.state not in (CaptureState.ENDING, CaptureState.ENDED)

    @property
    def written_ms(self) -> int:
        """In the files of all segments."""
        open_ms = self.segment.written_ms if self.segment is not None else 0
        return self.capture.closed_ms + open_ms

    def snapshot(self) -> CaptureSnapshot:
        """Describe the capture to the gateway."""
        return CaptureSnapshot(
            capture_id=self.capture.capture_id,
            budget_id=self.account.budget.budget_id,
            whatsapp_leg_id=self.whatsapp_leg_id,
            state=self.capture.state,
            segment=self.capture.next_segment,
            written_ms=self.written_ms,
            stop_reason=self.capture.stop_reason,
        )
