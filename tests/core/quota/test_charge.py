"""What a call is charged with, and the ledger that says so."""

import itertools

import pytest

from gateway.core.errors import BadInput, NotFound, Refused
from gateway.core.ids import AccountId, CallId
from gateway.core.quota.balance import Balance
from gateway.core.quota.charge import RECORDED_MS_MAX, Recorded, Stamp
from gateway.core.quota.lease import Ask, BudgetId, BudgetState, WorkerId
from gateway.core.quota.ledger import Entry, EntryKind, Totals, charge_of, explain, fold
from tests.core.quota.book import Book, finish

ACCOUNT = AccountId("account")
WORKER = WorkerId("worker")
A, B = CallId("a"), CallId("b")
STAMP = Stamp(100.0)


@pytest.fixture
def book() -> Book:
    """An account of ten minutes; call A draws from a budget that was granted 30 s."""
    book = Book()
    book.set_capacity(ACCOUNT, 600_000)
    finish(book.open_capture(A, ACCOUNT, WORKER, fresh=BudgetId("bud")))
    finish(book.renew(Ask(ACCOUNT, BudgetId("bud"), 1, 2, 0), now=0.0))
    assert book.balances[ACCOUNT] == Balance(600_000, 0, 30_000)
    return book


def settle(
    book: Book, call: CallId, recorded: int, drawn: int | None = None
) -> tuple[int, int]:
    done = finish(book.settle(call, ACCOUNT, Recorded(recorded, drawn), STAMP))
    return done.charge.charged_ms, done.uncovered_ms


def test_a_call_is_charged_with_what_its_file_holds(book: Book) -> None:
    assert settle(book, A, 12_345, 12_345) == (12_345, 0)
    assert book.balances[ACCOUNT] == Balance(600_000, 12_345, 30_000 - 12_345)


def test_what_a_file_lost_of_what_was_drawn_is_free_again(book: Book) -> None:
    assert settle(book, A, 11_800, 12_000) == (11_800, 0)
    assert book.balances[ACCOUNT] == Balance(600_000, 11_800, 18_000)


def test_a_call_is_settled_once_whatever_comes_later(book: Book) -> None:
    settle(book, A, 10_000)
    before = book.balances[ACCOUNT], list(book.entries)
    assert settle(book, A, 25_000) == (10_000, 0)
    assert finish(book.settle(A, ACCOUNT, Recorded(0), Stamp(999.0))).is_repeat
    assert (book.balances[ACCOUNT], book.entries) == before


def test_what_nothing_covers_is_not_charged_but_cut(book: Book) -> None:
    book.set_capacity(ACCOUNT, 40_000)
    assert settle(book, A, 55_000) == (40_000, 15_000)
    assert book.balances[ACCOUNT] == Balance(40_000, 40_000, 0)


def test_a_grant_covers_even_when_capacity_has_shrunk_since(book: Book) -> None:
    book.set_capacity(ACCOUNT, 5_000)
    assert settle(book, A, 30_000) == (30_000, 0)
    assert book.balances[ACCOUNT].overdrawn_ms == 25_000


def test_an_official_recording_without_a_capture_is_charged_from_what_is_free(
    book: Book,
) -> None:
    assert settle(book, B, 571_000) == (570_000, 1_000)


def test_once_all_calls_of_a_dead_worker_are_settled_nothing_is_reserved(book: Book) -> None:
    finish(book.open_capture(B, ACCOUNT, WORKER, fresh=BudgetId("unused")))
    finish(book.suspend_worker(WORKER))
    assert [c.call_id for c in finish(book.unsettled(WORKER))] == [A, B]
    settle(book, A, 9_000)
    assert book.balances[ACCOUNT].reserved_ms == 21_000
    settle(book, B, 0)
    assert book.balances[ACCOUNT] == Balance(600_000, 9_000, 0)
    assert book.budgets[BudgetId("bud")].state is BudgetState.CLOSED


def test_deleted_minutes_return_at_once_and_once(book: Book) -> None:
    settle(book, A, 10_000)
    for kind in (EntryKind.DELETE, EntryKind.DELETE, EntryKind.PURGE):
        finish(book.return_minutes(A, ACCOUNT, kind=kind, stamp=STAMP))
    assert book.balances[ACCOUNT].used_ms == 0
    assert charge_of(A, book.entries) == 0
    assert [e.kind for e in book.entries[1:]] == [EntryKind.SETTLE, EntryKind.DELETE]


def test_a_recording_deleted_before_it_was_settled_costs_nothing(book: Book) -> None:
    finish(book.return_minutes(A, ACCOUNT, kind=EntryKind.DELETE, stamp=STAMP))
    assert settle(book, A, 20_000) == (0, 0)
    assert book.balances[ACCOUNT] == Balance(600_000, 0, 10_000)


def correct(book: Book, call: CallId, target: int, key: str) -> tuple[int, int]:
    done = finish(book.correct(call, target_ms=target, key=key, stamp=STAMP))
    return done.charge.charged_ms, done.uncovered_ms


def test_corrections_are_absolute_keyed_and_bounded_by_what_is_free(book: Book) -> None:
    settle(book, A, 10_000, 10_000)
    assert correct(book, A, 9_000, "head") == (9_000, 0)
    assert correct(book, A, 1_000, "head") == (9_000, 0)
    assert correct(book, A, 9_000, "again") == (9_000, 0)
    book.set_capacity(ACCOUNT, 30_000)
    assert correct(book, A, 12_000, "official") == (10_000, 2_000)
    assert charge_of(A, book.entries) == 10_000


def test_a_deleted_recording_is_not_charged_by_a_late_correction(book: Book) -> None:
    settle(book, A, 10_000)
    finish(book.return_minutes(A, ACCOUNT, kind=EntryKind.DELETE, stamp=STAMP))
    assert correct(book, A, 12_000, "official") == (0, 0)


def test_what_cannot_be_corrected_is_refused(book: Book) -> None:
    with pytest.raises(NotFound):
        correct(book, B, 1, "x")
    with pytest.raises(Refused, match="not been charged"):
        correct(book, A, 1, "x")


@pytest.mark.parametrize("amount", [-1, RECORDED_MS_MAX + 1, 10**12])
def test_absurd_lengths_are_refused(book: Book, amount: int) -> None:
    with pytest.raises(BadInput, match="cannot be"):
        settle(book, A, amount)
    settle(book, A, 0)
    with pytest.raises(BadInput, match="cannot be"):
        correct(book, A, amount, "x")


def test_a_recording_of_a_week_is_charged(book: Book) -> None:
    book.set_capacity(ACCOUNT, 2 * RECORDED_MS_MAX)
    assert settle(book, B, RECORDED_MS_MAX) == (RECORDED_MS_MAX, 0)


def test_the_ledger_folds_to_the_same_totals_in_every_order() -> None:
    entries = [
        Entry("1", EntryKind.CAPACITY_CHANGE, 400, 0.0),
        Entry("2", EntryKind.TOP_UP, 1000, 0.0),
        Entry("3", EntryKind.SETTLE, 60, 0.0, A),
        Entry("4", EntryKind.CORRECTION, -5, 0.0, A),
        Entry("5", EntryKind.EXPIRY, -1000, 0.0),
        Entry("6", EntryKind.PURGE, -55, 0.0, A),
    ]
    for order in itertools.permutations(entries):
        assert fold(order) == Totals(400, 0)
    lines = list(explain(entries))
    assert [line.totals.capacity_ms for line in lines] == [400, 1400, 1400, 1400, 400, 400]
    assert [line.totals.used_ms for line in lines] == [0, 0, 60, 55, 55, 0]
    assert list(explain(entries[3:], lines[2].totals)) == lines[3:]
