"""A command line on a data directory of its own, and a stand-in for Graph."""

import asyncio
import hashlib
import http.server
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path

import pytest
import structlog

from gateway import cli
from gateway.adapters.system_clock import SystemClock
from gateway.core.ids import CallId
from gateway.core.quota.charge import Recorded, Stamp
from gateway.core.recording.files import recording_key
from gateway.foundation import Foundation, open_foundation
from gateway.ports.recordings import Assembled, Recording
from gateway.settings import load
from tests.services.sqlite import put_migrated


@dataclass(frozen=True, slots=True)
class Ran:
    """What one command did."""

    code: int
    out: str
    err: str


Callgate = Callable[..., Ran]
Record = Callable[..., Path]
CID = "C-1001"
CALL, OTHER = CallId("c" * 26), CallId("d" * 26)


@pytest.fixture
def data_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in list(os.environ):
        if name.startswith("CALLGATE_"):
            monkeypatch.delenv(name)
    path = tmp_path / "data"
    path.mkdir(mode=0o700)
    put_migrated(path / "callgate.db")
    monkeypatch.setenv("CALLGATE_DATA_DIR", str(path))
    # Cheap hashes: the cost of argon2 is not what these tests are about.
    monkeypatch.setenv("CALLGATE_ARGON2_MEMORY_KIB", "64")
    monkeypatch.setenv("CALLGATE_ARGON2_PASSES", "1")
    monkeypatch.setenv("CALLGATE_ARGON2_LANES", "1")
    return path


@pytest.fixture
def callgate(data_dir: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Callgate]:
    """Run a command in this process, expecting success unless `code` says otherwise."""

    def call(*arguments: str, code: int = 0) -> Ran:
        capfd.readouterr()
        found = cli.run(list(arguments))
        shown = capfd.readouterr()
        ran = Ran(found, shown.out, shown.err)
        assert ran.code == code, ran
        assert "Traceback" not in ran.err
        return ran

    yield call
    structlog.reset_defaults()


@pytest.fixture
def record(callgate: Callgate) -> Record:
    """Note a recording of a minute with its file, and return where that lies."""
    callgate("account", "add", CID, "--name", "Toko", "--timezone", "Asia/Jakarta")

    def recorded(
        call_id: CallId = CALL, *, age_s: float = 0.0, content: bytes | None = None
    ) -> Path:
        return asyncio.run(_record(call_id, age_s, content or os.urandom(1_000)))

    return recorded


async def _record(call_id: CallId, age_s: float, content: bytes) -> Path:
    settings, clock = load(), SystemClock()
    async with open_foundation(settings, clock) as stores:
        account_id = (await stores.accounts.account(CID)).account_id
        key, at = recording_key(account_id, call_id), clock.wall() - age_s
        path = settings.recordings_path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        made = Assembled(
            file=key,
            peaks=None,
            duration_ms=60_000,
            bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            began_at=at,
            segments=(),
        )
        await _keep(stores, Recording(call_id, account_id, made, at))
        return path


async def _keep(stores: Foundation, recording: Recording) -> None:
    await stores.recordings.keep(recording, Recorded(0), Stamp(recording.finished_at))


@dataclass(slots=True)
class FakeGraph:
    """Answers every GET as it is told to."""

    url: str
    status: int = 200
    body: object = field(default_factory=lambda: {"id": "1"})
    clock_off_s: float = 0.0
    asked: list[tuple[str, str]] = field(default_factory=list)


@pytest.fixture
def graph(monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> Iterator[FakeGraph]:
    fake = FakeGraph("")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fake.asked.append((self.path, self.headers.get("Authorization", "")))
            body = json.dumps(fake.body).encode()
            self.send_response_only(fake.status)
            self.send_header("Date", formatdate(time.time() + fake.clock_off_s, usegmt=True))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name there)
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("CALLGATE_WHATSAPP_GRAPH_URL", fake.url)
    yield fake
    server.shutdown()
    thread.join()
    server.server_close()
