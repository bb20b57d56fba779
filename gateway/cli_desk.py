"""What commands on the stores work with."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import date

from gateway.adapters.system_clock import SystemClock
from gateway.cli_terminal import with_stores
from gateway.core.errors import BadInput
from gateway.core.ids import AccountId, CallId
from gateway.core.zones import local_day, start_of_day
from gateway.foundation import Foundation
from gateway.ports import Json
from gateway.ports.accounts import Account
from gateway.ports.audit import Deed, Order


@dataclass(frozen=True, slots=True)
class Desk:
    """The stores, and the time of the command."""

    stores: Foundation
    now: float
    """Wall clock, seconds."""

    @property
    def order(self) -> Order:
        """The operator wants it, now."""
        return Order(self.now)

    async def note(
        self, account: Account, deed: Deed, subject: AccountId | CallId, **fields: Json
    ) -> None:
        """Write into the account's audit what the operator does, before it is done."""
        await self.stores.audit.record(
            self.order.entry(account.account_id, deed, subject, **fields)
        )

    async def account(self, cid: str) -> Account:
        """Return one account. Raises `NotFound`."""
        return await self.stores.accounts.account(cid)

    async def accounts(self, cid: str | None) -> Sequence[Account]:
        """Return one account, or all. Raises `NotFound`."""
        return (
            await self.stores.accounts.accounts() if cid is None else [await self.account(cid)]
        )

    def start(self, day: str | None, account: Account) -> float:
        """Return when a day begins in the account's zone; None: now."""
        return self.now if day is None else start_of_day(day_of(day), account.timezone)

    def today(self, account: Account) -> date:
        """Return the account's own day."""
        return local_day(self.now, account.timezone)


def run(work: Callable[[Desk], Coroutine[None, None, None]]) -> None:
    """Do the work of a command on the stores."""

    async def at_desk(stores: Foundation) -> None:
        await work(Desk(stores, SystemClock().wall()))

    with_stores(at_desk)


def day_of(text: str) -> date:
    """Read a day. Raises `BadInput`."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"a day is written YYYY-MM-DD, not {text!r}") from None
