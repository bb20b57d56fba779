"""The one place that decides: `step(call, event, now) -> (call, commands)`.

Pure. Facts never fail: what comes late, twice or for another call changes nothing. What a
person asks for may be refused (`Refused`, which leaves the call as it was).
"""

from typing import assert_never

from gateway.core.call import agents, media_facts, meta, problems, recording
from gateway.core.call.bridge import proceed
from gateway.core.call.call import (
    Call,
    Deadline,
    DeadlineKind,
    Outcome,
    State,
    without_deadlines,
)
from gateway.core.call.ending import Stepped, end, late_end, late_id, late_status
from gateway.core.call.events import (
    Accepted,
    ActorCrashed,
    AgentAnswered,
    AgentDeclined,
    AgentLegClosed,
    AgentLegHeard,
    AgentLegUp,
    AgentReattached,
    AgentsFree,
    AnnouncementOver,
    CaptureFailed,
    Connected,
    ConnectWithheld,
    DeadlinePassed,
    Event,
    EveryoneDeclined,
    GraphFact,
    Held,
    HungUp,
    MediaBack,
    MediaFact,
    MediaFailed,
    MetaRefused,
    MetaUnclear,
    MinutesHeld,
    Muted,
    PersonEvent,
    RecordingDone,
    RecordingFact,
    Webhook,
    WhatsAppLegClosed,
    WhatsAppLegMade,
    WhatsAppLegUp,
)
from gateway.core.call.moves import is_known
from gateway.core.errors import Refused
from gateway.core.whatsapp import BusinessConnect, StatusChanged, Terminated


def step(call: Call, event: Event, now: float) -> Stepped:
    """Return the call after the event, and what must be carried out, in order.

    The caller commits both before it acts. Nothing changed and no command: nothing to commit.
    """
    stepped, commands = _after_end(call, event) if call.is_ended else _live(call, event, now)
    moved = stepped.state is not call.state
    assert not moved or is_known(call.direction, call.state, stepped.state, event), (
        f"no move {call.state} -> {stepped.state} by {type(event).__name__}"
    )
    return stepped, commands


def _live(call: Call, event: Event, now: float) -> Stepped:  # noqa: PLR0911 - a table
    match event:
        case BusinessConnect() | StatusChanged() | Terminated():
            return _webhook(call, event, now)
        case Connected() | Accepted() | MetaRefused() | MetaUnclear() | ConnectWithheld():
            return _graph(call, event, now)
        case DeadlinePassed():
            return _deadline(call, event.deadline, now)
        case MinutesHeld() | CaptureFailed() | RecordingDone():
            return _recording(call, event, now)
        case ActorCrashed():
            return end(call, now, Outcome.FAILED, problems.CRASHED)
        case (
            WhatsAppLegMade()
            | WhatsAppLegUp()
            | WhatsAppLegClosed()
            | AgentLegUp()
            | AgentLegHeard()
            | AgentLegClosed()
            | AnnouncementOver()
            | MediaBack()
            | MediaFailed()
        ):
            return _media(call, event, now)
        case _:
            return _person(call, event, now)


def _person(call: Call, event: PersonEvent, now: float) -> Stepped:  # noqa: PLR0911 - a table
    match event:
        case AgentsFree():
            return agents.offer_to(call, event)
        case AgentAnswered():
            return agents.answer(call, event, now)
        case AgentDeclined():
            return agents.decline(call, event, now)
        case EveryoneDeclined():
            return agents.decline_for_all(call, now)
        case HungUp():
            return agents.hang_up(call, now)
        case AgentReattached():
            return agents.reattach(call, event, now)
        case Muted(muted):
            return agents.mute(call, muted)
        case Held(held):
            return agents.hold(call, held)
        case _:
            assert_never(event)


def _media(call: Call, event: MediaFact, now: float) -> Stepped:  # noqa: PLR0911 - a table
    match event:
        case WhatsAppLegMade():
            return media_facts.leg_made(call, event, now)
        case WhatsAppLegUp(leg_id):
            return media_facts.leg_up(call, leg_id, now)
        case WhatsAppLegClosed(leg_id, reason):
            return media_facts.leg_closed(call, leg_id, reason, now)
        case AgentLegUp(leg_id):
            return agents.leg_up(call, leg_id, now)
        case AgentLegHeard(leg_id):
            return agents.leg_heard(call, leg_id, now)
        case AgentLegClosed(leg_id):
            return agents.leg_closed(call, leg_id, now)
        case AnnouncementOver(leg_id):
            return recording.announcement_over(call, leg_id)
        case MediaBack():
            return media_facts.back(call, event, now)
        case MediaFailed():
            return media_facts.failed(call, event, now)
        case _:
            assert_never(event)


def _graph(call: Call, event: GraphFact, now: float) -> Stepped:
    match event:
        case Connected(wacid):
            return meta.learn(call, wacid), ()
        case Accepted():
            return meta.accepted(call, now)
        case MetaRefused():
            return meta.refused(call, event, now)
        case MetaUnclear(action):
            return meta.unclear(call, action, now)
        case ConnectWithheld():
            return meta.withheld(call, now)
        case _:
            assert_never(event)


def _recording(call: Call, event: RecordingFact, now: float) -> Stepped:
    match event:
        case MinutesHeld():
            return proceed(recording.held(call, event), now)
        case CaptureFailed():
            return recording.capture_failed(call, event), ()
        case RecordingDone():
            return recording.done(call, event), ()
        case _:
            assert_never(event)


def _webhook(call: Call, event: Webhook, now: float) -> Stepped:
    if meta.is_foreign(call, event.wacid):
        return call, ()
    match event:
        case BusinessConnect():
            return meta.media_ready(call, event)
        case StatusChanged():
            return meta.progressed(call, event, now)
        case Terminated():
            return meta.terminated(call, event, now)
        case _:
            assert_never(event)


def _deadline(call: Call, deadline: Deadline, now: float) -> Stepped:  # noqa: PLR0911 - a table
    if deadline not in call.deadlines:
        return call, ()
    call = without_deadlines(call, deadline.kind)
    match deadline.kind:
        case DeadlineKind.RING:
            return _rung_in_vain(call, now)
        case DeadlineKind.CLAIM if call.state is State.CONNECTING:
            return agents.unclaim(call, problems.LEG_NOT_READY, now)
        case DeadlineKind.CLAIM:
            return end(call, now, Outcome.FAILED, problems.LEG_NOT_READY)
        case DeadlineKind.MEDIA:
            return end(call, now, Outcome.FAILED, problems.MEDIA_FAILED)
        case DeadlineKind.MEDIA_RETRY:
            return media_facts.order_again(call)
        case DeadlineKind.RESOLVE:
            return end(call, now, Outcome.FAILED, problems.META_UNCLEAR)
        case DeadlineKind.ANNOUNCED:
            return recording.announced(call, now)
        case DeadlineKind.AWAY:
            was_talking = call.state is State.TALKING
            outcome = Outcome.COMPLETED if was_talking else Outcome.CANCELLED
            return end(call, now, outcome, problems.AGENT_AWAY)
        case _:
            assert_never(deadline.kind)


def _rung_in_vain(call: Call, now: float) -> Stepped:
    if call.state is not State.RINGING:
        return end(call, now, Outcome.UNANSWERED)
    has_leg = call.whatsapp.local_sdp is not None
    return end(call, now, Outcome.MISSED, None if has_leg else problems.MEDIA_AWAY)


def _after_end(call: Call, event: Event) -> Stepped:  # noqa: PLR0911 - a table
    """Ended is final: only facts about the end are still taken, and clean-up ordered."""
    match event:
        case Connected(wacid):
            return late_id(call, wacid)
        case Terminated(wacid=wacid) if not meta.is_foreign(call, wacid):
            return late_end(call, event)
        case StatusChanged(wacid=wacid) if not meta.is_foreign(call, wacid):
            return late_status(call, event)
        case BusinessConnect(wacid=wacid):
            return late_id(call, wacid)
        case CaptureFailed():
            return recording.capture_failed(call, event), ()
        case RecordingDone():
            return recording.done(call, event), ()
        case AgentAnswered() | AgentReattached() | Muted() | Held():
            raise Refused("call_ended", "This call is over.")
        case _:
            return call, ()
