"""The append-only ledger: durable facts about minutes, and what they add up to."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from gateway.core.ids import CallId, UserId


class EntryKind(StrEnum):
    """What happened. The first three move capacity, the others what is used."""

    TOP_UP = "top_up"
    """An add-on began."""
    CAPACITY_CHANGE = "capacity_change"
    """Package, licensed users or price list changed."""
    EXPIRY = "expiry"
    """A contract or an add-on stopped counting."""
    SETTLE = "settle"
    """A call was charged with what its recording holds: once per call."""
    CORRECTION = "correction"
    """A call's charge was changed (surplus head, longer official recording …)."""
    DELETE = "delete"
    """A recording was deleted by hand or to make room; its minutes returned."""
    PURGE = "purge"
    """A recording's retention ended; its minutes returned."""


CAPACITY_KINDS = frozenset({EntryKind.TOP_UP, EntryKind.CAPACITY_CHANGE, EntryKind.EXPIRY})


@dataclass(frozen=True, slots=True)
class Entry:
    """One fact. Written once, never changed; a mistake is corrected by another entry."""

    key: str
    """Idempotency key, unique in the account: the same fact twice is one entry."""
    kind: EntryKind
    amount_ms: int
    """Added to capacity or to what is used, as the kind says; may be negative or 0."""
    at: float
    """Wall clock when it was written, seconds. Order is the ledger's, not the clock's."""
    call_id: CallId | None = None
    actor: UserId | None = None
    """None: the operator's command line, or the gateway itself."""
    note: str = ""
    """For people; no personal data."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What a run of entries adds up to."""

    capacity_ms: int = 0
    used_ms: int = 0

    def after(self, entry: Entry) -> "Totals":
        """Return the totals with one more entry."""
        if entry.kind in CAPACITY_KINDS:
            return Totals(self.capacity_ms + entry.amount_ms, self.used_ms)
        return Totals(self.capacity_ms, self.used_ms + entry.amount_ms)


@dataclass(frozen=True, slots=True)
class ExplainedEntry:
    """An entry, and the totals once it was written."""

    entry: Entry
    totals: Totals


def fold(entries: Iterable[Entry]) -> Totals:
    """Return what the entries add up to; their order does not matter."""
    totals = Totals()
    for entry in entries:
        totals = totals.after(entry)
    return totals


def explain(entries: Iterable[Entry], start: Totals | None = None) -> Iterator[ExplainedEntry]:
    """Yield each entry with the running totals, continuing from `start`."""
    totals = start or Totals()
    for entry in entries:
        totals = totals.after(entry)
        yield ExplainedEntry(entry, totals)


def charge_of(call_id: CallId, entries: Iterable[Entry]) -> int:
    """Return what a call is charged with after all its entries, ms."""
    return sum(
        entry.amount_ms
        for entry in entries
        if entry.call_id == call_id and entry.kind not in CAPACITY_KINDS
    )
