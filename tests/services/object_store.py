"""A private S3-compatible server (moto), and a proxy before it that misbehaves on demand."""

import asyncio
import io
import itertools
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from pydantic import SecretStr

from gateway.adapters.object_store import ObjectStoreAccess
from tests.services import reaper

START_MAX_S = 60.0
KEY = "AKIATEST"
_count = itertools.count()


@dataclass(frozen=True, slots=True)
class ObjectServer:
    """Where it listens."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fresh_bucket(self) -> str:
        bucket = f"recordings-{os.getpid()}-{next(_count)}"
        self._ask("PUT", bucket)
        return bucket

    def names(self, bucket: str) -> list[str]:
        """List what lies in a bucket."""
        return re.findall("<Key>(.*?)</Key>", self._ask("GET", f"{bucket}?list-type=2"))

    def _ask(self, method: str, path: str) -> str:
        request = urllib.request.Request(f"{self.url}/{path}", method=method)
        request.add_header(
            "Authorization",
            f"AWS4-HMAC-SHA256 Credential={KEY}/20260101/us-east-1/s3/aws4_request",
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return str(answer.read(), "utf-8")


def access_to(url: str, bucket: str, *, request_max_s: float = 30.0) -> ObjectStoreAccess:
    return ObjectStoreAccess(
        bucket=bucket,
        prefix="kept",
        endpoint=url,
        access_key_id=SecretStr(KEY),
        secret_access_key=SecretStr("not a secret"),
        request_max_s=request_max_s,
        retries_max=0,
    )


@pytest.fixture(scope="session")
def object_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    folder = tmp_path_factory.mktemp("moto")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = _start(folder, port)
    try:
        server = ObjectServer(port)
        _wait(server, process)
        yield server
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)


def _start(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [
                *(sys.executable, reaper.__file__, str(folder)),
                *(str(int(signal.SIGTERM)), "-"),
                *(sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)),
            ],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait(server: ObjectServer, process: "subprocess.Popen[bytes]") -> None:
    give_up_at = time.monotonic() + START_MAX_S
    while process.poll() is None and time.monotonic() < give_up_at:
        try:
            with urllib.request.urlopen(f"{server.url}/moto-api/", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError("the object store did not start")


Fault = Callable[[web.Request], Awaitable[web.StreamResponse | None]]
"""Answers instead of the store, or returns None to let the request through."""


@dataclass
class FaultyStore:
    """Passes requests on to the store, but for what `fault` answers itself."""

    server: ObjectServer
    fault: Fault | None = None
    spoil: Callable[[web.Request, bytes], bytes] | None = None
    """Changes what the store answers."""
    seen: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator["FaultyStore"]:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request.method)
        if self.fault is not None:
            own = await self.fault(request)
            if own is not None:
                return own
        body = await request.read()
        skipped = {"host", "content-length", "transfer-encoding"}
        headers = {k: v for k, v in request.headers.items() if k.lower() not in skipped}
        async with (
            ClientSession(auto_decompress=False) as session,
            session.request(
                request.method,
                f"{self.server.url}{request.path_qs}",
                data=io.BytesIO(body),
                headers=headers,
            ) as answer,
        ):
            content = await answer.read()
            spoiled = content if self.spoil is None else self.spoil(request, content)
            kept = {
                k: v
                for k, v in answer.headers.items()
                if k.lower() not in {"transfer-encoding", "date", "server", "connection"}
                and not (k.lower() == "content-length" and request.method != "HEAD")
            }
            return web.Response(status=answer.status, body=spoiled, headers=kept)


async def silent(request: web.Request) -> web.StreamResponse | None:
    """Take the request and never answer."""
    await request.read()
    await asyncio.Event().wait()
    return None


def answering(status: int, code: str | None = None, method: str | None = None) -> Fault:
    """Answer everything, or one method, with one status and, if given, S3's error code."""
    body = None if code is None else f"<Error><Code>{code}</Code><Message>m</Message></Error>"

    async def answer(request: web.Request) -> web.StreamResponse | None:
        if method not in {None, request.method}:
            return None
        await request.read()
        return web.Response(status=status, text=body)

    return answer


async def breaking(request: web.Request) -> web.StreamResponse:
    """Break the connection in the middle of the request."""
    await request.content.read(1)
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@pytest.fixture
async def faulty(object_server: ObjectServer) -> AsyncIterator[FaultyStore]:
    """The server, behind a proxy that may fail and lie."""
    async with FaultyStore(object_server).running() as store:
        yield store
