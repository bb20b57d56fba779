"""Looks into recordings from outside, and cuts them: `python -m media.official inspect|cut …`.

    inspect --file FILE [--against OURS [--laid-out 0:20000,35000:50000] [--ends MS]]
    cut --file FILE --out OUT --keep 300:30300,…

A process of its own, with low priority and bounded means: a foreign file that harms it harms
nothing else. Prints one line of JSON: what was found or made, or `error` and `reason` with exit
status 2 (the input) or 3 (the disk).
"""

import argparse
import itertools
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from media.assemble_ogg import DigestingSink
from media.envelope import Floats, read_envelope, read_samples, spread
from media.offset import find_offset
from media.offset_fine import LISTEN_MS as LISTEN_MS_FINE
from media.offset_fine import find_fine_offset, spread_waveform, to_waveform
from media.ogg_cut import cut
from media.ogg_opus import SAMPLE_RATE
from media.ogg_reader import BadOgg, OpusReader
from media.one_shot import DISK_FAILED, NotMade, answer, limit_process, not_written, replacing

CHANNELS_MAX: Final = 2
LISTEN_MS: Final = 180_000
"""How much of both is compared; decoding is what takes time."""
LISTEN_LONGER_MS: Final = 3 * 3_600_000
"""How much, where the beginning did not decide: one of them may be silent there."""
_PER_MS: Final = SAMPLE_RATE // 1000
_THEIRS: Final = "unreadable"
_OURS: Final = "ours_unreadable"

Intervals = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Inspected:
    """What a foreign file is. `offset_ms` is None where nothing could be compared."""

    duration_ms: int
    channels: int
    offset_ms: int | None = None
    certainty: float | None = None


@dataclass(frozen=True, slots=True)
class CutFile:
    """What was made."""

    duration_ms: int
    bytes: int
    sha256: str


def inspect(
    file: Path,
    ours: Path | None = None,
    *,
    laid_out: Intervals = (),
    ends_ms: int | None = None,
) -> Inspected:
    """Read a file to its end, and lay it over our own recording if there is one.

    `laid_out` says when (in ms of real time since the capture began) what ours holds was
    recorded, `ends_ms` when the call ended: the file ended with it, which decides where several
    places fit alike. Raises `NotMade`.
    """
    reader = _read_through(file)
    if not reader.samples:
        raise NotMade("nothing_recorded", "it holds no audio")
    found = Inspected(-(-reader.samples // _PER_MS), reader.head.channels)
    if ours is None:
        return found
    expected_ms = None if ends_ms is None else ends_ms - found.duration_ms
    offset = find_fine_offset(
        spread_waveform(_hear(ours, _OURS), laid_out),
        _hear(file, _THEIRS),
        expected_ms=expected_ms,
    )
    for listen_ms in (LISTEN_MS, LISTEN_LONGER_MS):
        if offset is not None:
            break
        offset = find_offset(
            spread(_listen(ours, listen_ms, _OURS), laid_out),
            _listen(file, listen_ms, _THEIRS),
            expected_ms=expected_ms,
        )
        if found.duration_ms <= listen_ms:
            break
    if offset is None:
        return found
    return Inspected(found.duration_ms, found.channels, offset.ms, offset.certainty)


def _read_through(path: Path) -> OpusReader:
    """Read a file from outside to its end; afterwards it is known to be sound."""
    try:
        with path.open("rb") as source:
            reader = OpusReader(source)
            _check_streams(reader)
            for _ in reader.packets():
                pass
            return reader
    except BadOgg as error:
        raise NotMade("not_ogg_opus", str(error)) from error
    except OSError as error:
        raise NotMade("unreadable", error.strerror or "", status=DISK_FAILED) from error


def _hear(path: Path, code: str) -> Floats:
    return _taken(
        path,
        lambda reader: to_waveform(read_samples(reader, listen_ms=LISTEN_MS_FINE)),
        code,
    )


def _listen(path: Path, listen_ms: int, code: str) -> Floats:
    return _taken(path, lambda reader: read_envelope(reader, listen_ms=listen_ms), code)


def _taken(path: Path, take: Callable[[OpusReader], Floats], code: str) -> Floats:
    try:
        with path.open("rb") as source:
            return take(OpusReader(source))
    except (BadOgg, OSError) as error:
        raise NotMade(code, str(error)) from error


def _check_streams(reader: OpusReader) -> None:
    if max(reader.head.channels, reader.head.streams) > CHANNELS_MAX:
        raise BadOgg("it has more than two channels")


def cut_file(file: Path, out: Path, keep: Intervals) -> CutFile:
    """Write `out` whole and durable, or not at all; raises `NotMade`."""
    try:
        with file.open("rb") as source, replacing(out) as (target, _):
            sink = DigestingSink(target)
            samples = cut(source, sink, keep)
            target.flush()
            os.fsync(target.fileno())
    except BadOgg as error:
        raise NotMade("not_ogg_opus", str(error)) from error
    except ValueError as error:
        raise NotMade("nothing_kept", str(error)) from error
    except OSError as error:
        raise not_written(error) from error
    return CutFile(round(samples / _PER_MS), sink.size, sink.sha256)


def intervals(text: str) -> Intervals:
    """Read `begin:end,begin:end…` (ms, in order and apart); raises `ValueError`."""
    pairs = [part.split(":") for part in text.split(",") if part]
    read = tuple((int(begin), int(end)) for begin, end in pairs)
    ordered = [edge for pair in read for edge in pair]
    if any(left > right for left, right in itertools.pairwise(ordered)):
        raise ValueError("intervals must be in order")
    return read


def main() -> int:
    """Do what the command line says; prints one line of JSON."""
    parser = argparse.ArgumentParser(prog="media.official", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    looking = commands.add_parser("inspect")
    looking.add_argument("--against", type=Path)
    looking.add_argument("--laid-out", type=intervals, default=())
    looking.add_argument("--ends", type=int)
    cutting = commands.add_parser("cut")
    cutting.add_argument("--out", type=Path, required=True)
    cutting.add_argument("--keep", type=intervals, required=True)
    for each in (looking, cutting):
        each.add_argument("--file", type=Path, required=True)
    asked = parser.parse_args()
    limit_process(asked.file.stat().st_size if asked.file.exists() else 0)
    return answer(lambda: asdict(_carry_out(asked)))


def _carry_out(asked: argparse.Namespace) -> Inspected | CutFile:
    if asked.command == "cut":
        return cut_file(asked.file, asked.out, asked.keep)
    return inspect(asked.file, asked.against, laid_out=asked.laid_out, ends_ms=asked.ends)


if __name__ == "__main__":
    sys.exit(main())
