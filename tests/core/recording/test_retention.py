"""How long recordings are kept: never a day too short, never a day too long."""

import zoneinfo
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import BadInput
from gateway.core.recording.retention import (
    KeepingRules,
    WhenFull,
    anniversary,
    is_over,
    purge_day,
)
from gateway.core.zones import local_day, start_of_day

TWO_YEARS = KeepingRules()
ZONES = sorted(zoneinfo.available_timezones() - {"localtime"})
FROM = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
UNTIL = datetime(2030, 1, 1, tzinfo=UTC).timestamp()
"""Four years, the leap day of 2028 in them."""


@pytest.mark.parametrize(
    ("made", "goes"),
    [
        (date(2026, 2, 6), date(2028, 2, 7)),
        (date(2026, 2, 27), date(2028, 2, 28)),
        (date(2026, 2, 28), date(2028, 2, 29)),
        (date(2026, 3, 1), date(2028, 3, 2)),
        (date(2028, 2, 28), date(2030, 3, 1)),
        (date(2028, 2, 29), date(2030, 3, 1)),
        (date(2028, 3, 1), date(2030, 3, 2)),
        (date(2026, 12, 31), date(2029, 1, 1)),
    ],
)
def test_it_goes_on_the_day_after_its_second_anniversary(made: date, goes: date) -> None:
    assert purge_day(made, TWO_YEARS) == goes


def test_29_february_counts_as_the_28th() -> None:
    assert anniversary(date(2028, 2, 29), 2) == date(2030, 2, 28)
    assert anniversary(date(2024, 2, 29), 4) == date(2028, 2, 28)


@given(made=st.dates(date(2024, 1, 1), date(2034, 12, 31)), days=st.integers(1, 36_600))
def test_by_days_it_is_kept_for_exactly_so_many_whole_days(made: date, days: int) -> None:
    assert purge_day(made, KeepingRules(retention_days=days)) - made == timedelta(days + 1)


@given(zone=st.sampled_from(ZONES), made_at=st.floats(FROM, UNTIL))
def test_in_every_zone_it_goes_never_early_and_never_later_than_a_day(
    zone: str, made_at: float
) -> None:
    made = local_day(made_at, zone)
    goes = purge_day(made, TWO_YEARS)
    # Some zones skip a midnight: the day begins at its first moment there is.
    begins = start_of_day(goes, zone)
    assert is_over(goes, now=begins, zone=zone)
    assert not is_over(goes, now=begins - 1, zone=zone)
    last = anniversary(made, 2)
    assert not is_over(goes, now=start_of_day(last, zone), zone=zone), "the whole last day"
    assert begins - start_of_day(last, zone) <= 25 * 3600, "with the day's change of clocks"
    assert datetime.fromtimestamp(begins, ZoneInfo(zone)).date() == goes


def test_every_day_of_four_years_in_every_zone() -> None:
    day = date(2026, 1, 1)
    days = [day + timedelta(n) for n in range(4 * 366)]
    for made in days:
        goes = purge_day(made, TWO_YEARS)
        kept = goes - made
        assert timedelta(731) <= kept <= timedelta(732), made
    for zone in ZONES:
        for moment in range(int(FROM), int(UNTIL), 40 * 86_400):
            made = local_day(moment, zone)
            goes = purge_day(made, TWO_YEARS)
            assert not is_over(goes, now=moment, zone=zone)
            first = start_of_day(goes, zone)
            assert is_over(goes, now=first, zone=zone)
            assert not is_over(goes, now=first - 1, zone=zone), (zone, made)


@pytest.mark.parametrize("days", [0, -1, -730, 36_601])
def test_a_retention_that_keeps_nothing_or_for_ever_is_refused(days: int) -> None:
    with pytest.raises(BadInput, match="1 to 36,600 days"):
        KeepingRules(WhenFull.AUTO, days)
