"""What the machine orders: a closed union, carried out by `runtime/carry_out.py` alone."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.core.ids import LegId, UserId, Wacid
from gateway.core.recording.own_announcement import AnnouncementId
from gateway.core.recording.wish import NOTHING_ASKED, Asked

# --- to the media worker ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AnswerWhatsApp:
    """Make the WhatsApp leg from Meta's offer."""

    leg_id: LegId
    offer: str


@dataclass(frozen=True, slots=True)
class OfferWhatsApp:
    """Make a WhatsApp leg that we offer."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class ApplyAnswer:
    """Give Meta's answer to the leg that we offered."""

    leg_id: LegId
    answer: str


@dataclass(frozen=True, slots=True)
class Attach:
    """Join the agent's leg to the WhatsApp leg."""

    whatsapp_leg: LegId
    agent_leg: LegId


@dataclass(frozen=True, slots=True)
class Detach:
    """Part the WhatsApp leg from the agent's: the customer hears comfort tone."""

    whatsapp_leg: LegId


@dataclass(frozen=True, slots=True)
class StartSending:
    """Release RTP toward Meta."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class SetMute:
    """Keep the agent's voice from the customer, or let it through."""

    leg_id: LegId
    muted: bool


@dataclass(frozen=True, slots=True)
class SetHold:
    """Part both directions, or join them again."""

    leg_id: LegId
    held: bool


@dataclass(frozen=True, slots=True)
class PlayAnnouncement:
    """Let both sides hear the account's own announcement, once in a call."""

    leg_id: LegId
    announcement_id: AnnouncementId


@dataclass(frozen=True, slots=True)
class CloseLeg:
    """Close a leg for good."""

    leg_id: LegId


# --- to Meta ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connect:
    """Start the call at Meta. Never repeated: what it did after a time-out is unknown."""

    offer: str
    asked: Asked = NOTHING_ASKED


@dataclass(frozen=True, slots=True)
class PreAccept:
    """Let ICE and DTLS come up while it rings."""

    wacid: Wacid
    answer: str


@dataclass(frozen=True, slots=True)
class Accept:
    """Take the call; `answer` is the pre-accepted one byte for byte."""

    wacid: Wacid
    answer: str
    asked: Asked = NOTHING_ASKED


@dataclass(frozen=True, slots=True)
class Reject:
    """Refuse a ringing call before `pre_accept`."""

    wacid: Wacid


@dataclass(frozen=True, slots=True)
class Terminate:
    """End the call at Meta; an ended one is fine."""

    wacid: Wacid


# --- to the keeper of minutes ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HoldMinutes:
    """Keep a little recording time, before anything is promised."""


@dataclass(frozen=True, slots=True)
class ReleaseMinutes:
    """Give back what was kept: nothing will be captured."""


@dataclass(frozen=True, slots=True)
class StartCapture:
    """Record the WhatsApp leg from now on."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class StopCapture:
    """End the recording for good; one that never began is fine."""


@dataclass(frozen=True, slots=True)
class OpenCase:
    """The call was to be recorded and is over: wait for what Meta makes of it."""

    is_declined: bool = False
    """It ended before the announcement did."""


# --- to a person -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TellAgent:
    """Show an agent what went wrong with their leg."""

    user_id: UserId
    code: str
    detail: str


MediaCommand = (
    AnswerWhatsApp
    | OfferWhatsApp
    | ApplyAnswer
    | Attach
    | Detach
    | StartSending
    | SetMute
    | SetHold
    | PlayAnnouncement
    | CloseLeg
)
GraphCommand = Connect | PreAccept | Accept | Reject | Terminate
MinutesCommand = HoldMinutes | ReleaseMinutes | StartCapture | StopCapture | OpenCase
Command = MediaCommand | GraphCommand | MinutesCommand | TellAgent
Commands = tuple[Command, ...]


class GraphAction(StrEnum):
    """Actions whose failure the machine has to know."""

    CONNECT = "connect"
    PRE_ACCEPT = "pre_accept"
    ACCEPT = "accept"
