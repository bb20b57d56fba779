"""`callgate demo` as a newcomer runs it."""

import asyncio
import re
import signal
import socket
import ssl
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import aiohttp
import psutil
import pytest

from gateway.demo.headless_agent import HeadlessAgent

PATIENCE_S = 90.0
RunDemo = Callable[..., AbstractAsyncContextManager[tuple[Process, str]]]

pytestmark = pytest.mark.timeout(240)


@asynccontextmanager
async def demo(*arguments: str) -> AsyncIterator[tuple[Process, str]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "demo", *arguments, stdout=PIPE, stderr=STDOUT
    )
    assert process.stdout is not None
    text = ""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while "Ctrl-C ends the demo" not in text:
                line = (await process.stdout.readline()).decode()
                assert line, text
                text += line
        yield process, text
    finally:
        if process.returncode is None:
            process.terminate()
            await asyncio.wait_for(process.wait(), PATIENCE_S)


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match, text
    return match[1]


def running_in(folder: str) -> list[str]:
    lines = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        is_dead = process.info["status"] == psutil.STATUS_ZOMBIE
        if not is_dead and any(folder in word for word in words):
            lines.append(" ".join(words))
    return lines


async def until_gone(folder: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while running_in(folder):  # noqa: ASYNC110 (other processes have no event to wait for)
            await asyncio.sleep(0.05)


async def test_the_printed_login_works_and_nothing_is_left_at_the_end() -> None:
    async with demo("--port", "0", "--phone-port", "0") as (process, text):
        url = found(r"softphone\s+(http://127\.0\.0\.1:\d+)", text)
        email, password = found(r"(ana@\S+)", text), found(r"ana@\S+\s+(\S+)", text)
        folder = found(r"Logs and data: (\S+)", text)
        async with HeadlessAgent(url, email, password) as agent:
            assert agent.me["user"]["email"] == email
        async with (
            aiohttp.ClientSession() as http,
            http.get(found(r"phone page\s+(\S+)", text)) as page,
        ):
            assert page.status == 200
        assert running_in(folder)

        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), PATIENCE_S) == 0

    assert running_in(folder) == []
    assert not Path(folder).exists()  # noqa: ASYNC240 (a look, in a test that waits anyway)


async def test_a_killed_demo_takes_its_processes_along() -> None:
    async with demo("--port", "0", "--phone-port", "0") as (process, text):
        folder = found(r"Logs and data: (\S+)", text)
        assert running_in(folder)
        process.kill()
        await process.wait()

        await until_gone(folder)


async def test_on_the_lan_it_serves_https_with_a_certificate_of_its_own() -> None:
    async with demo("--lan", "--port", "0", "--phone-port", "0") as (_, text):
        port = int(found(r"softphone\s+https://127\.0\.0\.1:(\d+)", text))
        folder = Path(found(r"Logs and data: (\S+)", text))
        trust = ssl.create_default_context(cafile=folder / "demo-certificate.pem")
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"https://127.0.0.1:{port}/readyz", ssl=trust) as answer,
        ):
            assert answer.status == 200


async def test_a_taken_port_is_said_and_another_one_used() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        async with demo("--port", str(taken), "--phone-port", "0") as (_, text):
            assert f"port {taken} cannot be used" in text
            assert f"http://127.0.0.1:{taken}\n" not in text
