"""A mouth and an ear for a WebRTC peer without a sound card."""

import asyncio
import math
import time
from collections import deque
from fractions import Fraction
from itertools import pairwise

import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame, AudioResampler

RATE = 48_000
FRAME_SAMPLES = 960
FRAME_S = FRAME_SAMPLES / RATE
SAME_TONE_HZ = 15
TONE_AMPLITUDE = 0.3
LATE_MAX_S = 1.0
EAR_FRAMES_MAX = 50 * 120
"""The ear remembers two minutes."""


class Mouth(MediaStreamTrack):
    """An audio track that hums a tone at a fixed level, paced by the monotonic clock."""

    kind = "audio"

    def __init__(self, tone_hz: float, *, level: float = TONE_AMPLITUDE) -> None:
        super().__init__()
        self.tone_hz = tone_hz
        self.level = level
        """Amplitude of 0 … 1; may be changed while it hums."""
        self.was_said = asyncio.Event()
        """Set when all of `say` has been said."""
        self._sent = 0
        self._left: int | None = None
        self._started_at: float | None = None

    def say(self, *, frames: int, level: float) -> None:
        """From the next frame on hum at `level` for so many frames, then be silent."""
        self.was_said.clear()
        self.level, self._left = level, frames

    def _level(self) -> float:
        """Return the level of the next frame."""
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                self.level, self._left = 0.0, None
                self.was_said.set()
        return self.level

    async def recv(self) -> AudioFrame:
        """Return the next 20 ms of the tone."""
        if self.readyState != "live":
            raise MediaStreamError
        if self._started_at is None:
            self._started_at = time.monotonic()
        due = self._started_at + self._sent / RATE
        if time.monotonic() - due > LATE_MAX_S:
            # Nobody listened for a while: what was not said then is not said now.
            self._started_at += time.monotonic() - due
            due = time.monotonic()
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        phase = 2 * np.pi * self.tone_hz / RATE * (self._sent + np.arange(FRAME_SAMPLES))
        pcm = (self._level() * 32767 * np.sin(phase)).astype(np.int16)
        # Stereo, as aiortc's encoder wants it: its own upmix takes 3 dB off a mono frame.
        interleaved = np.repeat(pcm, 2)[np.newaxis, :]
        frame = AudioFrame.from_ndarray(interleaved, format="s16", layout="stereo")
        frame.sample_rate = RATE
        frame.pts = self._sent
        frame.time_base = Fraction(1, RATE)
        self._sent += FRAME_SAMPLES
        return frame


class Ear:
    """Keeps what a track plays, 20 ms at a time, and says what is in it."""

    def __init__(self) -> None:
        self._frames: deque[np.ndarray] = deque(maxlen=EAR_FRAMES_MAX)
        self._heard_at: deque[float] = deque(maxlen=EAR_FRAMES_MAX)
        self._resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
        self.frames_heard = 0

    async def listen(self, track: MediaStreamTrack) -> None:
        """Hear a track until it ends."""
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            for part in self._resampler.resample(frame):  # type: ignore[arg-type]
                self._frames.append(part.to_ndarray().reshape(-1))
                self._heard_at.append(time.monotonic())
                self.frames_heard += 1

    def last(self, seconds: float) -> np.ndarray:
        """Return the newest `seconds` of sound as samples of -1 … 1."""
        count = max(1, round(seconds / FRAME_S))
        recent = list(self._frames)[-count:]
        if not recent:
            return np.zeros(1)
        return np.concatenate(recent).astype(np.float64) / 32768.0

    def tone(self, seconds: float = 0.4) -> "Tone":
        """Describe the strongest tone of the newest `seconds`."""
        return describe(self.last(seconds))

    def levels(self) -> np.ndarray:
        """Return the level (RMS, 0 … 1) of each 20 ms heard since `forget`, oldest first."""
        return np.array([np.sqrt(np.mean((each / 32768.0) ** 2)) for each in self._frames])

    def longest_gap_s(self) -> float:
        """Return the longest time without a frame since `forget`, up to now."""
        times = [*self._heard_at, time.monotonic()]
        return max((late - early for early, late in pairwise(times)), default=math.inf)

    def forget(self) -> None:
        """Drop what was heard so far."""
        self._frames.clear()
        self._heard_at.clear()


class Tone:
    """The strongest frequency of a stretch of sound, and how much of the sound it is."""

    __slots__ = ("hz", "purity", "rms")

    def __init__(self, hz: float, rms: float, purity: float) -> None:
        self.hz = hz
        self.rms = rms
        self.purity = purity

    def is_near(self, hz: float, *, rms_min: float = 0.02, purity_min: float = 0.5) -> bool:
        """Whether this is the tone `hz`, loud and clean enough to be no accident."""
        return (
            abs(self.hz - hz) <= SAME_TONE_HZ
            and self.rms >= rms_min
            and self.purity >= purity_min
        )

    def __repr__(self) -> str:
        return f"{self.hz:.0f} Hz, level {self.rms:.3f}, purity {self.purity:.2f}"


def describe(samples: np.ndarray) -> Tone:
    """Return the strongest tone in `samples` (floats of -1 … 1 at 48 kHz)."""
    if samples.size < FRAME_SAMPLES:
        return Tone(0.0, 0.0, 0.0)
    rms = float(np.sqrt(np.mean(samples**2)))
    power = np.abs(np.fft.rfft(samples * np.hanning(samples.size))) ** 2
    power[:2] = 0
    peak = int(np.argmax(power))
    near = power[max(0, peak - 3) : peak + 4].sum()
    total = float(power.sum())
    return Tone(peak * RATE / samples.size, rms, float(near) / total if total > 0 else 0.0)
