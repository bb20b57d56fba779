"""The sound of a line on hold, made by ourselves: `python -m media.hold_tune` writes it anew.

Soft bells of a pentatonic scale, so that no two of them clash, with a rest at the end where the
round begins again. It lies beside this module as our legs send it; workers only read it.
"""

import sys
from pathlib import Path
from typing import Final

from media.announcement_file import read_frames, write_frames
from media.prompts import FRAME_SAMPLES, SAMPLE_RATE_HZ, ComfortNoise, encode_opus

FILE: Final = Path(__file__).with_suffix(".ogg")
NOTE_S: Final = 0.6
PEAK: Final = 3_600
"""Well below speech: nobody should hold the phone away."""
G4, C5, D5, E5, G5, A5 = 392.0, 523.25, 587.33, 659.26, 783.99, 880.0
NOTES_HZ: Final = (
    *(C5, E5, G5, A5, G5, E5, D5, E5),
    *(G4, C5, E5, G5, E5, D5, C5, G4),
)
REST_S: Final = 1.2
DECAY_S: Final = 0.55
ATTACK_S: Final = 0.015
OVERTONES: Final = ((1.0, 1.0), (2.0, 0.22), (3.01, 0.06))


def load_hold_tune() -> ComfortNoise:
    """Return what is played round and round; raises `OSError` or `BadOgg`."""
    return ComfortNoise(read_frames(FILE.read_bytes()))


def compose() -> list[int]:
    """Return the samples of one round, mono at 48 kHz."""
    # Workers, which import this module, need no arrays.
    import numpy as np  # noqa: PLC0415

    length = round((len(NOTES_HZ) * NOTE_S + REST_S) * SAMPLE_RATE_HZ)
    length -= length % FRAME_SAMPLES
    tune = np.zeros(length)
    for place, hertz in enumerate(NOTES_HZ):
        first = round(place * NOTE_S * SAMPLE_RATE_HZ)
        when = np.arange(length - first) / SAMPLE_RATE_HZ
        loudness = np.minimum(when / ATTACK_S, 1.0) * np.exp(-when / DECAY_S)
        for multiple, share in OVERTONES:
            tune[first:] += share * loudness * np.sin(2 * np.pi * hertz * multiple * when)
    fade = np.minimum((length - np.arange(length)) / (REST_S / 2 * SAMPLE_RATE_HZ), 1.0)
    tune *= fade * PEAK / np.abs(tune).max()
    return [round(each) for each in tune.tolist()]


def main() -> int:
    """Write the file."""
    samples = compose()
    frames = encode_opus(samples)[: len(samples) // FRAME_SAMPLES]
    with FILE.open("wb") as out:
        write_frames(out, frames, pre_skip=0, samples=len(frames) * FRAME_SAMPLES)
    return 0


if __name__ == "__main__":
    sys.exit(main())
