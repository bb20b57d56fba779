"""Finds where one recording of a call begins within another, from how loud both are.

Neither gain nor single lost packets matter: the levels are compared on a logarithmic scale,
against the level around them. Time grows with the length, memory does not.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from media.envelope import STEP_MS, Floats

LAG_MS_MAX: Final = 120_000
"""Recordings of one call begin no further apart."""
FLOOR_DB: Final = -60.0
"""What is quieter than this below the loudest is silence."""
AROUND_STEPS: Final = 300
"""The level around, that a level is compared with: 3 s."""
EDGE_STEPS: Final = 10
"""At its two ends a recording rises from nothing and falls back to it: all recordings do."""
BLOCK_STEPS: Final = 1 << 16
CERTAIN: Final = 6.0
"""How many standard deviations a match must stand out: the best of all places that unrelated
speech gives comes to 4."""
ALIKE_STEPS: Final = 10
"""Steps that follow each other so closely in speech that they tell no more than one."""
AS_GOOD: Final = 0.9
"""Matches that reach this part of the best are as good, as in speech that repeats itself."""
NEIGHBOURS: Final = 10

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Offset:
    """Where the other recording begins in the time of ours, and how much it stands out."""

    ms: int
    certainty: float
    """Standard deviations above what unrelated audio gives."""


def find_offset(
    ours: Floats, others: Floats, *, expected_ms: int | None = None
) -> Offset | None:
    """Return where `others` begins, or None where nothing stands out.

    Both are envelopes of `STEP_MS`. Of several places that fit equally well the one nearest
    to `expected_ms` is taken, and none where nothing is expected.
    """
    lag_max = LAG_MS_MAX // STEP_MS
    left, right = _relief(ours), _relief(others)
    if left is None or right is None:
        return None
    standing = _correlate(left, right, lag_max) / _scale(left, right, lag_max)
    best = float(standing.max())
    if best < CERTAIN:
        return None
    lags = np.flatnonzero(standing >= AS_GOOD * best)
    peaks = [lag for lag in lags.tolist() if standing[lag] >= _around(standing, lag).max()]
    if expected_ms is None:
        if peaks[-1] - peaks[0] > NEIGHBOURS:
            return None
        chosen = int(standing.argmax())
    else:
        expected = expected_ms // STEP_MS + lag_max
        chosen = min(peaks, key=lambda lag: abs(lag - expected))
    return Offset((chosen - lag_max) * STEP_MS, round(float(standing[chosen]), 1))


def _around(standing: Doubles, lag: int) -> Doubles:
    return standing[max(0, lag - NEIGHBOURS) : lag + NEIGHBOURS + 1]


def _relief(steps: Floats) -> Floats | None:
    """Return the levels as they rise above and fall below those around; None: all alike."""
    if not len(steps) or float(steps.max()) <= 0.0:
        return None
    floor = float(steps.max()) * 10 ** (FLOOR_DB / 10)
    level = 10 * np.log10(np.maximum(steps, floor))
    sums = np.concatenate(([0.0], np.cumsum(level, dtype=np.float64)))
    index = np.arange(len(level))
    begin = np.maximum(index - AROUND_STEPS, 0)
    end = np.minimum(index + AROUND_STEPS + 1, len(level))
    relief = (level - (sums[end] - sums[begin]) / (end - begin)).astype(np.float32)
    relief[:EDGE_STEPS] = relief[-EDGE_STEPS:] = 0.0
    return relief if float(np.abs(relief).max()) > 1.0 else None


def _scale(ours: Floats, others: Floats, lag_max: int) -> Doubles:
    """Return for each lag what makes a product sum of unrelated audio vary by 1."""
    lags = np.arange(-lag_max, lag_max + 1)
    begin, end = np.maximum(lags, 0), np.minimum(len(ours), len(others) + lags)
    end = np.maximum(begin, end)
    energies = [
        (
            sums[np.minimum(end - move, len(sums) - 1)]
            - sums[np.minimum(begin - move, len(sums) - 1)]
        )
        for sums, move in ((_energy(ours), 0), (_energy(others), lags))
    ]
    overlap = np.maximum(end - begin, 1)
    varies = np.sqrt(energies[0] * energies[1] * ALIKE_STEPS / overlap)
    scale: Doubles = np.maximum(varies, float(varies.max()) * 1e-6 + 1e-9)
    return scale


def _energy(relief: Floats) -> Doubles:
    """Return the sums of squares up to each step."""
    return np.concatenate(([0.0], np.cumsum(np.square(relief, dtype=np.float64))))


def _correlate(ours: Floats, others: Floats, lag_max: int) -> Doubles:
    """Return the product sums for all lags from `-lag_max`: `others` is moved by the lag."""
    size = 1 << int(BLOCK_STEPS + 2 * lag_max - 1).bit_length()
    products = np.zeros(2 * lag_max + 1)
    for begin in range(0, len(others), BLOCK_STEPS):
        block = others[begin : begin + BLOCK_STEPS]
        # What of ours a block can meet: from `begin - lag_max` to its end and as far again.
        first = begin - lag_max
        last = begin + len(block) + lag_max
        window = np.zeros(last - first, np.float32)
        part = ours[max(0, first) : max(0, last)]
        place = max(0, -first)
        window[place : place + len(part)] = part
        spectrum = np.fft.rfft(window, size) * np.conj(np.fft.rfft(block, size))
        products += np.fft.irfft(spectrum, size)[: 2 * lag_max + 1]
    return products
