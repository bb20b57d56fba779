"""A media worker, seen from the runtime."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from gateway.core.ids import AccountId, CallId, LegId, UserId
from gateway.core.quota.lease import BudgetId, WorkerId
from gateway.core.recording.own_announcement import AnnouncementId
from gateway.ports import Json
from gateway.ports.quota import BudgetSeen, LowBudget


@dataclass(frozen=True, slots=True)
class LegTag:
    """What we write on a leg so that a restarted gateway knows whose it is."""

    call_id: CallId | None = None
    user_id: UserId | None = None
    account_id: AccountId | None = None


@dataclass(frozen=True, slots=True)
class LegUp:
    """ICE and DTLS are done."""

    leg_id: LegId
    at: float


@dataclass(frozen=True, slots=True)
class LegClosed:
    """The leg is gone. `reason` is a `media.protocol.CloseReason` value."""

    leg_id: LegId
    at: float
    reason: str


@dataclass(frozen=True, slots=True)
class LegHeard:
    """The first authenticated RTP packet came."""

    leg_id: LegId
    at: float


@dataclass(frozen=True, slots=True)
class LegQuiet:
    """No RTP for 2 s (`quiet`), or RTP again (`not quiet`)."""

    leg_id: LegId
    at: float
    quiet: bool


@dataclass(frozen=True, slots=True)
class LegKey:
    """The peer pressed a key."""

    leg_id: LegId
    at: float
    digit: str


@dataclass(frozen=True, slots=True)
class LegQuality:
    """How the leg fares, every 5 s; totals since its start."""

    leg_id: LegId
    at: float
    packets_in: int
    packets_out: int
    lost_in: int
    jitter_ms: float
    round_trip_ms: float | None
    remote_lost: int | None


@dataclass(frozen=True, slots=True)
class LegTrace:
    """A set-up step for the call's trace."""

    leg_id: LegId
    at: float
    step: str
    fields: dict[str, Json]


@dataclass(frozen=True, slots=True)
class WorkerBack:
    """A worker is connected (again): these legs live, all others of ours are gone."""

    legs: tuple["LegLive", ...]
    worker_id: WorkerId
    captures: tuple["CaptureLive", ...] = ()
    """Those that are not over."""
    budgets: tuple[BudgetSeen, ...] = ()


@dataclass(frozen=True, slots=True)
class LegLive:
    """A leg found in a worker's snapshot."""

    leg_id: LegId
    tag: LegTag
    is_up: bool
    is_sending: bool
    attached_to: LegId | None
    received_rtp: bool
    local_sdp: str
    is_announced: bool | None = None
    """Whether its announcement is over; None: none was ordered."""


class CaptureState(StrEnum):
    """What a capture does now."""

    RECORDING = "recording"
    PAUSED = "paused"
    STOPPED = "stopped"
    """It writes nothing, for its reason; the call goes on."""
    ENDED = "ended"
    """Over; a file of it is on its way to the disk."""


@dataclass(frozen=True, slots=True)
class CaptureLive:
    """A capture found in a worker's snapshot."""

    call_id: CallId
    state: CaptureState
    reason: str | None
    """Why it is stopped: a `media.capture_format.StopReason` value."""
    written_ms: int


@dataclass(frozen=True, slots=True)
class CaptureOrder:
    """What to capture, and who pays."""

    call_id: CallId
    account_id: AccountId
    leg_id: LegId
    budget_id: BudgetId


@dataclass(frozen=True, slots=True)
class BudgetRanLow:
    """A budget's captures will soon need more."""

    low: LowBudget


@dataclass(frozen=True, slots=True)
class CapturesWrote:
    """How far captures and budgets have got, about once a second; totals."""

    captures: Mapping[CallId, int]
    budgets: Mapping[BudgetId, int]


@dataclass(frozen=True, slots=True)
class CaptureWent:
    """A capture writes: from now on, or again in a new segment."""

    call_id: CallId
    at: float
    segment: int


@dataclass(frozen=True, slots=True)
class CaptureStopped:
    """A segment has ended. `reason` is a `media.capture_format.StopReason` value."""

    call_id: CallId
    at: float
    reason: str
    recorded_ms: int
    """In all segments."""
    files: int
    """How many segments were finished, or will be."""
    is_final: bool
    """No further segment follows."""


@dataclass(frozen=True, slots=True)
class SegmentFinished:
    """A segment's file is complete and durable."""

    call_id: CallId
    at: float
    segment: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class AnnouncementOver:
    """The whole announcement was sent to the WhatsApp user."""

    leg_id: LegId
    at: float


LegEvent = (
    LegUp | LegClosed | LegHeard | LegQuiet | LegKey | LegQuality | LegTrace | AnnouncementOver
)
CaptureEvent = BudgetRanLow | CapturesWrote | CaptureWent | CaptureStopped | SegmentFinished
MediaEvent = LegEvent | CaptureEvent | WorkerBack


class MediaEngine(Protocol):
    """A media worker. All raise `MediaRefused`, `MediaAway` or, for the peer's SDP, `BadSdp`.

    `epoch` is the call owner's epoch (for an agent leg: this node's).
    """

    async def answer_agent(self, leg_id: LegId, tag: LegTag, *, epoch: int, offer: str) -> str:
        """Create an agent's leg from the browser's offer; return our answer."""

    async def answer_whatsapp(
        self, leg_id: LegId, tag: LegTag, *, epoch: int, offer: str
    ) -> str:
        """Create a WhatsApp leg from Meta's offer; return our answer."""

    async def offer_whatsapp(self, leg_id: LegId, tag: LegTag, *, epoch: int) -> str:
        """Create a WhatsApp leg that we offer; return our offer."""

    async def apply_answer(self, leg_id: LegId, *, epoch: int, answer: str) -> None:
        """Give Meta's answer to a leg that we offered. Repeating it is fine."""

    async def attach(self, whatsapp_leg: LegId, agent_leg: LegId, *, epoch: int) -> None:
        """Join the two; replaces the agent leg that was joined before."""

    async def detach(self, whatsapp_leg: LegId, *, epoch: int) -> None:
        """Part the WhatsApp leg from its agent leg: the customer hears comfort tone."""

    async def start_sending(self, whatsapp_leg: LegId, *, epoch: int) -> None:
        """Release RTP toward Meta."""

    async def set_mute(self, whatsapp_leg: LegId, *, epoch: int, muted: bool) -> None:
        """Keep the agent's voice from the customer, or let it through."""

    async def set_hold(self, whatsapp_leg: LegId, *, epoch: int, held: bool) -> None:
        """Part both directions, or join them again."""

    async def load_announcement(self, announcement_id: AnnouncementId, ogg: bytes) -> None:
        """Make an announcement known to the worker, which may forget it later."""

    async def play_announcement(
        self, whatsapp_leg: LegId, announcement_id: AnnouncementId, *, epoch: int
    ) -> bool:
        """Let both sides hear it, once in a call; return whether that is over already.

        Refused with `no_such_announcement` if it has to be loaded first.
        """

    async def close_leg(self, leg_id: LegId, *, epoch: int) -> None:
        """Close a leg; a closed or unknown one is fine."""

    async def start_capture(self, order: CaptureOrder, *, epoch: int) -> None:
        """Record a WhatsApp leg from now on. Repeating it is fine.

        The budget must be open in the worker.
        """

    async def stop_capture(self, call_id: CallId, *, epoch: int) -> bool:
        """End a capture for good; return whether its files are finished by now.

        One that is over, or never was, is fine.
        """

    def events(self) -> AsyncIterator[MediaEvent]:
        """Yield what happens, from now on; starts with `WorkerBack` once connected."""
