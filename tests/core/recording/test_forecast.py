"""What goes by itself, and when, told before it happens."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.recording.forecast import Going, GoingOn, KeptOfDay, forecast, together
from gateway.core.recording.retention import KeepingRules, purge_day

TODAY = date(2026, 11, 21)
ONE = Going(1, 60_000, 1_000)
days = st.dates(date(2024, 1, 1), TODAY)
rules = st.builds(
    KeepingRules, retention_days=st.none() | st.integers(min_value=1, max_value=3_000)
)
goings = st.builds(Going, *[st.integers(0, 10**6)] * 4)
shelves = st.dictionaries(days, goings, max_size=20).map(
    lambda made: [KeptOfDay(day, going) for day, going in made.items()]
)


def test_two_years_and_a_number_of_days_are_told_to_the_day() -> None:
    kept = [KeptOfDay(date(2024, 11, 25), ONE), KeptOfDay(date(2026, 11, 1), ONE)]
    until = TODAY + timedelta(days=30)
    [going] = forecast(kept, KeepingRules(), today=TODAY, until=until)
    assert going == GoingOn(date(2026, 11, 26), ONE)
    shorter = forecast(kept, KeepingRules(retention_days=30), today=TODAY, until=until)
    assert shorter == [GoingOn(TODAY, ONE), GoingOn(date(2026, 12, 2), ONE)]


def test_what_is_over_already_goes_today_all_together() -> None:
    kept = [KeptOfDay(TODAY - timedelta(days=age), ONE) for age in (300, 200, 10)]
    found = forecast(kept, KeepingRules(retention_days=9), today=TODAY, until=TODAY)
    assert found == [GoingOn(TODAY, Going(3, 180_000, 3_000))]


def test_what_is_held_is_told_apart() -> None:
    kept = [KeptOfDay(date(2024, 11, 21), Going(2, 5, 7, held=3))]
    [day] = forecast(kept, KeepingRules(), today=TODAY, until=TODAY + timedelta(days=1))
    assert day.going == Going(2, 5, 7, held=3)


@given(shelves, rules, st.integers(0, 800))
def test_nothing_is_told_twice_left_out_or_on_another_day_than_it_goes(
    kept: list[KeptOfDay], rule: KeepingRules, ahead: int
) -> None:
    until = TODAY + timedelta(days=ahead)
    found = forecast(kept, rule, today=TODAY, until=until)
    wanted = [each for each in kept if purge_day(each.made, rule) <= until]
    assert together(found) == sum((each.kept for each in wanted), Going())
    on = [each.on for each in found]
    assert on == sorted(set(on))
    assert all(TODAY <= day <= until for day in on)
    assert set(on) == {max(purge_day(each.made, rule), TODAY) for each in wanted}


@given(shelves, st.integers(1, 700), st.integers(1, 700))
def test_keeping_for_longer_never_lets_more_go(
    kept: list[KeptOfDay], one: int, other: int
) -> None:
    until = TODAY + timedelta(days=30)
    shorter, longer = (
        together(
            forecast(kept, KeepingRules(retention_days=span), today=TODAY, until=until)
        ).recordings
        for span in sorted((one, other))
    )
    assert longer <= shorter
