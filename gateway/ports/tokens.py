"""API tokens: how programs of a customer, for example its CRM, come in."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from gateway.core.ids import AccountId, TokenId, UserId
from gateway.ports.accounts import Account, Person


class Scope(StrEnum):
    """What a token may do; `gateway/http/policy.py` says it route by route."""

    CALLS_READ = "calls.read"
    CALLS_DIAL = "calls.dial"
    """Start and end calls as the person that the token acts for."""
    RECORDINGS_READ = "recordings.read"
    RECORDINGS_DOWNLOAD = "recordings.download"
    RECORDINGS_DELETE = "recordings.delete"
    QUOTA_READ = "quota.read"
    SETTINGS_READ = "settings.read"
    AUDIT_READ = "audit.read"


NEEDS_PERSON = frozenset({Scope.CALLS_DIAL})
"""A call has an agent: these are for tokens that act for a person."""


@dataclass(frozen=True, slots=True)
class NewToken:
    """What is wanted of a token."""

    account_id: AccountId
    name: str
    scopes: frozenset[Scope]
    expires_at: float
    acts_for: UserId | None = None
    """Somebody of the account: the token may then do no more than they may, and ends with
    them. None: the token stands for itself and sees all of the account that its scopes open."""
    created_by: UserId | None = None
    """None: the operator's command line."""


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token as it is listed. Its secret is known to whoever it was given to alone."""

    token_id: TokenId
    account_id: AccountId
    name: str
    prefix: str
    """The secret's first characters, by which people tell tokens apart."""
    scopes: frozenset[Scope]
    acts_for: UserId | None
    created_by: UserId | None
    created_at: float
    expires_at: float
    last_used_at: float | None
    revoked_at: float | None

    def is_live(self, now: float) -> bool:
        """Whether it still opens anything."""
        return self.revoked_at is None and now < self.expires_at


@dataclass(frozen=True, slots=True)
class TokenCaller:
    """A program that came with a token."""

    token: ApiToken
    person: Person
    """Whom it acts for; a token that stands for itself appears under its own id and name."""
    account: Account


class TokenStore(Protocol):
    """Tokens in SQL; only hashes of the secrets are kept. Every method raises `StoreDown`.

    `now` is wall-clock seconds. A token ends when it is revoked or expires, or when the person
    it acts for is disabled.
    """

    async def create(self, wanted: NewToken, *, now: float) -> tuple[ApiToken, str]:
        """Return the token and its secret, which cannot be had again.

        Raises `Refused` (`too_many_tokens`), `BadInput` for a name, scopes or an expiry that
        cannot be, `NotFound` for a person who is not of the account.
        """

    async def look_up(self, secret: str, *, now: float) -> TokenCaller | None:
        """Return whom a secret stands for, or None if it is unknown or ended."""

    async def note_use(self, token: ApiToken, *, now: float) -> None:
        """Remember that it was used. Written at most once a minute: call it freely."""

    async def of_account(self, account_id: AccountId) -> Sequence[ApiToken]:
        """Return an account's tokens, newest first; ended ones too, for a while."""

    async def revoke(
        self, account_id: AccountId, token_id: TokenId, *, actor: UserId | None, now: float
    ) -> None:
        """End a token at once; an ended one is fine. Raises `NotFound`."""

    async def purge(self, *, now: float) -> int:
        """Forget tokens that ended long ago; return how many."""
