"""`callgate media` as a process of its own."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.demo.processes import listener_pid
from tests.app.conftest import settings_in, until


@asynccontextmanager
async def media_unit(folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a worker on a folder until the context ends; enter with it listening."""
    async with media_process(folder) as unit:

        async def listens() -> bool:
            return listener_pid(settings_in(folder).media_socket) == unit.pid

        await until(listens)
        yield unit


@asynccontextmanager
async def media_process(folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start `callgate media` on a folder, and end it with the context."""
    unit = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "media"),
        env={
            **os.environ,
            "CALLGATE_DATA_DIR": str(folder),
            "CALLGATE_MEDIA_BIND": "127.0.0.1",
        },
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield unit
    finally:
        if unit.returncode is None:
            unit.terminate()
        await unit.wait()
