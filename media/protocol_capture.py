"""The messages about recording: budgets that the gateway grants, captures that draw on them.

Times are ms of recording timeline. A budget is opened once per account and worker and holds
the *total* ever granted to it; `GrantBudget` replaces that total, up or down, so repeating one
is harmless. The worker asks with `BudgetLow`; each ask has a number, and so has each grant.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from media.capture_format import NAME_PATTERN, StopReason
from media.protocol_message import Message

CaptureId = Annotated[str, Field(pattern=NAME_PATTERN)]
"""The first part of its files' names."""
BudgetId = Annotated[str, Field(min_length=1, max_length=128)]
Milliseconds = Annotated[int, Field(ge=0, le=10**12)]


class CaptureState(StrEnum):
    """Life of a capture."""

    RECORDING = "recording"
    PAUSED = "paused"
    STOPPED = "stopped"
    """Not recording, for its `stop_reason`; a new segment may begin."""
    ENDING = "ending"
    """Asked to end; the last packets wait for their time to be granted."""
    ENDED = "ended"
    """Over; a file of it may still be on its way to the disk."""


# --- gateway to worker ---------------------------------------------------------------------


class OpenBudget(Message):
    """Make a budget known, with its first grant (number 0); opening it again is `Done`."""

    type: Literal["open_budget"] = "open_budget"
    id: str
    budget_id: BudgetId
    granted_ms: Milliseconds


class GrantBudget(Message):
    """Replace the total granted. `Done.budget.granted_ms` is the total now in force.

    A total below what is drawn becomes what is drawn: so time not yet used is taken back, and
    the answer tells how much. An increase resumes captures that stopped for want of time.
    """

    type: Literal["grant_budget"] = "grant_budget"
    id: str
    budget_id: BudgetId
    number: int = Field(ge=1)
    """Above that of any grant before; an equal or lower one has no effect."""
    granted_ms: Milliseconds
    answers: int = Field(ge=0, default=0)
    """Number of the latest `BudgetLow` that this answers."""


RefusalReason = Literal[
    StopReason.QUOTA, StopReason.LEDGER_UNREACHABLE, StopReason.BUDGET_CLOSED
]


class RefuseBudget(Message):
    """Nothing more is to be had: captures stop at exactly what is granted, for `reason`."""

    type: Literal["refuse_budget"] = "refuse_budget"
    id: str
    budget_id: BudgetId
    answers: int = Field(ge=0)
    """Number of the latest ask; a refusal of an earlier one has no effect."""
    reason: RefusalReason = StopReason.QUOTA


class CloseBudget(Message):
    """Forget a budget; `Done.budget` tells what was drawn, the rest is returned.

    `Failed(conflict)` while a capture of it has not ended or its files are not closed.
    """

    type: Literal["close_budget"] = "close_budget"
    id: str
    budget_id: BudgetId


class StartCapture(Message):
    """Record a WhatsApp leg from now on; `Done.capture` describes it."""

    type: Literal["start_capture"] = "start_capture"
    id: str
    epoch: int
    whatsapp_leg_id: str
    capture_id: CaptureId
    budget_id: BudgetId
    blob: str = Field(max_length=16_384)
    """Opaque; kept in the header of every file so that recovery knows whose it is."""
    first_segment: int = Field(ge=0, default=0)
    """Above 0 where files of the same capture exist from an earlier life of a worker."""


class PauseCapture(Message):
    """Stop the recording timeline: nothing is written and nothing drawn until resumed."""

    type: Literal["pause_capture"] = "pause_capture"
    id: str
    epoch: int
    capture_id: CaptureId


class ResumeCapture(Message):
    """End a pause, or begin a new segment of a capture that stopped for any reason."""

    type: Literal["resume_capture"] = "resume_capture"
    id: str
    epoch: int
    capture_id: CaptureId


class StopCapture(Message):
    """End a capture for good. Its files follow by `SegmentFinished`."""

    type: Literal["stop_capture"] = "stop_capture"
    id: str
    epoch: int
    capture_id: CaptureId


CaptureCommand = (
    OpenBudget
    | GrantBudget
    | RefuseBudget
    | CloseBudget
    | StartCapture
    | PauseCapture
    | ResumeCapture
    | StopCapture
)

# --- worker to gateway ---------------------------------------------------------------------


class BudgetSnapshot(Message):
    """A budget as it stands."""

    budget_id: str
    granted_ms: int
    drawn_ms: int
    grant_number: int
    asked: int
    """Number of the last ask; 0 before the first."""
    is_asking: bool


class CaptureSnapshot(Message):
    """A capture as it stands."""

    capture_id: str
    budget_id: str
    whatsapp_leg_id: str
    state: CaptureState
    segment: int
    """The segment being recorded, or that a resumed capture would begin."""
    written_ms: int
    """In the files of all segments of this worker's life."""
    stop_reason: StopReason | None


class BudgetLow(Message):
    """Half of the last grant is gone. Said again, under the same `ask`, until answered."""

    type: Literal["budget_low"] = "budget_low"
    seq: int
    at: float
    budget_id: str
    ask: int
    captures: int
    """How many draw now."""
    granted_ms: int
    drawn_ms: int


class CaptureStarted(Message):
    """A segment has its first recorded time; its file exists or is about to."""

    type: Literal["capture_started"] = "capture_started"
    seq: int
    at: float
    capture_id: str
    segment: int
    file: str


class WrittenMs(Message):
    """How far one capture has got."""

    capture_id: str
    written_ms: int
    """In the files of all segments of this worker's life."""


class CaptureWritten(Message):
    """What the captures that moved have written, once a second, and what their budgets hold."""

    type: Literal["capture_written"] = "capture_written"
    seq: int
    at: float
    captures: tuple[WrittenMs, ...]
    budgets: tuple[BudgetSnapshot, ...]
    """Those that have captures."""


class CaptureStopped(Message):
    """A segment ended; the call goes on as it is.

    Unless `is_final` a new segment may follow: by itself after `quota` and `grant_late` when
    more is granted, after another reason by `ResumeCapture`. A capture that ends while it is
    stopped is reported once more, as final.
    """

    type: Literal["capture_stopped"] = "capture_stopped"
    seq: int
    at: float
    capture_id: str
    segment: int
    reason: StopReason
    recorded_ms: int
    """In all segments of this worker's life."""
    files: int
    """How many `SegmentFinished` there are in all for the segments until now."""
    is_final: bool
    dropped_packets: int
    """Not recorded because too much waited for the disk or a grant, in the whole capture."""


class SegmentFinished(Message):
    """A segment's file is complete, durable and unlocked: it can be assembled."""

    type: Literal["segment_finished"] = "segment_finished"
    seq: int
    at: float
    capture_id: str
    segment: int
    file: str | None
    """Name within the worker's capture directory; None where the disk took no file at all."""
    duration_ms: int


CaptureEvent = BudgetLow | CaptureStarted | CaptureWritten | CaptureStopped | SegmentFinished
