"""The typed messages between a gateway and a media worker over their Unix socket.

Framing: a 4-byte big-endian length, then that many bytes of UTF-8 JSON (one message).
The gateway says `Hello` first and gets `Welcome` with a snapshot, or `Refused`. After that it
sends commands, each answered by exactly one `Done` or `Failed` with the same `id`; the
worker sends events whenever they happen, numbered by `seq` without gaps. When the worker had
to drop events it sends `Resync` in their place, with the number of the last of them, and the
gateway asks for `TakeSnapshot`. Events that happen while no gateway is connected are only in
the snapshot of the next `Welcome`. An answer may overtake events that are older.

A command repeated with the same `id` returns the first answer without a second effect, also
over another connection; commands sent without waiting for answers may take effect in any order.
Commands about a call's legs and captures carry the `epoch` of the call's owner; one lower than
the highest seen for that call is refused (`Failed.code == "stale_epoch"`).

Recording: `media.protocol_capture`. Announcements: `media.protocol_announcement`.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from media.protocol_announcement import AnnouncementCommand, AnnouncementEnded
from media.protocol_capture import BudgetSnapshot, CaptureCommand, CaptureEvent, CaptureSnapshot
from media.protocol_message import FailureCode, Message

PROTOCOL_VERSION = 3
FRAME_BYTES_MAX = 1 << 23
"""A snapshot of all that a worker may hold fits."""


class LegKind(StrEnum):
    """Whose leg it is; decides the SDP profile and the timeouts."""

    AGENT = "agent"
    WHATSAPP = "whatsapp"


class LegState(StrEnum):
    """Life of a leg; it only moves forward."""

    NEW = "new"
    """Created; the peer's description is not known yet (we offered)."""
    CONNECTING = "connecting"
    """Both descriptions are known; ICE and DTLS are under way."""
    CONNECTED = "connected"
    """DTLS is up and its fingerprint verified; RTP may flow."""
    CLOSED = "closed"
    """Gone, by command or by loss; `reason` says which."""


class CloseReason(StrEnum):
    """Why a leg closed."""

    COMMAND = "command"
    CONNECT_TIMEOUT = "connect_timeout"
    ICE_FAILED = "ice_failed"
    DTLS_FAILED = "dtls_failed"
    CONSENT_LOST = "consent_lost"
    MEDIA_LOST = "media_lost"
    """No authenticated RTP or RTCP for 30 s, counted from the first such packet on."""
    PEER_CLOSED = "peer_closed"
    """DTLS close_notify by the peer (agent leg: the page closed)."""
    GATEWAY_GONE = "gateway_gone"
    WORKER_STOPPED = "worker_stopped"
    """The worker was told to stop (SIGTERM)."""
    INTERNAL = "internal"
    """A mistake of the worker; its log has the details."""


class LegSnapshot(Message):
    """Everything a gateway needs to re-adopt a leg."""

    leg_id: str
    kind: LegKind
    tag: str
    """Opaque to the worker; the gateway puts its own keys here."""
    epoch: int
    state: LegState
    sending: bool
    """WhatsApp leg: whether RTP toward Meta has been released by `StartSending`."""
    attached_to: str | None
    """The leg on the other side of the bridge, if any."""
    held: bool
    muted: bool
    received_rtp: bool
    """Whether an authenticated RTP packet has ever arrived."""
    local_sdp: str
    packets_in: int
    packets_out: int
    is_announced: bool | None = None


# --- gateway to worker ---------------------------------------------------------------------


class Hello(Message):
    """First message on every connection. A newer `gateway_epoch` displaces the older peer."""

    type: Literal["hello"] = "hello"
    protocol_version: int
    gateway_epoch: int
    token: str
    """Secret shared through a file of mode 0600 beside the socket."""


class AnswerOffer(Message):
    """Create a leg from a browser's or a WhatsApp user's offer; `Done.sdp` is our answer."""

    type: Literal["answer_offer"] = "answer_offer"
    id: str
    epoch: int
    leg_id: str
    kind: LegKind
    tag: str
    offer: str


class MakeOffer(Message):
    """Create a WhatsApp leg that we offer; `Done.sdp` is our offer."""

    type: Literal["make_offer"] = "make_offer"
    id: str
    epoch: int
    leg_id: str
    tag: str


class ApplyAnswer(Message):
    """Give the peer's answer to a leg made by `MakeOffer`; a second is `Failed(conflict)`."""

    type: Literal["apply_answer"] = "apply_answer"
    id: str
    epoch: int
    leg_id: str
    answer: str
    actpass_role: Literal["client", "server"] = "client"
    """Our DTLS role if the answer says `actpass`, which RFC 8842 forbids but Meta has sent."""


class Attach(Message):
    """Join an agent leg to a WhatsApp leg; replaces the agent leg that was joined before.

    An agent leg that was joined to another WhatsApp leg leaves it. Either leg may still be
    connecting. The epoch is that of the WhatsApp leg's call; the agent leg keeps its own.
    """

    type: Literal["attach"] = "attach"
    id: str
    epoch: int
    whatsapp_leg_id: str
    agent_leg_id: str


class Detach(Message):
    """Part the WhatsApp leg from its agent leg, if any; the customer hears comfort tone."""

    type: Literal["detach"] = "detach"
    id: str
    epoch: int
    whatsapp_leg_id: str


class StartSending(Message):
    """Release RTP toward Meta (after `accept` returned 200, or from DTLS-up when we called)."""

    type: Literal["start_sending"] = "start_sending"
    id: str
    epoch: int
    leg_id: str


class SetMute(Message):
    """Replace the agent's audio toward the customer by the comfort stream, or stop doing so."""

    type: Literal["set_mute"] = "set_mute"
    id: str
    epoch: int
    whatsapp_leg_id: str
    muted: bool


class SetHold(Message):
    """Part both directions without detaching: the customer hears a tune, the agent comfort."""

    type: Literal["set_hold"] = "set_hold"
    id: str
    epoch: int
    whatsapp_leg_id: str
    held: bool


class CloseLeg(Message):
    """Close a leg and free its port; closing a closed or unknown leg is `Done`."""

    type: Literal["close_leg"] = "close_leg"
    id: str
    epoch: int
    leg_id: str


class TakeSnapshot(Message):
    """Ask for the state of everything; `Done.snapshot` holds it."""

    type: Literal["take_snapshot"] = "take_snapshot"
    id: str


Command = (
    AnswerOffer
    | MakeOffer
    | ApplyAnswer
    | Attach
    | Detach
    | StartSending
    | SetMute
    | SetHold
    | CloseLeg
    | TakeSnapshot
    | CaptureCommand
    | AnnouncementCommand
)

# --- worker to gateway ---------------------------------------------------------------------


class Snapshot(Message):
    """Everything that lives, and the number of the last event already contained in it."""

    last_seq: int
    legs: tuple[LegSnapshot, ...]
    captures: tuple[CaptureSnapshot, ...] = ()
    """A capture that is not here any more has ended, and all its files are finished."""
    budgets: tuple[BudgetSnapshot, ...] = ()


class Welcome(Message):
    """Answer to `Hello`."""

    type: Literal["welcome"] = "welcome"
    protocol_version: int
    worker_id: str
    boot_id: str
    """Of this worker process: legs of another boot are gone."""
    snapshot: Snapshot
    captures_directory: str | None = None
    """Where capture files are, as the worker sees it; None: it takes no captures."""


class Refused(Message):
    """Answer to a `Hello` that cannot be served; the connection closes after it."""

    type: Literal["refused"] = "refused"
    reason: Literal["protocol_version", "stale_epoch", "bad_token", "displaced"]


class Done(Message):
    """The command took effect."""

    type: Literal["done"] = "done"
    id: str
    sdp: str | None = None
    snapshot: Snapshot | None = None
    budget: BudgetSnapshot | None = None
    """After a command about a budget: the budget as it is now, or was when it closed."""
    capture: CaptureSnapshot | None = None
    """After a command about a capture; None where it is over and its files are finished."""
    is_announced: bool | None = None
    """After `PlayAnnouncement`: whether it is over already."""


class Failed(Message):
    """The command had no effect."""

    type: Literal["failed"] = "failed"
    id: str
    code: FailureCode
    reason: str
    """In plain words, fit for an agent's screen; holds no SDP and no address."""


class LegChanged(Message):
    """A leg moved to `state`. A closed leg is in no snapshot any more."""

    type: Literal["leg_changed"] = "leg_changed"
    seq: int
    at: float
    """Wall clock of the worker, seconds since the epoch; the same in all events."""
    leg_id: str
    tag: str
    state: LegState
    reason: CloseReason | None = None
    """Set when `state` is closed."""


class FirstRtp(Message):
    """The first authenticated RTP packet of a leg arrived."""

    type: Literal["first_rtp"] = "first_rtp"
    seq: int
    at: float
    leg_id: str
    tag: str


class MediaQuiet(Message):
    """No RTP from a leg for 2 s, once some came; the other side hears comfort meanwhile."""

    type: Literal["media_quiet"] = "media_quiet"
    seq: int
    at: float
    leg_id: str
    tag: str


class MediaResumed(Message):
    """RTP flows again after `MediaQuiet`."""

    type: Literal["media_resumed"] = "media_resumed"
    seq: int
    at: float
    leg_id: str
    tag: str


class KeyPressed(Message):
    """A keypad tone of the peer ended (RFC 4733)."""

    type: Literal["key_pressed"] = "key_pressed"
    seq: int
    at: float
    leg_id: str
    tag: str
    digit: str
    duration_ms: int


class LegQuality(Message):
    """Counters of a leg, every 5 s while connected; totals since its start."""

    type: Literal["leg_quality"] = "leg_quality"
    seq: int
    at: float
    leg_id: str
    tag: str
    packets_in: int
    packets_out: int
    lost_in: int
    """Packets of the peer that never came (RFC 3550 section 6.4.1)."""
    jitter_ms: float
    round_trip_ms: float | None
    """From the peer's receiver reports; None before the first."""
    remote_lost: int | None
    """What the peer says it has not received of ours."""
    dropped: dict[str, int]
    """Packets that the gate or the relay refused, by cause."""


class TraceStep(Message):
    """A step of set-up worth a line in the call's trace (ICE, DTLS, first packets)."""

    type: Literal["trace_step"] = "trace_step"
    seq: int
    at: float
    leg_id: str
    tag: str
    step: str
    fields: dict[str, str | int | float]
    """Redacted: no address, no credential."""


class Resync(Message):
    """Events were dropped because the gateway read too slowly: take a snapshot."""

    type: Literal["resync"] = "resync"
    seq: int
    dropped: int
    """How many events `seq` and the numbers before it stand for."""


Event = (
    LegChanged
    | FirstRtp
    | MediaQuiet
    | MediaResumed
    | KeyPressed
    | LegQuality
    | TraceStep
    | Resync
    | CaptureEvent
    | AnnouncementEnded
)

FromGateway: TypeAdapter[Hello | Command] = TypeAdapter(
    Annotated[Hello | Command, Field(discriminator="type")]
)
FromWorker: TypeAdapter[Welcome | Refused | Done | Failed | Event] = TypeAdapter(
    Annotated[Welcome | Refused | Done | Failed | Event, Field(discriminator="type")]
)
