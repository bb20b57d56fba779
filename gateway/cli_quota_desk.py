"""What the commands about minutes work with."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import typer

from gateway.adapters.system_clock import SystemClock
from gateway.core.errors import BadInput, CallgateError
from gateway.core.quota.contract import start_of_day
from gateway.foundation import Foundation, open_foundation
from gateway.ports.accounts import Account
from gateway.settings import load


@dataclass(frozen=True, slots=True)
class Desk:
    """The stores, and the time of the command."""

    stores: Foundation
    now: float
    """Wall clock, seconds."""

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
        return datetime.fromtimestamp(self.now, ZoneInfo(account.timezone)).date()


def run(work: Callable[[Desk], Coroutine[Any, Any, None]]) -> None:
    """Do the work of a command; an error is told in one line and ends with status 1."""

    async def with_desk() -> None:
        clock = SystemClock()
        async with open_foundation(load(), clock) as stores:
            await stores.migrate()
            await work(Desk(stores, clock.wall()))

    try:
        asyncio.run(with_desk())
    except CallgateError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None


def day_of(text: str) -> date:
    """Read a day. Raises `BadInput`."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"a day is written YYYY-MM-DD, not {text!r}") from None
