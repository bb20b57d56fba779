"""Typed routes: what a handler takes and gives is declared once, then checked and documented.

@routes.serve(Route("POST", "/calls/{call_id}/mute", "calls.mute", body=Mute, status=204))
async def mute(ask: Ask[Mute, Nothing]) -> None: ...
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from aiohttp import web

from gateway.core.ids import CallId, LegId, TokenId, UserId
from gateway.http.deps import DEPS, PublicDeps
from gateway.http.shapes import Nothing, Shape
from gateway.ports import Json
from gateway.ports.accounts import Person
from gateway.ports.audit import AuditEntry, Deed, Order
from gateway.ports.sessions import Session, SignedIn
from gateway.ports.tokens import TokenCaller

API_PREFIX = "/api/v1"

Caller = SignedIn | TokenCaller
"""Whoever asks: a person in a browser, or a program with a token."""
ID_PATTERN = "[0-9a-z]{26}"
PATH_PATTERNS = {
    "call_id": ID_PATTERN,
    "leg_id": ID_PATTERN,
    "user_id": ID_PATTERN,
    "token_id": ID_PATTERN,
    "session_id": "[0-9a-f]{64}",
}
"""What an id in a path looks like; any other thing is not found."""

Body = TypeVar("Body", bound=Shape)
Query = TypeVar("Query", bound=Shape)


@dataclass(frozen=True, slots=True)
class Ask(Generic[Body, Query]):
    """A checked request."""

    request: web.Request
    signed_in: Caller | None
    body: Body
    query: Query

    @property
    def deps(self) -> PublicDeps:
        """What the application was built from."""
        return self.request.app[DEPS]

    @property
    def who(self) -> Caller:
        """Whoever asks; only on routes whose policy keeps strangers out."""
        assert self.signed_in is not None, "the policy lets strangers in here"
        return self.signed_in

    @property
    def session(self) -> Session:
        """The browser's session; only on routes that no scope of a token opens."""
        assert isinstance(self.signed_in, SignedIn), "the policy lets others in here"
        return self.signed_in.session

    @property
    def person(self) -> Person:
        """The person who asks."""
        return self.who.person

    @property
    def call_id(self) -> CallId:
        """`{call_id}` of the path."""
        return CallId(self.request.match_info["call_id"])

    @property
    def leg_id(self) -> LegId:
        """`{leg_id}` of the path."""
        return LegId(self.request.match_info["leg_id"])

    @property
    def user_id(self) -> UserId:
        """`{user_id}` of the path."""
        return UserId(self.request.match_info["user_id"])

    @property
    def token_id(self) -> TokenId:
        """`{token_id}` of the path."""
        return TokenId(self.request.match_info["token_id"])

    async def note(self, deed: Deed, subject: str, **fields: Json) -> None:
        """Write into the audit what whoever asks does to `subject`, the id of a thing.

        `fields` name no person but by id, and no secret. Raises `StoreDown`: what cannot be
        noted is not to be done, so call it first.
        """
        await self.deps.audit.record(self.entry(deed, subject, **fields))

    def entry(self, deed: Deed, subject: str, **fields: Json) -> AuditEntry:
        """Return what `note` would write, for a store that writes it with the deed itself."""
        return self.order.entry(self.who.person.account_id, deed, subject, **fields)

    @property
    def order(self) -> Order:
        """Who asks, and that it is now."""
        who = self.who
        token = who.token if isinstance(who, TokenCaller) else None
        return Order(
            at=self.deps.clock.wall(),
            actor=None if token is not None and token.acts_for is None else who.person.user_id,
            token_id=None if token is None else token.token_id,
        )


@dataclass(frozen=True, slots=True)
class Header:
    """A request header that a route reads."""

    name: str
    what: str
    pattern: str

    def fits(self, value: str) -> bool:
        """Whether a value is one that we accept."""
        return re.fullmatch(self.pattern, value) is not None


# Each handler names its own shapes; a table of them cannot.
Handler = Callable[[Ask[Any, Any]], Awaitable[Shape | web.StreamResponse | None]]


@dataclass(frozen=True, slots=True)
class Route:
    """One typed route."""

    method: str
    path: str
    """Below the API's prefix, with `{names}`."""
    name: str
    """Its row in the policy table, and its `operationId`."""
    body: type[Shape] = Nothing
    takes: str | None = None
    """The type of a body that is no JSON, which the handler reads itself."""
    query: type[Shape] = Nothing
    out: type[Shape] | None = None
    status: int = 200
    refusals: tuple[int, ...] = ()
    """Statuses of refusals that are this route's own."""
    headers: tuple[Header, ...] = ()
    """Request headers of its own that it reads."""
    content: str | None = None
    """What it answers with, where that is no JSON of ours."""
    also: tuple[int, ...] = ()
    """Other statuses of answers that are none of a refusal."""
    answers_head: bool = False
    """The same may be asked for without the body."""

    @property
    def changes_state(self) -> bool:
        """Whether another site's page must be kept from asking."""
        return self.method != "GET"


class RouteTable:
    """The routes of one subject, in the order they were declared."""

    def __init__(self) -> None:
        self.served: list[tuple[Route, Handler]] = []

    def serve(self, route: Route) -> Callable[[Handler], Handler]:
        """Declare what the decorated handler serves."""

        def keep(handler: Handler) -> Handler:
            self.served.append((route, handler))
            return handler

        return keep


def summary_of(handler: Handler) -> str:
    """First line of a handler's docstring, for the OpenAPI document."""
    return (handler.__doc__ or "").strip().partition("\n")[0]
