"""A store of minutes in memory, made of the pure rules alone: port `Minutes`.

It is the model that the databases are compared with, and what the keeper's tests run on.
"""

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from typing_extensions import override

from gateway.core.errors import NotFound, Refused, StoreDown
from gateway.core.ids import AccountId, CallId
from gateway.core.quota import charge as charges
from gateway.core.quota import lease
from gateway.core.quota.balance import Balance
from gateway.core.quota.charge import Charge, Charged, Recorded, Stamp
from gateway.core.quota.lease import (
    Answer,
    Ask,
    Budget,
    BudgetId,
    BudgetState,
    Hold,
    Leased,
    LeaseTerms,
    WorkerId,
)
from gateway.core.quota.ledger import Entry, EntryKind
from gateway.core.quota.live import AccountMinutes
from gateway.ports.quota import ChargedCall, Minutes

T = TypeVar("T")


def finish(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    raise AssertionError("it waited")


@dataclass
class Book(Minutes):
    """All accounts. `is_down` makes every method raise `StoreDown`."""

    terms: LeaseTerms = field(default_factory=LeaseTerms)
    balances: dict[AccountId, Balance] = field(default_factory=dict)
    levels: dict[AccountId, int] = field(default_factory=dict)
    budgets: dict[BudgetId, Budget] = field(default_factory=dict)
    charges: dict[CallId, Charge] = field(default_factory=dict)
    holds: dict[CallId, Hold] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    changes: int = 0
    is_down: bool = False

    def set_capacity(self, account_id: AccountId, capacity_ms: int, at: float = 0.0) -> None:
        """Change what is owned, by an entry."""
        balance = self._balance(account_id)
        delta = capacity_ms - balance.capacity_ms
        key = f"capacity:{len(self.entries)}"
        self.entries.append(Entry(key, EntryKind.CAPACITY_CHANGE, delta, at))
        self.balances[account_id] = balance.moved(capacity_ms=delta)

    @override
    async def view(self, account_id: AccountId, *, now: float) -> AccountMinutes:
        self._check()
        return AccountMinutes(
            account_id=account_id,
            balance=self._balance(account_id),
            level=self.levels.get(account_id, 0),
            version=self.changes,
            budgets=tuple(
                b
                for b in self.budgets.values()
                if b.account_id == account_id
                and (b.state is not BudgetState.CLOSED or b.outstanding_ms)
            ),
        )

    @override
    async def take_hold(self, account_id: AccountId, call_id: CallId, *, now: float) -> bool:
        self._check()
        if call_id in self.holds or self._known(call_id, account_id):
            return True
        balance = self._balance(account_id)
        amount = lease.hold_size(balance, self.terms)
        if amount:
            self.holds[call_id] = Hold(call_id, account_id, amount, now)
            self.balances[account_id] = balance.moved(reserved_ms=amount)
        return amount > 0

    @override
    async def release_hold(self, call_id: CallId) -> None:
        self._check()
        hold = self.holds.pop(call_id, None)
        if hold is not None:
            balance = self._balance(hold.account_id)
            self.balances[hold.account_id] = balance.moved(reserved_ms=-hold.amount_ms)

    @override
    async def release_holds_before(self, taken_before: float) -> Sequence[AccountId]:
        old = [hold for hold in self.holds.values() if hold.taken_at < taken_before]
        for hold in old:
            await self.release_hold(hold.call_id)
        return [hold.account_id for hold in old]

    @override
    async def open_capture(
        self, call_id: CallId, account_id: AccountId, worker_id: WorkerId, *, fresh: BudgetId
    ) -> Budget:
        self._check()
        known = self._known(call_id, account_id)
        if known is not None:
            if known.is_settled or known.budget_id is None:
                raise Refused("already_settled", "this call has been charged already")
            budget = self.budgets[known.budget_id]
            if budget.worker_id != worker_id:
                raise Refused("other_worker", "this call is captured by another worker")
            return budget
        budget = next(
            (
                b
                for b in self.budgets.values()
                if (b.account_id, b.worker_id) == (account_id, worker_id)
                and b.state is not BudgetState.CLOSED
            ),
            Budget(fresh, account_id, worker_id),
        )
        budget = lease.open_with(budget, self.holds.pop(call_id, None))
        self.budgets[budget.budget_id] = budget
        self.charges[call_id] = Charge(call_id, account_id, budget.budget_id)
        return budget

    @override
    async def renew(self, ask: Ask, *, now: float) -> Answer:
        budget = self._budget(ask.budget_id)
        renewed = lease.renew(
            self._balance(budget.account_id),
            budget,
            ask,
            budgets_open=sum(
                b.account_id == budget.account_id and b.state is BudgetState.OPEN
                for b in self.budgets.values()
            ),
            terms=self.terms,
        )
        self._keep(renewed)
        return renewed.answer

    @override
    async def give_back(self, budget_id: BudgetId, *, returned_ms: int, drawn_ms: int) -> None:
        budget = self._budget(budget_id)
        balance = self._balance(budget.account_id)
        self._keep(lease.give_back(balance, budget, returned_ms=returned_ms, drawn_ms=drawn_ms))

    @override
    async def close_budget(self, budget_id: BudgetId, *, drawn_ms: int | None) -> None:
        budget = self._budget(budget_id)
        balance = self._balance(budget.account_id)
        self._keep(
            lease.close(balance, budget, drawn_ms=drawn_ms, drawing=self._drawing(budget_id))
        )

    @override
    async def suspend_worker(self, worker_id: WorkerId) -> Sequence[Budget]:
        self._check()
        suspended = []
        for budget in list(self.budgets.values()):
            if budget.worker_id == worker_id and budget.state is BudgetState.OPEN:
                balance = self._balance(budget.account_id)
                self._keep(
                    lease.suspend(balance, budget, drawing=self._drawing(budget.budget_id))
                )
                suspended.append(self.budgets[budget.budget_id])
        return suspended

    @override
    async def budgets_of(self, worker_id: WorkerId) -> Sequence[Budget]:
        self._check()
        return [
            b
            for b in self.budgets.values()
            if b.worker_id == worker_id and b.state is not BudgetState.CLOSED
        ]

    @override
    async def workers(self) -> Sequence[WorkerId]:
        self._check()
        return sorted(
            {b.worker_id for b in self.budgets.values() if b.state is not BudgetState.CLOSED}
        )

    @override
    async def unsettled(self, worker_id: WorkerId) -> Sequence[Charge]:
        self._check()
        return [
            c
            for c in self.charges.values()
            if not c.is_settled
            and c.budget_id is not None
            and self.budgets[c.budget_id].worker_id == worker_id
        ]

    @override
    async def settle(
        self, call_id: CallId, account_id: AccountId, recorded: Recorded, stamp: Stamp
    ) -> ChargedCall:
        self._check()
        charge = self._known(call_id, account_id) or Charge(call_id, account_id)
        budget = None if charge.budget_id is None else self.budgets[charge.budget_id]
        if not charge.is_settled:
            await self.release_hold(call_id)
        settled = charges.settle(
            self._balance(account_id),
            charge,
            budget,
            recorded=recorded,
            drawing=0 if budget is None else self._drawing(budget.budget_id, call_id),
            stamp=stamp,
        )
        return self._charge(settled, is_repeat=charge.is_settled)

    @override
    async def correct(
        self, call_id: CallId, *, target_ms: int, key: str, stamp: Stamp
    ) -> ChargedCall:
        self._check()
        charge = self._charge_of(call_id)
        if any(e.key == charges.correction_key(call_id, key) for e in self.entries):
            return ChargedCall(charge, 0, is_repeat=True)
        corrected = charges.correct(
            self._balance(charge.account_id),
            charge,
            target_ms=target_ms,
            key=key,
            stamp=stamp,
        )
        return self._charge(corrected, is_repeat=corrected.entry is None)

    @override
    async def return_minutes(
        self, call_id: CallId, account_id: AccountId, *, kind: EntryKind, stamp: Stamp
    ) -> ChargedCall:
        self._check()
        charge = self._known(call_id, account_id) or Charge(call_id, account_id)
        balance = self._balance(charge.account_id)
        returned = charges.give_back(balance, charge, kind=kind, stamp=stamp)
        return self._charge(returned, is_repeat=charge.is_returned)

    @override
    async def note_level(self, account_id: AccountId, *, seen: int, reached: int) -> bool:
        self._check()
        if self.levels.get(account_id, 0) != seen:
            return False
        self.levels[account_id] = reached
        return True

    def _check(self) -> None:
        if self.is_down:
            raise StoreDown("the database does not answer")

    def _balance(self, account_id: AccountId) -> Balance:
        return self.balances.get(account_id, Balance())

    def _budget(self, budget_id: BudgetId) -> Budget:
        self._check()
        if budget_id not in self.budgets:
            raise NotFound("no such budget")
        return self.budgets[budget_id]

    def _known(self, call_id: CallId, account_id: AccountId) -> Charge | None:
        charge = self.charges.get(call_id)
        if charge is not None and charge.account_id != account_id:
            raise NotFound("this account has no such call")
        return charge

    def _charge_of(self, call_id: CallId) -> Charge:
        if call_id not in self.charges:
            raise NotFound("this call was never recorded")
        return self.charges[call_id]

    def _drawing(self, budget_id: BudgetId, besides: CallId | None = None) -> int:
        return sum(
            c.budget_id == budget_id and not c.is_settled and c.call_id != besides
            for c in self.charges.values()
        )

    def _keep(self, leased: Leased) -> None:
        self.changes += 1
        self.balances[leased.budget.account_id] = leased.balance
        self.budgets[leased.budget.budget_id] = leased.budget

    def _charge(self, charged: Charged, *, is_repeat: bool) -> ChargedCall:
        self.changes += 1
        self.balances[charged.charge.account_id] = charged.balance
        self.charges[charged.charge.call_id] = charged.charge
        if charged.budget is not None:
            self.budgets[charged.budget.budget_id] = charged.budget
        if charged.entry is not None:
            assert all(e.key != charged.entry.key for e in self.entries)
            self.entries.append(replace(charged.entry))
        return ChargedCall(charged.charge, charged.uncovered_ms, is_repeat)
