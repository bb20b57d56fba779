"""Which file is the recording, what it costs, and that the order of news does not matter."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.quota.balance import Balance
from gateway.core.recording.facts import (
    MISSING,
    Announced,
    Declined,
    Deleted,
    Fact,
    Facts,
    Failed,
    LocalCopy,
    Mode,
    OfficialCopy,
    OfficialFailure,
)
from gateway.core.recording.intervals import Interval, total
from gateway.core.recording.reconcile import Copy, Verdict, reconcile
from tests.core.recording.books import DAY, MINUTE, Books

PRESENT = LocalCopy((Interval(0, 60_000),))
CUT = LocalCopy((Interval(0, 30_000),), stopped_by_quota=True)
TWO = LocalCopy((Interval(0, 20_000), Interval(35_000, 50_000)), stopped_by_quota=True)
DAMAGED = LocalCopy((Interval(0, 25_000),))
LOCALS = {
    "present": PRESENT,
    "cut by quota": CUT,
    "two segments": TWO,
    "missing": MISSING,
    "damaged": DAMAGED,
    "deleted meanwhile": PRESENT,
}

# Meta's file begins 0.3 s before the capture; the call went on for 60 s of the capture's time.
RIGHT = OfficialCopy("right", 60_300, 2, offset_ms=-300)
SHORT = OfficialCopy("short", 40_300, 2, offset_ms=-300)
LONGER = OfficialCopy("longer", 75_300, 2, offset_ms=-300)
CORRUPT = Failed(OfficialFailure.CORRUPT)
EXPIRED = Failed(OfficialFailure.EXPIRED)
OFFICIALS: dict[str, list[tuple[float, Fact]]] = {
    "right": [(MINUTE, RIGHT)],
    "cut short": [(MINUTE, SHORT)],
    "longer": [(MINUTE, LONGER)],
    "never": [],
    "late": [(2 * DAY, RIGHT)],
    "after finality": [(9 * DAY, RIGHT)],
    "corrupt then right": [(MINUTE, CORRUPT), (2 * MINUTE, RIGHT)],
    "corrupt for ever": [(MINUTE, CORRUPT)],
    "declined": [(1.0, Declined())],
    "expired": [(MINUTE, Announced(7 * DAY)), (7 * DAY, EXPIRED)],
}

TABLE = """
present       | right              | matched          | official | 60000 | settle +60000
present       | cut short          | official_shorter | local    | 60000 | settle +60000
present       | longer             | official_longer  | official | 75300 | settle +60000, correction +15300
present       | never              | local_only       | local    | 60000 | settle +60000
present       | late               | matched          | official | 60000 | settle +60000
present       | after finality     | local_only       | local    | 60000 | settle +60000
present       | corrupt then right | matched          | official | 60000 | settle +60000
present       | corrupt for ever   | corrupt          | local    | 60000 | settle +60000
present       | declined           | declined         | -        | 0     | settle +60000, correction -60000
present       | expired            | local_only       | local    | 60000 | settle +60000
cut by quota  | right              | trimmed_to_quota | official | 30000 | settle +30000
cut by quota  | cut short          | trimmed_to_quota | official | 30000 | settle +30000
cut by quota  | longer             | trimmed_to_quota | official | 30000 | settle +30000
cut by quota  | never              | local_only       | local    | 30000 | settle +30000
cut by quota  | late               | trimmed_to_quota | official | 30000 | settle +30000
cut by quota  | after finality     | local_only       | local    | 30000 | settle +30000
cut by quota  | corrupt then right | trimmed_to_quota | official | 30000 | settle +30000
cut by quota  | corrupt for ever   | corrupt          | local    | 30000 | settle +30000
cut by quota  | declined           | declined         | -        | 0     | settle +30000, correction -30000
cut by quota  | expired            | local_only       | local    | 30000 | settle +30000
two segments  | right              | trimmed_to_quota | official | 35000 | settle +35000
two segments  | cut short          | official_shorter | local    | 35000 | settle +35000
two segments  | longer             | trimmed_to_quota | official | 35000 | settle +35000
two segments  | never              | local_only       | local    | 35000 | settle +35000
two segments  | late               | trimmed_to_quota | official | 35000 | settle +35000
two segments  | after finality     | local_only       | local    | 35000 | settle +35000
two segments  | corrupt then right | trimmed_to_quota | official | 35000 | settle +35000
two segments  | corrupt for ever   | corrupt          | local    | 35000 | settle +35000
two segments  | declined           | declined         | -        | 0     | settle +35000, correction -35000
two segments  | expired            | local_only       | local    | 35000 | settle +35000
missing       | right              | official_only    | official | 60300 | settle +0, correction +60300
missing       | cut short          | official_only    | official | 40300 | settle +0, correction +40300
missing       | longer             | official_only    | official | 75300 | settle +0, correction +75300
missing       | never              | lost             | -        | 0     | settle +0
missing       | late               | official_only    | official | 60300 | settle +0, correction +60300
missing       | after finality     | official_only    | official | 60300 | settle +0, correction +60300
missing       | corrupt then right | official_only    | official | 60300 | settle +0, correction +60300
missing       | corrupt for ever   | lost             | -        | 0     | settle +0
missing       | declined           | declined         | -        | 0     | settle +0
missing       | expired            | lost             | -        | 0     | settle +0
damaged       | right              | official_longer  | official | 60300 | settle +25000, correction +35300
damaged       | cut short          | official_longer  | official | 40300 | settle +25000, correction +15300
damaged       | longer             | official_longer  | official | 75300 | settle +25000, correction +50300
damaged       | never              | local_only       | local    | 25000 | settle +25000
damaged       | late               | official_longer  | official | 60300 | settle +25000, correction +35300
damaged       | after finality     | local_only       | local    | 25000 | settle +25000
damaged       | corrupt then right | official_longer  | official | 60300 | settle +25000, correction +35300
damaged       | corrupt for ever   | corrupt          | local    | 25000 | settle +25000
damaged       | declined           | declined         | -        | 0     | settle +25000, correction -25000
damaged       | expired            | local_only       | local    | 25000 | settle +25000
"""  # noqa: E501 (a table)


def table() -> list[tuple[str, ...]]:
    rows = [tuple(cell.strip() for cell in row.split("|")) for row in TABLE.strip().split("\n")]
    back = dict.fromkeys(OFFICIALS, "delete -60000") | {"declined": "correction -60000"}
    gone = [
        ("deleted meanwhile", name, "deleted", "-", "0", f"settle +60000, {entry}")
        for name, entry in back.items()
    ]
    return [*rows, *gone]


def seen(books: Books) -> tuple[str, ...]:
    conclusion = books.conclusion
    assert conclusion is not None
    return (
        conclusion.verdict,
        conclusion.record or "-",
        str(conclusion.stored_ms),
        books.written(),
    )


@pytest.mark.parametrize(
    ("local", "official", "verdict", "record", "stored", "entries"),
    table(),
    ids=lambda cell: cell,
)
def test_every_pair_of_recordings_has_one_end(
    local: str, official: str, verdict: str, record: str, stored: str, entries: str
) -> None:
    news: list[tuple[float, Fact]] = [(2.0, LOCALS[local]), *OFFICIALS[official]]
    if local == "deleted meanwhile":
        news.append((30.0, Deleted()))
    books = Books()
    for at, fact in sorted(news, key=lambda each: each[0]):
        for moment in (20 * MINUTE, 8.5 * DAY):
            if at > moment:
                books.look(moment)
        books.tell(fact, at)
    books.look(20 * DAY)
    assert seen(books) == (verdict, record, stored, entries)
    assert books.conclusion is not None
    assert books.conclusion.is_final
    assert books.charge.charged_ms == books.conclusion.stored_ms == books.balance.used_ms


def test_the_table_names_every_pair() -> None:
    assert {row[:2] for row in table()} == {(a, b) for a in LOCALS for b in OFFICIALS}


FACTS: list[Fact] = [
    RIGHT,
    SHORT,
    LONGER,
    replace(RIGHT, sha256="mono", channels=1, offset_ms=450),
    CORRUPT,
    EXPIRED,
    Announced(5 * DAY),
    Declined(),
]


@given(
    st.sampled_from([*LOCALS.values()]),
    st.lists(st.sampled_from(FACTS), max_size=5, unique=True),
    st.randoms(use_true_random=False),
)
def test_neither_order_nor_repetition_changes_the_end(
    local: LocalCopy, facts: list[Fact], rng: random.Random
) -> None:
    ends = []
    for _ in range(2):
        told = [local, *facts]
        told += rng.choices(told, k=rng.randint(0, 6))
        rng.shuffle(told)
        moments = sorted(rng.uniform(1, 7 * DAY) for _ in told)
        books = Books(facts=Facts(Mode.OFFICIAL, ended_at=0.0, surplus_max_ms=5_000))
        for at, fact in zip(moments, told, strict=True):
            books.tell(fact, at)
            books.look(at)
        books.look(8.1 * DAY)
        assert books.conclusion is not None
        assert books.charge.charged_ms == books.conclusion.stored_ms
        ends.append((books.conclusion, books.charge, books.balance))
    assert ends[0] == ends[1]


@given(
    st.sampled_from([*LOCALS.values()]),
    st.sampled_from([RIGHT, SHORT, LONGER]),
    st.integers(0, 60_000),
)
def test_scarce_minutes_trim_the_official_file_to_what_is_free(
    local: LocalCopy, official: OfficialCopy, free_ms: int
) -> None:
    books = Books(balance=Balance(capacity_ms=local.duration_ms + free_ms))
    books.tell(local, 1.0)
    books.tell(official, 2.0)
    ended = books.conclusion
    assert ended is not None
    assert books.balance.overdrawn_ms == 0
    if ended.record is Copy.OFFICIAL:
        assert total(ended.kept_official) == ended.stored_ms
    # Minutes that come free later bring nothing back that was not kept.
    books.balance = books.balance.moved(capacity_ms=500_000)
    books.look(3.0)
    assert books.conclusion == ended


@pytest.mark.parametrize("freed_ms", [0, 500_000])
def test_the_quota_cut_stands_even_if_minutes_were_freed_since(freed_ms: int) -> None:
    books = Books(balance=Balance(capacity_ms=30_000))
    books.tell(CUT, 1.0)
    books.balance = books.balance.moved(capacity_ms=freed_ms)
    books.tell(RIGHT, MINUTE)
    assert seen(books) == ("trimmed_to_quota", "official", "30000", "settle +30000")
    assert books.conclusion is not None
    assert books.conclusion.kept_official == (Interval(300, 30_300),)


def test_what_meta_recorded_while_minutes_were_out_is_cut_from_the_middle() -> None:
    books = Books()
    books.tell(TWO, 1.0)
    books.tell(RIGHT, MINUTE)
    assert books.conclusion is not None
    assert books.conclusion.kept_official == (Interval(300, 20_300), Interval(35_300, 50_300))


def test_a_capture_that_began_during_the_announcement_loses_and_refunds_its_head() -> None:
    books = Books(facts=Facts(Mode.OFFICIAL, ended_at=0.0, surplus_max_ms=4_000))
    books.tell(PRESENT, 1.0)
    books.tell(OfficialCopy("x", 57_500, 1, offset_ms=2_500), MINUTE)
    ended = books.conclusion
    assert ended is not None
    assert seen(books) == (
        "matched",
        "official",
        "57500",
        "settle +60000, correction -2500",
    )
    assert ended.kept_local == (Interval(2_500, 60_000),)


def test_an_official_file_that_lost_its_beginning_takes_nothing_from_ours() -> None:
    books = Books(facts=Facts(Mode.OFFICIAL, ended_at=0.0, surplus_max_ms=4_000))
    books.tell(PRESENT, 1.0)
    books.tell(OfficialCopy("x", 20_000, 2, offset_ms=40_000), MINUTE)
    assert seen(books) == ("official_shorter", "local", "60000", "settle +60000")


def test_pauses_are_cut_from_the_official_file_too() -> None:
    paused = LocalCopy(
        (Interval(0, 10_000), Interval(15_000, 60_000)), paused=(Interval(10_000, 15_000),)
    )
    books = Books()
    books.tell(paused, 1.0)
    books.tell(RIGHT, MINUTE)
    assert books.conclusion is not None
    assert books.conclusion.verdict is Verdict.MATCHED
    assert books.conclusion.kept_official == (Interval(300, 10_300), Interval(15_300, 60_300))


def test_files_that_cannot_be_compared_are_laid_end_to_end() -> None:
    books = Books()
    books.tell(PRESENT, 1.0)
    books.tell(replace(RIGHT, offset_ms=None), MINUTE)
    assert seen(books) == ("matched", "official", "60000", "settle +60000")


def test_a_file_that_cannot_be_compared_is_cut_where_the_minutes_ran_out() -> None:
    books = Books(facts=Facts(Mode.OFFICIAL, ended_at=1_060.0))
    books.tell(replace(CUT, began_at=1_000.0), 1_060.0)
    books.tell(replace(RIGHT, duration_ms=62_000, offset_ms=None), 1_060.0 + MINUTE)
    assert seen(books) == ("trimmed_to_quota", "official", "30000", "settle +30000")
    assert books.conclusion is not None
    assert books.conclusion.kept_official == (Interval(2_000, 32_000),)


@pytest.mark.parametrize(
    ("local", "ends_ms"),
    [
        (None, None),
        (MISSING, None),
        (PRESENT, 60_000),
        (CUT, None),
        (replace(CUT, began_at=910.0), 90_000),
        # A clock that was set back during the call.
        (replace(CUT, began_at=2_000.0), 30_000),
    ],
)
def test_when_a_call_ended_is_known_in_the_time_of_its_capture(
    local: LocalCopy | None, ends_ms: int | None
) -> None:
    assert Facts(Mode.OFFICIAL, ended_at=1_000.0, local=local).ends_ms == ends_ms


@pytest.mark.parametrize(
    ("at", "verdict"), [(14 * MINUTE, None), (15 * MINUTE, Verdict.LOCAL_ONLY)]
)
def test_nothing_is_concluded_from_silence_before_a_quarter_of_an_hour(
    at: float, verdict: Verdict | None
) -> None:
    facts = Facts(Mode.OFFICIAL, ended_at=0.0, local=PRESENT)
    concluded = reconcile(facts, now=at, free_ms=0)
    assert (concluded and concluded.verdict) == verdict
    assert concluded is None or (concluded.is_open and not concluded.is_final)


def test_books_stay_open_as_long_as_an_announced_file_can_come() -> None:
    facts = Facts(Mode.OFFICIAL, ended_at=0.0, local=PRESENT, announced_until=9 * DAY)
    before, after = (reconcile(facts, now=day * DAY, free_ms=0) for day in (8.5, 9.5))
    assert before is not None
    assert not before.is_final
    assert after is not None
    assert after.is_final


@pytest.mark.parametrize(
    ("local", "verdict", "stored"),
    [
        (PRESENT, Verdict.LOCAL, 60_000),
        (CUT, Verdict.LOCAL, 30_000),
        (MISSING, Verdict.LOST, 0),
    ],
)
def test_without_an_official_recording_asked_for_ours_is_the_record(
    local: LocalCopy, verdict: Verdict, stored: int
) -> None:
    concluded = reconcile(Facts(Mode.LOCAL, 0.0, local=local), now=1.0, free_ms=0)
    assert concluded is not None
    assert (concluded.verdict, concluded.stored_ms) == (verdict, stored)


def test_an_official_file_that_comes_before_ours_is_ready_waits_for_it() -> None:
    books = Books()
    books.tell(RIGHT, 1.0)
    assert books.conclusion is None
    books.tell(PRESENT, 2.0)
    assert seen(books) == ("matched", "official", "60000", "settle +60000")


def test_without_any_minutes_an_official_file_alone_cannot_be_kept() -> None:
    books = Books(balance=Balance(capacity_ms=0))
    books.tell(MISSING, 1.0)
    books.tell(RIGHT, MINUTE)
    assert seen(books) == ("trimmed_to_quota", "-", "0", "settle +0")
