"""What is said of a recording that is not settled yet, and of one that is."""

from dataclasses import replace

import pytest

from gateway.core.recording.facts import (
    MISSING,
    Facts,
    Failed,
    LocalCopy,
    Mode,
    OfficialCopy,
    OfficialFailure,
    learn,
)
from gateway.core.recording.intervals import Interval
from gateway.core.recording.outcome import DigestState, outcome_of
from gateway.core.recording.outlook import KEPT_S, Patience, Waiting, outlook
from gateway.core.recording.reconcile import Copy, Verdict, reconcile

DAY, HOUR, MINUTE = 86_400.0, 3_600.0, 60.0
CALL = Facts(Mode.OFFICIAL, ended_at=0.0)
OURS = LocalCopy((Interval(0, 60_000),))
CUT = replace(OURS, stopped_by_quota=True)
METAS = OfficialCopy("digest", 90_000, 2, offset_ms=-300)
PATIENCE = Patience(fetch_s=DAY, comparison_s=HOUR)
RECORDED = replace(CALL, local=OURS)
ANNOUNCED = replace(RECORDED, announced_until=KEPT_S)


@pytest.mark.parametrize(
    ("facts", "at", "waits_for", "until", "is_at_risk"),
    [
        (CALL, MINUTE, Waiting.OWN_FILE, 15 * MINUTE, False),
        (RECORDED, MINUTE, Waiting.ANNOUNCEMENT, 8 * DAY, False),
        (RECORDED, 2 * DAY, Waiting.ANNOUNCEMENT, 8 * DAY, False),
        (ANNOUNCED, MINUTE, Waiting.FETCH, 7 * DAY, False),
        (ANNOUNCED, 23 * HOUR, Waiting.FETCH, 7 * DAY, False),
        (ANNOUNCED, 25 * HOUR, Waiting.FETCH, 7 * DAY, True),
        (replace(CALL, local=MISSING), HOUR, Waiting.LOST, 8 * DAY, True),
        (replace(CALL, local=MISSING), 9 * DAY, Waiting.LOST, None, True),
    ],
)
def test_what_is_waited_for_and_until_when(
    facts: Facts, at: float, waits_for: Waiting, until: float | None, is_at_risk: bool
) -> None:
    conclusion = reconcile(facts, now=at, free_ms=0)
    found = outlook(facts, conclusion, now=at, patience=PATIENCE)
    assert found is not None
    assert (found.waits_for, found.until, found.is_at_risk) == (waits_for, until, is_at_risk)


@pytest.mark.parametrize(("at", "is_at_risk"), [(30 * MINUTE, False), (2 * HOUR, True)])
def test_what_cannot_be_compared_is_told_when_it_lasts(at: float, is_at_risk: bool) -> None:
    facts = learn(RECORDED, METAS)
    found = outlook(facts, None, now=at, patience=PATIENCE)
    assert found is not None
    assert (found.waits_for, found.is_at_risk) == (Waiting.COMPARISON, is_at_risk)


@pytest.mark.parametrize("facts", [learn(RECORDED, METAS), replace(CALL, is_declined=True)])
def test_nothing_is_open_of_what_is_concluded(facts: Facts) -> None:
    conclusion = reconcile(facts, now=HOUR, free_ms=0)
    if facts.is_declined:
        facts = replace(facts, local=MISSING)
        conclusion = reconcile(facts, now=9 * DAY, free_ms=0)
    assert outlook(facts, conclusion, now=9 * DAY, patience=PATIENCE) is None


def test_once_the_books_are_closed_nothing_is_waited_for() -> None:
    conclusion = reconcile(RECORDED, now=9 * DAY, free_ms=0)
    assert conclusion is not None
    assert conclusion.verdict is Verdict.LOCAL_ONLY
    assert outlook(RECORDED, conclusion, now=9 * DAY, patience=PATIENCE) is None


def test_the_outcome_tells_both_lengths_and_which_one_is_kept() -> None:
    facts = learn(replace(CALL, local=CUT), METAS)
    outcome = outcome_of(facts, reconcile(facts, now=HOUR, free_ms=0))
    assert (outcome.verdict, outcome.record) == (Verdict.TRIMMED_TO_QUOTA, Copy.OFFICIAL)
    assert (outcome.stored_ms, outcome.official_ms, outcome.local_ms) == (
        60_000,
        90_000,
        60_000,
    )
    assert (outcome.offset_ms, outcome.is_cut_by_quota, outcome.is_final) == (-300, True, False)
    assert outcome.digest is DigestState.VERIFIED


def test_before_a_conclusion_only_what_is_known_is_told() -> None:
    outcome = outcome_of(CALL, None)
    assert (outcome.verdict, outcome.stored_ms, outcome.local_ms) == (None, None, None)
    assert outcome.digest is DigestState.NOT_ANNOUNCED
    assert outcome_of(ANNOUNCED, None).local_ms == 60_000


@pytest.mark.parametrize(
    ("facts", "digest"),
    [
        (replace(CALL, mode=Mode.LOCAL), DigestState.NOT_EXPECTED),
        (ANNOUNCED, DigestState.AWAITED),
        (learn(ANNOUNCED, Failed(OfficialFailure.CORRUPT)), DigestState.WRONG),
        (learn(ANNOUNCED, Failed(OfficialFailure.EXPIRED)), DigestState.EXPIRED),
        (learn(learn(ANNOUNCED, Failed(OfficialFailure.CORRUPT)), METAS), DigestState.VERIFIED),
    ],
)
def test_the_digest_is_told_as_it_stands(facts: Facts, digest: DigestState) -> None:
    assert outcome_of(facts, None).digest is digest
