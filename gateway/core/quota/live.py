"""What people watch: an account's minutes with what running captures have written so far."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.core.ids import AccountId, CallId
from gateway.core.quota.balance import Balance, empty_at
from gateway.core.quota.lease import Budget, BudgetId, BudgetState


@dataclass(frozen=True, slots=True)
class AccountMinutes:
    """An account as the ledger knows it."""

    account_id: AccountId
    balance: Balance
    level: int
    """The threshold it has reached, as last noted."""
    version: int
    """Grows with every change of the balance."""
    budgets: tuple[Budget, ...] = ()
    """Those that are not closed or have something outstanding."""

    @property
    def suspense_ms(self) -> int:
        """Part of what is reserved that waits for the files of dead workers."""
        return sum(b.outstanding_ms for b in self.budgets if b.state is BudgetState.SUSPENSE)

    def written_ms(self, drawn: Mapping[BudgetId, int]) -> int:
        """Return what stands in files and is not settled.

        `drawn` holds fresher totals than the ledger's: they only grow, so the higher counts.
        """
        total = 0
        for budget in self.budgets:
            newest = max(budget.drawn_ms, drawn.get(budget.budget_id, 0))
            unsettled = max(0, newest - budget.settled_ms)
            total += min(unsettled, budget.outstanding_ms)
        return total


@dataclass(frozen=True, slots=True)
class LiveCapture:
    """One capture that is running or stopped in a live call."""

    call_id: CallId
    written_ms: int
    is_stopped: bool
    """It writes nothing now: stopped by the quota, or paused; the call goes on."""


@dataclass(frozen=True, slots=True)
class LiveBudget:
    """What one budget's worker has written, fresher than the ledger knows."""

    drawn_ms: int
    captures: tuple[LiveCapture, ...] = ()


@dataclass(frozen=True, slots=True)
class LiveQuota:
    """One picture for supervisors. `shown` is settled plus written so far."""

    account_id: AccountId
    at: float
    """Wall clock, seconds."""
    version: int
    shown: Balance
    suspense_ms: int
    level: int
    empty_at: float | None
    """Wall clock when nothing will be left at the present rate; None: nothing is captured."""
    captures: tuple[LiveCapture, ...]
    """Of all nodes, as far as they are known here."""
    own: Mapping[BudgetId, LiveBudget]
    """The budgets of this node, for other nodes' pictures."""


def live_quota(
    minutes: AccountMinutes,
    own: Mapping[BudgetId, LiveBudget],
    heard: Mapping[BudgetId, LiveBudget],
    now: float,
) -> LiveQuota:
    """Draw the picture. `own` are this node's budgets, `heard` what other nodes have told."""
    known = {**heard, **own}
    drawn = {budget_id: budget.drawn_ms for budget_id, budget in known.items()}
    captures = [capture for budget in known.values() for capture in budget.captures]
    shown = minutes.balance.shown(minutes.written_ms(drawn))
    suspense = minutes.suspense_ms
    running = sum(not capture.is_stopped for capture in captures)
    left = max(0, shown.capacity_ms - shown.used_ms - suspense)
    return LiveQuota(
        account_id=minutes.account_id,
        at=now,
        version=minutes.version,
        shown=shown,
        suspense_ms=suspense,
        level=minutes.level,
        empty_at=empty_at(left, running, now),
        captures=tuple(captures),
        own=dict(own),
    )
