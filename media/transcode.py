"""Makes WAV, MP3 or peaks of a recording: `python -m media.transcode --to wav --length-ms MS`.

Reads Ogg Opus from standard input and writes to standard output as it goes, so nothing is kept
anywhere and any length takes the same memory. A process of its own, with low priority and
bounded means. Exit status 2: the input is no recording, one line on standard error says why;
what was written before that is of no use.
"""

import argparse
import os
import struct
import sys
from collections.abc import Iterator
from typing import IO, Final

import av
import numpy as np
import numpy.typing as npt

from media.assemble_peaks import encode_channels, peaks_in
from media.one_shot import BAD_INPUT, limit_process

RATE: Final = 48_000
MP3_BITS_PER_CHANNEL: Final = 48_000
CHANNELS_MAX: Final = 2
INPUT_BYTES_MAX: Final = 1 << 30
"""Bounds the process as a file of this size would; nothing is written to a disk."""
WAV_BYTES_MAX: Final = (1 << 32) - 64
"""The format counts in 32 bits."""
_PER_MS: Final = RATE // 1000
_SAMPLE_BYTES: Final = 2
_LAYOUTS: Final = {1: "mono", 2: "stereo"}

Samples = npt.NDArray[np.int16]


class NotAudio(Exception):
    """The input cannot be decoded; the text says why."""


def decoded(container: av.container.InputContainer, length_ms: int) -> Iterator[Samples]:
    """Yield frames as rows of samples, `length_ms` in all: cut, or filled up with silence.

    Raises `NotAudio`.
    """
    channels = channels_of(container)
    resampler = av.AudioResampler(format="s16", layout=_LAYOUTS[channels], rate=RATE)
    left = length_ms * _PER_MS
    try:
        for frame in container.decode(audio=0):
            for each in resampler.resample(frame):
                rows = (
                    each.to_ndarray().astype(np.int16, copy=False).reshape(-1, channels)[:left]
                )
                left -= len(rows)
                yield rows
            if not left:
                break
    except av.FFmpegError as error:
        raise NotAudio(error.strerror or "it does not decode") from error
    while left:
        rows = np.zeros((min(left, RATE), channels), np.int16)
        left -= len(rows)
        yield rows


def channels_of(container: av.container.InputContainer) -> int:
    """Return 1 or 2. Raises `NotAudio` for anything else."""
    if not container.streams.audio:
        raise NotAudio("it holds no audio")
    channels = container.streams.audio[0].codec_context.channels
    if not 1 <= channels <= CHANNELS_MAX:
        raise NotAudio("it has more than two channels")
    return channels


def write_wav(
    container: av.container.InputContainer, target: IO[bytes], length_ms: int
) -> None:
    """Write 16-bit PCM; the length is known before, so no header has to be mended."""
    channels = channels_of(container)
    row = channels * _SAMPLE_BYTES
    size = length_ms * _PER_MS * row
    if size > WAV_BYTES_MAX:
        raise NotAudio("it is too long for WAV")
    form = struct.pack("<HHIIHH", 1, channels, RATE, RATE * row, row, 8 * _SAMPLE_BYTES)
    target.write(struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE"))
    target.write(struct.pack("<4sI", b"fmt ", len(form)) + form)
    target.write(struct.pack("<4sI", b"data", size))
    for rows in decoded(container, length_ms):
        target.write(rows.astype("<i2").tobytes())


def write_mp3(
    container: av.container.InputContainer, target: IO[bytes], length_ms: int
) -> None:
    """Write MP3 at a constant bit rate, which a player can seek in without an index."""
    channels = channels_of(container)
    # Without its own header, for which the end would have to be known at the beginning.
    output = av.open(
        target, "w", format="mp3", options={"write_xing": "0", "id3v2_version": "0"}
    )
    stream = output.add_stream("libmp3lame", rate=RATE, layout=_LAYOUTS[channels])
    stream.bit_rate = MP3_BITS_PER_CHANNEL * channels
    fifo = av.AudioFifo()
    at = 0
    for rows in decoded(container, length_ms):
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(rows.reshape(1, -1)), format="s16", layout=_LAYOUTS[channels]
        )
        frame.sample_rate, frame.pts = RATE, at
        at += len(rows)
        fifo.write(frame)
        while (ready := fifo.read(stream.frame_size or RATE // 10)) is not None:
            output.mux(stream.encode(ready))
    if (last := fifo.read()) is not None:
        output.mux(stream.encode(last))
    output.mux(stream.encode(None))
    output.close()


def write_peaks(
    container: av.container.InputContainer, target: IO[bytes], _length_ms: int
) -> None:
    """Write what a player draws, as JSON."""
    channels_of(container)
    target.write(encode_channels(peaks_in(container)[0]))


WRITERS: Final = {"wav": write_wav, "mp3": write_mp3, "peaks": write_peaks}


def main() -> int:
    """Transcode standard input to standard output."""
    parser = argparse.ArgumentParser(prog="media.transcode", description=__doc__)
    parser.add_argument("--to", choices=tuple(WRITERS), required=True)
    parser.add_argument("--length-ms", type=int, required=True)
    asked = parser.parse_args()
    limit_process(INPUT_BYTES_MAX)
    target = sys.stdout.buffer
    try:
        with av.open(sys.stdin.buffer, "r", format="ogg") as container:
            WRITERS[asked.to](container, target, asked.length_ms)
        target.flush()
    except (NotAudio, av.FFmpegError, MemoryError) as error:
        sys.stderr.write(f"{error}\n")
        return BAD_INPUT
    except BrokenPipeError:
        # Nobody listens any more; standard output cannot be flushed at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), target.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
