"""When a call is recorded: time is kept before it is promised, and taken at the pick-up.

Minutes are held before `connect` or `accept`, and given back if nothing is captured. The call
waits for no more than that answer, and never ends because of its recording.
"""

from dataclasses import replace

from gateway.core.call.call import Call, DeadlineKind, with_deadline, without_deadlines
from gateway.core.call.commands import (
    Commands,
    HoldMinutes,
    OpenCase,
    PlayAnnouncement,
    ReleaseMinutes,
    StartCapture,
    StopCapture,
)
from gateway.core.call.events import CaptureFailed, MinutesHeld, RecordingDone
from gateway.core.ids import LegId
from gateway.core.recording.facts import Mode
from gateway.core.recording.own_announcement import OwnAnnouncement
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
    if call.terms.lacks_announcement:
        return _at(call, RecordingStage.REFUSED, NotRecorded.NO_ANNOUNCEMENT), ()
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
    """The two talk: capture, if time is kept, once both have heard that they are recorded."""
    if call.recording.stage is not RecordingStage.READY:
        return call, ()
    if plan(call).asked.recording is None:
        own = own_announcement(call)
        if own is None:
            return _capture(call)
        return _play(_at(call, RecordingStage.ANNOUNCING), own, now)
    announcing = _at(call, RecordingStage.ANNOUNCING)
    until = now + call.terms.delay_ms / 1000
    return with_deadline(announcing, DeadlineKind.ANNOUNCED, until), ()


def own_announcement(call: Call) -> OwnAnnouncement | None:
    """Return what the gateway plays before it records the call; None: WhatsApp speaks."""
    return call.terms.own_announcement if call.terms.wish.mode is Mode.LOCAL else None


def announced(call: Call, now: float) -> Recorded:
    """The announcement should be over: nothing of it may be captured, all that follows should.

    What our own worker plays it can tell: it is asked by the same order, which it carries out
    once.
    """
    if call.recording.stage is not RecordingStage.ANNOUNCING:
        return call, ()
    own = own_announcement(call)
    return _capture(call) if own is None else _play(call, own, now)


def announcement_over(call: Call, leg_id: LegId) -> Recorded:
    """Both sides have heard our own announcement."""
    is_due = is_announcing_ourselves(call) and leg_id == call.whatsapp.leg_id
    return _capture(call) if is_due else (call, ())


def announcement_failed(call: Call, leg_id: LegId) -> Recorded:
    """It cannot be played: what nobody was told of is not recorded. The call goes on."""
    if not is_announcing_ourselves(call) or leg_id != call.whatsapp.leg_id:
        return call, ()
    silent = without_deadlines(call, DeadlineKind.ANNOUNCED)
    return _at(silent, RecordingStage.REFUSED, NotRecorded.MEDIA), (ReleaseMinutes(),)


def is_announcing_ourselves(call: Call) -> bool:
    """Whether our own announcement is being played, or ordered."""
    is_at_it = call.recording.stage is RecordingStage.ANNOUNCING
    return is_at_it and own_announcement(call) is not None


def announcement_again(call: Call) -> Commands:
    """Order once more what may never have reached the worker."""
    own = own_announcement(call)
    if own is None or not is_announcing_ourselves(call):
        return ()
    return (PlayAnnouncement(call.whatsapp.leg_id, own.announcement_id),)


def _play(call: Call, own: OwnAnnouncement, now: float) -> Recorded:
    waiting = with_deadline(call, DeadlineKind.ANNOUNCED, now + own.patience_s)
    return waiting, announcement_again(waiting)


def _capture(call: Call) -> Recorded:
    heard = without_deadlines(call, DeadlineKind.ANNOUNCED)
    return _at(heard, RecordingStage.CAPTURING), (StartCapture(call.whatsapp.leg_id),)


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
