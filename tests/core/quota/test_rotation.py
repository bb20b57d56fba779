"""When the oldest recordings make room, and when recording stops instead."""

from dataclasses import replace
from datetime import date

import pytest

from gateway.core.quota.contract import AddOn, Contract, SubscriptionTerm, lapses_at
from gateway.core.quota.rotation import may_rotate
from gateway.core.recording.retention import WhenFull
from tests.core.quota.test_contract import BOOK

ZONE = "Asia/Jakarta"
START = lapses_at(date(2026, 1, 1), ZONE, 0)
END = date(2027, 12, 31)
TERM = SubscriptionTerm("s", "service-suite-plus", 1, START, END)
ADD_ON = AddOn("a", 1, 60_000_000, 50_000, START, date(2026, 3, 31))
GRACE_OVER = lapses_at(ADD_ON.ends_on, ZONE, 30)
CONTRACT = Contract(ZONE, (TERM,), (ADD_ON,))


def rotates(contract: Contract, at: float, when_full: WhenFull = WhenFull.AUTO) -> bool:
    return may_rotate(contract, BOOK, when_full, at)


def test_only_from_the_end_of_a_lapsed_add_ons_grace_on() -> None:
    assert not rotates(CONTRACT, START + 1)
    assert not rotates(CONTRACT, lapses_at(ADD_ON.ends_on, ZONE, 0))
    assert not rotates(CONTRACT, GRACE_OVER - 1)
    assert rotates(CONTRACT, GRACE_OVER)


def test_a_customer_who_never_bought_an_add_on_is_stopped() -> None:
    assert not rotates(replace(CONTRACT, add_ons=()), GRACE_OVER)


def test_while_any_other_add_on_counts_it_stops() -> None:
    other = replace(ADD_ON, add_on_id="b", ends_on=END)
    assert not rotates(replace(CONTRACT, add_ons=(ADD_ON, other)), GRACE_OVER)


def test_renewed_in_time_it_stops() -> None:
    renewal = replace(
        ADD_ON, add_on_id="b", starts_at=GRACE_OVER - 86_400, ends_on=END, renews="a"
    )
    assert not rotates(replace(CONTRACT, add_ons=(ADD_ON, renewal)), GRACE_OVER)


def test_an_add_on_that_has_not_begun_has_not_lapsed() -> None:
    coming = replace(ADD_ON, starts_at=GRACE_OVER + 1, ends_on=END)
    assert not rotates(replace(CONTRACT, add_ons=(coming,)), GRACE_OVER)


@pytest.mark.parametrize("when_full", WhenFull)
def test_who_has_left_or_lapsed_never_rotates(when_full: WhenFull) -> None:
    left = SubscriptionTerm("l", None, 0, GRACE_OVER, None)
    churned = replace(CONTRACT, terms=(TERM, left))
    assert not rotates(churned, GRACE_OVER + 1, when_full)
    assert not rotates(CONTRACT, lapses_at(END, ZONE, 30), when_full)
    assert not rotates(Contract(ZONE), GRACE_OVER, when_full)


def test_an_account_may_choose() -> None:
    assert rotates(CONTRACT, START + 1, WhenFull.ROTATE)
    assert not rotates(CONTRACT, GRACE_OVER, WhenFull.STOP)
