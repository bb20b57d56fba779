"""What agents do, and what becomes of their legs."""

from dataclasses import replace

from gateway.core.call import problems
from gateway.core.call.bridge import is_claim_open, join, may_send, proceed
from gateway.core.call.call import (
    AgentLeg,
    Call,
    CallAgent,
    DeadlineKind,
    Outcome,
    Problem,
    Signalling,
    State,
    with_deadline,
    with_rung,
    without_deadlines,
)
from gateway.core.call.commands import Commands, Detach, SetHold, SetMute, TellAgent
from gateway.core.call.ending import Stepped, closing_cold, end
from gateway.core.call.events import (
    AgentAnswered,
    AgentDeclined,
    AgentReattached,
    AgentsFree,
)
from gateway.core.errors import Refused
from gateway.core.ids import LegId

# --- ringing ---------------------------------------------------------------------------------


def offer_to(call: Call, event: AgentsFree) -> Stepped:
    """Ring those who are free now; kept up to date while one of them connects."""
    if call.state not in {State.RINGING, State.CONNECTING}:
        return call, ()
    return with_rung(replace(call, ringing=replace(call.ringing, free=event.agents))), ()


def answer(call: Call, event: AgentAnswered, now: float) -> Stepped:
    """Give the call to the first who asks. Raises `Refused("call_taken")` for the others."""
    if call.agent is not None and call.agent.user_id == event.user_id:
        return call, ()
    if call.state is not State.RINGING:
        raise Refused("call_taken", "Somebody else has answered this call.")
    claimed = replace(
        without_deadlines(call, DeadlineKind.RING),
        state=State.CONNECTING,
        agent=CallAgent(event.user_id, event.name, event.leg),
    )
    return proceed(
        with_deadline(claimed, DeadlineKind.CLAIM, _claim_until(call, event.leg, now)), now
    )


def _claim_until(call: Call, leg: AgentLeg, now: float) -> float:
    return now + (call.timing.claim_s if leg.is_up else call.timing.connect_s)


def unclaim(call: Call, problem: Problem, now: float) -> Stepped:
    """Take the call back from an agent without a working leg, and ring the others."""
    agent, ringing = call.agent, call.ringing
    assert agent is not None
    told: Commands = (
        TellAgent(agent.user_id, problem.code, problem.detail),
        *closing_cold(agent.leg, agent.coming),
    )
    if now >= ringing.until:
        ended, orders = end(call, now, Outcome.MISSED, problem)
        return ended, (told[0], *orders)
    failed = (*ringing.failed, *(u for u in (agent.user_id,) if u not in ringing.failed))
    back = replace(
        without_deadlines(call, DeadlineKind.CLAIM, DeadlineKind.MEDIA),
        state=State.RINGING,
        agent=None,
        is_muted=False,
        is_held=False,
        ringing=replace(ringing, failed=failed),
    )
    return with_rung(with_deadline(back, DeadlineKind.RING, ringing.until)), told


def decline(call: Call, event: AgentDeclined, now: float) -> Stepped:
    """Silence the call for one agent; the last one's refusal ends it."""
    ringing = call.ringing
    if call.state not in {State.RINGING, State.CONNECTING}:
        return call, ()
    if event.user_id in ringing.declined:
        return call, ()
    was_rung = event.user_id in call.offered
    call = replace(call, ringing=replace(ringing, declined=(*ringing.declined, event.user_id)))
    if was_rung and not call.offered:
        return end(call, now, Outcome.DECLINED)
    return with_rung(call), ()


def decline_for_all(call: Call, now: float) -> Stepped:
    """Refuse a ringing call. Raises `Refused("call_taken")` once somebody has it."""
    if call.state is not State.RINGING:
        raise Refused("call_taken", "Somebody has already answered this call.")
    return end(call, now, Outcome.DECLINED)


def hang_up(call: Call, now: float) -> Stepped:
    """End the call from our side, whatever it is doing."""
    match call.state:
        case State.RINGING:
            return end(call, now, Outcome.DECLINED)
        case State.TALKING:
            return end(call, now, Outcome.COMPLETED)
        case _:
            return end(call, now, Outcome.CANCELLED)


# --- talking ---------------------------------------------------------------------------------


def mute(call: Call, muted: bool) -> Stepped:
    """Keep the agent's voice from the customer, or let it through."""
    if call.is_muted == muted:
        return call, ()
    return replace(call, is_muted=muted), (SetMute(call.whatsapp.leg_id, muted),)


def hold(call: Call, held: bool) -> Stepped:
    """Part both directions, or join them again."""
    if call.is_held == held:
        return call, ()
    return replace(call, is_held=held), (SetHold(call.whatsapp.leg_id, held),)


def reattach(call: Call, event: AgentReattached, now: float) -> Stepped:
    """Bring in another leg; the old one stays until the new one is connected."""
    agent, leg = call.agent, event.leg
    if agent is None:
        raise Refused("call_taken", "This call is not yours any more.")
    if is_claim_open(call):
        replaced = replace(call, agent=replace(agent, leg=leg))
        claimed = with_deadline(replaced, DeadlineKind.CLAIM, _claim_until(call, leg, now))
        stepped, orders = proceed(without_deadlines(claimed, DeadlineKind.MEDIA), now)
        return stepped, (*_dropping(agent.leg, leg), *orders)
    dropped = _dropping(agent.coming, leg)
    waiting = replace(call, agent=replace(agent, coming=leg))
    if not leg.is_up:
        return waiting, dropped
    stepped, orders = _take_over(waiting, leg, now)
    return stepped, (*dropped, *orders)


def _dropping(old: AgentLeg | None, new: AgentLeg) -> Commands:
    return () if old is not None and old.leg_id == new.leg_id else closing_cold(old)


def _take_over(call: Call, leg: AgentLeg, now: float) -> Stepped:
    """Let the connected replacement be the agent's leg."""
    agent = call.agent
    assert agent is not None
    back = replace(
        without_deadlines(call, DeadlineKind.AWAY),
        agent=replace(agent, leg=leg, coming=None),
    )
    joined, orders = join(back)
    stepped, further = proceed(joined, now)
    return stepped, (*orders, *_dropping(agent.leg, leg), *further)


# --- legs ------------------------------------------------------------------------------------


def leg_up(call: Call, leg_id: LegId, now: float) -> Stepped:
    """An agent's leg connected: whoever waited for it goes on."""
    agent = call.agent
    if agent is None:
        return call, ()
    if agent.coming is not None and agent.coming.leg_id == leg_id:
        return _take_over(call, replace(agent.coming, is_up=True), now)
    if agent.leg is None or agent.leg.leg_id != leg_id or agent.leg.is_up:
        return call, ()
    call = replace(call, agent=replace(agent, leg=replace(agent.leg, is_up=True)))
    if is_claim_open(call) and not agent.leg.is_heard:
        call = with_deadline(call, DeadlineKind.CLAIM, now + call.timing.claim_s)
    stepped, orders = proceed(call, now)
    joined, further = join(stepped)
    return joined, (*orders, *further)


def leg_heard(call: Call, leg_id: LegId, now: float) -> Stepped:
    """The first authenticated RTP came, which only a connected leg can bring."""
    stepped, orders = leg_up(call, leg_id, now)
    agent = stepped.agent
    if agent is None or agent.leg is None or agent.leg.leg_id != leg_id or agent.leg.is_heard:
        return stepped, orders
    heard = replace(stepped, agent=replace(agent, leg=replace(agent.leg, is_heard=True)))
    stepped, further = proceed(heard, now)
    return stepped, (*orders, *further)


def leg_closed(call: Call, leg_id: LegId, now: float) -> Stepped:
    """A leg of the agent is gone; the customer's is not."""
    agent = call.agent
    if agent is None:
        return call, ()
    if agent.coming is not None and agent.coming.leg_id == leg_id:
        return replace(call, agent=replace(agent, coming=None)), ()
    if agent.leg is None or agent.leg.leg_id != leg_id:
        return call, ()
    if is_claim_open(call):
        return unclaim(call, problems.LEG_GONE, now)
    if call.signalling is Signalling.UNTOLD:
        return end(call, now, Outcome.FAILED, problems.LEG_GONE)
    away = replace(call, agent=replace(agent, leg=None))
    if away.deadline(DeadlineKind.AWAY) is None:
        away = with_deadline(away, DeadlineKind.AWAY, now + call.timing.reattach_s)
    parted: Commands = (Detach(call.whatsapp.leg_id),) if may_send(call) else ()
    return away, parted


def leg_unusable(call: Call, leg_id: LegId, now: float) -> Stepped:
    """A leg could not be joined: as good as lost, and closed if nobody else needs it."""
    agent = call.agent
    own = None if agent is None or agent.leg is None else agent.leg
    if own is None or own.leg_id != leg_id:
        return call, ()
    stepped, orders = leg_closed(call, leg_id, now)
    return stepped, tuple(dict.fromkeys((*orders, *closing_cold(own))))
