"""What Meta says before it records, in which languages, and how long that takes.

Meta, "Call recording": one sentence of Meta's, then the purpose in the business's words, is
spoken to both sides; recording begins after it. How long it takes is told nowhere, so it is
estimated from the text and then learned from the recordings themselves.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gateway.core.errors import BadInput

PURPOSE_CHARS_MAX = 250
MARGIN_MS = 300
"""What a capture waits after the announcement should be over."""
SAMPLES_MAX = 10
"""Measurements of one announcement that count; older ones are forgotten."""
_SLOWEST_FACTOR = 2
_LEAD_MS = 700
"""Silence before the sentence, and between it and the purpose."""


class Kind(StrEnum):
    """What is announced."""

    RECORDING = "recording"
    TRANSCRIPTION = "transcription"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class _Sentences:
    """Meta's own words; `pace` is how many characters are spoken in a second."""

    recording: str
    both: str
    pace: float = 14.0


_SENTENCES: Mapping[str, _Sentences] = {
    "en": _Sentences(
        "The audio of this call will be recorded for the following purpose:",
        "The audio of this call will be recorded and transcribed for the following purpose:",
    ),
    "nl": _Sentences(
        "De audio van dit gesprek wordt voor het volgende doeleinde opgenomen:",
        "De audio van dit gesprek wordt opgenomen en getranscribeerd voor het volgende "
        "doeleinde:",
    ),
    "fr": _Sentences(
        "L'audio de cet appel sera enregistré aux fins suivantes :",
        "L'audio de cet appel sera enregistré et transcrit aux fins suivantes :",
    ),
    "de": _Sentences(
        "Dieser Anruf wird zu folgenden Zwecken aufgezeichnet:",
        "Dieser Anruf wird zu folgenden Zwecken aufgezeichnet und transkribiert:",
    ),
    "hi": _Sentences(
        "इस कॉल के ऑडियो को इस उद्देश्य के लिए रिकॉर्ड किया जाएगा:",
        "इस कॉल के ऑडियो को इस उद्देश्य के लिए रिकॉर्ड और ट्रांसक्राइब किया जाएगा:",
        pace=11.0,
    ),
    "it": _Sentences(
        "L'audio di questa chiamata verrà registrato per il seguente scopo:",
        "L'audio di questa chiamata verrà registrato e trascritto per il seguente scopo:",
    ),
    "kn": _Sentences(
        "ಈ ಕರೆಯ ಆಡಿಯೊವನ್ನು ಈ ಕೆಳಗಿನ ಉದ್ದೇಶಕ್ಕಾಗಿ ರೆಕಾರ್ಡ್ ಮಾಡಲಾಗುತ್ತದೆ:",
        "ಈ ಕರೆಯ ಆಡಿಯೋವನ್ನು ರೆಕಾರ್ಡ್ ಮಾಡಲಾಗುತ್ತದೆ ಮತ್ತು ಕೆಳಗಿನ ಉದ್ದೇಶಕ್ಕಾಗಿ ಲಿಪ್ಯಂತರಿಸಲಾಗುತ್ತದೆ:",
        pace=11.0,
    ),
    "pt": _Sentences(
        "O áudio desta ligação será gravado para a seguinte finalidade:",
        "O áudio desta ligação será gravado e transcrito para a seguinte finalidade:",
    ),
    "es": _Sentences(
        "El audio de esta llamada se grabará con el siguiente propósito:",
        "El audio de esta llamada se grabará y transcribirá con el siguiente propósito:",
    ),
    "es_ES": _Sentences(
        "El audio de esta llamada se grabará con el fin siguiente:",
        "El audio de esta llamada se grabará y transcribirá con este fin:",
    ),
    "te": _Sentences(
        "ఈ కాల్ ఆడియోను క్రింది అవసరం కోసం రికార్డ్ చేయడం జరుగుతుంది:",
        "ఈ కాల్ ఆడియో క్రింది అవసరం కోసం రికార్డ్ చేసి, ట్రాన్స్క్రైబ్ చేయడం జరుగుతుంది:",
        pace=11.0,
    ),
    "vi": _Sentences(
        "Âm thanh của cuộc gọi này sẽ được ghi lại cho mục đích sau:",
        "Âm thanh của cuộc gọi này sẽ được ghi âm và chép lời cho mục đích sau:",
        pace=12.0,
    ),
}
_ENGLISH = ("en_US", "en_AU", "en_CA", "en_GB", "en_IN", "en_NZ")
LANGUAGES = ("en", *_ENGLISH, *(code for code in _SENTENCES if code != "en"))
"""Codes that Meta takes as `announcement_language`."""
_TRANSCRIPTION = "The audio of this call will be transcribed for the following purpose:"


@dataclass(frozen=True, slots=True)
class Announcement:
    """One announcement, the same for all calls that share these three."""

    language: str
    purpose: str
    kind: Kind = Kind.RECORDING

    @property
    def sentence(self) -> str:
        """What is spoken, as far as Meta has published its words."""
        return f"{opening_words(self.language, self.kind)} {self.purpose}"


def checked(language: str, purpose: str, kind: Kind = Kind.RECORDING) -> Announcement:
    """Return what Meta will accept. Raises `BadInput` that says what to change."""
    if language not in LANGUAGES:
        raise BadInput(
            f"WhatsApp does not announce in {language!r}; choose one of {', '.join(LANGUAGES)}"
        )
    purpose = " ".join(purpose.split())
    if not purpose:
        raise BadInput("write the purpose of the recording: it is spoken to the customer")
    if not purpose.isprintable():
        raise BadInput("the purpose holds characters that cannot be spoken")
    if len(purpose) > PURPOSE_CHARS_MAX:
        raise BadInput(
            f"the purpose has {len(purpose)} characters; WhatsApp takes {PURPOSE_CHARS_MAX}"
        )
    return Announcement(language, purpose, kind)


def opening_words(language: str, kind: Kind) -> str:
    """Return Meta's own words, which the purpose follows."""
    if kind is Kind.TRANSCRIPTION:
        return _TRANSCRIPTION
    sentences = _sentences(language)
    return sentences.both if kind is Kind.BOTH else sentences.recording


def _sentences(language: str) -> _Sentences:
    return _SENTENCES[language] if language in _SENTENCES else _SENTENCES["en"]


def estimate_ms(announcement: Announcement) -> int:
    """Return how long the announcement should take, judged by its text alone."""
    pace = _sentences(announcement.language).pace
    return _LEAD_MS + math.ceil(len(announcement.sentence) / pace * 1000)


def slowest_ms(announcement: Announcement) -> int:
    """Return how long the announcement can take at the very most."""
    return _SLOWEST_FACTOR * estimate_ms(announcement)


def capture_delay_ms(announcement: Announcement, measured_ms: Sequence[int]) -> int:
    """Return how long after the call's clock began the capture shall start.

    `measured_ms` are recent measurements of this very announcement. A single one never
    shortens the wait: it may have been the odd one. Better a moment too late than a word of
    the announcement recorded and charged.
    """
    recent = measured_ms[-SAMPLES_MAX:]
    longest = max(recent, default=0)
    if len(recent) <= 1:
        longest = max(longest, estimate_ms(announcement))
    return longest + MARGIN_MS
