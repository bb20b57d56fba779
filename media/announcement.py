"""Makes an announcement of an uploaded sound: `python -m media.announcement`.

    --file FILE --out OUT --longest-ms N

Reads what libav reads of sound files, and writes Ogg Opus as our legs send it. A process of
its own, with low priority and bounded means: a file that harms it harms nothing else, and none
can make it open another file or address. Prints one line of JSON: what was made, or `error` and
`reason` with exit status 2 (the input) or 3 (the disk).
"""

import argparse
import itertools
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Final

import av
import numpy as np
import numpy.typing as npt

from media.announcement_file import write_frames
from media.assemble_ogg import DigestingSink
from media.one_shot import DISK_FAILED, NotMade, answer, limit_process, not_written, replacing
from media.prompts import FRAME_SAMPLES, SAMPLE_RATE_HZ, encode_opus

FORMATS: Final = (
    "wav,w64,aiff,au,caf,mp3,aac,flac,ogg,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,amr,asf"
)
"""Containers of sound. None of them is a list of other files."""
LOOK_AHEAD_SAMPLES: Final = 312
"""By which libopus delays what it encodes (its voip application, 48 kHz)."""
SHORTEST_MS: Final = 500
SILENT_DBFS: Final = -50.0
"""A file that never gets louder would be taken for a call without sound."""
MEMORY_BYTES_MAX: Final = 1 << 30
PROCESSOR_S_MAX: Final = 60
_PER_MS: Final = SAMPLE_RATE_HZ // 1000

Samples = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Made:
    """What was made."""

    duration_ms: int
    """Of what is sent, in whole frames."""
    bytes: int
    sha256: str


def make(file: Path, out: Path, *, longest_ms: int) -> Made:
    """Write `out` whole, or not at all; raises `NotMade`."""
    try:
        with file.open("rb") as source:
            samples = _checked(_read(source, longest_ms), longest_ms)
    except OSError as error:
        raise NotMade("unreadable", error.strerror or "", status=DISK_FAILED) from error
    frames = _frames(samples)
    try:
        with replacing(out) as (target, _):
            sink = DigestingSink(target)
            write_frames(sink, frames, pre_skip=LOOK_AHEAD_SAMPLES, samples=len(samples))
            target.flush()
            os.fsync(target.fileno())
    except OSError as error:
        raise not_written(error) from error
    return Made(len(frames) * FRAME_SAMPLES // _PER_MS, sink.size, sink.sha256)


def _read(source: IO[bytes], longest_ms: int) -> Samples:
    """Return what the file's first sound track holds, but little more than the longest."""
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "none"}
    try:
        with av.open(source, "r", options=options) as container:
            tracks = container.streams.audio
            if not tracks:
                raise NotMade("no_audio", "it holds no sound")
            parts, size = [], 0
            for part in _decoded(container.demux(tracks[0])):
                parts.append(part)
                size += len(part)
                if size > (longest_ms + SHORTEST_MS) * _PER_MS:
                    break
    except (av.FFmpegError, ValueError) as error:
        raise NotMade("no_audio", "it is no sound file that can be read") from error
    return np.concatenate([np.empty(0, np.int16), *parts])


def _decoded(packets: Iterator["av.Packet[av.AudioStream]"]) -> Iterator[Samples]:
    """Yield mono samples at 48 kHz; a damaged packet is left out."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)
    for packet in packets:
        try:
            frames = packet.decode()
        except av.FFmpegError:
            continue
        for frame in frames:
            frame.pts = None
            for even in resampler.resample(frame):
                yield even.to_ndarray().reshape(-1).astype(np.int16, copy=False)
    for even in resampler.resample(None):
        yield even.to_ndarray().reshape(-1).astype(np.int16, copy=False)


def _checked(samples: Samples, longest_ms: int) -> Samples:
    if len(samples) < SHORTEST_MS * _PER_MS:
        raise NotMade("no_audio", "it holds less than half a second of sound")
    if len(samples) > longest_ms * _PER_MS:
        raise NotMade("too_long", f"it is longer than {longest_ms / 1000:g} seconds")
    loudest = float(np.abs(samples.astype(np.int32)).max())
    if loudest < 32768 * 10 ** (SILENT_DBFS / 20):
        raise NotMade("silent", "there is nothing to hear in it")
    return samples


def _frames(samples: Samples) -> list[bytes]:
    """Encode it, and so much silence that the encoder gives its end back too."""
    count = -(-(len(samples) + LOOK_AHEAD_SAMPLES) // FRAME_SAMPLES)
    padded = np.zeros(count * FRAME_SAMPLES, np.int16)
    padded[: len(samples)] = samples
    return list(itertools.islice(encode_opus(padded.tolist()), count))


def main() -> int:
    """Do what the command line says; prints one line of JSON."""
    parser = argparse.ArgumentParser(prog="media.announcement", description=__doc__)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--longest-ms", type=int, required=True)
    asked = parser.parse_args()
    limit_process(0, memory_bytes=MEMORY_BYTES_MAX, processor_s=PROCESSOR_S_MAX)
    return answer(lambda: asdict(make(asked.file, asked.out, longest_ms=asked.longest_ms)))


if __name__ == "__main__":
    sys.exit(main())
