"""The life of recordings in the store: deleted, held, kept for their time, purged."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from gateway.core.ids import AccountId, CallId, UserId
from gateway.core.recording.forecast import KeptOfDay
from gateway.core.recording.lifecycle import Deletion, Life, Why
from gateway.core.recording.retention import KeepingRules
from gateway.ports.audit import Order


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of deleting one recording."""

    call_id: CallId
    outcome: Deletion
    returned_ms: int = 0


@dataclass(frozen=True, slots=True)
class LifeOf:
    """Where a recording stands, and how it came to that: the proof of its deletion."""

    call_id: CallId
    account_id: AccountId
    state: Life
    version: int
    file: str
    peaks: str | None
    sha256: str
    bytes: int
    duration_ms: int
    purge_on: date
    held_at: float | None
    held_by: UserId | None
    held_why: str | None
    trashed_at: float | None
    gone_after: float | None
    deleted_by: UserId | None
    deleted_why: Why | None
    purged_at: float | None


@dataclass(frozen=True, slots=True)
class AccountRules:
    """An account's rules, and the version they were read at; 0: never set."""

    rules: KeepingRules
    version: int


class RecordingLife(Protocol):
    """Every method that changes something is one transaction; all raise `StoreDown`.

    With each change goes its entry in the audit. Repeating one is harmless.
    """

    async def find(self, account_id: AccountId, call_id: CallId) -> LifeOf:
        """Return where a recording stands. Raises `NotFound`, also for another account's."""

    async def delete(
        self, account_id: AccountId, call_id: CallId, *, why: Why, order: Order
    ) -> Ended:
        """Make a recording unreachable and return its minutes, at once and for good.

        Its bytes are due at once, or after `TRASH_S` when somebody deleted it by hand. What
        the call still expects is told, so that nothing of it is fetched or kept any more.
        """

    async def hold(
        self, account_id: AccountId, call_id: CallId, *, reason: str, order: Order
    ) -> LifeOf:
        """Let nothing delete it until it is released.

        Raises `NotFound`, `BadInput` for no reason, or `Refused` for one that is deleted.
        """

    async def release(self, account_id: AccountId, call_id: CallId, *, order: Order) -> LifeOf:
        """End the hold; none is fine. Raises `NotFound`."""

    async def over(self, *, now: float, limit: int) -> Sequence[tuple[AccountId, CallId]]:
        """Return recordings whose time is over and that nothing holds, the oldest first."""

    async def kept_by_day(self, account_id: AccountId) -> Sequence[KeptOfDay]:
        """Count what is kept and not deleted, by the day it was made, the oldest first."""

    async def rules(self, account_id: AccountId) -> AccountRules:
        """Return an account's rules."""

    async def change_rules(
        self, account_id: AccountId, rules: KeepingRules, *, seen: int, order: Order
    ) -> AccountRules:
        """Change the rules that were read at version `seen`; the days of all recordings follow.

        Raises `VersionConflict` or `NotFound`.
        """
