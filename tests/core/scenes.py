"""Calls at named points of their life, reached through the machine itself."""

from dataclasses import dataclass, field, replace
from typing import Self

from gateway.core.call.call import AgentLeg, Call, CallAgent, CallTiming, DeadlineKind, State
from gateway.core.call.commands import Command
from gateway.core.call.events import (
    Accepted,
    AgentAnswered,
    AgentLegHeard,
    Connected,
    DeadlinePassed,
    Event,
    MinutesHeld,
    WhatsAppLegMade,
    WhatsAppLegUp,
)
from gateway.core.call.machine import step
from gateway.core.call.start import Line, dial, ring
from gateway.core.ids import AccountId, CallId, LegId, PhoneNumberId, UserId, Wacid
from gateway.core.recording.policy import Records
from gateway.core.whatsapp import (
    BusinessConnect,
    CallStatus,
    Peer,
    StatusChanged,
    Terminated,
    UserConnect,
)

ANI, BUDI, CITRA = UserId("ani"), UserId("budi"), UserId("citra")
NUMBER = PhoneNumberId("106540352242922")
WACID = Wacid("wacid.ONE")
CALL_ID = CallId("c" * 26)
LINE = Line(AccountId("a" * 26), NUMBER, "+62 21 5000", CallTiming())
RECORDED = replace(LINE, records=Records.BOTH)
CALLER = Peer(phone="6281200001111", user_id="ID.1", name="Siti")
W1 = LegId(f"{CALL_ID}-w1")
ANI_LEG, BUDI_LEG, OTHER_LEG = LegId("leg-ani"), LegId("leg-budi"), LegId("leg-other")


def warm(leg_id: LegId = ANI_LEG) -> AgentLeg:
    """A persistent leg in good order."""
    return AgentLeg(leg_id, is_up=True, is_heard=True, is_cold=False)


def silent(leg_id: LegId = ANI_LEG) -> AgentLeg:
    """A persistent leg that is connected but not heard."""
    return AgentLeg(leg_id, is_up=True, is_heard=False, is_cold=False)


def cold(leg_id: LegId = ANI_LEG) -> AgentLeg:
    """A leg just made from an offer."""
    return AgentLeg(leg_id, is_up=False, is_heard=False, is_cold=True)


CONNECT = UserConnect(NUMBER, WACID, at=1000.0, peer=CALLER, offer="meta-offer")
READY = BusinessConnect(NUMBER, WACID, at=1001.0, answer="meta-answer", call_id=CALL_ID)


def status(which: CallStatus, wacid: Wacid = WACID) -> StatusChanged:
    return StatusChanged(NUMBER, wacid, 1002.0, which, CALL_ID, CALLER)


RINGING = status(CallStatus.RINGING)
PICKED_UP = status(CallStatus.ACCEPTED)
REJECTED = status(CallStatus.REJECTED)


def over(*, start_at: float | None = None, failed: bool = False) -> Terminated:
    """A `terminate` webhook; with `start_at` the call had been answered."""
    return Terminated(NUMBER, WACID, 1030.0, failed, start_at, None, None, (), CALL_ID)


@dataclass
class Walk:
    """A call on its way; remembers the commands of the last step and of all steps."""

    call: Call
    last: tuple[Command, ...] = ()
    orders: list[Command] = field(default_factory=list)
    now: float = 1000.0

    def __post_init__(self) -> None:
        self.orders += self.last

    def tell(self, *events: Event) -> Self:
        for event in events:
            self.call, self.last = step(self.call, event, self.now)
            self.orders += self.last
        return self

    def given(self) -> tuple[Command, ...]:
        """What the last step ordered."""
        return self.last

    def state(self) -> State:
        return self.call.state

    def pass_deadline(self, kind: DeadlineKind) -> Self:
        deadline = self.call.deadline(kind)
        assert deadline is not None, f"no deadline {kind} runs in {self.call.state}"
        self.now = max(self.now, deadline.at)
        return self.tell(DeadlinePassed(deadline))


def ringing(*agents: UserId, age_s: float = 0.0, line: Line = LINE) -> Walk:
    """A user called; the WhatsApp leg was ordered."""
    rung = agents or (ANI, BUDI)
    return Walk(*ring(CALL_ID, line, CONNECT, agents=rung, age_s=age_s, now=1000.0))


def ringing_with_media(*agents: UserId) -> Walk:
    """Rings, pre-accepted, and the path to Meta is up."""
    return ringing(*agents).tell(WhatsAppLegMade(W1, "our-answer"), WhatsAppLegUp(W1))


def answered(leg: AgentLeg | None = None) -> Walk:
    """Ani answered while the path to Meta was up."""
    return ringing_with_media().tell(AgentAnswered(ANI, "Ani", leg or warm()))


def talking() -> Walk:
    """Ani talks to the user who called."""
    return answered().tell(Accepted())


def dialling(leg: AgentLeg | None = None, *, line: Line = LINE) -> Walk:
    """Ani dials; our offer was ordered."""
    agent = CallAgent(ANI, "Ani", leg or warm())
    return Walk(*dial(CALL_ID, line, CALLER, agent=agent, now=1000.0))


def connect_sent(leg: AgentLeg | None = None) -> Walk:
    """`connect` is under way."""
    return dialling(leg).tell(WhatsAppLegMade(W1, "our-offer"))


def connected() -> Walk:
    """Meta took the call; nothing rings yet."""
    return connect_sent().tell(Connected(WACID))


def remote_ringing() -> Walk:
    """The user's phone rings and the path to Meta is up."""
    return connected().tell(READY, WhatsAppLegUp(W1), RINGING)


def talking_outbound() -> Walk:
    """The user picked up Ani's call."""
    return remote_ringing().tell(PICKED_UP)


def heard(leg_id: LegId = ANI_LEG) -> AgentLegHeard:
    return AgentLegHeard(leg_id)


# --- calls of an account that has them recorded ----------------------------------------------


def ringing_recorded() -> Walk:
    """Rings while minutes are asked for; the path to Meta is up."""
    return ringing(line=RECORDED).tell(WhatsAppLegMade(W1, "our-answer"), WhatsAppLegUp(W1))


def dialling_recorded() -> Walk:
    """Ani dials while minutes are asked for."""
    return dialling(line=RECORDED)


def talking_recorded() -> Walk:
    """Ani talks to the user who called, and the capture was ordered."""
    answered = ringing_recorded().tell(MinutesHeld(), AgentAnswered(ANI, "Ani", warm()))
    return answered.tell(Accepted())
