"""Pictures of an account's minutes for supervisors, and thresholds that fire once."""

from collections.abc import Callable, Mapping, Sequence

from typing_extensions import override

from gateway.core.ids import AccountId
from gateway.core.quota.balance import cross
from gateway.core.quota.lease import BudgetId
from gateway.core.quota.live import AccountMinutes, LiveCapture, LiveQuota, live_quota
from gateway.ports import Json
from gateway.ports.clock import Clock
from gateway.ports.live import LiveBus, LiveEvent
from gateway.ports.quota import Minutes, QuotaNews
from gateway.runtime.call_view import moment
from gateway.runtime.quota_keeper_budget import HeldBudget
from gateway.runtime.quota_view import body_of

HELD_ACCOUNTS_MAX = 10_000


class Pictures:
    """Draws and publishes; remembers what other nodes have told."""

    def __init__(self, minutes: Minutes, news: QuotaNews, clock: Clock) -> None:
        self._minutes = minutes
        self._news = news
        self._clock = clock
        self._heard: dict[AccountId, dict[BudgetId, int]] = {}

    def hear(self, account_id: AccountId, drawn: Mapping[BudgetId, int]) -> None:
        """Another node tells what was written from its budgets (totals: the higher counts)."""
        if len(self._heard) >= HELD_ACCOUNTS_MAX and account_id not in self._heard:
            return
        known = self._heard.setdefault(account_id, {})
        for budget_id, total in drawn.items():
            known[budget_id] = max(known.get(budget_id, 0), total)

    async def draw(self, account_id: AccountId, held: Sequence[HeldBudget]) -> LiveQuota:
        """Return the account's picture. Raises `StoreDown`."""
        return (await self._draw(account_id, held))[1]

    async def publish(
        self, account_id: AccountId, held: Sequence[HeldBudget]
    ) -> AccountMinutes:
        """Show the picture and fire thresholds. Raises `StoreDown`."""
        minutes, picture = await self._draw(account_id, held)
        self._news.picture(picture)
        crossing = cross(minutes.level, picture.shown)
        if crossing.level != minutes.level and await self._minutes.note_level(
            account_id, seen=minutes.level, reached=crossing.level
        ):
            for threshold in crossing.fired:
                self._news.crossed(account_id, threshold)
        return minutes

    async def _draw(
        self, account_id: AccountId, held: Sequence[HeldBudget]
    ) -> tuple[AccountMinutes, LiveQuota]:
        now = self._clock.wall()
        minutes = await self._minutes.view(account_id, now=now)
        drawn = {each.budget_id: each.drawn_ms for each in held}
        captures: list[LiveCapture] = []
        for each in held:
            captures += each.live_captures()
        heard = self._forget_closed(minutes)
        return minutes, live_quota(minutes, captures, drawn, heard, now)

    def _forget_closed(self, minutes: AccountMinutes) -> Mapping[BudgetId, int]:
        known = self._heard.get(minutes.account_id)
        if known is None:
            return {}
        alive = {budget.budget_id for budget in minutes.budgets}
        kept = {budget_id: total for budget_id, total in known.items() if budget_id in alive}
        if kept:
            self._heard[minutes.account_id] = kept
        else:
            del self._heard[minutes.account_id]
        return kept


class BusQuotaNews(QuotaNews):
    """Puts the news on the live bus, for supervisors and admins of the account."""

    def __init__(
        self,
        bus: LiveBus,
        wall: Callable[[], float],
        watch: Callable[[LiveQuota], None] | None = None,
    ) -> None:
        """`wall` gives seconds since the epoch; `watch` sees each picture besides."""
        self._watch = watch
        self._bus = bus
        self._wall = wall

    @override
    def picture(self, quota: LiveQuota) -> None:
        self._publish(quota.account_id, "quota", body_of(quota))
        if self._watch is not None:
            self._watch(quota)

    @override
    def crossed(self, account_id: AccountId, threshold: int) -> None:
        body: dict[str, Json] = {"threshold": threshold, "at": moment(self._wall())}
        self._publish(account_id, "quota_threshold", body)

    def _publish(self, account_id: AccountId, kind: str, body: dict[str, Json]) -> None:
        # No audience of agents: supervisors and admins hear everything.
        self._bus.publish(LiveEvent(account_id, kind, body, audience=()))
