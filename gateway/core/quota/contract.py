"""What an account has bought, and the capacity that follows from it at every moment.

Contract figures are facts with dates in the account's time zone; capacity is derived: never
typed in, so it can always be explained and computed anew.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from gateway.core.errors import BadInput
from gateway.core.quota.ledger import EntryKind
from gateway.core.quota.plan import Eligibility, PlanBook
from gateway.core.zones import start_of_day

SEATS = "seats"
"""Source of the free quota; an add-on's source is its id."""
CLOCK_SKEW_MAX_S = 3600.0
"""Clocks of nodes differ by less; a clock set back by more had been wrong before."""


@dataclass(frozen=True, slots=True)
class SubscriptionTerm:
    """What holds from `starts_at` until the next term starts, or the contract has lapsed."""

    subscription_id: str
    package: str | None
    """None: the customer has left (churned)."""
    licensed_users: int
    starts_at: float
    contract_ends_on: date | None
    """Last day of the contract, in the account's zone; None only when churned."""


@dataclass(frozen=True, slots=True)
class AddOn:
    """Packs of minutes that run to the end of the contract. Amount as it was when sold."""

    add_on_id: str
    packs: int
    pack_ms: int
    price_idr: int
    """Of one pack."""
    starts_at: float
    ends_on: date
    """Last day, in the account's zone; its minutes count through the grace after it."""
    renews: str | None = None
    """The add-on it takes the place of: that one's grace ends when this one starts."""

    @property
    def amount_ms(self) -> int:
        """Minutes it adds while it counts."""
        return self.packs * self.pack_ms


@dataclass(frozen=True, slots=True)
class Contract:
    """Everything an account has bought, oldest first."""

    zone: str
    terms: tuple[SubscriptionTerm, ...] = ()
    add_ons: tuple[AddOn, ...] = ()

    def term_at(self, at: float) -> SubscriptionTerm | None:
        """Return the term in force; of two that start together the later written holds."""
        current = None
        for term in self.terms:
            if term.starts_at <= at and (
                current is None or term.starts_at >= current.starts_at
            ):
                current = term
        return current


class Standing(StrEnum):
    """Where an account is in its life."""

    NONE = "none"
    """It never had a subscription."""
    ACTIVE = "active"
    GRACE = "grace"
    """The contract has ended; for some days everything goes on."""
    LAPSED = "lapsed"
    """The grace is over: nothing new is recorded."""
    CHURNED = "churned"
    """The customer has left: nothing new is recorded."""


@dataclass(frozen=True, slots=True)
class CapacityStep:
    """At `effective_at` the capacity from one source changes by `amount_ms`."""

    effective_at: float
    source: str
    kind: EntryKind
    amount_ms: int


def lapses_at(last_day: date, zone: str, grace_days: int) -> float:
    """Return when minutes that run through `last_day` stop counting, grace included."""
    return start_of_day(last_day + timedelta(days=1 + grace_days), zone)


def standing(contract: Contract, book: PlanBook, now: float) -> Standing:
    """Say where the account is in its life."""
    term = contract.term_at(now)
    if term is None:
        return Standing.NONE
    if term.package is None or term.contract_ends_on is None:
        return Standing.CHURNED
    if now < lapses_at(term.contract_ends_on, contract.zone, 0):
        return Standing.ACTIVE
    if now < lapses_at(term.contract_ends_on, contract.zone, book.grace_days):
        return Standing.GRACE
    return Standing.LAPSED


def capacity_at(contract: Contract, book: PlanBook, at: float) -> dict[str, int]:
    """Return the capacity in force, ms by source; sources that give nothing are left out."""
    term = contract.term_at(at)
    if term is None or term.package is None or term.contract_ends_on is None:
        return {}
    if at >= lapses_at(term.contract_ends_on, contract.zone, book.grace_days):
        return {}
    package = book.package(term.package)
    if package.eligibility is Eligibility.NEVER:
        return {}
    by_source = {SEATS: package.free_ms(term.licensed_users)}
    for add_on in contract.add_ons:
        if add_on.starts_at <= at < _counts_until(add_on, contract, book):
            by_source[add_on.add_on_id] = add_on.amount_ms
    return {source: amount for source, amount in by_source.items() if amount}


def capacity_steps(
    contract: Contract, book: PlanBook, counted: Mapping[str, int], now: float
) -> list[CapacityStep]:
    """Return what must change now and later, given what each source has `counted` so far.

    Steps at `now` correct the difference; later ones follow in the order of their time.
    """
    steps: list[CapacityStep] = []
    before = dict(counted)
    for at in [now, *(b for b in _boundaries(contract, book) if b > now)]:
        after = capacity_at(contract, book, at)
        for source in sorted(before.keys() | after.keys()):
            amount = after.get(source, 0) - before.get(source, 0)
            if amount:
                kind = _kind(source, amount, contract, at)
                steps.append(CapacityStep(at, source, kind, amount))
        before = after
    return steps


def check_term(contract: Contract, term: SubscriptionTerm, book: PlanBook, now: float) -> None:
    """Raise `BadInput` unless the term can follow what the account has."""
    if term.package is None or term.contract_ends_on is None:
        if contract.term_at(term.starts_at) is None:
            raise BadInput("the account has no subscription that could end")
        return
    package = book.package(term.package)
    book.check_licensed_users(term.licensed_users)
    _check_end(term.contract_ends_on, term.starts_at, contract.zone, now)
    if package.eligibility is not Eligibility.NEVER:
        return
    live = [
        add_on.add_on_id
        for add_on in contract.add_ons
        if term.starts_at < lapses_at(add_on.ends_on, contract.zone, 0)
    ]
    if live:
        raise BadInput(
            f"{package.name} cannot record, and add-ons still run: {', '.join(live)}"
        )


def check_add_on(contract: Contract, add_on: AddOn, book: PlanBook, now: float) -> None:
    """Raise `BadInput` unless the account can have this add-on."""
    book.check_packs(add_on.packs)
    term = contract.term_at(max(add_on.starts_at, now))
    if term is None or term.package is None or term.contract_ends_on is None:
        raise BadInput("an add-on needs a subscription, and the account has none then")
    package = book.package(term.package)
    if package.eligibility is Eligibility.NEVER:
        raise BadInput(f"{package.name} cannot record: no add-on can be bought for it")
    _check_end(add_on.ends_on, add_on.starts_at, contract.zone, now)
    if add_on.ends_on > term.contract_ends_on:
        raise BadInput(
            f"an add-on runs no longer than the contract, which ends on {term.contract_ends_on}"
        )
    if add_on.renews is not None:
        _check_renewal(contract, add_on, add_on.renews)


def _check_renewal(contract: Contract, add_on: AddOn, renewed: str) -> None:
    former = next((a for a in contract.add_ons if a.add_on_id == renewed), None)
    if former is None:
        raise BadInput(f"the account has no add-on {renewed}")
    if any(a.renews == renewed for a in contract.add_ons):
        raise BadInput(f"add-on {renewed} has been renewed already")
    if add_on.ends_on <= former.ends_on:
        raise BadInput(f"add-on {renewed} runs to {former.ends_on}: a renewal must end later")
    if add_on.starts_at < former.starts_at:
        raise BadInput(f"a renewal cannot start before add-on {renewed} did")


def _check_end(last_day: date, starts_at: float, zone: str, now: float) -> None:
    if last_day.year >= date.max.year - 2:
        raise BadInput(f"the end {last_day} is absurdly far away")
    end = lapses_at(last_day, zone, 0)
    if end <= starts_at:
        raise BadInput(f"the end {last_day} lies before the start")
    if end <= now:
        raise BadInput(f"the end {last_day} lies in the past")
    if end > now + 50 * 366 * 86_400:
        raise BadInput(f"the end {last_day} is absurdly far away")


def _counts_until(add_on: AddOn, contract: Contract, book: PlanBook) -> float:
    until = lapses_at(add_on.ends_on, contract.zone, book.grace_days)
    starts = (a.starts_at for a in contract.add_ons if a.renews == add_on.add_on_id)
    return min([until, *starts])


def _boundaries(contract: Contract, book: PlanBook) -> list[float]:
    """All moments at which capacity may change, in order."""
    moments = {term.starts_at for term in contract.terms}
    moments |= {add_on.starts_at for add_on in contract.add_ons}
    moments |= {
        lapses_at(term.contract_ends_on, contract.zone, book.grace_days)
        for term in contract.terms
        if term.contract_ends_on is not None
    }
    moments |= {_counts_until(add_on, contract, book) for add_on in contract.add_ons}
    return sorted(moments)


def _kind(source: str, amount: int, contract: Contract, at: float) -> EntryKind:
    if source != SEATS:
        return EntryKind.TOP_UP if amount > 0 else EntryKind.EXPIRY
    starts = any(term.starts_at == at for term in contract.terms)
    return EntryKind.CAPACITY_CHANGE if amount > 0 or starts else EntryKind.EXPIRY


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """A step as the store keeps it."""

    change_id: int
    step: CapacityStep
    is_applied: bool
    was_scheduled: bool
    """It lay in the future when it was planned."""


def due(changes: Iterable[PlannedChange], now: float) -> Sequence[PlannedChange]:
    """Return the changes whose state must be turned over at `now`, in their order.

    Those whose time has come, to be applied. And those applied although their time has not
    come, to be taken back: a clock was ahead when they were applied and has been set right.
    """
    turned = [
        change
        for change in changes
        if (not change.is_applied and change.step.effective_at <= now)
        or (
            change.is_applied
            and change.was_scheduled
            and change.step.effective_at > now + CLOCK_SKEW_MAX_S
        )
    ]
    return sorted(turned, key=lambda change: (change.step.effective_at, change.change_id))
