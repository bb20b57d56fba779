"""How far the recording of one call has got."""

from dataclasses import dataclass
from enum import StrEnum


class RecordingStage(StrEnum):
    """What a call knows of its recording; it only moves forward."""

    OFF = "off"
    """Not to be recorded: the account's choice when the call began."""
    HOLDING = "holding"
    """A little time is being kept for it; nobody is promised anything before that is sure."""
    READY = "ready"
    """Time is kept: recording begins when the two talk."""
    ANNOUNCING = "announcing"
    """The two talk, and hear first that they are recorded: recording begins after that."""
    REFUSED = "refused"
    """Not recorded; `reason` says why."""
    CAPTURING = "capturing"
    """The capture was ordered; it may be stopped meanwhile for want of minutes."""
    FAILED = "failed"
    """The capture could not begin; `reason` says why."""
    ENDED = "ended"
    """The call is over; the file is being made."""
    KEPT = "kept"
    """The recording is there."""
    EMPTY = "empty"
    """Nothing was recorded after all, and nothing is charged."""


class NotRecorded(StrEnum):
    """Why a call is not recorded although the account wants it."""

    NO_MINUTES = "no_minutes"
    LEDGER_UNREACHABLE = "ledger_unreachable"
    MEDIA = "media"
    """The media worker could not begin."""
    NO_ANNOUNCEMENT = "no_announcement"
    """The account records by itself, and has no announcement to play first."""
    DECLINED = "declined"
    """The call ended before the announcement did."""


@dataclass(frozen=True, slots=True)
class CallRecording:
    """The recording as the call knows it; what it has taken so far is live knowledge."""

    stage: RecordingStage = RecordingStage.OFF
    reason: NotRecorded | None = None
    duration_ms: int | None = None
    """Of the recording that is kept."""
