"""Signing in: passwords, login limits and the sessions of browsers."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.core.ids import UserId
from gateway.ports.accounts import Account, Person


@dataclass(frozen=True, slots=True)
class Session:
    """One signed-in browser. The token itself is known to the browser alone."""

    session_id: str
    """Hash of the token: fit to name a session in lists, useless to sign in with."""
    user_id: UserId
    created_at: float
    last_seen_at: float
    expires_at: float
    """The absolute end; the idle end comes earlier unless the session is touched."""
    user_agent: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Whom a token stands for."""

    session: Session
    person: Person
    account: Account


class SessionStore(Protocol):
    """Sessions in SQL. `now` is wall-clock seconds. Every method raises `StoreDown`.

    A session ends when it is idle or too old (both bounds are settings), revoked, or when its
    person is disabled or gets a new password; never while it is held.
    """

    async def create(
        self, user_id: UserId, *, user_agent: str, now: float, replaces: str | None = None
    ) -> str:
        """Sign a person in and return the new token (43 URL-safe characters).

        `replaces` is the token the browser came with, if any: it is revoked in the same
        transaction, so that a planted token never becomes a signed-in one.
        """

    async def look_up(self, token: str, *, now: float) -> SignedIn | None:
        """Return whom the token stands for, or None if it is unknown or ended."""

    async def touch(self, token: str, *, now: float) -> None:
        """Note that the browser is there. Written at most once a minute: call it freely."""

    async def hold(self, token: str, *, now: float, until: float) -> None:
        """Keep a live session from ending before `until`: nobody is signed out in mid-call.

        Call it again while the call lasts; `until` is at most five minutes ahead of `now`.
        """

    async def revoke(self, token: str, *, now: float) -> None:
        """Sign the browser out; an unknown or ended token is fine."""

    async def revoke_one(self, user_id: UserId, session_id: str, *, now: float) -> bool:
        """Sign a person out of one browser; False: it was none of theirs, or over."""

    async def revoke_all(self, user_id: UserId, *, now: float, keep: str | None = None) -> int:
        """Sign a person out everywhere (but in the browser with the token `keep`).

        Return how many sessions ended.
        """

    async def of_person(self, user_id: UserId, *, now: float) -> Sequence[Session]:
        """Return a person's live sessions, newest first."""

    async def ended(self, session_ids: Collection[str], *, now: float) -> frozenset[str]:
        """Return which of these have ended: one question for all open WebSockets."""

    async def purge(self, *, now: float) -> int:
        """Forget sessions that ended a week ago or earlier; return how many."""


class Passwords(Protocol):
    """Checks passwords (argon2id) off the event loop, a bounded number at a time."""

    async def verify(self, email: str, password: str) -> Person | None:
        """Return the person, or None; an unknown e-mail takes as long as a wrong password.

        Raises `Refused("too_many_logins")` when more log-ins wait than may.
        """


class LoginLimit(Protocol):
    """Slows guessing. Kept in SQL: it holds on all nodes, with and without Redis."""

    async def take(self, email: str, address: str, *, now: float) -> float:
        """Count a try, before the password is looked at.

        Return 0 if it may go on, or the seconds to wait (answer 429 and do not verify).
        `address` is the client's IP address; it is stored only as a keyed hash of its network.
        """

    async def give_back(self, email: str, address: str, *, now: float) -> None:
        """The password was right: forget the e-mail's tries and this one of the network."""
