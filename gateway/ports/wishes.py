"""What accounts want recorded."""

from dataclasses import dataclass
from typing import Protocol

from gateway.core.ids import AccountId, UserId
from gateway.core.recording.wish import Wish


@dataclass(frozen=True, slots=True)
class StoredWish:
    """A setting as it is kept. Version 0: nobody has ever chosen."""

    wish: Wish
    version: int


class Wishes(Protocol):
    """Every method raises `StoreDown`."""

    async def of_account(self, account_id: AccountId) -> StoredWish:
        """Return an account's setting. Raises `NotFound` for an unknown account."""

    async def save(
        self,
        account_id: AccountId,
        wish: Wish,
        *,
        seen: int,
        actor: UserId | None,
        now: float,
    ) -> StoredWish:
        """Keep a setting that was changed from version `seen`; calls that run keep theirs.

        Raises `Refused` (`settings_changed`) if somebody else changed it meanwhile.
        """
