"""What the HTTP edge is built from."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from aiohttp import web

from gateway.core.ids import AccountId, CallId, LegId, PhoneNumberId
from gateway.core.quota.live import LiveQuota
from gateway.core.whatsapp import Direction, Peer
from gateway.http.metrics import HttpMetrics
from gateway.http.peers import Peers
from gateway.http.request_rates import RequestRates
from gateway.http.webhook_signature import WebhookSecrets
from gateway.ports import Json
from gateway.ports.accounts import Directory, People, Person
from gateway.ports.announcements import AnnouncementMaker, Announcements
from gateway.ports.audit import AuditLog
from gateway.ports.calls import TraceLine
from gateway.ports.clock import Clock
from gateway.ports.live import Availability, LiveBus, Presence
from gateway.ports.quota import QuotaBooks
from gateway.ports.recording_life import RecordingLife
from gateway.ports.sessions import LoginLimit, Passwords, SessionStore
from gateway.ports.tokens import TokenStore
from gateway.ports.webhooks import Inbox, InboxItem
from gateway.ports.wishes import Wishes
from gateway.runtime.after_calls import AfterCalls
from gateway.runtime.call_desk import Joined, LegChoice, OpenedLeg
from gateway.runtime.call_view import CallView
from gateway.runtime.evidence_desk import EvidenceDesk
from gateway.runtime.library_deletion import LibraryDeletion
from gateway.runtime.library_desk import LibraryDesk
from gateway.runtime.notices import Notice
from gateway.runtime.presence_board import PersonState
from gateway.runtime.sight import CallPage
from gateway.runtime.subject_erasure import SubjectErasure
from gateway.runtime.subject_export import SubjectExport
from gateway.runtime.tasks import Tasks


class Desk(Protocol):
    """What of `runtime.call_desk.CallDesk` the HTTP edge uses."""

    async def dial(
        self,
        person: Person,
        to: Peer,
        leg: LegChoice,
        *,
        number_id: PhoneNumberId | None = None,
        idempotency_key: str | None = None,
    ) -> Joined:
        """Start a call."""

    async def answer(self, person: Person, call_id: CallId, leg: LegChoice) -> Joined:
        """Take a ringing call."""

    async def reattach(self, person: Person, call_id: CallId, leg: LegChoice) -> Joined:
        """Come back to an own call with another leg."""

    async def decline(self, person: Person, call_id: CallId, *, everyone: bool = False) -> None:
        """Silence a ringing call for the person, or reject it for all."""

    async def hang_up(self, person: Person, call_id: CallId) -> None:
        """End a call."""

    async def mute(self, person: Person, call_id: CallId, *, muted: bool) -> None:
        """Keep the agent's voice from the customer, or let it through."""

    async def hold(self, person: Person, call_id: CallId, *, held: bool) -> None:
        """Part both directions, or join them again."""

    async def open_agent_leg(self, person: Person, offer: str) -> OpenedLeg:
        """Open the person's leg."""

    async def close_agent_leg(self, person: Person, leg_id: LegId) -> None:
        """Close an own leg."""

    async def set_availability(self, person: Person, availability: Availability) -> None:
        """Say whether calls may ring here."""

    async def enter(self, person: Person) -> None:
        """A browser connection of the person opened."""

    async def leave(self, person: Person) -> None:
        """A browser connection of the person closed, or went silent."""

    async def presence(self, person: Person) -> Sequence[PersonState]:
        """Return who of the account is here."""

    def notices(self, person: Person) -> Sequence[Notice]:
        """Return what is wrong with the gateway now, as far as it concerns the person."""

    async def live_calls(self, person: Person) -> Sequence[CallView]:
        """Return the calls that have not ended and that the person may see."""

    async def one(self, person: Person, call_id: CallId) -> CallView:
        """Return one call. Raises `NotFound` if it is not there or not theirs to see."""

    async def page(
        self,
        person: Person,
        *,
        cursor: str | None = None,
        limit: int = 50,
        direction: Direction | None = None,
        live_only: bool = False,
        peer: Peer | None = None,
    ) -> CallPage:
        """Return a page of calls, newest first, and the cursor of the next."""

    async def trace(self, person: Person, call_id: CallId) -> Sequence[TraceLine]:
        """Return a call's trace. Raises `NotFound` as `one` does."""


MinutesNow = Callable[[AccountId], Awaitable[LiveQuota]]
"""Tells how an account's recording minutes stand; raises `StoreDown`."""
TraceOf = Callable[[CallId], Awaitable[Sequence[TraceLine]]]
"""Returns the whole trace of a call; raises `StoreDown`."""
SplitDelivery = Callable[[bytes], Sequence[InboxItem]]
"""Takes a webhook's body apart; never fails."""


@dataclass(frozen=True, slots=True)
class Check:
    """How to learn whether a part of the gateway works."""

    ask: Callable[[], Awaitable[None]]
    """Returns if it does; raises `CallgateError`, `OSError` or `TimeoutError` if not."""
    is_needed: bool = True
    """Without it this node takes no call. False: calls go on, something else does not."""


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bounds that an operator may set."""

    body_bytes_max: int = 256 * 1024
    """Of an ordinary request; a session description is the longest thing a browser sends."""
    webhook_body_bytes_max: int = 4 * 1024 * 1024
    """Meta sends up to 3 MB."""
    announcement_bytes_max: int = 10 * 1024 * 1024
    """Of an uploaded announcement."""
    announcement_max_s: float = 60.0
    """How long an announcement may be."""
    alive_within_s: float = 15.0
    """A browser that says nothing for so long is sent away."""
    token_requests_max: int = 600
    """With one API token in a minute."""
    token_age_max_s: float = 730 * 24 * 3600.0
    reader_stall_max_s: float = 60.0
    """Whoever takes nothing of a recording or an export for so long is left."""


@dataclass(frozen=True, slots=True)
class PublicDeps:
    """Everything that the public application needs, constructed elsewhere."""

    desk: Desk
    directory: Directory
    sessions: SessionStore
    passwords: Passwords
    login_limit: LoginLimit
    tokens: TokenStore
    people: People
    audit: AuditLog
    evidence: EvidenceDesk
    presence: Presence
    bus: LiveBus
    inbox: Inbox
    minutes_now: MinutesNow
    after_calls: AfterCalls
    quota_books: QuotaBooks
    wishes: Wishes
    library: LibraryDesk
    deletion: LibraryDeletion
    recording_life: RecordingLife
    subject_export: SubjectExport
    subject_erasure: SubjectErasure
    trace_of: TraceOf
    announcements: Announcements
    announcement_maker: AnnouncementMaker
    split_delivery: SplitDelivery
    wake_inbox: Callable[[], None]
    webhook_secrets: WebhookSecrets | None
    """None: webhooks are refused until the operator has set the secrets."""
    clock: Clock
    metrics: HttpMetrics
    checks: Mapping[str, Check]
    web_root: Path
    peers: Peers = field(default_factory=Peers)
    limits: HttpLimits = field(default_factory=HttpLimits)
    ice_servers: tuple[dict[str, Json], ...] = ()
    reattach_s: int = 45
    version: str = "0.1.0"


RATES: web.AppKey[RequestRates] = web.AppKey("rates", RequestRates)
TASKS: web.AppKey[Tasks] = web.AppKey("tasks", Tasks)
DEPS: web.AppKey[PublicDeps] = web.AppKey("deps", PublicDeps)
