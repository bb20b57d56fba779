"""How a call ends, what is still to be cleaned up after it, and what became of it."""

from dataclasses import replace

from gateway.core.call import problems, recording
from gateway.core.call.call import (
    AgentLeg,
    Call,
    LegStage,
    Outcome,
    Problem,
    Signalling,
    State,
)
from gateway.core.call.commands import CloseLeg, Commands, Reject, Terminate
from gateway.core.ids import Wacid
from gateway.core.whatsapp import CallStatus, Direction, StatusChanged, Terminated

Stepped = tuple[Call, Commands]


def end(
    call: Call, now: float, decided: Outcome | None, problem: Problem | None = None
) -> Stepped:
    """End a live call: tell Meta unless it knows, close what belongs to the call.

    `decided` is our own verdict; None leaves it to what Meta says now and later.
    """
    told = _to_meta(call)
    call, recorded = recording.ended(call)
    facts = replace(
        call.end,
        at=now,
        decided=decided,
        is_told=bool(told),
        problem=call.end.problem or problem,
    )
    ended = replace(
        call,
        state=State.ENDED,
        whatsapp=replace(call.whatsapp, stage=LegStage.GONE),
        agent=None if call.agent is None else replace(call.agent, leg=None, coming=None),
        deadlines=(),
        end=facts,
    )
    return ended, (*told, *recorded, *_close_legs(call))


def closing_cold(*legs: AgentLeg | None) -> Commands:
    """Close those agent legs that were made for this call alone."""
    return tuple(CloseLeg(leg.leg_id) for leg in legs if leg is not None and leg.is_cold)


def _close_legs(call: Call) -> Commands:
    whatsapp = call.whatsapp
    own = () if whatsapp.stage is LegStage.GONE else (CloseLeg(whatsapp.leg_id),)
    agent = call.agent
    return own if agent is None else (*own, *closing_cold(agent.leg, agent.coming))


def _to_meta(call: Call) -> Commands:
    if call.wacid is None or call.end.is_over_at_meta or call.end.is_rejected:
        return ()
    if call.direction is Direction.INBOUND and call.signalling is Signalling.UNTOLD:
        return (Reject(call.wacid),)
    return (Terminate(call.wacid),)


# --- after the end ---------------------------------------------------------------------------


def with_meta_end(call: Call, event: Terminated) -> Call:
    """Join what a `terminate` webhook says; the second of the same kind changes nothing."""
    facts = replace(
        call.end,
        is_over_at_meta=True,
        has_failed_at_meta=call.end.has_failed_at_meta or event.failed,
        problem=call.end.problem or (problems.of_end(event.faults) if event.failed else None),
    )
    answered_at = call.answered_at if call.answered_at is not None else event.start_at
    return replace(call, end=facts, answered_at=answered_at)


def late_end(call: Call, event: Terminated) -> Stepped:
    """A `terminate` webhook for an ended call may still tell what became of it."""
    return replace(with_meta_end(call, event), wacid=call.wacid or event.wacid), ()


def late_status(call: Call, event: StatusChanged) -> Stepped:
    """A status that comes after the end is remembered; a user left alone is hung up on."""
    match event.status:
        case CallStatus.RINGING:
            return late_id(call, event.wacid)
        case CallStatus.ACCEPTED:
            answered_at = event.at if call.answered_at is None else call.answered_at
            known = replace(call, answered_at=answered_at, wacid=call.wacid or event.wacid)
            return _hung_up_on(known)
        case CallStatus.REJECTED:
            facts = replace(call.end, is_rejected=True)
            return replace(call, end=facts, wacid=call.wacid or event.wacid), ()


def late_id(call: Call, wacid: Wacid) -> Stepped:
    """Meta's id of a call that we gave up before we knew it: now we can hang up."""
    if call.wacid is not None:
        return call, ()
    return _hung_up_on(replace(call, wacid=wacid))


def _hung_up_on(call: Call) -> Stepped:
    if call.wacid is None or call.end.is_told or call.end.is_over_at_meta:
        return call, ()
    told = replace(call, end=replace(call.end, is_told=True))
    return told, (Terminate(call.wacid),)


# --- what became of it -----------------------------------------------------------------------


def outcome_of(call: Call) -> Outcome | None:
    """Judge an ended call from the facts known so far; their order plays no role."""
    if not call.is_ended:
        return None
    facts = call.end
    was_answered = call.answered_at is not None
    is_inbound = call.direction is Direction.INBOUND
    if facts.decided is not None:
        # A user who hangs up while we answer makes Meta refuse us: that is a missed call.
        gave_up = facts.is_over_at_meta and not facts.has_failed_at_meta and not was_answered
        is_explained = is_inbound and facts.is_refusal and gave_up
        return Outcome.MISSED if is_explained else facts.decided
    if was_answered:
        return Outcome.FAILED if facts.has_failed_at_meta else Outcome.COMPLETED
    if is_inbound:
        return Outcome.MISSED
    if facts.is_rejected:
        return Outcome.REJECTED
    return Outcome.FAILED if facts.has_failed_at_meta else Outcome.UNANSWERED
