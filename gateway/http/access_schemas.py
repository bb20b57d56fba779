"""Shapes of access: sessions, people, API tokens, the audit."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue, StringConstraints

from gateway.http.days import Day
from gateway.http.schemas import Identity, Moment, RoleName
from gateway.http.shapes import Shape
from gateway.ports.tokens import Scope

Cursor = Annotated[str, StringConstraints(min_length=1, max_length=128)]
TOKEN_DAYS_MAX = 3_650


class SessionView(Shape):
    """A browser in which a person is signed in."""

    id: str
    created_at: Moment
    last_seen_at: Moment
    expires_at: Moment
    browser: str
    """What the browser called itself when it signed in."""
    current: bool
    """It is the one that asks."""


class SessionList(Shape):
    """All of a person's browsers, newest first."""

    items: list[SessionView]


class SessionsEnded(Shape):
    """How many browsers were signed out."""

    count: int


class UserView(Shape):
    """A person of the account."""

    id: str
    name: str
    email: str
    role: RoleName
    disabled: bool


class UserList(Shape):
    """All people of the account, by e-mail."""

    items: list[UserView]


class Named(Shape):
    """A person or a token, with its name where that is still known."""

    id: str
    name: str | None


class TokenView(Shape):
    """An API token, without its secret."""

    id: str
    name: str
    prefix: str
    scopes: list[Scope]
    acts_for: Named | None
    created_by: Named | None
    created_at: Moment
    expires_at: Moment
    last_used_at: Moment | None
    state: Literal["live", "expired", "revoked"]


class TokenList(Shape):
    """An account's tokens, newest first."""

    items: list[TokenView]
    days_max: int
    """How long a new one may last."""


class TokenOrder(Shape):
    """A token that is wanted."""

    name: str = Field(min_length=1, max_length=100)
    scopes: list[Scope] = Field(min_length=1, max_length=len(Scope))
    expires_in_days: int = Field(default=365, ge=1, le=TOKEN_DAYS_MAX)
    acts_for: Identity | None = None
    """A person of the account, for what only a person can do, as starting calls."""


class TokenCreated(Shape):
    """The token and its secret, which is shown this once."""

    token: TokenView
    secret: str = Field(repr=False)


class AuditDeeds(Shape):
    """Which deeds; what is left out lets all through."""

    action: Annotated[str, StringConstraints(pattern=r"^[a-z_.]{1,64}$")] | None = None
    """One kind of deed, for example `recording.played`."""
    actor: Identity | None = None
    """A person or a token."""
    subject: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = None
    since: Day | None = None
    """First day, in the account's time zone."""
    until: Day | None = None
    """Last day."""


class AuditQuery(AuditDeeds):
    """One page of them, newest first."""

    cursor: Cursor | None = None
    limit: int = Field(default=50, ge=1, le=200)


class AuditLine(Shape):
    """One deed."""

    at: Moment
    action: str
    actor: Named | None
    """Null: the operator, the gateway itself, or a token that stands for itself."""
    token: Named | None
    subject: str
    fields: dict[str, JsonValue]


class AuditView(Shape):
    """One page of the audit."""

    items: list[AuditLine]
    next_cursor: str | None
