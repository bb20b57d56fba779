"""Audio of our own, encoded once at start-up and switched into calls as it is."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import av
import numpy as np

SAMPLE_RATE_HZ: Final = 48000
FRAME_SAMPLES: Final = 960
COMFORT_S: Final = 2
COMFORT_LEVEL_DBFS: Final = -66.0
"""Just audible as "the line is alive"; far below speech."""
BIT_RATE: Final = 20000
SEED: Final = 4733


@dataclass(frozen=True, slots=True)
class ComfortNoise:
    """Faint noise as Opus packets of 20 ms each, played round and round."""

    frames: tuple[bytes, ...]


def make_comfort_noise() -> ComfortNoise:
    """Encode the comfort noise; takes some milliseconds, so it is done before serving."""
    noise = np.random.default_rng(SEED).standard_normal(SAMPLE_RATE_HZ * COMFORT_S)
    # Soft like room noise: a short moving average takes the hiss away.
    soft = np.convolve(noise, np.ones(12) / 12, mode="same")
    level = 10 ** (COMFORT_LEVEL_DBFS / 20) * 32768
    samples = (soft / np.sqrt(np.mean(soft**2)) * level).round().astype(np.int16)
    return ComfortNoise(tuple(encode_opus(samples)))


def encode_opus(samples: "np.ndarray[tuple[int], np.dtype[np.int16]]") -> list[bytes]:
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
        "cutoff": "8000",
    }
    packets: list[bytes] = []
    for position in range(0, len(samples) - FRAME_SAMPLES + 1, FRAME_SAMPLES):
        part = samples[position : position + FRAME_SAMPLES].reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        frame.pts = position
        packets += [bytes(packet) for packet in codec.encode(frame)]
    packets += [bytes(packet) for packet in codec.encode(None)]
    return packets
