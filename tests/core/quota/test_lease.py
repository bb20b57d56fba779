"""Budgets: how much, to whom, once."""

import pytest

from gateway.core.ids import AccountId, CallId
from gateway.core.quota import lease
from gateway.core.quota.balance import FRAME_MS, Balance
from gateway.core.quota.charge import Recorded, Stamp
from gateway.core.quota.lease import (
    Ask,
    Budget,
    BudgetId,
    BudgetState,
    Hold,
    LeaseTerms,
    Refusal,
    WorkerId,
    grant_size,
    hold_size,
)
from tests.core.quota.book import Book, finish
from tests.core.quota.worker import Draw

ACCOUNT = AccountId("account")
CALL = CallId("call")
WORKER = WorkerId("worker")
TERMS = LeaseTerms()
BUDGET = Budget(BudgetId("b"), ACCOUNT, WORKER)


def an_ask(number: int = 1, active: int = 1, drawn: int = 0) -> Ask:
    return Ask(ACCOUNT, BudgetId("b"), number, active, drawn)


def renewed(balance: Balance, budget: Budget, ask: Ask, budgets_open: int = 1) -> lease.Renewed:
    return lease.renew(balance, budget, ask, budgets_open=budgets_open, terms=TERMS)


@pytest.mark.parametrize(
    ("free", "active", "budgets_open", "granted"),
    [
        (10**9, 1, 1, 15_000),
        (10**9, 30, 7, 450_000),
        (20_000, 1, 1, 10_000),
        (20_000, 1, 4, 2_500),
        (60_000, 30, 2, 15_000),
        (100, 1, 50, FRAME_MS),
        (130, 1, 1, 60),
        (39, 1, 1, 39),
        (20, 1, 1, FRAME_MS),
        (19, 1, 1, 0),
        (0, 1, 1, 0),
        (10**9, 0, 1, 0),
        (50_000, 1, 0, 15_000),
    ],
)
def test_grants_shrink_fairly_near_the_end(
    free: int, active: int, budgets_open: int, granted: int
) -> None:
    balance = Balance(free + 7_000, 4_000, 3_000)
    size = grant_size(balance, active_captures=active, budgets_open=budgets_open, terms=TERMS)
    assert size == granted


def test_no_recording_is_announced_with_less_than_ten_seconds_free() -> None:
    assert hold_size(Balance(9_999), TERMS) == 0
    assert hold_size(Balance(10_000), TERMS) == 1_000
    assert hold_size(Balance(1_000), LeaseTerms(min_free_to_record_ms=0)) == 1_000
    assert hold_size(Balance(999), LeaseTerms(min_free_to_record_ms=0)) == 0


def test_a_repeated_ask_gets_the_same_answer_and_no_second_grant() -> None:
    first = renewed(Balance(100_000), BUDGET, an_ask())
    again = renewed(first.balance, first.budget, an_ask())
    assert again == first
    assert first.balance.reserved_ms == first.answer.granted_ms == 15_000


def test_a_late_ask_changes_nothing_and_answers_with_the_present_total() -> None:
    second = renewed(Balance(100_000), BUDGET, an_ask(number=2))
    late = renewed(second.balance, second.budget, an_ask(number=1))
    assert (late.balance, late.budget) == (second.balance, second.budget)
    assert late.answer.granted_ms == 15_000


def test_a_repeated_refusal_stays_refused_and_a_new_ask_is_judged_anew() -> None:
    refused = renewed(Balance(0), BUDGET, an_ask())
    assert refused.answer.refusal is Refusal.QUOTA_USED_UP
    assert renewed(Balance(90_000), refused.budget, an_ask()).answer == refused.answer
    granted = renewed(Balance(90_000), refused.budget, an_ask(number=2))
    assert granted.answer.refusal is None


def test_while_overdrawn_nothing_is_granted() -> None:
    answer = renewed(Balance(10_000, 9_000, 2_000), BUDGET, an_ask()).answer
    assert (answer.granted_ms, answer.refusal) == (0, Refusal.OVERDRAWN)


def test_a_hold_goes_into_the_budget_without_moving_the_balance() -> None:
    budget = lease.open_with(BUDGET, Hold(CALL, ACCOUNT, 1_000, 0.0))
    assert budget.outstanding_ms == 1_000
    assert lease.open_with(BUDGET, None) == BUDGET


def test_returning_is_by_totals_so_twice_is_once() -> None:
    balance, budget = (
        Balance(60_000, 0, 15_000),
        Budget(BudgetId("b"), ACCOUNT, WORKER, granted_ms=15_000),
    )
    once = lease.give_back(balance, budget, returned_ms=5_000, drawn_ms=3_000)
    twice = lease.give_back(once.balance, once.budget, returned_ms=5_000, drawn_ms=3_000)
    assert once == twice
    assert once.balance.reserved_ms == once.budget.outstanding_ms == 10_000


def test_what_is_written_cannot_be_returned() -> None:
    budget = Budget(BudgetId("b"), ACCOUNT, WORKER, granted_ms=15_000)
    back = lease.give_back(
        Balance(60_000, 0, 15_000), budget, returned_ms=15_000, drawn_ms=4_000
    )
    assert back.budget.outstanding_ms == 4_000


def test_a_worker_cannot_have_written_more_than_it_was_left() -> None:
    budget = Budget(BudgetId("b"), ACCOUNT, WORKER, granted_ms=15_000, returned_ms=5_000)
    assert lease.note_drawn(budget, 50_000).drawn_ms == 10_000
    assert lease.note_drawn(lease.note_drawn(budget, 9_000), 3_000).drawn_ms == 9_000


def test_closing_returns_what_is_not_written_and_keeps_the_rest_for_settling() -> None:
    budget = Budget(BudgetId("b"), ACCOUNT, WORKER, granted_ms=15_000)
    closed = lease.close(Balance(60_000, 0, 15_000), budget, drawn_ms=6_000, drawing=1)
    assert closed.balance.reserved_ms == 6_000
    assert closed.budget.state is BudgetState.CLOSED
    unknown = lease.close(Balance(60_000, 0, 15_000), budget, drawn_ms=None, drawing=1)
    assert unknown.balance.reserved_ms == 15_000
    idle = lease.close(Balance(60_000, 0, 15_000), budget, drawn_ms=None, drawing=0)
    assert idle.balance.reserved_ms == 0


def test_a_closed_budget_grants_nothing() -> None:
    closed = lease.close(Balance(60_000), BUDGET, drawn_ms=0, drawing=0).budget
    answer = renewed(Balance(60_000), closed, an_ask()).answer
    assert answer.refusal is Refusal.BUDGET_CLOSED


def test_a_dead_workers_lease_stays_reserved_until_its_calls_are_settled() -> None:
    budget = Budget(BudgetId("b"), ACCOUNT, WORKER, granted_ms=15_000)
    gone = lease.suspend(Balance(60_000, 0, 15_000), budget, drawing=1)
    assert gone.budget.state is BudgetState.SUSPENSE
    assert gone.balance.reserved_ms == 15_000
    idle = lease.suspend(Balance(60_000, 0, 15_000), budget, drawing=0)
    assert (idle.budget.state, idle.balance.reserved_ms) == (BudgetState.CLOSED, 0)


def test_a_worker_that_asks_is_not_dead() -> None:
    budget = Budget(BudgetId("b"), ACCOUNT, WORKER, granted_ms=15_000)
    gone = lease.suspend(Balance(60_000, 0, 15_000), budget, drawing=1)
    back = renewed(gone.balance, gone.budget, an_ask())
    assert back.budget.state is BudgetState.OPEN
    assert back.answer.refusal is None


def record(book: Book, calls: list[CallId], seconds: int) -> tuple[Draw, list[int]]:
    """Let calls talk at once for so long, in frames of virtual time; return stop times."""
    budget = finish(book.open_capture(calls[0], ACCOUNT, WORKER, fresh=BudgetId("b")))
    for call in calls[1:]:
        finish(book.open_capture(call, ACCOUNT, WORKER, fresh=BudgetId("unused")))
    draw = Draw(
        budget.budget_id, ACCOUNT, WORKER, limit_ms=book.budgets[budget.budget_id].granted_ms
    )
    draw.active = set(calls)
    stopped: dict[CallId, int] = {}
    for now_ms in range(0, seconds * 1000, FRAME_MS):
        for call in calls:
            if call in stopped:
                continue
            while draw.wants_more() and not draw.refused:
                draw.hear(finish(book.renew(draw.ask(), now=now_ms / 1000)))
            if not draw.write_frame(call):
                stopped[call] = now_ms
    return draw, list(stopped.values())


def test_one_minute_left_and_a_call_of_ten_minutes_record_sixty_seconds() -> None:
    book = Book()
    book.set_capacity(ACCOUNT, 60_000)
    assert finish(book.take_hold(ACCOUNT, CALL, now=0.0))
    draw, stops = record(book, [CALL], seconds=600)
    assert draw.files == {CALL: 60_000}
    assert stops == [60_000]
    finish(book.close_budget(draw.budget_id, drawn_ms=draw.drawn_ms))
    settled = finish(book.settle(CALL, ACCOUNT, Recorded(60_000, 60_000), Stamp(600.0)))
    assert settled.charge.charged_ms == 60_000
    assert book.balances[ACCOUNT] == Balance(60_000, 60_000, 0)


def test_thirty_captures_share_the_last_minute_and_stop_together() -> None:
    book = Book()
    book.set_capacity(ACCOUNT, 60_000)
    calls = [CallId(f"call-{n}") for n in range(30)]
    draw, stops = record(book, calls, seconds=10)
    assert sum(draw.files.values()) == 60_000
    assert max(stops) - min(stops) <= FRAME_MS
