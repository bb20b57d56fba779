"""How good a leg sounds: loss, jitter and round trip as one to five bars.

Simplified E-model (ITU-T G.107) on the effective latency `round trip + 2 * jitter + 10 ms`.
"""

from dataclasses import dataclass

_R0 = 94.768
_LATENCY_KNEE_MS = 160.0
_LATENCY_MAX_MS = 1000.0
_LOSS_WEIGHT = 2.5
_BARS = ((4.2, 5), (4.1, 4), (3.7, 3), (3.0, 2))
"""Above this mean opinion score, so many bars: excellent, great, good, fair."""


@dataclass(frozen=True, slots=True)
class LegCounters:
    """Totals of one leg since its start."""

    packets_in: int
    lost_in: int
    jitter_ms: float
    round_trip_ms: float | None


@dataclass(frozen=True, slots=True)
class Quality:
    """How one leg fares over the last interval."""

    loss: float
    """Share of the peer's packets that never came, 0 to 1."""
    jitter_ms: float
    round_trip_ms: float | None
    bars: int
    """1 (degraded) to 5 (excellent)."""


def quality_of(now: LegCounters, before: LegCounters | None) -> Quality:
    """Judge what happened between two samples, or since the start."""
    came = now.packets_in - (before.packets_in if before else 0)
    lost = max(0, now.lost_in - (before.lost_in if before else 0))
    loss = lost / (came + lost) if came + lost > 0 else 0.0
    score = mean_opinion_score(loss, now.jitter_ms, now.round_trip_ms or 0.0)
    bars = next((bars for above, bars in _BARS if score > above), 1)
    return Quality(round(loss, 4), round(now.jitter_ms, 1), now.round_trip_ms, bars)


def mean_opinion_score(loss: float, jitter_ms: float, round_trip_ms: float) -> float:
    """Return the estimated score, 1 (bad) to about 4.4 (as good as it gets)."""
    latency_ms = round_trip_ms + 2 * jitter_ms + 10.0
    if latency_ms < _LATENCY_KNEE_MS:
        rating = _R0 - latency_ms / 40.0
    elif latency_ms < _LATENCY_MAX_MS:
        rating = _R0 - (latency_ms - 120.0) / 10.0
    else:
        rating = 0.0
    rating = max(0.0, rating - 100.0 * loss * _LOSS_WEIGHT)
    score = 1.0 + 0.035 * rating + 0.000007 * rating * (rating - 60.0) * (100.0 - rating)
    return max(1.0, score)
