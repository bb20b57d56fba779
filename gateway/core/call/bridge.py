"""When the next request to Meta may go out, and when the two legs are joined."""

from dataclasses import replace

from gateway.core.call.call import (
    Call,
    DeadlineKind,
    LegStage,
    Signalling,
    State,
    with_deadline,
    without_deadlines,
)
from gateway.core.call.commands import (
    Accept,
    Attach,
    Command,
    Commands,
    Connect,
    SetHold,
    SetMute,
    StartSending,
)
from gateway.core.call.ending import Stepped
from gateway.core.call.recording import is_undecided, plan
from gateway.core.whatsapp import Direction


def proceed(call: Call, now: float) -> Stepped:
    """Take the step toward talking that the legs allow now, if any."""
    if call.state is State.CONNECTING:
        return _accept_when_ready(call, now)
    if call.state is State.DIALLING:
        return _connect_when_ready(call, now)
    return call, ()


def is_claim_open(call: Call) -> bool:
    """Whether the agent who answered may still lose the call to others."""
    asked = (Signalling.UNTOLD, Signalling.PRE_ACCEPTED)
    return call.state is State.CONNECTING and call.signalling in asked


def _accept_when_ready(call: Call, now: float) -> Stepped:
    """`accept` waits for the agent's first RTP and for DTLS toward Meta.

    A WhatsApp client counts the call as answered from the accept, so both must be there
    before it (Calling API, "Audio clipping"). Whether minutes are kept for a recording must
    be known too, which takes a moment at most.
    """
    leg = None if call.agent is None else call.agent.leg
    if not is_claim_open(call) or leg is None or not (leg.is_up and leg.is_heard):
        return call, ()
    call = without_deadlines(call, DeadlineKind.CLAIM)
    whatsapp = call.whatsapp
    if whatsapp.stage is not LegStage.UP:
        if call.deadline(DeadlineKind.MEDIA) is None:
            call = with_deadline(call, DeadlineKind.MEDIA, now + call.timing.connect_s)
        return call, ()
    call = without_deadlines(call, DeadlineKind.MEDIA)
    if is_undecided(call):
        return call, ()
    wacid, answer = call.wacid, whatsapp.local_sdp
    assert wacid is not None
    assert answer is not None
    # Joined before: the user talks as soon as Meta has the accept, which is before we know
    # that it has. Toward Meta nothing flows until `StartSending`.
    orders = (Attach(whatsapp.leg_id, leg.leg_id), Accept(wacid, answer, plan(call).asked))
    return replace(call, signalling=Signalling.ACCEPTING), orders


def _connect_when_ready(call: Call, now: float) -> Stepped:
    """`connect` waits for our offer and for the agent's leg: nobody is rung to hear nothing."""
    leg = None if call.agent is None else call.agent.leg
    offer = call.whatsapp.local_sdp
    if call.signalling is not Signalling.UNTOLD or offer is None:
        return call, ()
    if leg is None or not leg.is_up:
        return call, ()
    call = without_deadlines(call, DeadlineKind.CLAIM)
    if is_undecided(call):
        return call, ()
    call = with_deadline(call, DeadlineKind.RING, now + call.timing.outbound_ring_s)
    return replace(call, signalling=Signalling.CONNECT_SENT), (
        Connect(offer, plan(call).asked),
    )


def may_send(call: Call) -> bool:
    """Whether RTP toward Meta is allowed: after `accept`, or at once where we called."""
    if call.is_ended or call.whatsapp.stage is not LegStage.UP:
        return False
    return call.direction is Direction.OUTBOUND or call.signalling is Signalling.ACCEPTED


def join(call: Call) -> Stepped:
    """Attach the agent before the first RTP is released, so that it carries their voice.

    Without an agent's leg the customer hears comfort tone: Meta ends a silent call after
    20 s. Harmless when repeated.
    """
    if not may_send(call):
        return call, ()
    whatsapp, leg = call.whatsapp, None if call.agent is None else call.agent.leg
    orders: list[Command] = []
    if leg is not None and leg.is_up:
        orders.append(Attach(whatsapp.leg_id, leg.leg_id))
    orders += _voice(call)
    orders.append(StartSending(whatsapp.leg_id))
    return replace(call, whatsapp=replace(whatsapp, is_sending=True)), tuple(orders)


def _voice(call: Call) -> Commands:
    """Say again what the agent chose while there was nothing to choose it for."""
    leg_id = call.whatsapp.leg_id
    muted = (SetMute(leg_id, muted=True),) if call.is_muted else ()
    held = (SetHold(leg_id, held=True),) if call.is_held else ()
    return (*muted, *held)
