"""Granting, renewing and returning recording time that is not used yet.

A **budget** is the lease of one media worker for one account: all captures of that account in
that worker draw from it. Its counters only grow and messages carry totals, so a message that
comes twice, late or out of order changes nothing. A **hold** is a little time kept for a call
that has been promised a recording and has no capture yet.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NewType

from gateway.core.ids import AccountId, CallId
from gateway.core.quota.balance import FRAME_MS, Balance

BudgetId = NewType("BudgetId", str)
"""Key of one budget; opaque to the worker, new for each opening."""
WorkerId = NewType("WorkerId", str)
"""One life of one media worker: another boot is another worker."""


@dataclass(frozen=True, slots=True)
class LeaseTerms:
    """How much is granted at once. All in ms."""

    per_capture_ms: int = 15_000
    """Asked per active capture at each renewal."""
    hold_ms: int = 1_000
    """Kept for a call before its recording is announced."""
    min_free_to_record_ms: int = 10_000
    """With less than this free no recording is announced."""


class Refusal(StrEnum):
    """Why a capture gets no more time."""

    QUOTA_USED_UP = "quota_used_up"
    OVERDRAWN = "overdrawn"
    """Capacity has fallen below what is taken."""
    LEDGER_UNREACHABLE = "ledger_unreachable"
    """The database did not answer while the worker could wait."""
    BUDGET_CLOSED = "budget_closed"
    """The budget was closed or given up; its captures cannot go on."""


class BudgetState(StrEnum):
    """Life of a budget."""

    OPEN = "open"
    SUSPENSE = "suspense"
    """Its worker is gone: what is outstanding stays reserved until its files are settled."""
    CLOSED = "closed"
    """Nothing more is drawn; what is outstanding stands in files that are being settled."""


@dataclass(frozen=True, slots=True)
class Budget:
    """granted = returned + settled + outstanding; all totals since it was opened, ms."""

    budget_id: BudgetId
    account_id: AccountId
    worker_id: WorkerId
    state: BudgetState = BudgetState.OPEN
    granted_ms: int = 0
    returned_ms: int = 0
    settled_ms: int = 0
    """Drawn by calls that have been settled since."""
    drawn_ms: int = 0
    """Written by captures, as last reported: at least this much stands in files."""
    ask_number: int = 0
    """The last ask that was answered."""
    refusal: Refusal | None = None
    """The answer to it, if it was refused."""

    def __post_init__(self) -> None:
        assert self.outstanding_ms >= 0

    @property
    def outstanding_ms(self) -> int:
        """Reserved for this budget."""
        return self.granted_ms - self.returned_ms - self.settled_ms


@dataclass(frozen=True, slots=True)
class Hold:
    """Time kept for a call whose capture has not begun."""

    call_id: CallId
    account_id: AccountId
    amount_ms: int
    taken_at: float
    """Wall clock, seconds."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A worker asks for more. `number` counts a budget's asks from 1; a retry repeats it."""

    account_id: AccountId
    budget_id: BudgetId
    number: int
    active_captures: int
    """Captures that are writing, or waiting to write, from this budget."""
    drawn_ms: int
    """All that this budget's captures have written since it was opened."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker may write in all."""

    budget_id: BudgetId
    ask_number: int
    granted_ms: int
    returned_ms: int
    refusal: Refusal | None

    @property
    def limit_ms(self) -> int:
        """Total that the budget's captures may write since it was opened."""
        return self.granted_ms - self.returned_ms


@dataclass(frozen=True, slots=True)
class Leased:
    """Balance and budget after a change; unchanged ones are the same values."""

    balance: Balance
    budget: Budget


@dataclass(frozen=True, slots=True)
class Renewed(Leased):
    """The same, with what to answer."""

    answer: Answer


def grant_size(
    balance: Balance, *, active_captures: int, budgets_open: int, terms: LeaseTerms
) -> int:
    """Return how much one ask gets: small enough near the end that others get theirs.

    Whole frames, so that none is stranded in halves in two budgets; the last grant takes the
    crumbs too. 0 if not even one frame is free.
    """
    free = balance.free_ms
    if free < FRAME_MS or active_captures < 1:
        return 0
    share = free // (2 * max(1, budgets_open))
    wanted = min(terms.per_capture_ms * active_captures, share)
    size = max(FRAME_MS, wanted - wanted % FRAME_MS)
    return free if free - size < FRAME_MS else size


def hold_size(balance: Balance, terms: LeaseTerms) -> int:
    """Return what to keep for a call that is to be recorded; 0: promise it nothing."""
    needed = max(terms.hold_ms, terms.min_free_to_record_ms)
    return terms.hold_ms if balance.free_ms >= needed else 0


def refusal_now(balance: Balance) -> Refusal:
    """Say why nothing can be granted."""
    return Refusal.OVERDRAWN if balance.overdrawn_ms else Refusal.QUOTA_USED_UP


def open_with(budget: Budget, hold: Hold | None) -> Budget:
    """Give a call's hold to the budget its capture draws from; the balance stays as it is."""
    if hold is None:
        return budget
    return replace(budget, granted_ms=budget.granted_ms + hold.amount_ms)


def is_fresh(budget: Budget, ask: Ask) -> bool:
    """Whether an ask is to be decided, and not one that was answered before."""
    return budget.state is not BudgetState.CLOSED and ask.number > budget.ask_number


def renew(
    balance: Balance, budget: Budget, ask: Ask, *, budgets_open: int, terms: LeaseTerms
) -> Renewed:
    """Answer an ask. One that was answered before gets the same answer and nothing else.

    A budget in suspense is open again: its worker lives. `budgets_open` counts all open
    budgets of the account, this one included.
    """
    if budget.state is BudgetState.CLOSED:
        return Renewed(balance, budget, _answer(budget, ask, Refusal.BUDGET_CLOSED))
    if ask.number <= budget.ask_number:
        return Renewed(balance, budget, _answer(budget, ask, budget.refusal))
    amount = grant_size(
        balance, active_captures=ask.active_captures, budgets_open=budgets_open, terms=terms
    )
    refusal = None if amount else refusal_now(balance)
    budget = replace(
        note_drawn(budget, ask.drawn_ms),
        state=BudgetState.OPEN,
        granted_ms=budget.granted_ms + amount,
        ask_number=ask.number,
        refusal=refusal,
    )
    return Renewed(balance.moved(reserved_ms=amount), budget, _answer(budget, ask, refusal))


def note_drawn(budget: Budget, drawn_ms: int) -> Budget:
    """Remember how much has been written; never more than was granted."""
    most = budget.granted_ms - budget.returned_ms
    return replace(budget, drawn_ms=max(budget.drawn_ms, min(drawn_ms, most)))


def give_back(balance: Balance, budget: Budget, *, returned_ms: int, drawn_ms: int) -> Leased:
    """Take back what a worker will not write. Both are totals since the budget was opened.

    The worker lowers its own limit first. What is known to be written cannot come back.
    """
    budget = note_drawn(budget, drawn_ms)
    most = budget.granted_ms - max(budget.drawn_ms, budget.settled_ms)
    returned_ms = max(budget.returned_ms, min(returned_ms, most))
    returned_now = returned_ms - budget.returned_ms
    return Leased(
        balance.moved(reserved_ms=-returned_now), replace(budget, returned_ms=returned_ms)
    )


def close(balance: Balance, budget: Budget, *, drawn_ms: int | None, drawing: int) -> Leased:
    """Nothing more is drawn: return all that is not written.

    `drawn_ms` is the worker's last total, None if unknown: then all stays reserved until
    the calls are settled. `drawing` counts the budget's calls not settled yet.
    """
    leased = Leased(balance, budget)
    if drawn_ms is not None:
        leased = give_back(balance, budget, returned_ms=budget.granted_ms, drawn_ms=drawn_ms)
    closed = replace(leased.budget, state=BudgetState.CLOSED)
    return return_leftover(leased.balance, closed, drawing=drawing)


def suspend(balance: Balance, budget: Budget, *, drawing: int) -> Leased:
    """The worker is gone. With no call to recover nothing can have been written."""
    if budget.state is not BudgetState.OPEN:
        return Leased(balance, budget)
    suspended = replace(budget, state=BudgetState.SUSPENSE)
    return return_leftover(balance, suspended, drawing=drawing)


def return_leftover(balance: Balance, budget: Budget, *, drawing: int) -> Leased:
    """Once a budget that is no longer open has no call left to settle, free the rest."""
    if budget.state is BudgetState.OPEN or drawing:
        return Leased(balance, budget)
    leftover = budget.outstanding_ms
    done = replace(budget, state=BudgetState.CLOSED, returned_ms=budget.returned_ms + leftover)
    return Leased(balance.moved(reserved_ms=-leftover), done)


def _answer(budget: Budget, ask: Ask, refusal: Refusal | None) -> Answer:
    return Answer(budget.budget_id, ask.number, budget.granted_ms, budget.returned_ms, refusal)
