"""The built app, a browser, and a fake gateway for each test."""

import subprocess
import sys
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Playwright, async_playwright

from tests.web import softphone
from tests.web.fake_gateway import FakeGateway

ROOT = Path(__file__).parent.parent.parent
WEB = ROOT / "web"

OpenPage = Callable[..., Awaitable[Page]]


@pytest.fixture(scope="session")
def dist() -> Path:
    """The built app; built anew only if a source is younger."""
    index = WEB / "dist" / "index.html"
    sources = [WEB / "index.html", WEB / "vite.config.ts", WEB / "package-lock.json"]
    sources += [p for folder in ("src", "public") for p in (WEB / folder).rglob("*")]
    youngest = max(path.stat().st_mtime for path in sources if path.is_file())
    if not index.exists() or index.stat().st_mtime < youngest:
        node = [str(ROOT / "tools" / "with-node"), sys.prefix, "npm", "--prefix", str(WEB)]
        if not (WEB / "node_modules" / ".package-lock.json").exists():
            subprocess.run([*node, "ci"], check=True, cwd=ROOT)
        subprocess.run([*node, "run", "build"], check=True, cwd=ROOT)
    return WEB / "dist"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def playwright() -> AsyncIterator[Playwright]:
    async with async_playwright() as started:
        yield started


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(playwright: Playwright) -> AsyncIterator[Browser]:
    launched = await softphone.launch(playwright)
    yield launched
    await launched.close()


@pytest_asyncio.fixture(loop_scope="session")
async def gateway(dist: Path) -> AsyncIterator[FakeGateway]:
    """One account with an agent (u1, sari), a second agent and a supervisor."""
    started = FakeGateway(dist)
    started.add_person("sari@example.test", "Sari Wulandari")
    started.add_person("dewi@example.test", "Dewi Lestari")
    started.add_person("agus@example.test", "Agus Salim", "supervisor")
    await started.start()
    yield started
    await started.close()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser, gateway: FakeGateway) -> AsyncIterator[OpenPage]:
    """Open a page in a profile of its own; every error on its console fails the test."""
    complaints: list[str] = []
    contexts = []

    async def opened(in_browser: Browser | None = None, **options: object) -> Page:
        context = await softphone.context_for(in_browser or browser, gateway.url, **options)
        contexts.append(context)
        page = await context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda m: complaints.append(m.text) if "Content Security Policy" in m.text else None,
        )
        return page

    yield opened
    for context in contexts:
        await context.close()
    assert complaints == []


@pytest_asyncio.fixture(loop_scope="session")
async def page(open_page: OpenPage) -> Page:
    """Sari, signed in."""
    opened = await open_page()
    await softphone.login(opened, "sari@example.test", "secret")
    return opened


def write_wav(path: Path, samples: np.ndarray) -> str:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(samples.astype(np.int16).tobytes())
    return str(path)


@pytest.fixture(scope="session")
def silence_wav(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A microphone that gives nothing."""
    return write_wav(tmp_path_factory.mktemp("wav") / "silence.wav", np.zeros(48_000 * 2))


@pytest.fixture(scope="session")
def tone_wav(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A microphone that never stops."""
    tone = np.sin(np.arange(48_000 * 2) * (2 * np.pi * 300 / 48_000)) * 12_000
    return write_wav(tmp_path_factory.mktemp("wav") / "tone.wav", tone)
