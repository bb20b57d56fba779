"""Names under which people keep recordings: sortable, telling, and harmless on every system."""

import unicodedata

from gateway.core.ids import CallId
from gateway.core.zones import local_time

WHO_CHARS_MAX = 40


def file_stem(call_id: CallId, began_at: float, zone: str, who: str) -> str:
    """Name a recording: when it began in the account's zone, with whom, and the call.

    `who` may be any text; only letters and digits of it are kept. Two calls never share a name.
    """
    at = local_time(began_at, zone)
    parts = (at.strftime("%Y-%m-%d_%H-%M-%S"), _harmless(who), call_id)
    return "_".join(part for part in parts if part)


def _harmless(text: str) -> str:
    """Keep letters and digits of any script; whatever lies between them becomes one dash."""
    words: list[str] = []
    for letter in unicodedata.normalize("NFKC", text)[: 4 * WHO_CHARS_MAX]:
        # Marks belong to the letters of many scripts; they are kept behind one.
        is_kept = letter.isalnum() or (words and unicodedata.category(letter) in {"Mn", "Mc"})
        words.append(letter if is_kept else "-")
    joined = "-".join(part for part in "".join(words).split("-") if part)
    return joined[:WHO_CHARS_MAX].strip("-")
