"""Private servers on Unix sockets: the bundled Valkey and the machine's own Redis."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from gateway.adapters.valkey_binary import find_server
from tests.services import reaper

START_MAX_S = 30.0


@dataclass(slots=True)
class RedisServer:
    """A running server that tests may stop, freeze and start again."""

    directory: Path
    program: Path
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def socket(self) -> Path:
        return self.directory / "redis.sock"

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def start(self) -> None:
        assert self.process is None
        self.process = subprocess.Popen(
            [
                *(
                    sys.executable,
                    reaper.__file__,
                    str(self.directory),
                    str(int(signal.SIGKILL)),
                ),
                *("-", str(self.program), "--port", "0", "--unixsocket", str(self.socket)),
                *("--save", "", "--appendonly", "no", "--dir", str(self.directory)),
                *("--logfile", str(self.directory / "log")),
            ],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        deadline = time.monotonic() + START_MAX_S
        while self.ask(b"PING\r\n") != b"+PONG\r\n":
            if time.monotonic() > deadline:
                pytest.fail(f"{self.program} did not start")
            time.sleep(0.01)

    def kill(self) -> None:
        """End it at once, as SIGKILL does; its socket file stays."""
        if self.process is None:
            return
        assert self.process.stdin is not None
        self.process.stdin.write(b"keep")
        self.process.stdin.close()
        self.process.wait(START_MAX_S)
        self.process = None

    def freeze(self) -> None:
        self._server().suspend()

    def thaw(self) -> None:
        self._server().resume()

    def ask(self, command: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(START_MAX_S)
            try:
                client.connect(str(self.socket))
                client.sendall(command)
                return client.recv(4096)
            except OSError:
                return b""

    def _server(self) -> psutil.Process:
        assert self.process is not None
        (server,) = psutil.Process(self.process.pid).children()
        return server


def system_program() -> Path:
    """The machine's own redis-server, which the bus must work with as well."""
    found = shutil.which("redis-server")
    if found is None:
        pytest.fail(
            "redis-server is missing: run `make services` (apt-get install redis-server)"
        )
    return Path(found)


def bundled_program() -> Path:
    return find_server()


@contextmanager
def private_redis(program: Path) -> Iterator[RedisServer]:
    directory = Path(tempfile.mkdtemp(prefix="callgate-redis-", dir=os.environ.get("TMPDIR")))
    server = RedisServer(directory, program)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(params=["bundled valkey", "system redis"])
def redis_server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """A server of each kind, private to the test."""
    program = bundled_program() if request.param == "bundled valkey" else system_program()
    with private_redis(program) as server:
        yield server
