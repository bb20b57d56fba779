"""What the machine is told: a closed union of facts in the past tense."""

from dataclasses import dataclass

from gateway.core.call.call import AgentLeg, Deadline
from gateway.core.call.commands import GraphAction, MediaCommand
from gateway.core.errors import MetaFault
from gateway.core.ids import LegId, UserId, Wacid
from gateway.core.recording.stage import NotRecorded
from gateway.core.whatsapp import BusinessConnect, StatusChanged, Terminated

# --- people ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AgentsFree:
    """These agents could take a call now."""

    agents: tuple[UserId, ...]


@dataclass(frozen=True, slots=True)
class AgentAnswered:
    """An agent wants the ringing call."""

    user_id: UserId
    name: str
    leg: AgentLeg


@dataclass(frozen=True, slots=True)
class AgentDeclined:
    """An agent does not want it; silences only them."""

    user_id: UserId


@dataclass(frozen=True, slots=True)
class EveryoneDeclined:
    """Somebody entitled to it declined for all."""


@dataclass(frozen=True, slots=True)
class HungUp:
    """Our side ended the call."""


@dataclass(frozen=True, slots=True)
class AgentReattached:
    """The call's agent brought another leg."""

    leg: AgentLeg


@dataclass(frozen=True, slots=True)
class Muted:
    """The agent muted themselves, or no longer."""

    muted: bool


@dataclass(frozen=True, slots=True)
class Held:
    """The agent put the customer on hold, or no longer."""

    held: bool


# --- the media worker ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WhatsAppLegMade:
    """The WhatsApp leg exists; this is our description."""

    leg_id: LegId
    local_sdp: str


@dataclass(frozen=True, slots=True)
class WhatsAppLegUp:
    """ICE and DTLS toward Meta are done."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class WhatsAppLegClosed:
    """The WhatsApp leg is gone without an order of ours."""

    leg_id: LegId
    reason: str


@dataclass(frozen=True, slots=True)
class AgentLegUp:
    """ICE and DTLS toward an agent's browser are done."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class AgentLegHeard:
    """RTP comes from an agent's leg: its first packet, or again after silence."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class AgentLegClosed:
    """An agent's leg is gone."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class AnnouncementOver:
    """Both sides have heard the account's own announcement."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class FoundLeg:
    """A leg of this call as a worker's snapshot shows it."""

    leg_id: LegId
    is_up: bool
    is_sending: bool
    is_heard: bool
    attached_to: LegId | None
    local_sdp: str
    is_announced: bool | None = None
    """Whether its announcement is over; None: none was ordered."""


@dataclass(frozen=True, slots=True)
class MediaBack:
    """A worker is connected (again) and has these legs of the call, and no others."""

    found: tuple[FoundLeg, ...]


@dataclass(frozen=True, slots=True)
class MediaFailed:
    """The media worker did not do what was ordered. `code` is stable, `text` plain words."""

    command: MediaCommand
    code: str
    text: str


# --- Meta's answers to our requests ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connected:
    """`connect` was taken; this is the call's id at Meta."""

    wacid: Wacid


@dataclass(frozen=True, slots=True)
class Accepted:
    """`accept` returned 200."""


@dataclass(frozen=True, slots=True)
class MetaRefused:
    """Meta answered a request with an error: it had no effect."""

    action: GraphAction
    fault: MetaFault


@dataclass(frozen=True, slots=True)
class MetaUnclear:
    """No usable answer, after all safe repetitions: the effect is unknown."""

    action: GraphAction


@dataclass(frozen=True, slots=True)
class ConnectWithheld:
    """`connect` was not sent: it may not be repeated, and our store could not note it."""


# --- the recording ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MinutesHeld:
    """Recording time is kept for the call; or not, for the reason given."""

    refusal: NotRecorded | None = None


@dataclass(frozen=True, slots=True)
class CaptureFailed:
    """The capture could not begin."""

    reason: NotRecorded


@dataclass(frozen=True, slots=True)
class RecordingDone:
    """The recording was made and charged; 0: nothing had been recorded."""

    duration_ms: int


# --- ourselves -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """A deadline of the call passed; one that no longer runs is ignored."""

    deadline: Deadline


@dataclass(frozen=True, slots=True)
class ActorCrashed:
    """A fault in our own program: the call cannot go on."""


PersonEvent = (
    AgentsFree
    | AgentAnswered
    | AgentDeclined
    | EveryoneDeclined
    | HungUp
    | AgentReattached
    | Muted
    | Held
)
MediaFact = (
    WhatsAppLegMade
    | WhatsAppLegUp
    | WhatsAppLegClosed
    | AgentLegUp
    | AgentLegHeard
    | AgentLegClosed
    | AnnouncementOver
    | MediaBack
    | MediaFailed
)
GraphFact = Connected | Accepted | MetaRefused | MetaUnclear | ConnectWithheld
RecordingFact = MinutesHeld | CaptureFailed | RecordingDone
Webhook = BusinessConnect | StatusChanged | Terminated
Event = (
    PersonEvent
    | MediaFact
    | GraphFact
    | RecordingFact
    | Webhook
    | DeadlinePassed
    | ActorCrashed
)
