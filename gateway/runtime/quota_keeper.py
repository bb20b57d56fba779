"""Keeps accounts' minutes while calls are captured: grants, returns, settles, tells.

The media side reports what happens in its workers; the keeper answers through each worker's
`BudgetLine`. Nothing here waits in a call's path but `hold` and `open_capture`.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import structlog

from gateway.core.errors import MediaAway, MediaError, StoreDown
from gateway.core.ids import AccountId, CallId
from gateway.core.quota.charge import Recorded, Stamp
from gateway.core.quota.lease import Budget, BudgetId, BudgetState, Refusal, WorkerId
from gateway.core.quota.live import LiveBudget, LiveQuota
from gateway.ports.clock import Clock, NewId
from gateway.ports.quota import (
    BudgetLine,
    BudgetSeen,
    ChargedCall,
    LowBudget,
    Minutes,
    QuotaNews,
)
from gateway.runtime.quota_keeper_budget import (
    BudgetTender,
    Capturing,
    HeldBudget,
    KeeperBounds,
    Tools,
)
from gateway.runtime.quota_keeper_news import Pictures
from gateway.runtime.tasks import Tasks

_log = structlog.get_logger(__name__)

HOLD_LOOKS = 10
"""Old holds are looked for so often within the age at which they go."""


class QuotaKeeper:
    """One per node. `run` must be kept running; the rest is called as things happen."""

    def __init__(
        self,
        *,
        minutes: Minutes,
        news: QuotaNews,
        clock: Clock,
        tasks: Tasks,
        new_id: NewId,
        bounds: KeeperBounds,
    ) -> None:
        self._minutes = minutes
        self._clock = clock
        self._new_id = new_id
        self._bounds = bounds
        self._tools = Tools(minutes, clock, tasks, bounds, self._note_change)
        self._pictures = Pictures(minutes, news, clock)
        self._lines: dict[WorkerId, BudgetLine] = {}
        self._tenders: dict[BudgetId, BudgetTender] = {}
        self._opening: dict[tuple[AccountId, WorkerId], asyncio.Lock] = {}
        self._changed: set[AccountId] = set()
        self._gone_untold: set[WorkerId] = set()
        self._doubtful: dict[CallId, tuple[AccountId, WorkerId]] = {}
        self._next_holds_at = clock.monotonic()
        self.unclear: Callable[[CallId], None] | None = None
        """Told of a call that may have to be settled though its capture was not ordered."""

    # --- a call's recording ------------------------------------------------------------------

    async def hold(self, account_id: AccountId, call_id: CallId) -> bool:
        """Keep a little time before a recording is announced; False: announce none.

        Raises `StoreDown`, which is no permission either; the hold may have been taken.
        """
        held = await self._minutes.take_hold(account_id, call_id, now=self._clock.wall())
        self._note_change(account_id)
        return held

    async def release(self, account_id: AccountId, call_id: CallId) -> None:
        """The call will not be captured. Raises `StoreDown`; the hold then ends by its age."""
        await self._minutes.release_hold(call_id)
        self._note_change(account_id)

    async def open_capture(
        self, call_id: CallId, account_id: AccountId, worker_id: WorkerId
    ) -> BudgetId:
        """Return the budget that a capture about to start draws from.

        Asked again, as after a restart, it returns the budget in use. Waits a little for a
        database that does not answer. Raises `StoreDown`, `Refused` or `MediaError`; then the
        caller settles the call with what its files hold: an earlier life of this node may
        have begun its capture.
        """
        line = self._lines.get(worker_id)
        if line is None:
            raise MediaAway("this media worker is not connected")
        known = self._tender_of(call_id)
        if known is not None and known.held.worker_id == worker_id:
            return known.held.budget_id
        async with self._lock(account_id, worker_id):
            await self._finish_closing(account_id, worker_id)
            budget = await self._open(call_id, account_id, worker_id)
            tender = self._tenders.get(budget.budget_id)
            if tender is None:
                tender = self._tend(HeldBudget.of(budget), line)
            held = tender.held
            held.captures.setdefault(call_id, Capturing())
            # The call's hold went into it: a worker that knows the budget must hear of that.
            held.must_grant |= budget.granted_ms > held.granted_ms
            held.granted_ms = max(held.granted_ms, budget.granted_ms)
        self._note_change(account_id)
        try:
            await line.open(held.budget_id, limit_ms=held.limit_ms)
            tender.nudge()
        except MediaError:
            self.capture_over(call_id)
            raise
        return held.budget_id

    async def settle(
        self, call_id: CallId, account_id: AccountId, recorded: Recorded, stamp: Stamp
    ) -> ChargedCall:
        """Charge a call with what its recording holds. Raises `StoreDown`: repeat it."""
        charged = await self._minutes.settle(call_id, account_id, recorded, stamp)
        self._note_change(account_id)
        return charged

    # --- what media workers report -----------------------------------------------------------

    def budget_low(self, low: LowBudget) -> None:
        """A worker asks for more; it is answered through its line."""
        tender = self._tenders.get(low.budget_id)
        if tender is not None:
            tender.low(low)

    def written(self, captures: Mapping[CallId, int], budgets: Mapping[BudgetId, int]) -> None:
        """Take note of what captures and budgets have written so far; both are totals."""
        for budget_id, drawn_ms in budgets.items():
            tender = self._tenders.get(budget_id)
            if tender is not None:
                tender.held.drawn_ms = max(tender.held.drawn_ms, drawn_ms)
        for call_id, written_ms in captures.items():
            capture = self._capture(call_id)
            if capture is not None:
                capture.written_ms = written_ms

    def capture_stopped(self, call_id: CallId, *, for_want_of_minutes: bool) -> None:
        """A capture writes no more for now: paused, or stopped by the quota."""
        tender = self._tender_of(call_id)
        if tender is None:
            return
        capture = tender.held.captures[call_id]
        capture.is_starved = for_want_of_minutes
        capture.is_paused = not for_want_of_minutes
        tender.held.is_trimming |= capture.is_paused
        tender.nudge()
        self._note_change(tender.held.account_id)

    def capture_going(self, call_id: CallId) -> None:
        """A capture writes, for the first time or again."""
        tender = self._tender_of(call_id)
        if tender is not None:
            capture = tender.held.captures[call_id]
            capture.is_starved = capture.is_paused = False
            self._note_change(tender.held.account_id)

    def capture_over(self, call_id: CallId) -> None:
        """A capture has ended and its files are closed; unspent time goes back."""
        tender = self._tender_of(call_id)
        if tender is None:
            return
        del tender.held.captures[call_id]
        tender.held.is_trimming = True
        tender.nudge()
        self._note_change(tender.held.account_id)

    async def worker_back(
        self, worker_id: WorkerId, line: BudgetLine, seen: Sequence[BudgetSeen]
    ) -> None:
        """A worker is connected (again): take over its budgets.

        Raises `StoreDown` or `MediaError`: repeat it.
        """
        self._lines[worker_id] = line
        self._gone_untold.discard(worker_id)
        by_id = {each.budget_id: each for each in seen}
        for budget in await self._minutes.budgets_of(worker_id):
            found = by_id.pop(budget.budget_id, None)
            if found is not None:
                self._adopt(budget, found, line)
                continue
            # Opened here but never there, or closed there: its files will tell the rest.
            await self._minutes.close_budget(budget.budget_id, drawn_ms=None)
            self._note_change(budget.account_id)
        for stranger in by_id.values():
            # The ledger has closed it: stop what draws from it.
            await line.refuse(
                stranger.budget_id, answers=stranger.asked, refusal=Refusal.BUDGET_CLOSED
            )

    async def worker_gone(self, worker_id: WorkerId) -> None:
        """A worker died: its leases stay reserved until its files are settled."""
        self._lines.pop(worker_id, None)
        for budget_id, tender in list(self._tenders.items()):
            if tender.held.worker_id == worker_id:
                tender.abandon()
                del self._tenders[budget_id]
        self._gone_untold.add(worker_id)
        await self._tell_gone()

    async def recovered(self, worker_id: WorkerId) -> bool:
        """A dead worker's files have been looked for, all of them, and its calls settled.

        False: a call is not settled; what it may hold stays reserved. Raises `StoreDown`.
        """
        for budget in await self._minutes.suspend_worker(worker_id):
            self._note_change(budget.account_id)
        return not await self._minutes.unsettled(worker_id)

    # --- telling -----------------------------------------------------------------------------

    def hear(self, account_id: AccountId, told: Mapping[BudgetId, LiveBudget]) -> None:
        """Another node tells what was written from its budgets."""
        self._pictures.hear(account_id, told)

    def accounts(self) -> frozenset[AccountId]:
        """Return the accounts that have a budget here."""
        return frozenset(tender.held.account_id for tender in self._tenders.values())

    def balance_changed(self, account_id: AccountId) -> None:
        """Somebody else changed the account's minutes (top-up, deletion, another node)."""
        self._note_change(account_id)

    async def picture(self, account_id: AccountId) -> LiveQuota:
        """Return how an account stands now. Raises `StoreDown`."""
        return await self._pictures.draw(account_id, self._held(account_id))

    async def run(self) -> None:
        """Tell, feed what was stopped and repeat what failed, for good."""
        next_picture_at = self._clock.monotonic()
        while True:
            is_full = self._clock.monotonic() >= next_picture_at
            if is_full:
                next_picture_at = self._clock.monotonic() + self._bounds.picture_s
            await self.tick(is_full=is_full)
            await self._clock.sleep(self._bounds.change_s)

    async def tick(self, *, is_full: bool) -> None:
        """One round: what has changed, and if `is_full` all that captures."""
        if is_full:
            self._changed |= self.accounts()
        changed, self._changed = self._changed, set()
        try:
            while changed:
                account_id = next(iter(changed))
                await self._tell(account_id)
                changed.discard(account_id)
            if is_full:
                await self._sweep()
        except StoreDown:
            # The next round tries the rest again.
            self._changed |= changed

    async def _tell(self, account_id: AccountId) -> None:
        minutes = await self._pictures.publish(account_id, self._held(account_id))
        can_resume = minutes.balance.free_ms >= self._bounds.resume_min_ms
        for tender in list(self._tenders.values()):
            if tender.held.account_id == account_id:
                if can_resume:
                    tender.feed()
                tender.nudge()

    async def _sweep(self) -> None:
        for budget_id, tender in list(self._tenders.items()):
            if tender.held.is_gone:
                del self._tenders[budget_id]
        in_use = {(t.held.account_id, t.held.worker_id) for t in self._tenders.values()}
        for key, lock in list(self._opening.items()):
            if key not in in_use and not lock.locked():
                del self._opening[key]
        await self._tell_gone()
        await self._resolve_doubts()
        await self._release_old_holds()

    async def _release_old_holds(self) -> None:
        now = self._clock.monotonic()
        if now < self._next_holds_at:
            return
        taken_before = self._clock.wall() - self._bounds.hold_age_max_s
        for account_id in await self._minutes.release_holds_before(taken_before):
            self._note_change(account_id)
        self._next_holds_at = now + self._bounds.hold_age_max_s / HOLD_LOOKS

    async def _tell_gone(self) -> None:
        for worker_id in list(self._gone_untold):
            try:
                suspended = await self._minutes.suspend_worker(worker_id)
            except StoreDown:
                return
            self._gone_untold.discard(worker_id)
            for budget in suspended:
                self._note_change(budget.account_id)
                if budget.state is BudgetState.SUSPENSE:
                    _log.warning("minutes in suspense", reserved_ms=budget.outstanding_ms)

    async def _open(
        self, call_id: CallId, account_id: AccountId, worker_id: WorkerId
    ) -> Budget:
        fresh = BudgetId(self._new_id())
        give_up_at = self._clock.monotonic() + self._bounds.store_patience_s
        while True:
            try:
                return await self._minutes.open_capture(
                    call_id, account_id, worker_id, fresh=fresh
                )
            except StoreDown:
                if self._clock.monotonic() >= give_up_at:
                    # It may have taken effect all the same.
                    self._doubtful[call_id] = (account_id, worker_id)
                    raise
                await self._clock.sleep(self._bounds.store_pause_s)

    async def _resolve_doubts(self) -> None:
        """Close what may have been opened for captures that were then not ordered."""
        for call_id, (account_id, worker_id) in list(self._doubtful.items()):
            async with self._lock(account_id, worker_id):
                for budget in await self._minutes.budgets_of(worker_id):
                    is_ours = budget.account_id == account_id
                    if is_ours and budget.budget_id not in self._tenders:
                        await self._minutes.close_budget(budget.budget_id, drawn_ms=None)
            await self.release(account_id, call_id)
            del self._doubtful[call_id]
            if self.unclear is not None:
                self.unclear(call_id)

    async def _finish_closing(self, account_id: AccountId, worker_id: WorkerId) -> None:
        """A budget that its worker has closed must be closed here before another opens."""
        for tender in list(self._tenders.values()):
            held = tender.held
            is_same = (held.account_id, held.worker_id) == (account_id, worker_id)
            if is_same and held.closed_at_ms is not None and not held.is_gone:
                await tender.finish_closing()

    def _adopt(self, budget: Budget, found: BudgetSeen, line: BudgetLine) -> None:
        former = self._tenders.pop(budget.budget_id, None)
        captures = {} if former is None else former.held.captures
        if former is not None:
            former.abandon()
        held = HeldBudget.of(budget)
        held.drawn_ms = max(held.drawn_ms, found.drawn_ms)
        held.grant_number = found.grant_number
        held.asked = held.answered = found.asked
        held.captures = {call_id: captures.get(call_id, Capturing()) for call_id in found.calls}
        # A grant may have been lost on the way: the total tells it again.
        held.must_grant = True
        self._tend(held, line).nudge()

    def _lock(self, account_id: AccountId, worker_id: WorkerId) -> asyncio.Lock:
        return self._opening.setdefault((account_id, worker_id), asyncio.Lock())

    def _tend(self, held: HeldBudget, line: BudgetLine) -> BudgetTender:
        lock = self._lock(held.account_id, held.worker_id)
        tender = BudgetTender(held, line, lock, self._tools)
        self._tenders[held.budget_id] = tender
        return tender

    def _held(self, account_id: AccountId) -> list[HeldBudget]:
        return [t.held for t in self._tenders.values() if t.held.account_id == account_id]

    def _tender_of(self, call_id: CallId) -> BudgetTender | None:
        return next((t for t in self._tenders.values() if call_id in t.held.captures), None)

    def _capture(self, call_id: CallId) -> Capturing | None:
        tender = self._tender_of(call_id)
        return None if tender is None else tender.held.captures[call_id]

    def _note_change(self, account_id: AccountId) -> None:
        self._changed.add(account_id)
