"""When work that did not succeed is tried again, and when it is too late for it."""

from enum import StrEnum


class Setback(StrEnum):
    """Why a try did not succeed."""

    OUTAGE = "outage"
    """The other side does not answer, or asks for patience; the next job would fare alike."""
    REFUSED = "refused"
    """It answers, and will not: a token that has expired, a file it does not know (yet)."""
    DAMAGED = "damaged"
    """What came is not what was announced."""
    NOT_YET = "not_yet"
    """Something of our own that is needed is not there yet."""


_FIRST_S = {
    Setback.OUTAGE: 2.0,
    Setback.REFUSED: 5.0,
    Setback.DAMAGED: 10.0,
    Setback.NOT_YET: 2.0,
}
_LONGEST_S = {
    Setback.OUTAGE: 600.0,
    Setback.REFUSED: 1_800.0,
    # Fetching a large file again and again costs most.
    Setback.DAMAGED: 6 * 3_600.0,
    Setback.NOT_YET: 300.0,
}
_DOUBLINGS_MAX = 20


def pause_s(
    setback: Setback, tries: int, *, chance: float, asked_s: float | None = None
) -> float:
    """Return how long to wait after the `tries`-th try (from 1).

    Doubles with each, up to a bound; `chance` (from 0 to 1) spreads jobs that failed together.
    `asked_s` is what the other side asked for: never less, within the bound.
    """
    doubled = _FIRST_S[setback] * 2.0 ** min(tries - 1, _DOUBLINGS_MAX)
    longest = _LONGEST_S[setback]
    spread = min(doubled, longest) * (0.5 + 0.5 * chance)
    return spread if asked_s is None else max(spread, min(asked_s, longest))
