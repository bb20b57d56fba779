"""`callgate serve`: the gateway in the foreground, until it is told to stop."""

import asyncio
import signal

from gateway import app, log
from gateway.cli_terminal import say, settings


def serve() -> None:
    """Serve calls until SIGTERM or Ctrl-C; the media worker goes on for a restart."""
    loaded = settings()
    log.set_up(level=loaded.log_level, style=loaded.log_format)

    async def until_told() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop.set)
        await app.serve_until(loaded, stop, say)

    asyncio.run(until_told())
