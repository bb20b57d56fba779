"""The worker's captures together with the threads that write them, from start to end."""

import asyncio
import time
from pathlib import Path

import structlog

from media.capture_news import Publish
from media.capture_writer import CaptureWriter
from media.captures import Captures
from media.settings import CaptureSettings
from media.socket_guard import private_directory

log = structlog.get_logger()


class Recorder:
    """Writes below one directory. The owner calls `run`, then `end`, then `close`."""

    def __init__(self, directory: Path, publish: Publish, settings: CaptureSettings) -> None:
        """Make the directory if it is missing; raises `UnsafeFile`."""
        private_directory(directory, "captures")
        self._settings = settings
        self._writer = CaptureWriter(
            directory,
            backlog_bytes_max=settings.backlog_bytes_max,
            free_bytes_min=settings.free_bytes_min,
        )
        self.captures = Captures(self._writer, publish, settings)

    async def run(self) -> None:
        """Write what is granted until cancelled."""
        await self.captures.run()

    def end(self) -> None:
        """End every capture now, with what is granted already."""
        self.captures.end_all(time.monotonic())

    async def close(self) -> None:
        """Finish the files and tell so; the disk has a bounded time."""
        if not await asyncio.to_thread(self._writer.stop, self._settings.closing_s):
            log.warning("the disk is stalled; capture files are left to recovery")
        self.captures.tick(time.monotonic())
