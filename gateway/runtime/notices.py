"""Tells browsers what is wrong with the gateway itself, once, and once when it is over."""

from collections.abc import Callable, Iterable

from gateway.core.ids import AccountId
from gateway.ports.live import LiveBus, LiveEvent


class Notices:
    """A part that is down is told as `code`; `…_back` takes it away again."""

    def __init__(self, bus: LiveBus, accounts: Callable[[], Iterable[AccountId]]) -> None:
        """`accounts` gives those whose people are, or were, here."""
        self._bus = bus
        self._accounts = accounts
        self._down: dict[str, str] = {}

    def down(self, code: str, back_code: str, detail: str) -> None:
        """A part went away; said again while it is away, it is told once."""
        if code not in self._down:
            self._down[code] = back_code
            self._tell_all(code, detail)

    def up(self, code: str, detail: str) -> None:
        """The part is back; without an earlier `down` nothing is told."""
        back_code = self._down.pop(code, None)
        if back_code is not None:
            self._tell_all(back_code, detail)

    def _tell_all(self, code: str, detail: str) -> None:
        for account_id in sorted(set(self._accounts())):
            tell_account(self._bus, account_id, code, detail)


def tell_account(bus: LiveBus, account_id: AccountId, code: str, detail: str) -> None:
    """Show everybody of an account one notice."""
    bus.publish(LiveEvent(account_id, "notice", {"code": code, "detail": detail}))
