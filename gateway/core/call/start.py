"""How a call begins: a user called, or an agent dials."""

from dataclasses import dataclass, field, replace

from gateway.core.call import recording
from gateway.core.call.call import (
    Call,
    CallAgent,
    CallTiming,
    DeadlineKind,
    EndFacts,
    Identity,
    LegStage,
    Outcome,
    Ringing,
    State,
    WhatsAppLeg,
    whatsapp_leg_id,
    with_deadline,
    with_rung,
)
from gateway.core.call.commands import AnswerWhatsApp, OfferWhatsApp
from gateway.core.call.ending import Stepped
from gateway.core.ids import AccountId, CallId, PhoneNumberId, UserId
from gateway.core.recording.policy import Records
from gateway.core.recording.wish import Terms
from gateway.core.whatsapp import Direction, Peer, UserConnect


@dataclass(frozen=True, slots=True)
class Line:
    """The business number of a call, and how long its calls wait for what."""

    account_id: AccountId
    phone_number_id: PhoneNumberId
    display: str
    timing: CallTiming
    records: Records = Records.NONE
    """Which of its calls are recorded."""
    terms: Terms = field(default_factory=Terms)
    """What else the account wants of them."""


def ring(
    call_id: CallId,
    line: Line,
    connect: UserConnect,
    *,
    agents: tuple[UserId, ...],
    age_s: float,
    now: float,
) -> Stepped:
    """A user calls: ring the agents and make the WhatsApp leg meanwhile.

    `age_s` is how long ago Meta says the call began; a stale one is `missed` instead.
    """
    timing = line.timing
    until = now + max(timing.ring_s - max(age_s, 0.0), timing.ring_least_s)
    leg_id = whatsapp_leg_id(call_id, 1)
    call = Call(
        identity=_inbound(call_id, line, connect, now),
        state=State.RINGING,
        whatsapp=WhatsAppLeg(leg_id, remote_sdp=connect.offer),
        ringing=Ringing(until, free=agents),
        wacid=connect.wacid,
    )
    ringing = with_rung(with_deadline(call, DeadlineKind.RING, until))
    recorded, orders = _recorded(ringing, line)
    return recorded, (AnswerWhatsApp(leg_id, connect.offer), *orders)


def missed(call_id: CallId, line: Line, connect: UserConnect, *, now: float) -> Call:
    """A call that was over or stale when we heard of it: it rings nobody but is listed."""
    return Call(
        identity=_inbound(call_id, line, connect, now),
        state=State.ENDED,
        whatsapp=WhatsAppLeg(whatsapp_leg_id(call_id, 1), stage=LegStage.GONE),
        ringing=Ringing(until=now),
        wacid=connect.wacid,
        end=EndFacts(at=now, decided=Outcome.MISSED),
    )


def dial(
    call_id: CallId,
    line: Line,
    to: Peer,
    *,
    agent: CallAgent,
    now: float,
) -> Stepped:
    """An agent calls: make our offer, and wait for the agent's leg if it is not up."""
    leg_id = whatsapp_leg_id(call_id, 1)
    call = Call(
        identity=Identity(
            call_id=call_id,
            account_id=line.account_id,
            phone_number_id=line.phone_number_id,
            number_display=line.display,
            direction=Direction.OUTBOUND,
            peer=to,
            created_at=now,
            timing=line.timing,
        ),
        state=State.DIALLING,
        whatsapp=WhatsAppLeg(leg_id),
        ringing=Ringing(until=now),
        agent=agent,
    )
    waiting = with_deadline(call, DeadlineKind.CLAIM, now + line.timing.connect_s)
    recorded, orders = _recorded(waiting, line)
    return recorded, (OfferWhatsApp(leg_id), *orders)


def _recorded(call: Call, line: Line) -> Stepped:
    known = replace(call, terms=replace(line.terms, records=line.records))
    return recording.wanted(known, is_wanted=line.records.covers(call.direction))


def _inbound(call_id: CallId, line: Line, connect: UserConnect, now: float) -> Identity:
    return Identity(
        call_id=call_id,
        account_id=line.account_id,
        phone_number_id=line.phone_number_id,
        number_display=line.display,
        direction=Direction.INBOUND,
        peer=connect.peer,
        created_at=now,
        timing=line.timing,
    )
