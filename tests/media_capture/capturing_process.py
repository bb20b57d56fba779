"""A process that captures calls in real time until it is killed. It is run, not imported.

    python -m tests.media_capture.capturing_process DIRECTORY BOARD CALLS

Every 20 ms each call gets a frame in both directions. The number of the last frame handed to
the tap goes to BOARD, a mapped file that outlives the process.
"""

import asyncio
import mmap
import struct
import sys
import time
from pathlib import Path

from media.capture_book import CaptureOrder
from media.capture_writer import CaptureWriter
from media.captures import Captures
from media.settings import CaptureSettings

NUMBER = struct.Struct("<I")
PHRASE = "phrase.bin"


def packets(path: Path) -> list[bytes]:
    """Read packets, each behind its length in two bytes."""
    content, made = path.read_bytes(), []
    while content:
        size = int.from_bytes(content[:2], "big")
        made.append(content[2 : 2 + size])
        content = content[2 + size :]
    return made


async def capture(directory: Path, board: mmap.mmap, calls: int) -> None:
    """Feed the taps for ever."""
    phrase = packets(directory.parent / PHRASE)
    writer = CaptureWriter(directory)
    captures = Captures(writer, lambda build: None, CaptureSettings())
    captures.open_budget("b", 10**9)
    taps = [
        captures.start(
            time.monotonic(),
            0,
            CaptureOrder(f"call{number:02}", "b", f"leg{number}", f"{number}"),
        )
        for number in range(calls)
    ]
    ticking = asyncio.create_task(captures.run())
    began, frame = time.monotonic(), 0
    while not ticking.done():
        await asyncio.sleep(max(0.0, began + frame * 0.02 - time.monotonic()))
        now = time.monotonic()
        payload = phrase[frame % len(phrase)]
        for tap in taps:
            tap.on_customer_packet(now, frame * 960, frame, payload)
            tap.on_agent_packet(now, frame * 960, frame, payload)
        NUMBER.pack_into(board, 0, frame + 1)
        frame += 1
    await ticking


def main() -> None:
    """Run until killed."""
    directory, board, calls = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    with board.open("r+b") as file:
        asyncio.run(capture(directory, mmap.mmap(file.fileno(), NUMBER.size), calls))


if __name__ == "__main__":
    main()
