"""What the media worker tells about the WhatsApp leg, and what a returned worker still has."""

from dataclasses import replace

from gateway.core.call import agents, problems, recording
from gateway.core.call.bridge import join, may_send, proceed
from gateway.core.call.call import (
    Call,
    DeadlineKind,
    LegStage,
    Outcome,
    Problem,
    Signalling,
    State,
    WhatsAppLeg,
    whatsapp_leg_id,
    with_deadline,
    without_deadlines,
)
from gateway.core.call.commands import (
    AnswerWhatsApp,
    ApplyAnswer,
    Attach,
    Commands,
    OfferWhatsApp,
    PlayAnnouncement,
    PreAccept,
)
from gateway.core.call.ending import Stepped, end
from gateway.core.call.events import FoundLeg, MediaBack, MediaFailed, WhatsAppLegMade
from gateway.core.ids import LegId
from gateway.core.whatsapp import Direction

BAD_SDP = "bad_sdp"
MEDIA_AWAY = problems.MEDIA_AWAY.code
PEER_CLOSED = "peer_closed"
"""Close reason of a leg whose peer said goodbye: an ordinary end of a call."""


def leg_made(call: Call, event: WhatsAppLegMade, now: float) -> Stepped:
    """Our description is known: let Meta build the path while it rings, or call."""
    leg = call.whatsapp
    if leg.leg_id != event.leg_id or leg.stage not in {LegStage.ORDERED, LegStage.WANTED}:
        return call, ()
    made = replace(
        without_deadlines(call, DeadlineKind.MEDIA_RETRY),
        whatsapp=replace(leg, stage=LegStage.MADE, local_sdp=event.local_sdp),
    )
    if call.direction is Direction.OUTBOUND:
        return proceed(made, now)
    assert call.wacid is not None
    told = replace(made, signalling=Signalling.PRE_ACCEPTED)
    return told, (PreAccept(call.wacid, event.local_sdp),)


def leg_up(call: Call, leg_id: LegId, now: float) -> Stepped:
    """The path to Meta is up."""
    leg = call.whatsapp
    if leg.leg_id != leg_id or leg.stage is not LegStage.MADE:
        return call, ()
    up = replace(call, whatsapp=replace(leg, stage=LegStage.UP))
    joined, orders = join(up)
    stepped, further = proceed(joined, now)
    return stepped, (*orders, *further)


def leg_closed(call: Call, leg_id: LegId, reason: str, now: float) -> Stepped:
    """The WhatsApp leg is the call, so the call is over.

    A goodbye by the peer is how an ordinary hang-up looks when it overtakes its webhook.
    """
    if call.whatsapp.leg_id != leg_id:
        return call, ()
    lost = replace(call, whatsapp=replace(call.whatsapp, stage=LegStage.GONE))
    if reason == PEER_CLOSED:
        return end(lost, now, None)
    if call.state is State.TALKING:
        return end(lost, now, None, problems.MEDIA_LOST)
    return end(lost, now, Outcome.FAILED, problems.MEDIA_FAILED)


def order_again(call: Call) -> Stepped:
    """Ask for the WhatsApp leg once more, under a new name.

    The first try may have had its effect after all; such a leg is closed as nobody's.
    """
    if call.whatsapp.stage is not LegStage.WANTED:
        return call, ()
    offer, attempt = call.whatsapp.remote_sdp, call.whatsapp.attempt + 1
    assert offer is not None
    leg = WhatsAppLeg(whatsapp_leg_id(call.call_id, attempt), attempt, remote_sdp=offer)
    return replace(call, whatsapp=leg), (AnswerWhatsApp(leg.leg_id, offer),)


def failed(call: Call, event: MediaFailed, now: float) -> Stepped:
    """An order to the media worker was not carried out."""
    match event.command:
        case AnswerWhatsApp(leg_id=leg_id) | OfferWhatsApp(leg_id=leg_id):
            return _not_made(call, leg_id, event, now)
        case ApplyAnswer() if event.code != MEDIA_AWAY and _waits_for_path(call):
            return end(call, now, Outcome.FAILED, _problem(event))
        case Attach(agent_leg=leg_id) if event.code != MEDIA_AWAY and may_send(call):
            return agents.leg_unusable(call, leg_id, now)
        case PlayAnnouncement(leg_id=leg_id) if event.code != MEDIA_AWAY:
            return recording.announcement_failed(call, leg_id)
        case _:
            # A worker that was away is told again when it is back; a leg that is gone
            # says so itself.
            return call, ()


def _waits_for_path(call: Call) -> bool:
    """Whether Meta's answer still has to take effect; one that did is not undone."""
    is_outbound = call.direction is Direction.OUTBOUND
    return is_outbound and call.whatsapp.stage is LegStage.MADE


def _not_made(call: Call, leg_id: LegId, event: MediaFailed, now: float) -> Stepped:
    leg = call.whatsapp
    if leg.leg_id != leg_id or leg.stage is not LegStage.ORDERED:
        return call, ()
    if event.code == MEDIA_AWAY and call.direction is Direction.INBOUND:
        wanted = replace(call, whatsapp=replace(leg, stage=LegStage.WANTED))
        retry_at = now + call.timing.media_retry_s
        return with_deadline(wanted, DeadlineKind.MEDIA_RETRY, retry_at), ()
    return end(call, now, Outcome.FAILED, _problem(event))


def _problem(event: MediaFailed) -> Problem:
    if event.code == MEDIA_AWAY:
        return problems.MEDIA_AWAY
    if event.code == BAD_SDP:
        return Problem(BAD_SDP, event.text)
    return Problem("media_refused", event.text)


# --- a worker is back ------------------------------------------------------------------------


def back(call: Call, event: MediaBack, now: float) -> Stepped:
    """Compare what a worker has with what the call needs, and mend the difference."""
    found = {leg.leg_id: leg for leg in event.found}
    own = found.get(call.whatsapp.leg_id)
    if own is None:
        return _without_leg(call, now)
    stepped, orders = _catch_up(call, own, now)
    if stepped.is_ended:
        return stepped, orders
    stepped, further = _agent_catches_up(stepped, found, now)
    if stepped.is_ended:
        return stepped, (*orders, *further)
    stepped, recorded = _announcement_catches_up(stepped, own)
    mended = (*orders, *further, *_mending(stepped, own), *recorded)
    return stepped, tuple(dict.fromkeys(mended))


def _announcement_catches_up(call: Call, own: FoundLeg) -> Stepped:
    if own.is_announced is None:
        return call, recording.announcement_again(call)
    if own.is_announced:
        return recording.announcement_over(call, own.leg_id)
    return call, ()


def _without_leg(call: Call, now: float) -> Stepped:
    """An ordered leg may just not be there yet; any other is gone with its worker."""
    if call.whatsapp.stage in {LegStage.ORDERED, LegStage.WANTED}:
        return call, ()
    lost = replace(call, whatsapp=replace(call.whatsapp, stage=LegStage.GONE))
    # Nobody was there to hear why: the user may as well have hung up meanwhile. Whoever called
    # us and was not answered was missed; of a talk Meta tells what became.
    is_ours = call.direction is Direction.OUTBOUND and call.state is not State.TALKING
    return end(lost, now, Outcome.FAILED if is_ours else None, problems.MEDIA_AWAY)


def _catch_up(call: Call, own: FoundLeg, now: float) -> Stepped:
    call, orders = leg_made(call, WhatsAppLegMade(own.leg_id, own.local_sdp), now)
    if not own.is_up:
        return call, orders
    stepped, further = leg_up(call, own.leg_id, now)
    return stepped, (*orders, *further)


def _agent_catches_up(call: Call, found: dict[LegId, FoundLeg], now: float) -> Stepped:
    """Replay what happened to the agent's legs while nobody listened."""
    orders: Commands = ()
    agent = call.agent
    legs = () if agent is None else (agent.leg, agent.coming)
    for leg in legs:
        if leg is None or call.is_ended:
            continue
        seen = found.get(leg.leg_id)
        if seen is None:
            call, further = agents.leg_closed(call, leg.leg_id, now)
        elif seen.is_heard:
            call, further = agents.leg_heard(call, leg.leg_id, now)
        elif seen.is_up:
            call, further = agents.leg_up(call, leg.leg_id, now)
        else:
            further = ()
        orders = (*orders, *further)
    return call, orders


def _mending(call: Call, own: FoundLeg) -> Commands:
    """Orders that a vanished connection may have swallowed; all are harmless twice."""
    leg = call.whatsapp
    if call.direction is Direction.OUTBOUND and leg.remote_sdp is not None and not own.is_up:
        return (ApplyAnswer(leg.leg_id, leg.remote_sdp),)
    if not may_send(call):
        return ()
    agent_leg = None if call.agent is None else call.agent.leg
    wanted = None if agent_leg is None or not agent_leg.is_up else agent_leg.leg_id
    is_whole = own.is_sending and own.attached_to == wanted
    plain = not (call.is_muted or call.is_held)
    return () if is_whole and plain else join(call)[1]
