"""Which file is the recording of a call, how long it is, and what it costs.

Every recorded call ends with one verdict, whatever Meta sends or fails to send, however often
and in whatever order. A call is charged with exactly what is kept of it.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from gateway.core.quota.balance import FRAME_MS
from gateway.core.quota.charge import Charge
from gateway.core.recording.facts import (
    MISSING,
    Facts,
    LocalCopy,
    Mode,
    OfficialCopy,
    OfficialFailure,
)
from gateway.core.recording.intervals import (
    Interval,
    Intervals,
    common,
    first,
    shifted,
    tidy,
    total,
    without,
)

AGREE_MS = 1_000
"""Two recordings of one call that differ by no more are the same."""
AWAITED_S = 15 * 60.0
"""How long after the call nothing is concluded from a file that is missing."""
FINAL_S = 8 * 24 * 3600.0
"""When the books of a call are closed: Meta keeps a file for 7 days."""


class Verdict(StrEnum):
    """How the official recording and our own compare."""

    MATCHED = "matched"
    TRIMMED_TO_QUOTA = "trimmed_to_quota"
    """The official one went on after the minutes had run out; that part was cut off."""
    OFFICIAL_SHORTER = "official_shorter"
    """Our own is the record."""
    OFFICIAL_LONGER = "official_longer"
    """Our capture lost a part; the official one is the record, as far as minutes were free."""
    LOCAL_ONLY = "local_only"
    """No official one came, or it could not be fetched in time."""
    OFFICIAL_ONLY = "official_only"
    """Our capture was lost."""
    CORRUPT = "corrupt"
    """The official one stayed damaged; our own is the record."""
    DECLINED = "declined"
    """The call ended during the announcement: nothing is kept, nothing charged."""
    LOCAL = "local"
    """No official one was asked for."""
    LOST = "lost"
    """Neither is there: nothing charged, and somebody has to look into it."""
    DELETED = "deleted"
    """Deleted before all was settled: nothing is kept, nothing charged."""


class Copy(StrEnum):
    """One of the two recordings of a call."""

    LOCAL = "local"
    OFFICIAL = "official"


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What follows from the facts. `stored_ms` is also what the call is charged with."""

    verdict: Verdict
    record: Copy | None
    stored_ms: int
    kept_official: Intervals = ()
    """What may be kept of the official file, in its own time; all else is destroyed."""
    kept_local: Intervals = ()
    """What may be kept of the capture, in its own time."""
    official_sha256: str | None = None
    """Which official file is meant."""
    extra_ms: int = 0
    """Part of the official file that the capture did not have."""
    is_open: bool = False
    """Something that may change this is still expected."""
    is_final: bool = False
    """The books are closed; only a lost recording that is found still opens them."""

    @property
    def cause(self) -> str:
        """Names the evidence, so that one correction of the charge is made for it once."""
        evidence = (self.official_sha256 or "none")[:16]
        return f"{self.verdict}:{evidence}:{self.stored_ms}"


def reconcile(
    facts: Facts, *, now: float, free_ms: int, before: Conclusion | None = None
) -> Conclusion | None:
    """Conclude from the facts, or return None while it is too early to.

    `free_ms` is what the call may be charged beyond what its capture wrote; `before` what was
    concluded last. Whoever acts on a conclusion adds its `extra_ms` to the facts
    (`OfficialCopy.extra_ms`): what was not kept then is gone.
    """
    if facts.is_deleted:
        return Conclusion(Verdict.DELETED, None, 0, is_final=True)
    if before is not None and before.is_final and before.verdict is not Verdict.LOST:
        return before
    concluded = _conclude(facts, now, free_ms)
    if concluded is None:
        return None
    return replace(concluded, is_open=_is_open(facts), is_final=_is_final(facts, now))


def _conclude(facts: Facts, now: float, free_ms: int) -> Conclusion | None:
    is_early = now < facts.ended_at + AWAITED_S
    if facts.local is None and is_early:
        return None
    has_official = facts.official is not None or bool(facts.failures)
    if facts.is_declined and not has_official:
        return Conclusion(Verdict.DECLINED, None, 0)
    if is_early and _is_open(facts):
        return None
    if facts.mode is Mode.LOCAL:
        return _local(facts, Verdict.LOCAL)
    if facts.official is None:
        is_corrupt = OfficialFailure.CORRUPT in facts.failures
        return _local(facts, Verdict.CORRUPT if is_corrupt else Verdict.LOCAL_ONLY)
    return _with_official(facts, facts.official, free_ms)


def _local(facts: Facts, verdict: Verdict) -> Conclusion:
    local = facts.local or MISSING
    if not local.is_there:
        return Conclusion(Verdict.LOST, None, 0)
    return Conclusion(verdict, Copy.LOCAL, local.duration_ms, kept_local=local.granted)


def _with_official(facts: Facts, official: OfficialCopy, free_ms: int) -> Conclusion:
    if facts.local is None or not facts.local.is_there:
        return _official_only(official, free_ms)
    return _compare(facts, facts.local, official, free_ms)


def _official_only(official: OfficialCopy, free_ms: int) -> Conclusion:
    room = free_ms if official.extra_ms is None else official.extra_ms
    stored = min(official.duration_ms, room)
    if not stored:
        return Conclusion(Verdict.TRIMMED_TO_QUOTA, None, 0, official_sha256=official.sha256)
    return Conclusion(
        Verdict.OFFICIAL_ONLY,
        Copy.OFFICIAL,
        stored,
        kept_official=(Interval(0, stored),),
        official_sha256=official.sha256,
        extra_ms=stored,
    )


@dataclass(frozen=True, slots=True)
class _Overlay:
    """Both recordings in the capture's time."""

    local: Intervals
    """The capture without a surplus head."""
    inside: Intervals
    """What the official one has of it."""
    beyond: Intervals
    """What only the official one has, and may be kept if it is paid for."""
    begins_ms: int
    """Where the official one begins."""

    def official_time(self, kept: Intervals) -> Intervals:
        """Return intervals on the timeline of the official file."""
        return shifted(kept, -self.begins_ms)


def _compare(
    facts: Facts, local: LocalCopy, official: OfficialCopy, free_ms: int
) -> Conclusion:
    overlay = _lay_over(facts, local, official)
    local_ms, inside_ms, beyond_ms = (
        total(each) for each in (overlay.local, overlay.inside, overlay.beyond)
    )
    room = free_ms + local_ms - inside_ms if official.extra_ms is None else official.extra_ms
    extra_ms = 0 if local.stopped_by_quota else min(beyond_ms, room)
    sha256 = official.sha256
    if local_ms - inside_ms > AGREE_MS and inside_ms + extra_ms <= local_ms + AGREE_MS:
        return Conclusion(
            Verdict.OFFICIAL_SHORTER,
            Copy.LOCAL,
            local_ms,
            kept_official=overlay.official_time(overlay.inside),
            kept_local=overlay.local,
            official_sha256=sha256,
        )
    if local.stopped_by_quota or beyond_ms <= AGREE_MS:
        is_trimmed = local.stopped_by_quota and beyond_ms > FRAME_MS
        verdict = Verdict.TRIMMED_TO_QUOTA if is_trimmed else Verdict.MATCHED
        extra_ms = 0
    else:
        verdict = Verdict.OFFICIAL_LONGER
    kept = tidy((*overlay.inside, *first(overlay.beyond, extra_ms)))
    return Conclusion(
        verdict,
        Copy.OFFICIAL,
        inside_ms + extra_ms,
        kept_official=overlay.official_time(kept),
        # The stereo of our own is nicer to listen to than a mono file.
        kept_local=overlay.local if official.channels == 1 else (),
        official_sha256=sha256,
        extra_ms=extra_ms,
    )


def _lay_over(facts: Facts, local: LocalCopy, official: OfficialCopy) -> _Overlay:
    begins_ms = official.offset_ms
    granted = local.granted
    if begins_ms is None:
        begins_ms = _assumed_offset(facts, official)
    elif FRAME_MS < begins_ms <= facts.surplus_max_ms:
        # The capture began during the announcement: its head may not be kept.
        granted = without(granted, (Interval(0, begins_ms),))
    span = (Interval(begins_ms, begins_ms + official.duration_ms),)
    return _Overlay(
        local=granted,
        inside=common(span, granted),
        beyond=without(without(span, granted), local.paused),
        begins_ms=begins_ms,
    )


def _assumed_offset(facts: Facts, official: OfficialCopy) -> int:
    """Say where an official file begins that cannot be compared, in silence for instance.

    It ends with the call. A shorter one has rather lost its end than its beginning.
    """
    ends_ms = facts.ends_ms
    return 0 if ends_ms is None else min(0, ends_ms - official.duration_ms)


def _is_open(facts: Facts) -> bool:
    if facts.mode is Mode.LOCAL:
        return facts.local is None
    return facts.official is None and not facts.failures


def _is_final(facts: Facts, now: float) -> bool:
    closes_at = facts.ended_at + FINAL_S
    if _is_open(facts):
        closes_at = max(closes_at, facts.announced_until)
    return now >= closes_at


@dataclass(frozen=True, slots=True)
class Settle:
    """Charge the call for the first time."""

    recorded_ms: int


@dataclass(frozen=True, slots=True)
class Correct:
    """Change what the call is charged with; done once for each `key`."""

    target_ms: int
    key: str


def ledger_step(charge: Charge, conclusion: Conclusion) -> Settle | Correct | None:
    """Say what must be written in the ledger for the call to cost what is kept of it.

    A call whose minutes were returned costs nothing for good; deleting returns them, not this.
    """
    if charge.is_returned or conclusion.verdict is Verdict.DELETED:
        return None
    if not charge.is_settled:
        return Settle(conclusion.stored_ms)
    if charge.charged_ms == conclusion.stored_ms:
        return None
    return Correct(conclusion.stored_ms, conclusion.cause)
