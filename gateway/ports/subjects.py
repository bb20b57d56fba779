"""Everything that is kept of one customer of an account, to be forgotten."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.core.ids import AccountId, CallId
from gateway.core.whatsapp import Peer
from gateway.ports.audit import Order


@dataclass(frozen=True, slots=True)
class SubjectCall:
    """A call with a customer."""

    call_id: CallId
    is_over: bool
    """Nobody has anything to do for it any more."""
    is_held: bool
    """Its recording must not be deleted."""
    snapshot: str


class Subjects(Protocol):
    """Every method is one transaction and raises `StoreDown`."""

    async def calls(
        self, account_id: AccountId, peer: Peer, *, after: CallId | None, limit: int
    ) -> Sequence[SubjectCall]:
        """List calls with the user of a phone number or of a user id, by id."""

    async def forget_call(
        self, account_id: AccountId, call_id: CallId, *, snapshot: str, order: Order
    ) -> int:
        """Forget who called, and what was noted of it; return how many webhooks held it.

        What was deleted before loses its bytes now. `snapshot` replaces the call's own.
        """

    async def forget_person(self, account_id: AccountId, peer: Peer, *, order: Order) -> int:
        """Empty all webhooks that name the person; return how many. Notes the deed."""
