"""Whom a call rings, and how good a leg sounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.quality import LegCounters, mean_opinion_score, quality_of
from gateway.core.routing import Candidate, free_agents, offered_to
from tests.core.scenes import ANI, BUDI, CITRA


def test_the_available_who_are_not_in_a_call_are_free() -> None:
    candidates = [
        Candidate(CITRA, is_available=True, is_busy=False),
        Candidate(ANI, is_available=True, is_busy=True),
        Candidate(BUDI, is_available=False, is_busy=False),
        Candidate(CITRA, is_available=True, is_busy=False),
    ]
    assert free_agents(candidates) == (CITRA,)


def test_who_declined_is_left_out_and_who_failed_comes_last() -> None:
    free = (ANI, BUDI, CITRA)
    assert offered_to(free, declined=(ANI,), failed=(BUDI,)) == (CITRA,)
    assert offered_to(free, declined=(ANI, CITRA), failed=(BUDI,)) == (BUDI,)
    assert offered_to(free, declined=free, failed=(BUDI,)) == ()


def counters(
    packets: int, lost: int, jitter_ms: float = 2.0, round_trip_ms: float | None = 30.0
) -> LegCounters:
    return LegCounters(packets, lost, jitter_ms, round_trip_ms)


@pytest.mark.parametrize(
    ("now", "before", "bars"),
    [
        (counters(250, 0), None, 5),
        (counters(500, 20), counters(250, 20), 5),
        (counters(485, 15), counters(250, 0), 3),
        (counters(450, 50), counters(250, 0), 1),
        (counters(250, 0, jitter_ms=40.0, round_trip_ms=300.0), None, 2),
        (counters(0, 0, round_trip_ms=None), None, 5),
    ],
)
def test_bars_follow_the_last_interval(
    now: LegCounters, before: LegCounters | None, bars: int
) -> None:
    assert quality_of(now, before).bars == bars


@given(st.floats(0, 1), st.floats(0, 2000), st.floats(0, 5000))
def test_a_score_stays_on_its_scale(loss: float, jitter_ms: float, rtt_ms: float) -> None:
    assert 1.0 <= mean_opinion_score(loss, jitter_ms, rtt_ms) <= 4.5
    assert mean_opinion_score(loss, jitter_ms, rtt_ms) <= mean_opinion_score(0, 0, 0)
