"""When a call is recorded: time is kept before it is promised, and taken at the pick-up.

Minutes are held before `connect` or `accept`, and given back if nothing is captured. The call
waits for no more than that answer, and never ends because of its recording.
"""

from dataclasses import replace

from gateway.core.call.call import Call, DeadlineKind, with_deadline
from gateway.core.call.commands import (
    Commands,
    HoldMinutes,
    OpenCase,
    ReleaseMinutes,
    StartCapture,
    StopCapture,
)
from gateway.core.call.events import CaptureFailed, MinutesHeld, RecordingDone
from gateway.core.recording.stage import CallRecording, NotRecorded, RecordingStage
from gateway.core.recording.wish import CallPlan, plan_call

Recorded = tuple[Call, Commands]
_WITHOUT_MINUTES = {RecordingStage.OFF, RecordingStage.HOLDING, RecordingStage.REFUSED}
_UNCAPTURED = {RecordingStage.HOLDING, RecordingStage.READY, RecordingStage.REFUSED}
_UNFINISHED = {RecordingStage.CAPTURING, RecordingStage.ENDED}
_NOT_KEPT = _UNFINISHED | {RecordingStage.FAILED}


def wanted(call: Call, *, is_wanted: bool) -> Recorded:
    """Keep time for a new call that is to be recorded."""
    if not is_wanted:
        return call, ()
    return _at(call, RecordingStage.HOLDING), (HoldMinutes(),)


def plan(call: Call) -> CallPlan:
    """Say what is, or was, asked of Meta for the call."""
    terms = call.terms
    has_minutes = call.recording.stage not in _WITHOUT_MINUTES
    return plan_call(terms.wish, terms.records, call.direction, has_minutes=has_minutes)


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


def picked_up(call: Call, now: float) -> Recorded:
    """The two talk: capture, if time is kept, once WhatsApp has said that it records."""
    if call.recording.stage is not RecordingStage.READY:
        return call, ()
    if plan(call).asked.recording is None:
        return _capture(call)
    announcing = _at(call, RecordingStage.ANNOUNCING)
    until = now + call.terms.delay_ms / 1000
    return with_deadline(announcing, DeadlineKind.ANNOUNCED, until), ()


def announced(call: Call) -> Recorded:
    """The announcement is over: nothing of it may be captured, and all that follows should."""
    if call.recording.stage is not RecordingStage.ANNOUNCING:
        return call, ()
    return _capture(call)


def _capture(call: Call) -> Recorded:
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
        return _at(call, RecordingStage.ENDED), (StopCapture(), OpenCase())
    if stage is RecordingStage.FAILED:
        # It may have begun although the worker's answer was lost.
        return call, (StopCapture(), OpenCase())
    if stage is RecordingStage.ANNOUNCING:
        declined = _at(call, RecordingStage.EMPTY, NotRecorded.DECLINED)
        return declined, (ReleaseMinutes(), OpenCase(is_declined=True))
    if stage not in _UNCAPTURED:
        return call, ()
    # A hold may have taken effect although nobody told us, so a refused one goes back too.
    over = call if stage is RecordingStage.REFUSED else _at(call, RecordingStage.OFF)
    was_asked = stage is RecordingStage.READY and plan(call).asked.recording is not None
    # Meta may have told of the pick-up only together with the end.
    case = (OpenCase(),) if was_asked and call.answered_at is not None else ()
    return over, (ReleaseMinutes(), *case)


def done(call: Call, event: RecordingDone) -> Call:
    """The file is made and charged, or there was nothing to make one of."""
    stage = call.recording.stage
    if event.duration_ms and stage in _NOT_KEPT:
        kept = CallRecording(RecordingStage.KEPT, duration_ms=event.duration_ms)
        return replace(call, recording=kept)
    return _at(call, RecordingStage.EMPTY) if stage in _UNFINISHED else call


def _at(call: Call, stage: RecordingStage, reason: NotRecorded | None = None) -> Call:
    return replace(call, recording=CallRecording(stage, reason))
