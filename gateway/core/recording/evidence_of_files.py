"""What of a recording's files belongs into its chain: made, announced, verified, decided."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.core.recording.evidence import EvidenceKind, Happening, moment
from gateway.core.recording.facts import (
    Announced,
    Declined,
    Deleted,
    Fact,
    Facts,
    Failed,
    LocalCopy,
    OfficialCopy,
)
from gateway.core.recording.intervals import Intervals
from gateway.core.recording.reconcile import Conclusion


def of_fact(fact: Fact, now: float) -> tuple[Happening, ...]:
    """Return what to chain when a fact is learned."""
    match fact:
        case Announced(until=until):
            facts = {"until": moment(until)}
            return (Happening(EvidenceKind.OFFICIAL_ANNOUNCED, now, facts),)
        case Failed(why=why):
            return (Happening(EvidenceKind.OFFICIAL_FAILED, now, {"why": why.value}),)
        case Deleted():
            return (Happening(EvidenceKind.OFFICIAL_UNWANTED, now),)
        case OfficialCopy() | LocalCopy() | Declined():
            # Told with the verdict, with the file, and by the call.
            return ()


def of_conclusion(
    known: Facts,
    before: Conclusion | None,
    told: Facts,
    conclusion: Conclusion | None,
    files: Mapping[str, str],
    now: float,
) -> tuple[Happening, ...]:
    """Return what to chain when a conclusion is drawn; the same one again is no news.

    `files` are the digests of what is kept now, by what each is.
    """
    digests = {copy.sha256 for copy in known.officials}
    verified = [_verified(copy, now) for copy in told.officials if copy.sha256 not in digests]
    if conclusion is None or conclusion == before:
        return tuple(verified)
    facts = {**_verdict(conclusion), "files": dict(files)}
    return (*verified, Happening(EvidenceKind.VERDICT, now, facts))


def made(
    *,
    sha256: str,
    size: int,
    duration_ms: int,
    began_at: float,
    segments: Sequence[Any],
    now: float,
) -> Happening:
    """Return what to chain when our own recording is durable."""
    facts: dict[str, Any] = {
        "sha256": sha256,
        "bytes": size,
        "duration_ms": duration_ms,
        "began_at": moment(began_at),
        "segments": [_segment(each) for each in segments],
    }
    return Happening(EvidenceKind.RECORDING_MADE, now, facts)


def _segment(segment: object) -> object:
    """Floats are written alike by every JSON there is only as text."""
    if isinstance(segment, Mapping):
        return {
            str(name): repr(value) if isinstance(value, float) else _segment(value)
            for name, value in segment.items()
        }
    if isinstance(segment, list | tuple):
        return [_segment(each) for each in segment]
    return repr(segment) if isinstance(segment, float) else segment


def _verified(copy: OfficialCopy, now: float) -> Happening:
    facts = {
        "sha256": copy.sha256,
        "duration_ms": copy.duration_ms,
        "channels": copy.channels,
        "offset_ms": copy.offset_ms,
    }
    return Happening(EvidenceKind.OFFICIAL_VERIFIED, now, facts)


def _verdict(conclusion: Conclusion) -> dict[str, Any]:
    return {
        "verdict": conclusion.verdict.value,
        "record": None if conclusion.record is None else conclusion.record.value,
        "stored_ms": conclusion.stored_ms,
        "official_sha256": conclusion.official_sha256,
        "kept_official": _spans(conclusion.kept_official),
        "kept_local": _spans(conclusion.kept_local),
        "is_final": conclusion.is_final,
    }


def _spans(intervals: Intervals) -> list[list[int]]:
    return [[each.begin, each.end] for each in intervals]
