"""What the HTTP edge is built from."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from aiohttp import web

from gateway.core.ids import CallId, LegId, PhoneNumberId
from gateway.core.whatsapp import Direction, Peer
from gateway.http.metrics import HttpMetrics
from gateway.http.peers import Peers
from gateway.http.webhook_signature import WebhookSecrets
from gateway.ports import Json
from gateway.ports.accounts import Directory, Person
from gateway.ports.audit import AuditLog
from gateway.ports.calls import TraceLine
from gateway.ports.clock import Clock
from gateway.ports.live import Availability, LiveBus, Presence
from gateway.ports.sessions import LoginLimit, Passwords, SessionStore
from gateway.ports.webhooks import Inbox, InboxItem
from gateway.runtime.call_view import CallView
from gateway.runtime.tasks import Tasks


@dataclass(frozen=True, slots=True)
class LegChoice:
    """The agent's open leg, or an offer for a fresh one; exactly one is set."""

    leg_id: LegId | None = None
    offer: str | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """A call someone acted on, and our answer where an offer came."""

    call: CallView
    answer: str | None


class Desk(Protocol):
    """The calls, as people act on them. Every method raises our errors (`core/errors.py`)."""

    async def dial(
        self,
        person: Person,
        *,
        to: Peer,
        number_id: PhoneNumberId | None,
        leg: LegChoice,
        idempotency_key: str | None,
    ) -> Taken:
        """Start a call."""

    async def answer(self, person: Person, call_id: CallId, leg: LegChoice) -> Taken:
        """Take a ringing call."""

    async def reattach(self, person: Person, call_id: CallId, leg: LegChoice) -> Taken:
        """Come back to an own call with another leg."""

    async def decline(self, person: Person, call_id: CallId, *, everyone: bool) -> None:
        """Silence a ringing call for the person, or reject it for all."""

    async def hang_up(self, person: Person, call_id: CallId) -> None:
        """End a call."""

    async def mute(self, person: Person, call_id: CallId, *, muted: bool) -> None:
        """Keep the agent's voice from the customer, or let it through."""

    async def hold(self, person: Person, call_id: CallId, *, held: bool) -> None:
        """Part both directions, or join them again."""

    async def open_agent_leg(self, person: Person, offer: str) -> tuple[LegId, str]:
        """Open the person's leg; return its id and our answer."""

    async def close_agent_leg(self, person: Person, leg_id: LegId) -> None:
        """Close an own leg."""

    async def set_availability(self, person: Person, availability: Availability) -> None:
        """Say whether calls may ring here."""

    async def live_calls(self, person: Person) -> Sequence[CallView]:
        """Return the calls that have not ended and that the person may see."""

    async def one(self, person: Person, call_id: CallId) -> CallView:
        """Return one call. Raises `NotFound` if it is not there or not theirs to see."""

    async def page(
        self,
        person: Person,
        *,
        cursor: str | None,
        limit: int,
        direction: Direction | None,
        live_only: bool,
    ) -> tuple[Sequence[CallView], str | None]:
        """Return a page of calls, newest first, and the cursor of the next."""

    async def trace(self, person: Person, call_id: CallId) -> Sequence[TraceLine]:
        """Return a call's trace. Raises `NotFound` as `one` does."""

    async def people(self, person: Person) -> Sequence[dict[str, Json]]:
        """Return who is here, each as `schemas.PresenceView` describes it."""


SplitDelivery = Callable[[bytes], Sequence[InboxItem]]
"""Takes a webhook's body apart; never fails."""
Check = Callable[[], Awaitable[None]]
"""Returns if a part works; raises `CallgateError`, `OSError` or `TimeoutError` if not."""


@dataclass(frozen=True, slots=True)
class PublicDeps:
    """Everything that the public application needs, constructed elsewhere."""

    desk: Desk
    directory: Directory
    sessions: SessionStore
    passwords: Passwords
    login_limit: LoginLimit
    audit: AuditLog
    presence: Presence
    bus: LiveBus
    inbox: Inbox
    split_delivery: SplitDelivery
    wake_inbox: Callable[[], None]
    webhook_secrets: WebhookSecrets
    clock: Clock
    metrics: HttpMetrics
    checks: Mapping[str, Check]
    web_root: Path
    peers: Peers = field(default_factory=Peers)
    ice_servers: tuple[dict[str, Json], ...] = ()
    reattach_s: int = 45
    version: str = "0.1.0"


TASKS: web.AppKey[Tasks] = web.AppKey("tasks", Tasks)
DEPS: web.AppKey[PublicDeps] = web.AppKey("deps", PublicDeps)
