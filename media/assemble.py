"""Makes one stereo file of a call's captures: `python -m media.assemble --out FILE CAPTURE…`.

Runs as a process of its own (`media.one_shot`); prints what the file holds.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from media.assemble_ogg import DigestingSink, write_stereo
from media.assemble_packets import SAMPLES_PER_MS, PacketReader, SideCounts
from media.assemble_peaks import encode_peaks, read_peaks
from media.assemble_timeline import Bounds, lay_out
from media.assemble_windows import Side
from media.capture_files import open_unwritten, read_whole
from media.capture_format import CaptureFileError, HeaderTorn, StillWritten, UnknownVersion
from media.capture_scan import CaptureContent, scan
from media.one_shot import DISK_FAILED, NotMade, answer, limit_process, not_written, replacing


@dataclass(frozen=True, slots=True)
class AssembledSegment:
    """Where a segment lies in the recording."""

    segment: int
    begins_ms: int
    """On the timeline of the recording."""
    offset_ms: int
    """Real time since the capture began, by which other recordings are compared."""
    started_unix_ms: int
    duration_ms: int
    end_reason: str | None
    """None where the worker died and nobody recovered the file."""
    pauses: tuple[tuple[int, int], ...]
    """Position on the segment's timeline and real length of each pause, in ms."""
    damaged_bytes: int


@dataclass(frozen=True, slots=True)
class Assembled:
    """What the file holds."""

    capture_id: str
    blob: str
    duration_ms: int
    samples: int
    bytes: int
    sha256: str
    segments: tuple[AssembledSegment, ...]
    agent: SideCounts
    customer: SideCounts
    peaks_bytes: int | None


def assemble(captures: list[Path], out: Path, *, peaks: Path | None = None) -> Assembled:
    """Write `out`, and `peaks` if wanted; raises `NotMade`, and leaves nothing then."""
    contents = _read_all(captures)
    segments = tuple(_segments(contents))
    samples = sum(each.duration_ms for each in segments) * SAMPLES_PER_MS
    if not samples:
        raise NotMade("nothing_recorded", "the captures hold no recorded time")
    counts = SideCounts(), SideCounts()
    left, right = _sides(contents, segments, counts)
    capture_id = contents[0].header.capture_id
    peaks_bytes = None
    try:
        with replacing(out) as (file, temporary):
            sink = DigestingSink(file)
            write_stereo(sink, left, right, samples, serial_seed=capture_id)
            file.flush()
            os.fsync(file.fileno())
            if peaks is not None:
                agent, customer, _ = read_peaks(temporary)
                with replacing(peaks) as (peaks_file, _):
                    peaks_bytes = peaks_file.write(encode_peaks(agent, customer))
                    peaks_file.flush()
                    os.fsync(peaks_file.fileno())
    except OSError as error:
        raise not_written(error) from error
    return Assembled(
        capture_id=capture_id,
        blob=contents[0].header.blob,
        duration_ms=samples // SAMPLES_PER_MS,
        samples=samples,
        bytes=sink.size,
        sha256=sink.sha256,
        segments=segments,
        agent=counts[1],
        customer=counts[0],
        peaks_bytes=peaks_bytes,
    )


def _read_all(captures: list[Path]) -> list[CaptureContent]:
    """Read the segments of one capture in their order."""
    contents = sorted((_read(path) for path in captures), key=lambda each: each.header.segment)
    if not contents:
        raise NotMade("nothing_recorded", "no capture was named")
    if len({each.header.capture_id for each in contents}) > 1:
        raise NotMade("foreign_capture", "the files belong to different captures")
    if len({each.header.segment for each in contents}) < len(contents):
        raise NotMade("doubled_segment", "two files hold the same segment")
    return contents


def _read(path: Path) -> CaptureContent:
    try:
        fd = open_unwritten(path, exclusive=False)
        try:
            return scan(read_whole(fd))
        finally:
            os.close(fd)
    except CaptureFileError as error:
        codes: dict[type[CaptureFileError], str] = {
            StillWritten: "still_written",
            UnknownVersion: "unknown_version",
            HeaderTorn: "nothing_recorded",
        }
        code = codes.get(type(error), "not_a_capture")
        raise NotMade(code, f"{path.name}: {error}") from error
    except FileNotFoundError as error:
        raise NotMade("no_such_file", f"{path.name}: no such file") from error
    except OSError as error:
        reason = f"{path.name}: {error.strerror}"
        raise NotMade("unreadable", reason, status=DISK_FAILED) from error


def _segments(contents: list[CaptureContent]) -> Iterator[AssembledSegment]:
    begins_ms = 0
    for content in contents:
        header = content.header
        yield AssembledSegment(
            segment=header.segment,
            begins_ms=begins_ms,
            offset_ms=header.offset_ms,
            started_unix_ms=header.started_unix_ms,
            duration_ms=content.duration_ms,
            end_reason=content.end_reason,
            pauses=tuple((pause.position_ms, pause.paused_ms) for pause in content.pauses),
            damaged_bytes=content.damaged_bytes,
        )
        begins_ms += content.duration_ms


def _sides(
    contents: list[CaptureContent],
    segments: tuple[AssembledSegment, ...],
    counts: tuple[SideCounts, SideCounts],
) -> tuple[Side, Side]:
    """Return left (the agent) and right; `counts` are of customer and agent."""
    reader = PacketReader()
    read = [reader.read(content, counts) for content in contents]
    bounds: list[Bounds] = [
        (each.begins_ms * SAMPLES_PER_MS, (each.begins_ms + each.duration_ms) * SAMPLES_PER_MS)
        for each in segments
    ]
    customer = lay_out(zip((each for each, _ in read), bounds, strict=True), counts[0])
    agent = lay_out(zip((each for _, each in read), bounds, strict=True), counts[1])
    pool = reader.pool.join()
    return (
        Side(agent, pool, counts[1], delimited=True),
        Side(customer, pool, counts[0], delimited=False),
    )


def main() -> int:
    """Assemble what the command line names; prints one line of JSON."""
    parser = argparse.ArgumentParser(prog="media.assemble", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--peaks", type=Path)
    parser.add_argument("captures", type=Path, nargs="+", metavar="CAPTURE")
    asked = parser.parse_args()
    input_bytes = sum(path.stat().st_size for path in asked.captures if path.exists())
    limit_process(input_bytes)
    return answer(lambda: asdict(assemble(asked.captures, asked.out, peaks=asked.peaks)))


if __name__ == "__main__":
    sys.exit(main())
