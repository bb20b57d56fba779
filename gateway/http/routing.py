"""Typed routes: what a handler takes and gives is declared once, then checked and documented.

@routes.serve(Route("POST", "/calls/{call_id}/mute", "calls.mute", body=Mute, status=204))
async def mute(ask: Ask[Mute, Nothing]) -> None: ...
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from aiohttp import web

from gateway.core.ids import CallId, LegId
from gateway.http.deps import DEPS, PublicDeps
from gateway.http.shapes import Nothing, Shape
from gateway.ports.accounts import Person
from gateway.ports.sessions import SignedIn

API_PREFIX = "/api/v1"


Body = TypeVar("Body", bound=Shape)
Query = TypeVar("Query", bound=Shape)


@dataclass(frozen=True, slots=True)
class Ask(Generic[Body, Query]):
    """A checked request."""

    request: web.Request
    signed_in: SignedIn | None
    body: Body
    query: Query

    @property
    def deps(self) -> PublicDeps:
        """What the application was built from."""
        return self.request.app[DEPS]

    @property
    def who(self) -> SignedIn:
        """Whoever asks; only on routes whose policy keeps strangers out."""
        assert self.signed_in is not None, "the policy lets strangers in here"
        return self.signed_in

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
Handler = Callable[[Ask[Any, Any]], Awaitable[Shape | web.Response | None]]


@dataclass(frozen=True, slots=True)
class Route:
    """One typed route."""

    method: str
    path: str
    """Below the API's prefix, with `{names}`."""
    name: str
    """Its row in the policy table, and its `operationId`."""
    body: type[Shape] = Nothing
    query: type[Shape] = Nothing
    out: type[Shape] | None = None
    status: int = 200
    refusals: tuple[int, ...] = ()
    """Statuses of refusals that are this route's own."""
    headers: tuple[Header, ...] = ()
    """Request headers of its own that it reads."""

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
