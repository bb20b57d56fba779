"""Finds where one recording begins within another, from the sound of their beginnings.

How loud a few seconds are tells little, and nothing under a tone; their waveform tells more.
Codecs keep that well enough below 3.4 kHz. Equal weight for all frequencies there makes one
moment stand out from its neighbours, and lets a tone, which tells no moment from another, count
as one frequency.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from media.envelope import Floats
from media.offset import Doubles, Offset
from media.ogg_opus import SAMPLE_RATE

RATE: Final = 8_000
PER_MS: Final = RATE // 1000
LISTEN_MS: Final = 30_000
"""Of longer recordings so much is compared."""
LAG_MS_MAX: Final = 20_000
BAND_HZ: Final = (250.0, 3_400.0)
SMOOTHED_HZ: Final = 60.0
"""Frequencies this close share a weight, so that noise between them is not blown up."""
CERTAIN: Final = 20.0
"""How many standard deviations a match must stand out. A second of speech comes to 30 and more,
single sounds that two recordings share to as much as that: so the rest has to fit too."""
UNIQUE: Final = 0.6
"""Another place that reaches this part of the best makes it undecidable by itself."""
FITS: Final = 0.5
"""How well both must rise and fall together where they overlap (correlation of levels)."""
PEAK_SAMPLES: Final = RATE * 15 // 1000
"""A voiced sound resembles itself so far away."""
OVERLAP_MS_MIN: Final = 400
LEVEL_SAMPLES: Final = RATE // 100

Complexes = npt.NDArray[np.complex128]
_DECIMATION: Final = SAMPLE_RATE // RATE
_TAPS: Final = 16 * _DECIMATION + 1


def to_waveform(samples: Floats) -> Floats:
    """Return mono samples of 48 kHz at 8 kHz."""
    place = np.arange(_TAPS) - _TAPS // 2
    low_pass = np.sinc(place / _DECIMATION) * np.hamming(_TAPS) / _DECIMATION
    return np.convolve(samples, low_pass, mode="same")[::_DECIMATION].astype(np.float32)


def spread_waveform(waveform: Floats, intervals: Sequence[tuple[int, int]]) -> Floats:
    """Move what was recorded in `intervals` (ms of real time) to where it was recorded.

    Silence stands between. Without intervals nothing moves.
    """
    if not intervals:
        return waveform
    laid = np.zeros(min(intervals[-1][1], LISTEN_MS) * PER_MS, np.float32)
    at = 0
    for begin, end in intervals:
        room = len(laid) - begin * PER_MS
        if room <= 0:
            break
        part = waveform[at : at + (end - begin) * PER_MS][:room]
        laid[begin * PER_MS : begin * PER_MS + len(part)] = part
        at += (end - begin) * PER_MS
    return laid


def find_fine_offset(
    ours: Floats, others: Floats, *, expected_ms: int | None = None
) -> Offset | None:
    """Return where `others` begins, or None where nothing stands out.

    Both are waveforms at 8 kHz, the beginnings of the recordings. Of several places that stand
    out the one nearest to `expected_ms` is taken, and none where nothing is expected.
    """
    overlap_min = OVERLAP_MS_MIN * RATE // 1000
    if min(len(ours), len(others)) < overlap_min or not (ours.any() and others.any()):
        return None
    size = 1 << int(len(ours) + len(others) - 1).bit_length()
    spectra = _whitened(ours, size), _whitened(others, size)
    alike = np.fft.irfft(spectra[0] * np.conj(spectra[1]), size)
    lag_max = LAG_MS_MAX * RATE // 1000
    first = -min(lag_max, len(others) - overlap_min)
    last = min(lag_max, len(ours) - overlap_min)
    standing = np.abs(np.take(alike, np.arange(first, last + 1), mode="wrap"))
    spread = float(np.median(standing)) / 0.6745
    if spread <= 0.0:
        return None
    expected = None if expected_ms is None else expected_ms * PER_MS - first
    chosen = _chosen(standing, expected)
    if chosen is None:
        return None
    certainty = float(standing[chosen]) / spread
    if certainty < CERTAIN:
        return None
    # A tone of one side would hide how the other side's words rise and fall.
    heard = [
        np.fft.irfft(spectrum, size)[: len(each)]
        for spectrum, each in zip(spectra, (ours, others), strict=True)
    ]
    if _fit(heard[0], heard[1], chosen + first) < FITS:
        return None
    return Offset(round((chosen + first) * 1000 / RATE), round(certainty, 1))


def _chosen(standing: Doubles, expected: int | None) -> int | None:
    """Return the place that stands out, of several the one nearest to the expected one."""
    best = int(standing.argmax())
    rivals = np.flatnonzero(standing > UNIQUE * standing[best])
    if int(np.abs(rivals - best).max()) <= PEAK_SAMPLES:
        return best
    if expected is None:
        return None
    nearest = int(rivals[np.abs(rivals - expected).argmin()])
    begin = max(0, nearest - PEAK_SAMPLES)
    return begin + int(standing[begin : nearest + PEAK_SAMPLES + 1].argmax())


def _whitened(waveform: Floats, size: int) -> Complexes:
    """Return the spectrum with equal weight for all of the band, and none for the rest."""
    spectrum = np.fft.rfft(waveform, size)
    hertz = np.fft.rfftfreq(size, 1 / RATE)
    width = max(1, round(SMOOTHED_HZ * size / RATE))
    power = np.convolve(np.abs(spectrum) ** 2, np.ones(width) / width, mode="same")
    band = (hertz >= BAND_HZ[0]) & (hertz <= BAND_HZ[1])
    floor = float(power[band].max(initial=0.0)) * 1e-5 + 1e-12
    weighted = np.where(band, spectrum / np.sqrt(np.maximum(power, floor)), 0.0)
    return np.asarray(weighted, dtype=np.complex128)


def _fit(ours: Doubles, others: Doubles, lag: int) -> float:
    """Return how alike the levels of both are where they overlap, from -1 to 1."""
    left, right = ours[max(0, lag) :], others[max(0, -lag) :]
    count = min(len(left), len(right)) // LEVEL_SAMPLES * LEVEL_SAMPLES
    mine, theirs = _levels(left[:count]), _levels(right[:count])
    if min(float(np.ptp(mine)), float(np.ptp(theirs))) < 1.0:
        return 0.0
    return float(np.corrcoef(mine, theirs)[0, 1])


def _levels(waveform: Doubles) -> Floats:
    """Return the level of each hundredth of a second in dB, silence cut off."""
    power = np.square(waveform.reshape(-1, LEVEL_SAMPLES)).mean(axis=1)
    level = 10 * np.log10(np.maximum(power, float(power.max()) * 1e-4 + 1e-12))
    return np.asarray(level, dtype=np.float32)
