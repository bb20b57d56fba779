"""Writes down what was said, in the shape of Meta's transcripts."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from sandbox.opus import SAMPLE_RATE_HZ, Pcm

_STEP_SAMPLES = SAMPLE_RATE_HZ // 10
_SPOKEN_RMS = 300.0
_PAUSE_STEPS = 6
_WORD_S = 0.35
_CONFIDENCE = 0.83


@dataclass(frozen=True, slots=True)
class Voice:
    """One speaker; `text` is what they say over and over, empty if nobody knows."""

    speaker: str
    channel: int
    pcm: Pcm
    text: str


def transcript_json(voices: list[Voice], processed_at: float, language: str = "en") -> bytes:
    """Return the document. It knows when somebody spoke, and of a synthetic voice the words."""
    duration = round(max((len(voice.pcm) for voice in voices), default=0) / SAMPLE_RATE_HZ, 2)
    segments = sorted(
        (segment for voice in voices for segment in _segments(voice, language)),
        key=lambda each: (each["start"], each["channel"]),
    )
    numbered = [{"id": number, **segment} for number, segment in enumerate(segments, 1)]
    text = " ".join(f"[{each['speaker']}] {each['text']}" for each in numbered)
    moment = datetime.fromtimestamp(processed_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    document = {
        "metadata": {
            "processed_at": moment,
            "audio": {
                "duration": duration,
                "sample_rate": 16000,
                "channels": 2,
                "audio_format": "stereo",
            },
        },
        "transcript": {
            "text": text,
            "language": language if numbered else None,
            "duration": duration,
            "confidence": _CONFIDENCE if numbered else 0.0,
            "segments": numbered,
        },
    }
    return json.dumps(document, ensure_ascii=False).encode()


def _segments(voice: Voice, language: str) -> list[dict[str, object]]:
    known = voice.text.split() or ["…"]
    made = []
    for begin, end in _spoken(voice.pcm):
        count = max(1, round((end - begin) / _WORD_S))
        words = [known[index % len(known)] for index in range(count)]
        each_s = (end - begin) / count
        made.append(
            {
                "speaker": voice.speaker,
                "channel": voice.channel,
                "start": round(begin, 2),
                "end": round(end, 2),
                "text": " ".join(words),
                "confidence": _CONFIDENCE,
                "words": [
                    {
                        "word": word,
                        "start": round(begin + index * each_s, 2),
                        "end": round(begin + (index + 1) * each_s, 2),
                        "confidence": _CONFIDENCE,
                        "lang": language,
                    }
                    for index, word in enumerate(words)
                ],
            }
        )
    return made


def _spoken(pcm: Pcm) -> list[tuple[float, float]]:
    """Return stretches of speech in seconds; a short pause does not end one."""
    whole = pcm[: len(pcm) // _STEP_SAMPLES * _STEP_SAMPLES].reshape(-1, _STEP_SAMPLES)
    loud = np.sqrt(np.mean(np.square(whole, dtype=np.float32), axis=1)) > _SPOKEN_RMS
    found: list[tuple[int, int]] = []
    for step in np.flatnonzero(loud).tolist():
        if found and step - found[-1][1] <= _PAUSE_STEPS:
            found[-1] = (found[-1][0], step + 1)
        else:
            found.append((step, step + 1))
    step_s = _STEP_SAMPLES / SAMPLE_RATE_HZ
    return [(begin * step_s, end * step_s) for begin, end in found]
