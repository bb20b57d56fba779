"""What became of a call's recording, as people are told."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.core.recording.facts import Facts, Mode, OfficialFailure
from gateway.core.recording.reconcile import Conclusion, Copy, Verdict


class DigestState(StrEnum):
    """Whether the official file is the one that WhatsApp announced."""

    VERIFIED = "verified"
    WRONG = "wrong"
    """It stayed damaged, or is no recording."""
    EXPIRED = "expired"
    """It could not be fetched while WhatsApp kept it."""
    AWAITED = "awaited"
    """It is announced, and being fetched."""
    NOT_ANNOUNCED = "not_announced"
    NOT_EXPECTED = "not_expected"
    """WhatsApp was not asked to record."""


@dataclass(frozen=True, slots=True)
class RecordingOutcome:
    """Both recordings of a call, and what was made of them."""

    verdict: Verdict | None
    """None: they have not been compared yet."""
    is_final: bool
    record: Copy | None
    """Which of the two is the record."""
    stored_ms: int | None
    """What is kept, and charged."""
    official_ms: int | None
    """The whole official file, also what was cut off and destroyed."""
    local_ms: int | None
    offset_ms: int | None
    """When the official one begins, in the time of our own."""
    digest: DigestState
    is_cut_by_quota: bool


def outcome_of(facts: Facts, conclusion: Conclusion | None) -> RecordingOutcome:
    """Tell what became of a recording."""
    official, local = facts.official, facts.local
    is_trimmed = (
        conclusion is not None and conclusion.verdict is Verdict.TRIMMED_TO_QUOTA
    ) or (local is not None and local.stopped_by_quota)
    return RecordingOutcome(
        verdict=None if conclusion is None else conclusion.verdict,
        is_final=conclusion is not None and conclusion.is_final,
        record=None if conclusion is None else conclusion.record,
        stored_ms=None if conclusion is None else conclusion.stored_ms,
        official_ms=official_ms(facts),
        local_ms=local_ms(facts),
        offset_ms=None if official is None else official.offset_ms,
        digest=digest_state(facts),
        is_cut_by_quota=is_trimmed,
    )


def official_ms(facts: Facts) -> int | None:
    """Return how long the official recording is, if it came."""
    return None if facts.official is None else facts.official.duration_ms


def local_ms(facts: Facts) -> int | None:
    """Return how long our own recording is, if there is one."""
    is_there = facts.local is not None and facts.local.is_there
    return facts.local.duration_ms if facts.local is not None and is_there else None


def digest_state(facts: Facts) -> DigestState:
    """Tell whether the official file is what was announced."""
    if facts.mode is Mode.LOCAL:
        return DigestState.NOT_EXPECTED
    if facts.official is not None:
        return DigestState.VERIFIED
    if OfficialFailure.CORRUPT in facts.failures:
        return DigestState.WRONG
    if OfficialFailure.EXPIRED in facts.failures:
        return DigestState.EXPIRED
    return DigestState.AWAITED if facts.announced_until else DigestState.NOT_ANNOUNCED
