"""Sources of what a user says, one 20 ms frame at a time."""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from typing import assert_never

import numpy as np
from typing_extensions import override

from sandbox.opus import FRAME_S, FRAME_SAMPLES, SAMPLE_RATE_HZ, SILENCE, Pcm
from sandbox.personas import Echo, Live, Says, Silence, Speech, Tone
from sandbox.speech import synthesise

_LIVE_FRAMES_MAX = 15
_LIVE_START_FRAMES = 3


class Sound(ABC):
    """A voice; `next_frame` is called every 20 ms, `hear` for every frame that arrives."""

    has_dtx = False

    @abstractmethod
    def next_frame(self) -> Pcm:
        """Return the next 960 samples."""

    def hear(self, pcm: Pcm) -> None:  # noqa: B027  (most voices do not listen)
        """Take in what the user hears."""


class SilentSound(Sound):
    """Says nothing."""

    def __init__(self, *, has_dtx: bool) -> None:
        self.has_dtx = has_dtx

    @override
    def next_frame(self) -> Pcm:
        return SILENCE


class ToneSound(Sound):
    """A sine of unbroken phase."""

    def __init__(self, frequency_hz: float, level_dbfs: float) -> None:
        self._step = 2 * np.pi * frequency_hz / SAMPLE_RATE_HZ
        self._peak = 32768 * np.sqrt(2) * 10 ** (level_dbfs / 20)
        self._phase = 0.0

    @override
    def next_frame(self) -> Pcm:
        phases = self._phase + self._step * np.arange(FRAME_SAMPLES)
        self._phase = float((phases[-1] + self._step) % (2 * np.pi))
        frame: Pcm = (self._peak * np.sin(phases)).astype(np.int16)
        return frame


class SpokenSound(Sound):
    """A text that was synthesised before, once or in a loop."""

    def __init__(self, pcm: Pcm, *, pause_s: float, is_looped: bool) -> None:
        pause = np.zeros(int(pause_s * SAMPLE_RATE_HZ), dtype=np.int16)
        whole = np.concatenate([pcm, pause])
        padding = np.zeros(-len(whole) % FRAME_SAMPLES, dtype=np.int16)
        self._frames = np.concatenate([whole, padding]).reshape(-1, FRAME_SAMPLES)
        self._is_looped = is_looped
        self._at = 0

    @override
    def next_frame(self) -> Pcm:
        if self._at >= len(self._frames):
            if not self._is_looped:
                return SILENCE
            self._at = 0
        self._at += 1
        frame: Pcm = self._frames[self._at - 1]
        return frame


class EchoSound(Sound):
    """Says back what arrived a while ago."""

    def __init__(self, delay_s: float) -> None:
        frames = max(1, round(delay_s / FRAME_S))
        self._frames: deque[Pcm] = deque([SILENCE] * frames, maxlen=frames + 10)

    @override
    def hear(self, pcm: Pcm) -> None:
        if len(pcm) == FRAME_SAMPLES:
            self._frames.append(pcm)

    @override
    def next_frame(self) -> Pcm:
        return self._frames.popleft() if self._frames else SILENCE


class LiveSound(Sound):
    """A person's microphone while they talk, else another voice.

    Frames wait until three have come, so that the browser's own jitter makes no holes.
    """

    def __init__(self, otherwise: Sound) -> None:
        self.is_talking = False
        self.speaks_by_itself = True
        self._otherwise = otherwise
        self._frames: deque[Pcm] = deque(maxlen=_LIVE_FRAMES_MAX)
        self._is_flowing = False

    def talk(self, *, is_talking: bool) -> None:
        """Switch between the microphone and the other voice."""
        self.is_talking = is_talking
        self._is_flowing = False
        self._frames.clear()

    def push(self, pcm: Pcm) -> None:
        """Take 960 samples of the microphone."""
        if self.is_talking:
            self._frames.append(pcm)
            self._is_flowing = self._is_flowing or len(self._frames) >= _LIVE_START_FRAMES

    @override
    def next_frame(self) -> Pcm:
        if not self.is_talking:
            return self._otherwise.next_frame() if self.speaks_by_itself else SILENCE
        if self._is_flowing and self._frames:
            return self._frames.popleft()
        self._is_flowing = False
        return SILENCE


async def make_sound(says: Says) -> Sound:
    """Build the voice for a persona; synthesis runs in a thread."""
    match says:
        case Speech():
            pcm = await asyncio.to_thread(synthesise, says.text, says.voice)
            return SpokenSound(pcm, pause_s=says.pause_s, is_looped=says.is_looped)
        case Tone():
            return ToneSound(says.frequency_hz, says.level_dbfs)
        case Echo():
            return EchoSound(says.delay_s)
        case Silence():
            return SilentSound(has_dtx=says.has_dtx)
        case Live():
            return LiveSound(await make_sound(says.otherwise))
        case _:
            assert_never(says)
