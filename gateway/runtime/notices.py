"""Tells browsers what is wrong with the gateway itself, once, and once when it is over.

What is wrong stands until it is over, and whoever comes meanwhile is told of it too.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gateway.core.ids import AccountId
from gateway.ports.live import LiveBus, LiveEvent


@dataclass(frozen=True, slots=True)
class Notice:
    """Something people should know: `code` is stable, `detail` plain words."""

    code: str
    detail: str
    is_for_leads: bool = False
    """Not told to agents, who can do nothing about it."""


class Notices:
    """A part that is down is told as `code`; `…_back` takes it away again."""

    def __init__(self, bus: LiveBus, accounts: Callable[[], Iterable[AccountId]]) -> None:
        """`accounts` gives those whose people are, or were, here."""
        self._bus = bus
        self._accounts = accounts
        self._standing: dict[tuple[AccountId | None, str], Notice] = {}

    def down(
        self,
        code: str,
        detail: str,
        *,
        account_id: AccountId | None = None,
        is_for_leads: bool = False,
    ) -> None:
        """A part went away, for one account or (None) for all of this node.

        Said again while it is away it is told once, unless the words have changed.
        """
        notice = Notice(code, detail, is_for_leads)
        if self._standing.get((account_id, code)) != notice:
            self._standing[account_id, code] = notice
            self._tell(notice, account_id)

    def up(self, code: str, back: Notice, *, account_id: AccountId | None = None) -> None:
        """The part is back; without an earlier `down` nothing is told."""
        if self._standing.pop((account_id, code), None) is not None:
            self._tell(back, account_id)

    def standing(self, account_id: AccountId, *, is_lead: bool = True) -> Sequence[Notice]:
        """Return what is wrong now for the people of an account, the oldest first."""
        return [
            notice
            for (whose, _), notice in self._standing.items()
            if whose in {None, account_id} and (is_lead or not notice.is_for_leads)
        ]

    def _tell(self, notice: Notice, account_id: AccountId | None) -> None:
        whose = sorted(set(self._accounts())) if account_id is None else (account_id,)
        # Without an audience of agents supervisors and admins alone hear it.
        audience = () if notice.is_for_leads else None
        for one in whose:
            body = {"code": notice.code, "detail": notice.detail}
            event = LiveEvent(
                one, "notice", {**body}, audience=audience, is_local=account_id is None
            )
            self._bus.publish(event)
