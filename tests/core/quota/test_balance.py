"""The equation, what people are shown, thresholds, forecast."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.ids import AccountId, CallId
from gateway.core.quota.balance import (
    HYSTERESIS_POINTS,
    THRESHOLDS,
    Balance,
    cross,
    empty_at,
)
from gateway.core.quota.lease import Budget, BudgetId, BudgetState, WorkerId
from gateway.core.quota.live import AccountMinutes, LiveBudget, LiveCapture, live_quota

amounts = st.integers(0, 10**13)


@given(amounts, amounts, amounts)
def test_capacity_and_overdrawn_are_free_reserved_and_used(
    capacity: int, used: int, reserved: int
) -> None:
    b = Balance(capacity, used, reserved)
    assert b.capacity_ms + b.overdrawn_ms == b.free_ms + b.reserved_ms + b.used_ms
    assert b.free_ms >= 0
    assert b.overdrawn_ms >= 0
    assert b.free_ms == 0 or b.overdrawn_ms == 0


@given(amounts, amounts, amounts, st.integers(-5, 10**13))
def test_what_is_shown_moves_reserved_to_used_and_keeps_the_sum(
    capacity: int, used: int, reserved: int, written: int
) -> None:
    balance = Balance(capacity, used, reserved)
    shown = balance.shown(written)
    assert shown.used_ms + shown.reserved_ms == used + reserved
    assert shown.used_ms >= used
    assert shown.free_ms == balance.free_ms


def test_each_threshold_fires_once_on_the_way_up() -> None:
    level, fired = 0, []
    for used in range(101):
        crossing = cross(level, Balance(100_000, used * 1000))
        level = crossing.level
        fired += [(used, threshold) for threshold in crossing.fired]
    assert fired == [(80, 80), (95, 95), (100, 100)]


def test_a_jump_over_several_thresholds_fires_each() -> None:
    assert cross(0, Balance(1000_000, 960_000)).fired == (80, 95)


def test_use_that_swings_about_a_threshold_fires_once() -> None:
    level, fired = 0, 0
    for used in [80, 79, 80, 76, 81, 75, 80]:
        crossing = cross(level, Balance(100_000, used * 1000))
        level, fired = crossing.level, fired + len(crossing.fired)
    assert fired == 1


def test_well_below_a_threshold_it_is_armed_again() -> None:
    assert cross(80, Balance(100_000, 74_999)).level == 0
    assert cross(95, Balance(100_000, 89_000)).level == 80
    assert cross(100, Balance(100_000, 94_000)).level == 95
    assert cross(100, Balance(100_000, 0)).level == 0
    assert cross(0, Balance(100_000, 80_000)).fired == (80,)


def test_the_last_threshold_is_reached_when_less_than_a_frame_is_left() -> None:
    assert cross(95, Balance(60_000, 59_980)).fired == ()
    assert cross(95, Balance(60_000, 59_981)).fired == (100,)
    assert cross(0, Balance(0, 5_000)).fired == THRESHOLDS


def test_an_account_that_owns_nothing_and_uses_nothing_is_no_alarm() -> None:
    assert cross(0, Balance()).fired == ()


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=40))
def test_a_threshold_fires_again_only_after_use_was_well_below_it(
    steps: list[tuple[int, int]],
) -> None:
    level = 0
    armed = set(THRESHOLDS)
    for capacity, used in steps:
        crossing = cross(level, Balance(capacity, used))
        assert set(crossing.fired) <= armed
        armed -= set(crossing.fired)
        armed |= {
            t
            for t in THRESHOLDS
            if used == 0 or used * 100 < capacity * (t - HYSTERESIS_POINTS)
        }
        level = crossing.level
        assert level in {0, *THRESHOLDS}


def test_the_forecast_follows_the_number_of_captures() -> None:
    assert empty_at(60_000, 1, 1000.0) == 1060.0
    assert empty_at(60_000, 3, 1000.0) == 1020.0
    assert empty_at(60_000, 0, 1000.0) is None


def a_budget(name: str, **changes: object) -> Budget:
    values: dict[str, object] = {
        "budget_id": BudgetId(name),
        "account_id": AccountId("acc"),
        "worker_id": WorkerId("w"),
    }
    return Budget(**(values | changes))  # type: ignore[arg-type]  # any field


def test_used_shown_is_settled_plus_written_so_far_with_the_freshest_numbers() -> None:
    minutes = AccountMinutes(
        AccountId("acc"),
        Balance(100_000, 10_000, 45_000),
        level=0,
        version=3,
        budgets=(
            a_budget("here", granted_ms=20_000, settled_ms=5_000, drawn_ms=6_000),
            a_budget("there", granted_ms=20_000, drawn_ms=1_000),
            a_budget("dead", granted_ms=10_000, state=BudgetState.SUSPENSE, drawn_ms=4_000),
        ),
    )
    captures = (LiveCapture(CallId("c1"), 4_000, is_stopped=False),)
    own = {BudgetId("here"): LiveBudget(9_000, captures)}
    picture = live_quota(
        minutes,
        own,
        heard={
            BudgetId("there"): LiveBudget(2_500),
            BudgetId("gone"): LiveBudget(70_000),
            BudgetId("here"): LiveBudget(8_000),
        },
        now=5000.0,
    )
    assert picture.shown == Balance(100_000, 10_000 + 4_000 + 2_500 + 4_000, 34_500)
    assert picture.suspense_ms == 10_000
    assert picture.empty_at == pytest.approx(5000.0 + (100 - 20.5 - 10))
    assert picture.captures == captures
    assert picture.own == own


def test_written_is_never_more_than_what_is_outstanding() -> None:
    budget = a_budget("b", granted_ms=1_000, drawn_ms=1_000)
    minutes = AccountMinutes(AccountId("acc"), Balance(9_000, 0, 1_000), 0, 1, (budget,))
    assert minutes.written_ms({BudgetId("b"): 50_000}) == 1_000
