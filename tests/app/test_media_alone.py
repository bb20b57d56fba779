"""`callgate media`: a worker of its own, which the gateway finds and does not replace."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.demo.processes import listener_pid
from tests.app.conftest import gateway, settings_in

START_S = 40.0


@asynccontextmanager
async def media_unit(folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `callgate media` on a folder until the context ends."""
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


async def until_it_listens(path: Path) -> None:
    async with asyncio.timeout(START_S):
        while listener_pid(path) is None:  # noqa: ASYNC110 - another process, which tells nobody
            await asyncio.sleep(0.05)


async def test_the_gateway_works_with_a_worker_that_runs_on_its_own(folder: Path) -> None:
    settings = settings_in(folder, media_start_worker=False)
    async with media_unit(folder) as unit:
        await until_it_listens(settings.media_socket)
        assert listener_pid(settings.media_socket) == unit.pid
        async with gateway(settings):
            assert listener_pid(settings.media_socket) == unit.pid
        await unit.wait()
        assert unit.returncode == 0
    assert not (folder / "media" / "worker.log").exists()


async def test_a_second_worker_on_the_same_socket_refuses(folder: Path) -> None:
    async with media_unit(folder) as first:
        await until_it_listens(settings_in(folder).media_socket)
        async with media_unit(folder) as second:
            assert await second.wait() == 2
        assert first.returncode is None
