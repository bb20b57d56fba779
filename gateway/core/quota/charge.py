"""What a call is charged with: settled once, from its file; corrected; given back."""

from dataclasses import dataclass, replace

from gateway.core.errors import BadInput, Refused
from gateway.core.ids import AccountId, CallId, UserId
from gateway.core.quota.balance import Balance
from gateway.core.quota.lease import Budget, BudgetId, return_leftover
from gateway.core.quota.ledger import Entry, EntryKind

RECORDED_MS_MAX = 7 * 86_400_000
"""No recording is longer than a week: a longer one is a mistake in its file."""


@dataclass(frozen=True, slots=True)
class Charge:
    """A recorded call in the account's books."""

    call_id: CallId
    account_id: AccountId
    budget_id: BudgetId | None = None
    """What its capture draws from; None if it had none here (official recording only)."""
    is_settled: bool = False
    is_returned: bool = False
    """Its recording was deleted or purged: it is charged with nothing for good."""
    charged_ms: int = 0


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who changed a charge, when and why."""

    at: float
    """Wall clock, seconds."""
    actor: UserId | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a call's recording holds."""

    recorded_ms: int
    """Kept in the file."""
    drawn_ms: int | None = None
    """What the worker counted for this call; None if unknown (recovered file)."""


@dataclass(frozen=True, slots=True)
class Charged:
    """What is after a change. `entry` is None if nothing has to be written in the ledger."""

    balance: Balance
    charge: Charge
    budget: Budget | None
    entry: Entry | None
    uncovered_ms: int = 0
    """Recorded or asked for, but neither granted nor free: to be cut off the recording."""


def settle(
    balance: Balance,
    charge: Charge,
    budget: Budget | None,
    *,
    recorded: Recorded,
    drawing: int,
    stamp: Stamp,
) -> Charged:
    """Charge a call with what its file holds, and release what it drew. Once per call.

    `drawing` counts the budget's other calls not settled yet. What neither the budget nor
    anything free covers is not charged: the caller cuts it off the file.
    """
    check_amount(recorded.recorded_ms)
    if charge.is_settled:
        return Charged(balance, charge, budget, None)
    wanted = 0 if charge.is_returned else recorded.recorded_ms
    released = covered = 0
    if budget is not None:
        released = min(budget.outstanding_ms, max(recorded.recorded_ms, recorded.drawn_ms or 0))
        covered = min(wanted, released)
        budget = replace(budget, settled_ms=budget.settled_ms + released)
    balance = balance.moved(reserved_ms=-released, used_ms=covered)
    beyond = min(wanted - covered, balance.free_ms)
    balance = balance.moved(used_ms=beyond)
    if budget is not None:
        leased = return_leftover(balance, budget, drawing=drawing)
        balance, budget = leased.balance, leased.budget
    charged = covered + beyond
    charge = replace(charge, is_settled=True, charged_ms=charged)
    entry = _entry(f"settle:{charge.call_id}", EntryKind.SETTLE, charged, charge, stamp)
    return Charged(balance, charge, budget, entry, wanted - charged)


def correct(
    balance: Balance, charge: Charge, *, target_ms: int, key: str, stamp: Stamp
) -> Charged:
    """Change what a settled call is charged with; more only as far as something is free.

    The target is absolute, so that repeating a correction changes nothing. A call whose
    recording was deleted stays at nothing.
    """
    check_amount(target_ms)
    if not charge.is_settled:
        raise Refused("not_settled", "this call has not been charged yet")
    if charge.is_returned:
        return Charged(balance, charge, None, None)
    delta = min(target_ms - charge.charged_ms, balance.free_ms)
    uncovered = max(0, target_ms - charge.charged_ms - delta)
    if delta == 0:
        return Charged(balance, charge, None, None, uncovered)
    corrected = replace(charge, charged_ms=charge.charged_ms + delta)
    entry = _entry(
        correction_key(charge.call_id, key), EntryKind.CORRECTION, delta, charge, stamp
    )
    return Charged(balance.moved(used_ms=delta), corrected, None, entry, uncovered)


def give_back(balance: Balance, charge: Charge, *, kind: EntryKind, stamp: Stamp) -> Charged:
    """Return a recording's minutes, at once and for good, because it goes.

    `kind` is DELETE or PURGE. A call deleted before it was settled will be charged nothing.
    """
    assert kind in {EntryKind.DELETE, EntryKind.PURGE}
    if charge.is_returned:
        return Charged(balance, charge, None, None)
    returned = charge.charged_ms
    gone = replace(charge, is_returned=True, charged_ms=0)
    entry = (
        _entry(f"return:{charge.call_id}", kind, -returned, charge, stamp) if returned else None
    )
    return Charged(balance.moved(used_ms=-returned), gone, None, entry)


def correction_key(call_id: CallId, key: str) -> str:
    """Return the ledger key of a correction for one cause."""
    return f"correct:{call_id}:{key}"


def check_amount(ms: int) -> None:
    """Raise `BadInput` unless a recording can be so long."""
    if not 0 <= ms <= RECORDED_MS_MAX:
        raise BadInput(f"a recording cannot be {ms:,} ms long")


def _entry(key: str, kind: EntryKind, amount_ms: int, charge: Charge, stamp: Stamp) -> Entry:
    return Entry(
        key=key,
        kind=kind,
        amount_ms=amount_ms,
        at=stamp.at,
        call_id=charge.call_id,
        actor=stamp.actor,
        note=stamp.note,
    )
