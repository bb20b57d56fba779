"""Audio of our own, encoded once at start-up and switched into calls as it is."""

import array
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import av

SAMPLE_RATE_HZ: Final = 48000
FRAME_SAMPLES: Final = 960
COMFORT_S: Final = 1
COMFORT_LEVEL_DBFS: Final = -66.0
"""Just audible as "the line is alive"; far below speech."""
SOFTENING_SAMPLES: Final = 12
BIT_RATE: Final = 20000
WIDEBAND_HZ: Final = 8000
SEED: Final = 4733


@dataclass(frozen=True, slots=True)
class ComfortNoise:
    """Faint noise, or a tune, as Opus packets of 20 ms each, played round and round."""

    frames: tuple[bytes, ...]


class Prompt:
    """Frames of 20 ms that a peer hears once, in place of whatever else there is to hear."""

    __slots__ = ("_frames", "_has_begun", "_on_begin", "_on_end", "_place", "is_over")

    def __init__(
        self,
        frames: Sequence[bytes],
        *,
        on_begin: Callable[[], None] | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        """The callbacks run on the packet path: they must be short and not raise."""
        self._frames = frames
        self._place = 0
        self._on_begin = on_begin
        self._on_end = on_end
        self._has_begun = False
        self.is_over = False

    @property
    def is_playing(self) -> bool:
        """Whether it has begun, and is not over."""
        return self._has_begun and not self.is_over

    def take(self) -> bytes | None:
        """Return the next frame; None when all were played, which ends it."""
        if not self._has_begun:
            self._has_begun = True
            if self._on_begin is not None:
                self._on_begin()
        if self._place == len(self._frames):
            self.is_over = True
            if self._on_end is not None:
                self._on_end()
            return None
        self._place += 1
        return self._frames[self._place - 1]

    def rest(self) -> "Prompt":
        """Return what is still to come, for somebody who joins now."""
        return Prompt(self._frames[self._place :])


def make_comfort_noise() -> ComfortNoise:
    """Encode the comfort noise; takes some milliseconds, so it is done before serving."""
    chance = random.Random(SEED)  # noqa: S311  (noise, no secret)
    noise = [chance.gauss(0.0, 1.0) for _ in range(SAMPLE_RATE_HZ * COMFORT_S)]
    # Soft like room noise: a short moving average takes the hiss away.
    soft = [noise[0]]
    for index in range(1, len(noise)):
        leaving = noise[index - SOFTENING_SAMPLES] if index >= SOFTENING_SAMPLES else 0.0
        soft.append(soft[-1] + noise[index] - leaving)
    level = 10 ** (COMFORT_LEVEL_DBFS / 20) * 32768 / math.sqrt(SOFTENING_SAMPLES)
    return ComfortNoise(tuple(encode_opus([round(value * level) for value in soft])))


def encode_opus(samples: Sequence[int]) -> list[bytes]:
    """Encode mono 48 kHz samples into packets of 20 ms with the profile of our legs."""
    codec = av.CodecContext.create("libopus", "w")
    codec.sample_rate = SAMPLE_RATE_HZ
    codec.layout = "mono"
    codec.format = "s16"
    codec.bit_rate = BIT_RATE
    codec.time_base = Fraction(1, SAMPLE_RATE_HZ)
    codec.options = {
        "application": "voip",
        "frame_duration": "20",
        "vbr": "on",
        "cutoff": str(WIDEBAND_HZ),
    }
    packets: list[bytes] = []
    for position in range(0, len(samples) - FRAME_SAMPLES + 1, FRAME_SAMPLES):
        frame = av.AudioFrame(format="s16", layout="mono", samples=FRAME_SAMPLES)
        part = array.array("h", samples[position : position + FRAME_SAMPLES])
        frame.planes[0].update(part.tobytes())
        frame.sample_rate = SAMPLE_RATE_HZ
        frame.pts = position
        packets += [bytes(packet) for packet in codec.encode(frame)]
    packets += [bytes(packet) for packet in codec.encode(None)]
    return packets
