"""When a call is recorded: time is kept before it is promised, and taken at the pick-up.

Minutes are held before `connect` or `accept`, and given back if nothing is captured. The call
waits for no more than that answer, and never ends because of its recording.
"""

from dataclasses import replace

from gateway.core.call.call import Call
from gateway.core.call.commands import (
    Commands,
    HoldMinutes,
    ReleaseMinutes,
    StartCapture,
    StopCapture,
)
from gateway.core.call.events import CaptureFailed, MinutesHeld, RecordingDone
from gateway.core.recording.stage import CallRecording, NotRecorded, RecordingStage

Recorded = tuple[Call, Commands]
_UNCAPTURED = {RecordingStage.HOLDING, RecordingStage.READY, RecordingStage.REFUSED}
_UNFINISHED = {RecordingStage.CAPTURING, RecordingStage.ENDED}
_NOT_KEPT = _UNFINISHED | {RecordingStage.FAILED}


def wanted(call: Call, *, is_wanted: bool) -> Recorded:
    """Keep time for a new call that is to be recorded."""
    if not is_wanted:
        return call, ()
    return _at(call, RecordingStage.HOLDING), (HoldMinutes(),)


def is_undecided(call: Call) -> bool:
    """Whether it is not known yet if the call will be recorded: nothing may be promised."""
    return call.recording.stage is RecordingStage.HOLDING


def held(call: Call, event: MinutesHeld) -> Call:
    """Time is kept, or there is none."""
    if not is_undecided(call):
        return call
    if event.refusal is None:
        return _at(call, RecordingStage.READY)
    return _at(call, RecordingStage.REFUSED, event.refusal)


def picked_up(call: Call) -> Recorded:
    """The two talk: capture from now on, if time is kept."""
    if call.recording.stage is not RecordingStage.READY:
        return call, ()
    return _at(call, RecordingStage.CAPTURING), (StartCapture(call.whatsapp.leg_id),)


def capture_failed(call: Call, event: CaptureFailed) -> Call:
    """The capture could not begin; the call goes on."""
    if call.recording.stage not in _UNFINISHED:
        return call
    return _at(call, RecordingStage.FAILED, event.reason)


def ended(call: Call) -> Recorded:
    """The call is over: end its capture, or give back what was kept for one."""
    stage = call.recording.stage
    if stage is RecordingStage.CAPTURING:
        return _at(call, RecordingStage.ENDED), (StopCapture(),)
    if stage is RecordingStage.FAILED:
        # It may have begun although the worker's answer was lost.
        return call, (StopCapture(),)
    if stage not in _UNCAPTURED:
        return call, ()
    # A hold may have taken effect although nobody told us, so a refused one goes back too.
    over = call if stage is RecordingStage.REFUSED else _at(call, RecordingStage.OFF)
    return over, (ReleaseMinutes(),)


def done(call: Call, event: RecordingDone) -> Call:
    """The file is made and charged, or there was nothing to make one of."""
    stage = call.recording.stage
    if event.duration_ms and stage in _NOT_KEPT:
        kept = CallRecording(RecordingStage.KEPT, duration_ms=event.duration_ms)
        return replace(call, recording=kept)
    return _at(call, RecordingStage.EMPTY) if stage in _UNFINISHED else call


def _at(call: Call, stage: RecordingStage, reason: NotRecorded | None = None) -> Call:
    return replace(call, recording=CallRecording(stage, reason))
