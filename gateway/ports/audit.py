"""Who did what, kept for the account's admins."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.core.ids import AccountId, UserId
from gateway.ports import Json


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One deed. `fields` holds no secret, no phone number, no SDP."""

    account_id: AccountId | None
    """None: a deed of the operator that concerns no account."""
    actor: UserId | None
    """None: the operator's command line, or the gateway itself."""
    action: str
    """Stable, dotted: `session.created`, `user.disabled`, `number.token_changed` …"""
    subject: str
    """Id of what was acted on."""
    at: float
    """Wall clock, seconds."""
    fields: dict[str, Json] = field(default_factory=dict)


class AuditLog(Protocol):
    """Append-only. Every method raises `StoreDown`."""

    async def record(self, entry: AuditEntry) -> None:
        """Append one deed."""

    async def recent(
        self, account_id: AccountId, *, limit: int, before: float | None = None
    ) -> Sequence[AuditEntry]:
        """Return an account's latest deeds, newest first, older than `before` if given."""
