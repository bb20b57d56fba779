"""Starting the real worker: once, detached, and with a reason when it cannot."""

import asyncio
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.adapters.media_engine import MediaSocketEngine, WorkerAddress
from gateway.adapters.media_process import MediaProcess, WorkerCommand
from gateway.core.errors import MediaAway
from gateway.core.ids import CallId, LegId
from gateway.ports import media as port

pytestmark = pytest.mark.e2e


@pytest.fixture
def folder() -> Iterator[Path]:
    # Short: the path of a Unix socket may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="cg") as name:
        yield Path(name)


def process_in(folder: Path, *arguments: str) -> MediaProcess:
    return MediaProcess(
        WorkerAddress(folder / "media.sock", folder / "media.token"),
        WorkerCommand(
            arguments=arguments or ("--bind", "127.0.0.1"),
            log_file=folder / "media.log",
            start_timeout_s=50,
        ),
    )


def engine_in(folder: Path, process: MediaProcess, epoch: int = 1) -> MediaSocketEngine:
    numbers = iter(range(10_000))
    return MediaSocketEngine(
        WorkerAddress(folder / "media.sock", folder / "media.token"),
        gateway_epoch=epoch,
        new_id=lambda: f"{epoch}-{next(numbers)}",
        ensure_worker=process.ensure,
    )


def workers_on(folder: Path) -> list[int]:
    """Processes of this machine that serve the folder's socket."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if str(folder / "media.sock").encode() in words:
                found.append(int(entry.name))
    return found


async def wait_connected(engine: MediaSocketEngine) -> port.WorkerBack:
    events = engine.events()
    first = await anext(events)
    assert isinstance(first, port.WorkerBack)
    return first


async def test_many_who_need_a_worker_start_one(folder: Path) -> None:
    processes = [process_in(folder) for _ in range(4)]
    try:
        await asyncio.gather(*(process.ensure() for process in processes))
        (pid,) = workers_on(folder)
        assert os.getsid(pid) == pid, "it must survive the end of our session"
    finally:
        for process in processes:
            process.terminate()


async def test_legs_outlive_the_gateways_connection(folder: Path) -> None:
    process = process_in(folder)
    leg_id, tag = LegId("leg-1"), port.LegTag(call_id=CallId("c" * 26))
    try:
        async with engine_in(folder, process) as engine:
            await wait_connected(engine)
            offer = await engine.offer_whatsapp(leg_id, tag, epoch=1)
            assert offer.startswith("v=0\r\n")
        async with engine_in(folder, process, epoch=2) as engine:
            back = await wait_connected(engine)
            assert [(live.leg_id, live.tag) for live in back.legs] == [(leg_id, tag)]
            assert back.legs[0].local_sdp == offer
            await engine.close_leg(leg_id, epoch=2)
    finally:
        process.terminate()


async def test_a_killed_worker_is_replaced(folder: Path) -> None:
    process = process_in(folder)
    try:
        async with engine_in(folder, process) as engine:
            await wait_connected(engine)
            (pid,) = workers_on(folder)
            os.kill(pid, signal.SIGKILL)
            events = engine.events()
            while workers_on(folder) in ([pid], []):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
            async with asyncio.timeout(50):
                assert isinstance(await anext(events), port.WorkerBack)
            assert await engine.offer_whatsapp(LegId("x"), port.LegTag(), epoch=1)
    finally:
        process.terminate()


async def test_a_worker_that_cannot_start_tells_why(folder: Path) -> None:
    process = process_in(folder, "--no-such-option")
    with pytest.raises(MediaAway, match="no-such-option"):
        await process.ensure()
    process.terminate()
