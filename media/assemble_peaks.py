"""Peaks of a finished recording, for drawing it: the loudest of each tenth of a second."""

import json
from pathlib import Path
from typing import Final

import av
import numpy as np
import numpy.typing as npt

RATE: Final = 48_000
PER_SECOND: Final = 10
FULL_SCALE: Final = 255

_STEP: Final = RATE // PER_SECOND
_BLOCK_STEPS: Final = 10 * PER_SECOND

Floats = npt.NDArray[np.float32]


def encode_peaks(agent: list[int], customer: list[int]) -> bytes:
    """Return peaks as compact JSON: 0 is silence, 255 full scale."""
    return _encode({"agent": agent, "customer": customer})


def encode_channels(channels: list[list[int]]) -> bytes:
    """Return the peaks of a file: two sides, or `mixed` where both are on one channel."""
    if len(channels) == 1:
        return _encode({"mixed": channels[0]})
    agent, customer = channels or ([], [])
    return encode_peaks(agent, customer)


def _encode(sides: dict[str, list[int]]) -> bytes:
    drawn: dict[str, object] = {"per_second": PER_SECOND, "full": FULL_SCALE, **sides}
    return json.dumps(drawn, separators=(",", ":")).encode()


def read_peaks(path: Path) -> tuple[list[int], list[int], int]:
    """Decode a stereo file; return the peaks of left and right, and the samples decoded.

    Raises `av.FFmpegError` for what does not decode.
    """
    with av.open(str(path)) as container:
        sides, samples = peaks_in(container)
    left, right = sides or ([], [])
    return left, right, samples


def peaks_in(container: av.container.InputContainer) -> tuple[list[list[int]], int]:
    """Decode all; return the peaks of each channel, none for no audio, and the samples.

    Raises `av.FFmpegError` for what does not decode.
    """
    waiting: list[Floats] = []
    waiting_samples = samples = 0
    peaks: list[Floats] = []
    for frame in container.decode(audio=0):
        block = frame.to_ndarray().astype(np.float32, copy=False)
        waiting.append(block)
        waiting_samples += block.shape[1]
        samples += block.shape[1]
        if waiting_samples >= _BLOCK_STEPS * _STEP:
            found, rest = _loudest(np.concatenate(waiting, axis=1))
            peaks.append(found)
            waiting, waiting_samples = [rest], rest.shape[1]
    if waiting_samples:
        last = np.concatenate(waiting, axis=1)
        padding = -last.shape[1] % _STEP
        peaks.append(_loudest(np.pad(last, ((0, 0), (0, padding))))[0])
    if not peaks:
        return [], 0
    scaled = np.minimum(np.rint(np.concatenate(peaks, axis=1) * FULL_SCALE), FULL_SCALE)
    return scaled.astype(np.int64).tolist(), samples


def _loudest(block: Floats) -> tuple[Floats, Floats]:
    """Return the loudest of each whole step, and what is left over."""
    whole = block.shape[1] // _STEP * _STEP
    steps = np.abs(block[:, :whole]).reshape(block.shape[0], -1, _STEP)
    return steps.max(axis=2), block[:, whole:]
