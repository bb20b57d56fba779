"""What was said, as Meta wrote it down, cut to what may be kept.

Read leniently: unknown fields are ignored, and a transcript may hold no words at all.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.core.errors import BadInput
from gateway.core.recording.intervals import Intervals

SEGMENTS_MAX = 20_000
WORDS_MAX = 200_000
TEXT_CHARS_MAX = 20_000
_SECONDS_MAX = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Word:
    """One word; times are ms since the official recording began."""

    text: str
    begin_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Passage:
    """What one person said without a pause."""

    speaker: str
    """`business`, `customer`, or what Meta calls them."""
    begin_ms: int
    end_ms: int
    text: str
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Transcript:
    """All of it, in the order of time."""

    language: str | None
    passages: tuple[Passage, ...]

    @property
    def text(self) -> str:
        """What was said, a line for each passage."""
        return "\n".join(f"{each.speaker}: {each.text}" for each in self.passages)


def read_transcript(document: object) -> Transcript:
    """Read Meta's JSON document. Raises `BadInput` if it is none."""
    whole = _object(document)
    found = whole.get("transcript") if whole is not None else None
    body = _object(found)
    if body is None:
        raise BadInput("the document holds no transcript")
    segments = body.get("segments")
    passages = [
        passage
        for segment in (segments if isinstance(segments, list) else [])[:SEGMENTS_MAX]
        if (passage := _passage(_object(segment))) is not None
    ]
    if sum(len(each.words) for each in passages) > WORDS_MAX:
        raise BadInput("the transcript holds more words than a call can")
    ordered = sorted(passages, key=lambda each: (each.begin_ms, each.end_ms))
    return Transcript(_text(body.get("language"))[:35] or None, tuple(ordered))


def within(transcript: Transcript, kept: Intervals) -> Transcript:
    """Leave out every word that was not said within `kept` (ms of the official recording)."""
    cut = [_within(passage, kept) for passage in transcript.passages]
    return replace(transcript, passages=tuple(each for each in cut if each is not None))


def _within(passage: Passage, kept: Intervals) -> Passage | None:
    if any(begin <= passage.begin_ms and passage.end_ms <= end for begin, end in kept):
        return passage
    words = tuple(
        word
        for word in passage.words
        if any(begin <= word.begin_ms and word.end_ms <= end for begin, end in kept)
    )
    if not words:
        return None
    return replace(
        passage,
        begin_ms=words[0].begin_ms,
        end_ms=words[-1].end_ms,
        text=" ".join(word.text for word in words),
        words=words,
    )


def _passage(segment: Mapping[str, object] | None) -> Passage | None:
    if segment is None:
        return None
    text = _text(segment.get("text"))
    begin, end = _ms(segment.get("start")), _ms(segment.get("end"))
    if not text or begin is None or end is None or end < begin:
        return None
    words = segment.get("words")
    return Passage(
        speaker=(_text(segment.get("speaker")) or "unknown")[:64].lower(),
        begin_ms=begin,
        end_ms=end,
        text=text,
        words=tuple(_words(words if isinstance(words, list) else ())),
    )


def _words(words: Sequence[object]) -> Iterable[Word]:
    for each in words:
        word = _object(each)
        if word is None:
            continue
        text = _text(word.get("word"))
        begin, end = _ms(word.get("start")), _ms(word.get("end"))
        if text and begin is not None and end is not None and begin <= end:
            yield Word(text[:200], begin, end)


def _object(value: object) -> Mapping[str, object] | None:
    return value if isinstance(value, dict) else None


def _text(value: object) -> str:
    return value.strip()[:TEXT_CHARS_MAX] if isinstance(value, str) else ""


def _ms(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return round(value * 1000) if 0 <= value <= _SECONDS_MAX else None
