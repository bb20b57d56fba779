"""A private PostgreSQL cluster on a Unix socket."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from tests.services import reaper

START_MAX_S = 60.0
INSTALL = "PostgreSQL's server is missing: `make services` (or apt-get install postgresql)"


@dataclass(slots=True)
class PostgresServer:
    """A running cluster; `stop` and `start` it in outage tests."""

    directory: Path
    owner: str | None
    process: "subprocess.Popen[bytes] | None" = None

    def url(self, name: str = "postgres") -> str:
        return f"postgresql://postgres@/{name}?host={self.directory}"

    @property
    def pid(self) -> int:
        return int((self.directory / "data" / "postmaster.pid").read_text().split()[0])

    def start(self) -> None:
        command = [
            *(str(binary("postgres")), "-D", str(self.directory / "data")),
            *("-k", str(self.directory), "-c", "listen_addresses="),
            *("-c", "fsync=off", "-c", "max_connections=60", "-c", "shared_buffers=16MB"),
        ]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, reaper.__file__, str(self.directory)),
                    *(str(int(signal.SIGINT)), self.owner or "-"),
                    *command,
                ],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait_until_ready()

    def stop(self) -> None:
        """Stop it fast: connections are cut."""
        if self.process is None:
            return
        assert self.process.stdin is not None
        self.process.stdin.write(b"keep")
        self.process.stdin.close()
        self.process.wait(START_MAX_S)
        self.process = None

    def kill_backends(self) -> None:
        """Crash: every connection breaks and the server recovers by itself."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        for child in children:
            line = Path(f"/proc/{child}/cmdline").read_bytes()
            if b"postgres: postgres" in line:
                os.kill(int(child), signal.SIGKILL)
                return

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_MAX_S
        while time.monotonic() < deadline:
            probe = subprocess.run(
                [str(binary("pg_isready")), "-q", "-h", str(self.directory)], check=False
            )
            if probe.returncode == 0:
                return
            time.sleep(0.05)
        pytest.fail(f"PostgreSQL did not start:\n{(self.directory / 'log').read_text()}")


def binary(name: str) -> Path:
    """Find one of the server's programs: Debian keeps them off the PATH."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / name).exists():
            return folder / name
    found = shutil.which(name)
    if found is None:
        pytest.fail(INSTALL)
    return Path(found)


@contextmanager
def private_postgres() -> Iterator[PostgresServer]:
    """Run a cluster of one's own. PostgreSQL refuses root: then it runs as `postgres`."""
    owner = "postgres" if os.getuid() == 0 else None
    directory = Path(tempfile.mkdtemp(prefix="callgate-pg-"))
    if owner is not None:
        os.chown(directory, pwd.getpwnam(owner).pw_uid, -1)
    server = PostgresServer(directory, owner)
    try:
        subprocess.run(
            [
                *(str(binary("initdb")), "-D", str(directory / "data"), "-U", "postgres"),
                *("-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"),
            ],
            check=True,
            capture_output=True,
            user=owner,
            cwd="/",
        )
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The cluster that all tests of a run share; databases in it are private."""
    with private_postgres() as server:
        yield server


@asynccontextmanager
async def fresh_database(
    server: PostgresServer, name: str, template: str
) -> AsyncIterator[str]:
    """Create a database, yield its URL, drop it."""
    admin = await asyncpg.connect(server.url())
    try:
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        yield server.url(name)
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await asyncio.wait_for(admin.close(), START_MAX_S)
