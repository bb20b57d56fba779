"""Recording minutes: what the runtime, the web and the command line need of their store."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from gateway.core.ids import AccountId, CallId
from gateway.core.quota.charge import Charge, Recorded, Stamp
from gateway.core.quota.contract import AddOn, Contract, SubscriptionTerm
from gateway.core.quota.lease import Answer, Ask, Budget, BudgetId, Refusal, WorkerId
from gateway.core.quota.ledger import EntryKind, ExplainedEntry
from gateway.core.quota.live import AccountMinutes, LiveQuota


@dataclass(frozen=True, slots=True)
class ChargedCall:
    """How a call stands in the books after a change."""

    charge: Charge
    uncovered_ms: int
    """Neither granted nor free: to be cut off the recording."""
    is_repeat: bool
    """It had been done before; nothing changed."""


class Minutes(Protocol):
    """Leases and charges. Every method is one transaction and raises `StoreDown`.

    Repeating any of them with the same arguments is harmless. Capacity changes that are due
    at `now` (wall clock, seconds) are applied first.
    """

    async def view(self, account_id: AccountId, *, now: float) -> AccountMinutes:
        """Return the account's minutes; all zero for one that never had any."""

    async def take_hold(self, account_id: AccountId, call_id: CallId, *, now: float) -> bool:
        """Keep a little time for a call before its recording is announced.

        False: too little is free, announce no recording.
        """

    async def release_hold(self, call_id: CallId) -> None:
        """The call will not be captured after all; no hold is fine."""

    async def release_holds_before(self, taken_before: float) -> Sequence[AccountId]:
        """Release holds that nobody came back for; return whose they were."""

    async def open_capture(
        self, call_id: CallId, account_id: AccountId, worker_id: WorkerId, *, fresh: BudgetId
    ) -> Budget:
        """Let a call's capture draw from its worker's budget, into which its hold goes.

        `fresh` becomes the id of the budget if none is open. Raises `Refused` if the call
        has been settled or is captured by another worker.
        """

    async def renew(self, ask: Ask, *, now: float) -> Answer:
        """Grant more, or refuse. Raises `NotFound` for an unknown budget."""

    async def give_back(self, budget_id: BudgetId, *, returned_ms: int, drawn_ms: int) -> None:
        """Take back what a worker will not write; both are totals of the budget.

        A budget that is gone has nothing to give back.
        """

    async def close_budget(self, budget_id: BudgetId, *, drawn_ms: int | None) -> None:
        """Nothing more is drawn. None: unknown how much was, so all waits for the files.

        A budget that is gone is closed.
        """

    async def suspend_worker(self, worker_id: WorkerId) -> Sequence[Budget]:
        """The worker is gone: keep its leases reserved until its files are settled."""

    async def budgets_of(self, worker_id: WorkerId) -> Sequence[Budget]:
        """Return a worker's budgets that are not closed."""

    async def workers(self) -> Sequence[WorkerId]:
        """Return the workers of all nodes that have a budget which is not closed."""

    async def unsettled(self, worker_id: WorkerId) -> Sequence[Charge]:
        """Return the calls whose captures a worker wrote and which are not settled."""

    async def settle(
        self, call_id: CallId, account_id: AccountId, recorded: Recorded, stamp: Stamp
    ) -> ChargedCall:
        """Charge a call with what its recording holds, once, whatever comes later."""

    async def correct(
        self, call_id: CallId, *, target_ms: int, key: str, stamp: Stamp
    ) -> ChargedCall:
        """Change a settled call's charge to `target_ms`, upwards as far as something is free.

        `key` names the cause; a second correction for it changes nothing. Raises `NotFound`,
        or `Refused` for a call that has not been settled.
        """

    async def return_minutes(
        self, call_id: CallId, account_id: AccountId, *, kind: EntryKind, stamp: Stamp
    ) -> ChargedCall:
        """Give a recording's minutes back, at once and for good (`DELETE` or `PURGE`).

        A call that has not been settled yet will be charged nothing.
        """

    async def note_level(self, account_id: AccountId, *, seen: int, reached: int) -> bool:
        """Change the noted threshold from `seen` to `reached`; False: another node did."""


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """Entries, newest first, each with the totals after it."""

    lines: tuple[ExplainedEntry, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class DayUse:
    """What one local day did to the minutes in use."""

    day: date
    recorded_ms: int
    """Settled and corrected."""
    returned_ms: int
    """Freed by deletions and purges."""
    calls: int


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A number that is not what it follows from."""

    what: str
    """used | capacity | reserved | charge"""
    stored_ms: int
    derived_ms: int
    call_id: CallId | None = None


class QuotaBooks(Protocol):
    """The ledger, read. Every method raises `StoreDown`."""

    async def ledger(
        self, account_id: AccountId, *, cursor: str | None, limit: int
    ) -> LedgerPage:
        """List entries, newest first. Raises `BadInput` for a cursor not made here."""

    async def usage(
        self, account_id: AccountId, *, since: date, until: date, zone: str
    ) -> Sequence[DayUse]:
        """Return use by local day, both ends included, days without any left out."""

    async def verify(self, account_id: AccountId) -> Sequence[Discrepancy]:
        """Compare the balance with the fold of the ledger and of the leases; empty: exact."""

    async def suspended(self, account_id: AccountId) -> Sequence[tuple[Budget, int]]:
        """Return budgets in suspense, each with the number of its calls not settled."""


@dataclass(frozen=True, slots=True)
class Purchase:
    """An add-on as ordered."""

    packs: int
    starts_at: float
    ends_on: date | None
    """None: to the end of the contract."""
    renews: str | None = None


class Contracts(Protocol):
    """What accounts have bought. Every method raises `StoreDown`; changes raise `BadInput`.

    A change plans the capacity anew and applies at once what is due. One that would leave
    the account overdrawn raises `Refused("would_overdraw")` unless `allow_overdrawn`.
    `key` makes a change idempotent: the same key again returns without a second effect.
    """

    async def contract(self, account_id: AccountId) -> Contract:
        """Return everything an account has bought. Raises `NotFound`."""

    async def subscribe(
        self,
        account_id: AccountId,
        term: SubscriptionTerm,
        *,
        stamp: Stamp,
        allow_overdrawn: bool = False,
    ) -> AccountMinutes:
        """Begin a term; `term.subscription_id` is the idempotency key."""

    async def add_on(
        self, account_id: AccountId, purchase: Purchase, *, key: str, stamp: Stamp
    ) -> AddOn:
        """Buy packs of minutes."""

    async def replan(
        self, account_id: AccountId, *, now: float, allow_overdrawn: bool = False
    ) -> AccountMinutes:
        """Compute the capacity anew, after the price list or a clock was changed."""


@dataclass(frozen=True, slots=True)
class LowBudget:
    """A worker says that a budget runs low. The same `ask` again is the same wish."""

    budget_id: BudgetId
    ask: int
    captures: int
    """How many draw from it now."""
    drawn_ms: int
    """All that was written from it."""


@dataclass(frozen=True, slots=True)
class BudgetSeen:
    """A budget as a worker holds it."""

    budget_id: BudgetId
    drawn_ms: int
    grant_number: int
    """Number of the last grant that took effect."""
    asked: int
    """Number of its last ask; 0 before the first."""
    calls: tuple[CallId, ...]
    """Whose captures draw from it and are not over."""


class BudgetLine(Protocol):
    """The budgets of one media worker. All raise `MediaRefused` or `MediaAway`."""

    async def open(self, budget_id: BudgetId, *, limit_ms: int) -> None:
        """Make a budget known with its first grant; opening it again changes nothing."""

    async def grant(
        self, budget_id: BudgetId, *, number: int, limit_ms: int, answers: int
    ) -> int:
        """Set the total that may be written; return the one in force.

        It is higher than `limit_ms` if more had been written already. `number` grows with
        each grant; `answers` is the latest ask this answers. More than before resumes the
        captures that the quota stopped.
        """

    async def refuse(self, budget_id: BudgetId, *, answers: int, refusal: Refusal) -> None:
        """Nothing more is to be had: captures stop at exactly what was granted."""

    async def close(self, budget_id: BudgetId) -> int:
        """Forget a budget whose captures are over; return the total that was written."""


class QuotaNews(Protocol):
    """Tells people about minutes. Never blocks and never fails a call."""

    def picture(self, quota: LiveQuota) -> None:
        """Show how it stands, about once a second and on every change."""

    def crossed(self, account_id: AccountId, threshold: int) -> None:
        """Use has risen to a threshold (per cent)."""
