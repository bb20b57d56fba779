"""What Meta says: answers to our requests, and webhooks in any order and number."""

from dataclasses import replace
from typing import assert_never

from gateway.core.call import problems, recording
from gateway.core.call.bridge import join
from gateway.core.call.call import (
    Call,
    DeadlineKind,
    LegStage,
    Outcome,
    Signalling,
    State,
    with_deadline,
    without_deadlines,
)
from gateway.core.call.commands import ApplyAnswer, GraphAction
from gateway.core.call.ending import Stepped, end, with_meta_end
from gateway.core.call.events import MetaRefused
from gateway.core.ids import Wacid
from gateway.core.whatsapp import (
    BusinessConnect,
    CallStatus,
    Direction,
    StatusChanged,
    Terminated,
)

# --- answers to our requests -----------------------------------------------------------------


def learn(call: Call, wacid: Wacid) -> Call:
    """Take Meta's id from whoever brings it first: its answer to `connect`, or a webhook."""
    if call.wacid is not None:
        return call
    known = without_deadlines(call, DeadlineKind.RESOLVE)
    return replace(known, wacid=wacid, signalling=Signalling.CONNECTED)


def accepted(call: Call, now: float) -> Stepped:
    """The 200 of `accept`: only now does the first RTP go out."""
    if call.signalling is not Signalling.ACCEPTING:
        return call, ()
    talking = replace(
        call, signalling=Signalling.ACCEPTED, state=State.TALKING, answered_at=now
    )
    joined, orders = join(talking)
    recorded, further = recording.picked_up(joined, now)
    return recorded, (*orders, *further)


def refused(call: Call, event: MetaRefused, now: float) -> Stepped:
    """A request had no effect; without it the call cannot go on."""
    problem = problems.of_refusal(event.fault)
    refusal = replace(call, end=replace(call.end, is_refusal=True))
    match event.action:
        case GraphAction.CONNECT if call.wacid is None:
            return end(refusal, now, Outcome.FAILED, problem)
        case GraphAction.PRE_ACCEPT if call.signalling is Signalling.PRE_ACCEPTED:
            # Nothing was pre-accepted, so giving up is `reject` again.
            untold = replace(refusal, signalling=Signalling.UNTOLD)
            return end(untold, now, Outcome.FAILED, problem)
        case GraphAction.ACCEPT if call.signalling is Signalling.ACCEPTING:
            return end(refusal, now, Outcome.FAILED, problem)
        case _:
            return call, ()


def unclear(call: Call, action: GraphAction, now: float) -> Stepped:
    """A request may or may not have had its effect."""
    match action:
        case GraphAction.CONNECT if call.signalling is Signalling.CONNECT_SENT:
            waiting = replace(call, signalling=Signalling.CONNECT_UNCLEAR)
            until = now + call.timing.unclear_s
            return with_deadline(waiting, DeadlineKind.RESOLVE, until), ()
        case GraphAction.ACCEPT if call.signalling is Signalling.ACCEPTING:
            return end(call, now, Outcome.FAILED, problems.META_UNCLEAR)
        case _:
            # An unclear `pre_accept` shows by itself: the leg comes up or it does not.
            return call, ()


def withheld(call: Call, now: float) -> Stepped:
    """`connect` never left, so there is nothing at Meta to clean up."""
    if call.wacid is not None or call.signalling is not Signalling.CONNECT_SENT:
        return call, ()
    return end(call, now, Outcome.FAILED, problems.STORE_DOWN)


# --- webhooks --------------------------------------------------------------------------------


def is_foreign(call: Call, wacid: Wacid) -> bool:
    """Whether a webhook is about another call of the same user."""
    return call.wacid is not None and call.wacid != wacid


def media_ready(call: Call, event: BusinessConnect) -> Stepped:
    """Meta's answer to our offer; not the pick-up. Applied once, whatever comes later."""
    if call.direction is Direction.INBOUND:
        return call, ()
    known = learn(call, event.wacid)
    leg = known.whatsapp
    if leg.remote_sdp is not None or leg.stage is not LegStage.MADE:
        return known, ()
    answered = replace(known, whatsapp=replace(leg, remote_sdp=event.answer))
    return answered, (ApplyAnswer(leg.leg_id, event.answer),)


def progressed(call: Call, event: StatusChanged, now: float) -> Stepped:
    """Progress of a call that we started; it only moves forward."""
    if call.direction is Direction.INBOUND:
        return call, ()
    known = learn(call, event.wacid)
    match event.status:
        case CallStatus.RINGING:
            is_new = known.state is State.DIALLING
            return (replace(known, state=State.REMOTE_RINGING) if is_new else known), ()
        case CallStatus.ACCEPTED:
            return _picked_up(known, now)
        case CallStatus.REJECTED:
            rejected = replace(known, end=replace(known.end, is_rejected=True))
            if known.answered_at is not None:
                return rejected, ()  # Contradictory: people who talk are not cut off.
            return end(rejected, now, None)
        case _:
            assert_never(event.status)


def _picked_up(call: Call, now: float) -> Stepped:
    if call.state is State.TALKING:
        return call, ()
    answered = without_deadlines(call, DeadlineKind.RING)
    return recording.picked_up(replace(answered, state=State.TALKING, answered_at=now), now)


def terminated(call: Call, event: Terminated, now: float) -> Stepped:
    """The call is over at Meta."""
    known = replace(call, wacid=event.wacid) if call.wacid is None else call
    return end(with_meta_end(known, event), now, None)
