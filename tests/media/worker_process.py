"""Starts and ends real worker processes in private directories."""

import asyncio
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.media.gateway_client import GatewayClient

START_S = 30.0


@dataclass
class WorkerProcess:
    """A running worker."""

    process: asyncio.subprocess.Process
    directory: Path
    output: Path

    @property
    def socket_path(self) -> Path:
        return self.directory / "media.sock"

    @property
    def token(self) -> str:
        return (self.directory / "token").read_text()

    @property
    def ps(self) -> psutil.Process:
        return psutil.Process(self.process.pid)

    def log(self) -> str:
        return self.output.read_text()

    async def connect(self, *, gateway_epoch: int = 1) -> GatewayClient:
        """Connect as a gateway; waits until the worker listens."""
        async with asyncio.timeout(START_S):
            while True:
                try:
                    return await GatewayClient.connect(
                        self.socket_path, self.token, gateway_epoch=gateway_epoch
                    )
                except FileNotFoundError:
                    if self.process.returncode is not None:
                        raise AssertionError(self.log()) from None
                    await asyncio.sleep(0.02)

    async def terminate(self) -> int:
        """Ask it to stop and return its exit status."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), START_S)


@asynccontextmanager
async def running_worker(*arguments: str) -> AsyncIterator[WorkerProcess]:
    """A worker bound to 127.0.0.1 unless `arguments` say otherwise."""
    with tempfile.TemporaryDirectory(prefix="mw-") as name:
        directory = Path(name)
        output = directory / "log"
        bind = () if "--bind" in arguments else ("--bind", "127.0.0.1")
        with output.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "media",
                "--socket", str(directory / "media.sock"),
                "--token-file", str(directory / "token"),
                *bind, *arguments,
                stdout=log, stderr=log,
            )  # fmt: skip
        worker = WorkerProcess(process, directory, output)
        try:
            yield worker
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
