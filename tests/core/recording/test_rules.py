"""Announcements, wishes, intervals and the life of a recording."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import BadInput
from gateway.core.recording.announcement import (
    LANGUAGES,
    MARGIN_MS,
    Announcement,
    Kind,
    capture_delay_ms,
    checked,
    estimate_ms,
    slowest_ms,
)
from gateway.core.recording.facts import Mode, Segment, local_copy
from gateway.core.recording.intervals import (
    Interval,
    common,
    first,
    tidy,
    total,
    without,
)
from gateway.core.recording.lifecycle import Life, later, may_become
from gateway.core.recording.policy import Records
from gateway.core.recording.wish import Wish, checked_wish, plan_call
from gateway.core.whatsapp import Direction

OFFICE = Announcement("en", "quality assurance")
WISH = Wish(Records.BOTH, purpose="quality assurance", language="en_GB")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", Kind)
def test_every_language_has_its_sentence_and_an_estimate(language: str, kind: Kind) -> None:
    announcement = checked(language, "quality", kind)
    assert announcement.sentence.endswith("quality")
    assert 3_000 < estimate_ms(announcement) < slowest_ms(announcement) < 30_000


def test_a_language_variant_speaks_as_its_language() -> None:
    assert replace(OFFICE, language="en_IN").sentence == OFFICE.sentence
    assert "recorded and transcribed" in replace(OFFICE, kind=Kind.BOTH).sentence


@pytest.mark.parametrize(
    ("language", "purpose", "says"),
    [
        ("id", "mutu", "does not announce in 'id'"),
        ("en", "  ", "write the purpose"),
        ("en", "x" * 251, "251 characters"),
        ("en", "a\x07b", "cannot be spoken"),
    ],
)
def test_what_meta_would_refuse_is_refused_before(
    language: str, purpose: str, says: str
) -> None:
    with pytest.raises(BadInput, match=says):
        checked(language, purpose)


def test_the_longest_purpose_is_taken_and_white_space_tidied() -> None:
    assert checked("en", "x" * 250).purpose == "x" * 250
    assert checked("en", " quality \n  control ").purpose == "quality control"


def test_one_measurement_only_ever_lengthens_the_wait() -> None:
    estimate = estimate_ms(OFFICE)
    assert capture_delay_ms(OFFICE, []) == estimate + MARGIN_MS
    assert capture_delay_ms(OFFICE, [estimate - 2_000]) == estimate + MARGIN_MS
    assert capture_delay_ms(OFFICE, [estimate + 2_000]) == estimate + 2_000 + MARGIN_MS


def test_several_measurements_replace_the_estimate_and_the_longest_counts() -> None:
    assert capture_delay_ms(OFFICE, [4_000, 4_200, 4_100]) == 4_200 + MARGIN_MS
    assert capture_delay_ms(OFFICE, [9_000] + [4_000] * 10) == 4_000 + MARGIN_MS


def test_a_setting_shows_what_both_sides_will_hear() -> None:
    assert WISH.spoken == (
        "The audio of this call will be recorded for the following purpose: quality assurance"
    )
    assert replace(WISH, mode=Mode.LOCAL).spoken is None


@pytest.mark.parametrize(
    "wish",
    [
        Wish(Records.BOTH),
        Wish(Records.INBOUND, purpose="x", language="xx"),
        Wish(purpose="x", transcribes_alone=True),
        Wish(mode=Mode.LOCAL, purpose="x", transcribes=True),
        Wish(transcribes=True),
    ],
)
def test_a_setting_that_cannot_be_carried_out_is_refused(wish: Wish) -> None:
    with pytest.raises(BadInput):
        checked_wish(wish, has_announcement=True)


@pytest.mark.parametrize(
    "wish", [Wish(), Wish(Records.BOTH, mode=Mode.LOCAL), WISH, replace(WISH, transcribes=True)]
)
def test_a_sensible_setting_is_kept_as_it_is(wish: Wish) -> None:
    assert checked_wish(wish, has_announcement=True) == wish


@pytest.mark.parametrize(
    ("records", "direction", "has_minutes"),
    list(itertools.product(Records, Direction, [True, False])),
)
def test_recording_is_asked_only_where_wanted_and_paid_for(
    records: Records, direction: Direction, has_minutes: bool
) -> None:
    plan = plan_call(WISH, records, direction, has_minutes=has_minutes)
    is_wanted = records.covers(direction) and has_minutes
    assert plan.captures is is_wanted
    assert (plan.asked.recording is not None) is is_wanted
    assert plan.asked.transcription is None
    assert plan.is_announced is is_wanted


def test_transcription_alone_only_where_the_account_allows_it() -> None:
    both = replace(WISH, transcribes=True)
    plan = plan_call(both, Records.BOTH, Direction.INBOUND, has_minutes=True)
    assert plan.asked.announcement is not None
    assert plan.asked.announcement.kind is Kind.BOTH
    assert not plan_call(both, Records.BOTH, Direction.INBOUND, has_minutes=False).is_announced
    alone = replace(both, transcribes_alone=True)
    asked = plan_call(alone, Records.BOTH, Direction.INBOUND, has_minutes=False).asked
    assert asked.recording is None
    assert asked.transcription is not None


def test_local_recording_asks_nothing_of_meta() -> None:
    plan = plan_call(
        Wish(Records.BOTH, mode=Mode.LOCAL),
        Records.BOTH,
        Direction.OUTBOUND,
        has_minutes=True,
    )
    assert plan.captures
    assert not plan.is_announced


def test_segments_and_pauses_are_laid_out_in_real_time() -> None:
    copy = local_copy(
        [
            Segment(0, 10_000, pauses=((4_000, 1_500),)),
            Segment(20_000, 5_000, stopped_by_quota=True, started_at=1_020.0),
        ]
    )
    assert copy.granted == ((0, 4_000), (5_500, 11_500), (20_000, 25_000))
    assert copy.paused == ((4_000, 5_500),)
    assert copy.stopped_by_quota
    assert copy.duration_ms == 15_000
    assert copy.began_at == 1_000.0, "when the capture began, whichever segment is left of it"
    assert not local_copy([]).is_there


intervals = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda each: Interval(*each)),
    max_size=6,
)


def points(parts: list[Interval] | tuple[Interval, ...]) -> set[int]:
    return {at for begin, end in parts for at in range(begin, end)}


@given(intervals, intervals, st.integers(0, 70))
def test_intervals_are_sets_of_moments(
    left: list[Interval], right: list[Interval], length: int
) -> None:
    assert points(tidy(left)) == points(left)
    assert points(common(left, right)) == points(left) & points(right)
    assert points(without(left, right)) == points(left) - points(right)
    ordered = tidy(left)
    assert total(ordered) == len(points(left))
    assert points(first(ordered, length)) == set(sorted(points(left))[:length])


def test_a_recording_only_moves_forward() -> None:
    assert may_become(Life.AVAILABLE, Life.TRASHED)
    assert not may_become(Life.TRASHED, Life.AVAILABLE)
    assert not any(may_become(Life.PURGED, each) for each in Life)
    for left, right in itertools.combinations(Life, 2):
        assert not may_become(right, left)
        assert later(left, right) is later(right, left) is right
