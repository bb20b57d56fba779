"""What the disk does to recording: how long it takes what is written, and how durable that is.

`python -m bench.media_disk DIR` is a neighbour that writes and syncs large files in DIR until
it is killed.
"""

import asyncio
import os
import secrets
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from media.capture_files import SegmentFile
from media.capture_format import Header, encode_header
from media.capture_writer import Append, CaptureWriter, Close
from media.settings import CaptureSettings

BUSY_BYTES = 64 << 20
BYTES_PER_MS = 10
"""About what both directions of a call add to a capture."""
POLL_S = 0.0005


@dataclass(frozen=True, slots=True)
class DiskFigures:
    """How the disk took the writes of many captures."""

    write_median_ms: float
    write_max_ms: float
    """With the 150 ms between two writes, what a killed worker would lose at most."""
    not_durable_max_ms: int
    """Recorded time that a power loss would have cost when a sync began, at most."""


def disk_figures(directory: Path, captures: int, seconds: float) -> DiskFigures:
    """Write and sync as a worker with so many captures does, for so long."""
    times = CaptureSettings()
    writer = CaptureWriter(directory)
    prefix = secrets.token_hex(8)
    segments = [_segment(f"{prefix}-{number}") for number in range(captures)]
    taken: list[float] = []
    not_durable = 0
    began = synced_at = time.monotonic()
    while (now := time.monotonic()) < began + seconds:
        position = round((now - began + times.flush_interval_s) * 1000)
        size = round(times.flush_interval_s * 1000 * BYTES_PER_MS)
        writer.submit([Append(each, os.urandom(size), position) for each in segments])
        while writer.backlog_bytes:
            time.sleep(POLL_S)
        taken.append((time.monotonic() - now) * 1000)
        if now - synced_at >= times.sync_interval_s:
            synced_at = now
            writer.sync(segments)
        not_durable = max(not_durable, writer.sync_lag_ms)
        time.sleep(max(0.0, now + times.flush_interval_s - time.monotonic()))
    writer.submit([Close(each, b"") for each in segments])
    writer.stop(60.0)
    return DiskFigures(
        write_median_ms=round(statistics.median(taken), 1),
        write_max_ms=round(max(taken), 1),
        not_durable_max_ms=not_durable,
    )


def _segment(name: str) -> SegmentFile:
    header = Header(capture_id=name, segment=0, started_unix_ms=0, offset_ms=0, blob="")
    return SegmentFile(header, encode_header(header))


@asynccontextmanager
async def busy_disk(directory: Path) -> AsyncIterator[None]:
    """A process that keeps the disk of `directory` busy."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.media_disk", str(directory)
    )
    try:
        yield
    finally:
        process.kill()
        await process.wait()


def main() -> None:
    """Write for ever."""
    path = Path(sys.argv[1]) / "busy"
    block = os.urandom(1 << 20)
    while True:
        with path.open("wb") as file:
            for _ in range(BUSY_BYTES // len(block)):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())


if __name__ == "__main__":
    main()
