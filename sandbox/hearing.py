"""What a WhatsApp user hears: the decoded audio on a timeline, and measurements of it."""

import io
import math
import wave
from dataclasses import dataclass

import numpy as np

from sandbox.opus import FRAME_SAMPLES, SAMPLE_RATE_HZ, Pcm
from sandbox.rtp_watch import signed_distance

_SILENT_DBFS = -96.0
_SOUND_DBFS = -50.0
_PLACE_CHUNK_SAMPLES = SAMPLE_RATE_HZ * 5
_PEAK_HALF_WIDTH_HZ = 30.0
_SPECTRUM_SAMPLES_MAX = SAMPLE_RATE_HZ * 5


@dataclass(frozen=True, slots=True)
class Heard:
    """Measurements of a stretch of audio.

    `level_dbfs` is the RMS against full scale; `dominant_share` the part of the energy that
    lies within 30 Hz of the strongest frequency, 1.0 for a pure tone.
    """

    from_s: float
    duration_s: float
    level_dbfs: float
    dominant_hz: float
    dominant_share: float
    first_sound_s: float | None
    levels_dbfs: tuple[float, ...]


def level_dbfs(pcm: Pcm) -> float:
    """Return the RMS level against full scale, -96 for silence."""
    if not len(pcm):
        return _SILENT_DBFS
    rms = float(np.sqrt(np.mean(np.square(pcm, dtype=np.float32)))) / 32768
    return round(max(_SILENT_DBFS, 20 * math.log10(max(rms, 1e-9))), 1)


def _levels(pcm: Pcm) -> tuple[float, ...]:
    """Return the level of each frame of 20 ms."""
    frames = pcm.reshape(-1, FRAME_SAMPLES)
    rms = np.sqrt(np.mean(np.square(frames, dtype=np.float32), axis=1)) / 32768
    levels = np.maximum(_SILENT_DBFS, 20 * np.log10(np.maximum(rms, 1e-9)))
    return tuple(round(float(level), 1) for level in levels)


class Hearing:
    """The ear of one call; keeps at most `seconds_max` of audio, in order of RTP time."""

    def __init__(self, seconds_max: float) -> None:
        self._samples_max = int(seconds_max * SAMPLE_RATE_HZ)
        self._pcm: Pcm = np.zeros(0, dtype=np.int16)
        self._end = 0
        self._first_timestamp: int | None = None
        self.samples_dropped = 0
        self.first_at_ms: float | None = None

    def place(self, pcm: Pcm, timestamp: int, at_ms: float) -> None:
        """Put a decoded packet where its time stamp says; what was lost stays silent."""
        if self._first_timestamp is None:
            self._first_timestamp = timestamp
            self.first_at_ms = at_ms
        start = signed_distance(timestamp, self._first_timestamp, 32)
        end = start + len(pcm)
        if start < 0 or end > self._samples_max:
            self.samples_dropped += len(pcm)
            return
        if end > len(self._pcm):
            size = min(self._samples_max, end + _PLACE_CHUNK_SAMPLES)
            self._pcm = np.concatenate([self._pcm, np.zeros(size - len(self._pcm), np.int16)])
        self._pcm[start:end] = pcm
        self._end = max(self._end, end)

    def forget(self) -> None:
        """Drop the audio, so that old calls cost no memory."""
        self._pcm = np.zeros(0, dtype=np.int16)
        self._end = 0

    @property
    def duration_s(self) -> float:
        """Seconds from the first heard packet to the end of the last."""
        return round(self._end / SAMPLE_RATE_HZ, 3)

    def pcm(self, from_s: float = 0.0, to_s: float | None = None) -> Pcm:
        """Return a copy of a stretch as 48 kHz mono samples."""
        end = self._end if to_s is None else min(self._end, int(to_s * SAMPLE_RATE_HZ))
        return self._pcm[int(from_s * SAMPLE_RATE_HZ) : end].copy()

    def wav(self) -> bytes:
        """Return all that was heard as a WAV file."""
        target = io.BytesIO()
        with wave.open(target, "wb") as writer:
            writer.setnchannels(1)
            writer.setsampwidth(2)
            writer.setframerate(SAMPLE_RATE_HZ)
            writer.writeframes(self.pcm().tobytes())
        return target.getvalue()

    def measure(self, from_s: float = 0.0, to_s: float | None = None) -> Heard:
        """Measure a stretch: level, strongest frequency, level of every 20 ms.

        The frequency is that of the last five seconds. Takes up to a tenth of a second for
        long stretches, so call it in a thread while calls are running.
        """
        pcm = self.pcm(from_s, to_s)
        whole = len(pcm) // FRAME_SAMPLES * FRAME_SAMPLES
        levels = _levels(pcm[:whole])
        loud = next((at for at, level in enumerate(levels) if level > _SOUND_DBFS), None)
        dominant_hz, share = _dominant(pcm[-_SPECTRUM_SAMPLES_MAX:])
        return Heard(
            from_s=from_s,
            duration_s=round(len(pcm) / SAMPLE_RATE_HZ, 3),
            level_dbfs=level_dbfs(pcm),
            dominant_hz=dominant_hz,
            dominant_share=share,
            first_sound_s=None if loud is None else round(from_s + loud * 0.02, 2),
            levels_dbfs=levels,
        )


def _dominant(pcm: Pcm) -> tuple[float, float]:
    """Return the strongest frequency and its share of all energy above 50 Hz."""
    if len(pcm) < FRAME_SAMPLES:
        return 0.0, 0.0
    spectrum = np.abs(np.fft.rfft(pcm.astype(np.float64) * np.hanning(len(pcm)))) ** 2
    frequencies = np.fft.rfftfreq(len(pcm), 1 / SAMPLE_RATE_HZ)
    spectrum[frequencies < 50] = 0  # noqa: PLR2004  (mains hum and offset are no sound)
    total = float(spectrum.sum())
    if total == 0:
        return 0.0, 0.0
    peak_hz = float(frequencies[int(np.argmax(spectrum))])
    near = np.abs(frequencies - peak_hz) <= _PEAK_HALF_WIDTH_HZ
    return round(peak_hz, 1), round(float(spectrum[near].sum()) / total, 3)
