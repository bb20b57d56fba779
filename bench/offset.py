"""How fast a call's official recording is checked, laid over ours, and cut.

    python -m bench.offset [--minutes 60] [--quick]

Processor time counts. The official file is mono, one step louder and begins 0.3 s earlier; ours
is assembled from a capture with 2 % loss. Once its beginning is heard, and once it is silent,
so that the levels must tell. The last line is JSON.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.assembly import FRAME, RATE, phrase, write_capture
from media.assemble import assemble
from media.assemble_windows import SILENT_FRAME, SILENT_TOC
from media.official import cut_file, inspect
from media.offset import find_offset
from media.ogg import OggWriter, PageFlag, lacing
from media.ogg_opus import OpusHead, encode_tags

QUICK_MINUTES = 5
PAGE_PACKETS = 50
EARLIER_FRAMES = 15
FRAME_MS = FRAME * 1000 // RATE
SILENCE = bytes((SILENT_TOC,)) + SILENT_FRAME
SILENT_S = 40
"""Longer than the beginning that is compared by its sound."""


def write_official(path: Path, minutes: int, *, silent_s: int = 0) -> None:
    """Write the agent's side, begun a little earlier, as Meta might."""
    spoken = phrase(1)
    packets = [spoken[-EARLIER_FRAMES + index] for index in range(EARLIER_FRAMES)]
    packets += [spoken[index % len(spoken)] for index in range(minutes * 3_000)]
    silent = silent_s * 1000 // FRAME_MS
    packets[:silent] = [SILENCE] * silent
    with path.open("wb") as target:
        writer = OggWriter(target, 1)
        for header, flags in (
            (OpusHead(1, 312).encode(), PageFlag.FIRST),
            (encode_tags("bench"), PageFlag(0)),
        ):
            writer.write_page([header], lacing(len(header)), 0, flags)
        for index in range(0, len(packets), PAGE_PACKETS):
            part = packets[index : index + PAGE_PACKETS]
            is_last = index + PAGE_PACKETS >= len(packets)
            table = b"".join(lacing(len(each)) for each in part)
            granule = (index + len(part)) * FRAME
            writer.write_page(part, table, granule, PageFlag.LAST if is_last else PageFlag(0))


def is_right(offset_ms: int | None) -> bool:
    """Whether a file was laid where it belongs."""
    return offset_ms is not None and abs(offset_ms + EARLIER_FRAMES * FRAME_MS) <= 20


def main() -> int:
    """Measure, print."""
    parser = argparse.ArgumentParser(prog="bench.offset", description=__doc__)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    minutes = QUICK_MINUTES if asked.quick else asked.minutes
    random = np.random.default_rng(1)
    levels = (random.random(minutes * 6_000) ** 4).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        capture, ours = Path(folder) / "bench.000.capture", Path(folder) / "ours.ogg"
        official = Path(folder) / "official.ogg"
        write_capture(capture, minutes)
        assemble([capture], ours)
        write_official(official, minutes)
        hushed = Path(folder) / "hushed.ogg"
        write_official(hushed, minutes, silent_s=SILENT_S)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.process_time()
        find_offset(levels, levels[30:])
        correlate_s = time.process_time() - began
        began = time.process_time()
        # The phrase repeats itself every 20 s: only the end of the call tells the place.
        found = inspect(official, ours, ends_ms=minutes * 60_000)
        inspect_s = time.process_time() - began
        began = time.process_time()
        by_levels = inspect(hushed, ours, ends_ms=minutes * 60_000)
        by_levels_s = time.process_time() - began
        began = time.process_time()
        cut_file(official, Path(folder) / "cut.ogg", ((300, minutes * 60_000 // 2),))
        cut_s = time.process_time() - began
    result = {
        "bench": "offset",
        "call_minutes": minutes,
        "correlate_s": round(correlate_s, 3),
        "inspect_s": round(inspect_s, 3),
        "inspect_by_levels_s": round(by_levels_s, 3),
        "cut_s": round(cut_s, 3),
        "offset_ms": found.offset_ms,
        "offset_is_right": is_right(found.offset_ms),
        "offset_by_levels_ms": by_levels.offset_ms,
        "offset_by_levels_is_right": is_right(by_levels.offset_ms),
        "grown_mib": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10,
    }
    for name, value in result.items():
        print(f"{name:24} {value}")
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
