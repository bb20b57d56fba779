"""What a call is: a frozen value that `machine.step` turns into the next one."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from gateway.core.errors import MetaFault
from gateway.core.ids import AccountId, CallId, LegId, PhoneNumberId, UserId, Wacid
from gateway.core.recording.stage import CallRecording
from gateway.core.recording.wish import Terms
from gateway.core.routing import offered_to
from gateway.core.whatsapp import Direction, Peer


class State(StrEnum):
    """Where a call is, as browsers see it. Which moves exist: `moves.MOVES`."""

    RINGING = "ringing"
    """Inbound: agents are rung while the WhatsApp leg comes up."""
    CONNECTING = "connecting"
    """Inbound: an agent answered; legs are being joined, then `accept` is under way."""
    DIALLING = "dialling"
    """Outbound: our offer is made, then `connect` is under way."""
    REMOTE_RINGING = "remote_ringing"
    """Outbound: the user's phone rings."""
    TALKING = "talking"
    """Picked up: `accept` returned 200, or status ACCEPTED came."""
    ENDED = "ended"
    """Final."""


class Outcome(StrEnum):
    """What became of a call; only an ended call has one."""

    COMPLETED = "completed"
    MISSED = "missed"
    """Inbound, and nobody answered in time or the user gave up."""
    DECLINED = "declined"
    """Inbound, and our side refused."""
    REJECTED = "rejected"
    """Outbound, and the user refused."""
    UNANSWERED = "unanswered"
    """Outbound, and the user did not answer."""
    CANCELLED = "cancelled"
    """Our agent hung up before the two talked."""
    FAILED = "failed"


class Signalling(StrEnum):
    """How far Meta has been told; it only moves forward."""

    UNTOLD = "untold"
    PRE_ACCEPTED = "pre_accepted"
    """`pre_accept` was ordered: from here on giving up is `terminate`, not `reject`."""
    ACCEPTING = "accepting"
    ACCEPTED = "accepted"
    CONNECT_SENT = "connect_sent"
    CONNECT_UNCLEAR = "connect_unclear"
    """No usable answer to `connect`: only a webhook with our call id can tell."""
    CONNECTED = "connected"
    """Meta gave our call its id."""


class LegStage(StrEnum):
    """Life of the WhatsApp leg."""

    ORDERED = "ordered"
    WANTED = "wanted"
    """The media worker was away when we asked; asked again soon."""
    MADE = "made"
    """Our description is known."""
    UP = "up"
    """ICE and DTLS are done."""
    GONE = "gone"


class DeadlineKind(StrEnum):
    """What is not waited for beyond a point in time."""

    RING = "ring"
    """Somebody answers."""
    CLAIM = "claim"
    """The agent's leg is connected and heard."""
    MEDIA = "media"
    """The WhatsApp leg of a claimed call is up."""
    MEDIA_RETRY = "media_retry"
    """Pause before the media worker is asked again."""
    RESOLVE = "resolve"
    """A webhook tells what became of an unclear `connect`."""
    AWAY = "away"
    """The agent comes back with another leg."""
    ANNOUNCED = "announced"
    """WhatsApp has said that it records, or our own announcement is over."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point on the wall clock; the driver arms it on the monotonic one."""

    kind: DeadlineKind
    at: float


@dataclass(frozen=True, slots=True)
class CallTiming:
    """How long a call waits for what, in seconds; a call keeps those it started with."""

    ring_s: float = 30.0
    """Inbound, counted from Meta's `connect`: Meta gives up after 30 to 60 s."""
    ring_least_s: float = 10.0
    """Rung at least this long however late the webhook came."""
    outbound_ring_s: float = 45.0
    """Counted from our `connect`; Meta documents no time-out of its own."""
    claim_s: float = 2.0
    """From answering with a connected leg, or from its connection, to its first RTP."""
    connect_s: float = 8.0
    """For a leg to connect."""
    reattach_s: float = 45.0
    """For an agent whose leg was lost to come back."""
    unclear_s: float = 15.0
    """For the webhook that tells what became of an unclear `connect`."""
    media_retry_s: float = 1.0
    """Between tries while the media worker is away."""
    stale_s: float = 60.0
    """An older `connect` rings nobody."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What never changes about a call."""

    call_id: CallId
    account_id: AccountId
    phone_number_id: PhoneNumberId
    number_display: str
    direction: Direction
    peer: Peer
    created_at: float
    timing: CallTiming


@dataclass(frozen=True, slots=True)
class WhatsAppLeg:
    """The leg that is the call. `remote_sdp` is Meta's offer or, outbound, its answer."""

    leg_id: LegId
    attempt: int = 1
    stage: LegStage = LegStage.ORDERED
    local_sdp: str | None = None
    remote_sdp: str | None = None
    is_sending: bool = False
    """RTP toward Meta was released."""


@dataclass(frozen=True, slots=True)
class AgentLeg:
    """A leg of an agent as far as a call cares."""

    leg_id: LegId
    is_up: bool
    is_heard: bool
    """An authenticated RTP packet came, and the leg is not quiet now."""
    is_cold: bool
    """Made from an offer for this call alone, so it goes with the call."""


@dataclass(frozen=True, slots=True)
class CallAgent:
    """The agent who has the call."""

    user_id: UserId
    name: str
    leg: AgentLeg | None
    """None: lost, the agent is away."""
    coming: AgentLeg | None = None
    """A replacement that is not connected yet; the old leg stays until it is."""


@dataclass(frozen=True, slots=True)
class Ringing:
    """Who is rung by an inbound call, and who was."""

    until: float
    free: tuple[UserId, ...] = ()
    """Who could take it, as routing last said."""
    declined: tuple[UserId, ...] = ()
    failed: tuple[UserId, ...] = ()
    """Answered without a leg that worked."""
    rung: tuple[UserId, ...] = ()
    """Everybody it was ever offered to: they may ask for it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, for the agent's screen. `code` is stable, `detail` plain words."""

    code: str
    detail: str
    fault: MetaFault | None = None


@dataclass(frozen=True, slots=True)
class EndFacts:
    """Facts about the end; each only ever becomes known, so their order does not matter."""

    at: float | None = None
    decided: Outcome | None = None
    """What we ended it as; None when Meta or the user did."""
    is_refusal: bool = False
    """`decided` follows from a refusal by Meta, which its `terminate` may explain."""
    is_rejected: bool = False
    """Status REJECTED came."""
    is_over_at_meta: bool = False
    """A `terminate` webhook came."""
    has_failed_at_meta: bool = False
    """A `terminate` webhook said FAILED."""
    is_told: bool = False
    """`reject` or `terminate` was ordered."""
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One conversation attempt, from first signal to end."""

    identity: Identity
    state: State
    whatsapp: WhatsAppLeg
    ringing: Ringing
    signalling: Signalling = Signalling.UNTOLD
    wacid: Wacid | None = None
    agent: CallAgent | None = None
    is_muted: bool = False
    is_held: bool = False
    answered_at: float | None = None
    deadlines: tuple[Deadline, ...] = ()
    end: EndFacts = field(default_factory=EndFacts)
    recording: CallRecording = field(default_factory=CallRecording)
    terms: Terms = field(default_factory=Terms)
    """What the account wants recorded, as it was when the call began."""

    @property
    def call_id(self) -> CallId:
        """Our key of the call."""
        return self.identity.call_id

    @property
    def direction(self) -> Direction:
        """Who started it."""
        return self.identity.direction

    @property
    def timing(self) -> CallTiming:
        """How long it waits for what."""
        return self.identity.timing

    @property
    def is_ended(self) -> bool:
        """Whether the final state is reached."""
        return self.state is State.ENDED

    @property
    def offered(self) -> tuple[UserId, ...]:
        """Whom the call rings now."""
        if self.state is not State.RINGING:
            return ()
        ringing = self.ringing
        return offered_to(ringing.free, declined=ringing.declined, failed=ringing.failed)

    @property
    def is_agent_away(self) -> bool:
        """Whether the agent's leg was lost and has not been replaced."""
        return not self.is_ended and self.agent is not None and self.agent.leg is None

    def deadline(self, kind: DeadlineKind) -> Deadline | None:
        """Return the deadline of that kind, if it runs."""
        return next((d for d in self.deadlines if d.kind is kind), None)


def whatsapp_leg_id(call_id: CallId, attempt: int) -> LegId:
    """Name a call's WhatsApp leg, so that a leg found in a worker tells its call."""
    return LegId(f"{call_id}-w{attempt}")


def call_of_leg(leg_id: LegId) -> CallId | None:
    """Return whose WhatsApp leg this is; None for an agent's leg."""
    call_id, mark, _ = leg_id.partition("-w")
    return CallId(call_id) if mark else None


def legs_of(call: Call) -> frozenset[LegId]:
    """Return the legs that a live call needs; an ended one needs none."""
    if call.is_ended:
        return frozenset()
    agent = call.agent
    own = () if agent is None else (agent.leg, agent.coming)
    return frozenset((call.whatsapp.leg_id, *(leg.leg_id for leg in own if leg is not None)))


def with_deadline(call: Call, kind: DeadlineKind, at: float) -> Call:
    """Start a deadline, in place of one of the same kind."""
    kept = tuple(d for d in call.deadlines if d.kind is not kind)
    return replace(call, deadlines=(*kept, Deadline(kind, at)))


def without_deadlines(call: Call, *kinds: DeadlineKind) -> Call:
    """Stop the deadlines of these kinds."""
    return replace(call, deadlines=tuple(d for d in call.deadlines if d.kind not in kinds))


def with_rung(call: Call) -> Call:
    """Remember those it rings now among those it ever rang."""
    new = tuple(user for user in call.offered if user not in call.ringing.rung)
    return replace(call, ringing=replace(call.ringing, rung=call.ringing.rung + new))
