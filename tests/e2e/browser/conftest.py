"""One stack for the folder, browsers whose microphone hums, and desks of the people."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Playwright

from gateway.demo.check import AGENT_HZ
from gateway.demo.sound import RATE, TONE_AMPLITUDE
from gateway.demo.stack import Stack, StackOptions
from tests.e2e.browser.desks import OpenDesk, desks_at
from tests.e2e.conftest import fresh_stack
from tests.web import softphone
from tests.web.conftest import dist, playwright, write_wav

__all__ = ["dist", "playwright"]

OFFICE_HOST = "office.test"
"""A name for this machine that browsers do not trust without HTTPS, as one in an office."""
RING_S = "4"
"""Short, so that a missed call does not take half a minute."""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stack(dist: Path) -> AsyncIterator[Stack]:
    """One stack for all tests of the folder; they leave no call behind."""
    async with fresh_stack(StackOptions(settings={"ring_outbound_max_s": RING_S})) as running:
        yield running


@pytest.fixture(scope="session")
def humming_wav(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A microphone that hums the agent's tone; whole periods, so it loops without a click."""
    phase = np.arange(RATE * 2) * (2 * np.pi * AGENT_HZ / RATE)
    samples = np.sin(phase) * TONE_AMPLITUDE * 32767
    return write_wav(tmp_path_factory.mktemp("wav") / "hum.wav", samples)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def humming_browser(playwright: Playwright, humming_wav: str) -> AsyncIterator[Browser]:
    args = [
        *softphone.ARGS,
        f"--use-file-for-fake-audio-capture={humming_wav}",
        f"--host-resolver-rules=MAP {OFFICE_HOST} 127.0.0.1",
    ]
    browser = await softphone.launch(playwright, args)
    yield browser
    await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def open_desk(stack: Stack, humming_browser: Browser) -> AsyncIterator[OpenDesk]:
    """`open_desk(place)`: that person of the stack, signed in, in a profile of their own."""
    async with desks_at(stack, humming_browser) as open_one:
        yield open_one
