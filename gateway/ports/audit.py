"""Who did what, kept for the account's admins."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from gateway.core.ids import AccountId, TokenId, UserId
from gateway.ports import Json


class Deed(StrEnum):
    """Every kind of deed. The values are stable; the web app has words for each."""

    ACCOUNT_ADDED = "account.added"
    ACCOUNT_RECORDS_CHANGED = "account.records_changed"
    NUMBER_ADDED = "number.added"
    NUMBER_TOKEN_CHANGED = "number.token_changed"  # noqa: S105 (a kind of deed)
    NUMBER_RECORDS_CHANGED = "number.records_changed"

    USER_ADDED = "user.added"
    USER_DISABLED = "user.disabled"
    USER_ENABLED = "user.enabled"
    USER_PASSWORD_CHANGED = "user.password_changed"  # noqa: S105 (a kind of deed)
    """The deed, not the password."""
    SESSION_CREATED = "session.created"
    SESSION_REFUSED = "session.refused"
    """A wrong password for a person who exists."""
    SESSION_ENDED = "session.ended"
    """Somebody signed out."""
    SESSIONS_REVOKED = "sessions.revoked"
    TOKEN_CREATED = "token.created"  # noqa: S105 (a kind of deed)
    TOKEN_FIRST_USED = "token.first_used"  # noqa: S105 (a kind of deed)
    TOKEN_REVOKED = "token.revoked"  # noqa: S105 (a kind of deed)

    SETTINGS_CALLS_CHANGED = "settings.calls_changed"
    ANNOUNCEMENT_CHANGED = "announcement.changed"
    ANNOUNCEMENT_DELETED = "announcement.deleted"
    QUOTA_CHANGED = "quota.changed"

    RECORDING_PLAYED = "recording.played"
    RECORDING_DOWNLOADED = "recording.downloaded"
    RECORDINGS_EXPORTED = "recordings.exported"
    """Many at once: ZIP, CSV."""
    RECORDING_NOTED = "recording.noted"
    RECORDING_DELETED = "recording.deleted"
    RECORDING_ROTATED = "recording.rotated"
    """Deleted to make room, oldest first."""
    RECORDING_PURGED = "recording.purged"
    RECORDING_HELD = "recording.held"
    RECORDING_RELEASED = "recording.released"
    TRANSCRIPT_READ = "transcript.read"
    EVIDENCE_DOWNLOADED = "evidence.downloaded"
    REPORT_DOWNLOADED = "report.downloaded"
    CUSTOMER_EXPORTED = "customer.exported"
    CUSTOMER_ERASED = "customer.erased"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One deed. `fields` holds no secret, no phone number, no SDP."""

    account_id: AccountId | None
    """None: a deed of the operator that concerns no account."""
    actor: UserId | None
    """None: the operator's command line, or the gateway itself."""
    action: str
    """A `Deed`; older programs may have written others."""
    subject: str
    """Id of what was acted on."""
    at: float
    """Wall clock, seconds."""
    fields: dict[str, Json] = field(default_factory=dict)
    token_id: TokenId | None = None
    """The API token that it was done with."""


@dataclass(frozen=True, slots=True)
class Order:
    """Who wants something, and when."""

    at: float
    """Wall clock, seconds."""
    actor: UserId | None = None
    """None: the operator's command line, or the gateway itself."""
    token_id: TokenId | None = None

    def entry(
        self, account_id: AccountId, deed: Deed, subject: str, **fields: Json
    ) -> AuditEntry:
        """Return the deed to note when it is carried out; `fields` as in `AuditEntry`."""
        return AuditEntry(
            account_id, self.actor, deed, subject, self.at, fields, token_id=self.token_id
        )


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which deeds of an account to list."""

    account_id: AccountId
    action: str | None = None
    actor: str | None = None
    """Id of a person or of a token."""
    subject: str | None = None
    since: float | None = None
    until: float | None = None
    """Exclusive."""


@dataclass(frozen=True, slots=True)
class ListedDeed:
    """A deed with the names that belong to its ids, where those are still known."""

    entry: AuditEntry
    actor_name: str | None
    token_name: str | None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """One page; `next_cursor` is None on the last."""

    deeds: tuple[ListedDeed, ...]
    next_cursor: str | None


class AuditLog(Protocol):
    """Append-only until a deed's time is over. Every method raises `StoreDown`."""

    async def record(self, entry: AuditEntry) -> None:
        """Append one deed."""

    async def recent(
        self, account_id: AccountId, *, limit: int, before: float | None = None
    ) -> Sequence[AuditEntry]:
        """Return an account's latest deeds, newest first, older than `before` if given."""

    async def page(self, wanted: AuditFilter, *, cursor: str | None, limit: int) -> AuditPage:
        """List deeds, newest first. Raises `BadInput` for a cursor not made here."""
