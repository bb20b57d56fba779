"""Starts and ends real worker processes in private directories."""

import asyncio
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from media.prompts import make_comfort_noise
from media.settings import WorkerSettings
from media.worker import serve
from tests.media.eventually import eventually
from tests.media.gateway_client import GatewayClient

START_S = 40.0


@dataclass
class WorkerProcess:
    """A running worker."""

    process: subprocess.Popen[bytes]
    directory: Path
    gateway_epoch: int = 0

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
        return (self.directory / "log").read_text()

    def wait_ready(self) -> None:
        """Return when the worker listens."""
        deadline = time.monotonic() + START_S
        while not self._listens():
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.02)

    def _listens(self) -> bool:
        # The name is there a moment before anybody listens.
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.socket_path))
            except OSError:
                return False
        return True

    async def connect(self, *, gateway_epoch: int | None = None) -> GatewayClient:
        """Connect as a gateway that is newer than all before."""
        if gateway_epoch is None:
            self.gateway_epoch += 1
            gateway_epoch = self.gateway_epoch
        return await GatewayClient.connect(
            self.socket_path, self.token, gateway_epoch=gateway_epoch
        )

    def wait(self) -> int:
        """Its exit status, once it has ended by itself."""
        return self.process.wait(START_S)

    def terminate(self) -> int:
        """Ask it to stop and return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    async def ended(self) -> int:
        """As `wait`, while this event loop goes on."""
        return await asyncio.to_thread(self.wait)

    def assert_clean(self) -> None:
        """No exception was seen by anybody."""
        log = self.log()
        assert "Traceback" not in log, log
        assert '"level": "error"' not in log, log


@contextmanager
def running_worker(*arguments: str) -> Iterator[WorkerProcess]:
    """A worker bound to 127.0.0.1 unless `arguments` say otherwise.

    It must not have noted any error, nor end badly unless it was killed before.
    """
    with tempfile.TemporaryDirectory(prefix="mw-") as name:
        directory = Path(name)
        bind = () if "--bind" in arguments else ("--bind", "127.0.0.1")
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "media"),
                    *("--socket", str(directory / "media.sock")),
                    *("--token-file", str(directory / "token")),
                    *(*bind, *arguments),
                ],
                stdout=log,
                stderr=log,
            )
        worker = WorkerProcess(process, directory)
        try:
            worker.wait_ready()
            yield worker
            if process.poll() is None:
                assert worker.terminate() == 0, worker.log()
            worker.assert_clean()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


@dataclass
class ServedHere:
    """A worker that runs in this process, for bounds that have no command line option."""

    socket_path: Path
    token: str

    async def connect(self) -> GatewayClient:
        return await GatewayClient.connect(self.socket_path, self.token)


@asynccontextmanager
async def serving(settings: WorkerSettings) -> AsyncIterator[ServedHere]:
    """Serve `settings` on 127.0.0.1 in a private directory."""
    with tempfile.TemporaryDirectory(prefix="mw-") as name:
        here = ServedHere(Path(name) / "media.sock", "here")
        settings = replace(
            settings,
            socket_path=here.socket_path,
            network=replace(settings.network, bind_addresses=("127.0.0.1",)),
        )
        task = asyncio.create_task(
            serve(settings, token=here.token, comfort=make_comfort_noise())
        )
        await eventually(lambda: here.socket_path.exists() or task.done())
        try:
            yield here
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
