"""Situations that several tests start from."""

import asyncio
from collections.abc import Callable

from playwright.async_api import Page

from tests.web import softphone
from tests.web.fake_gateway import FakeGateway

TRIES = 600
PAUSE_S = 0.05


async def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for something in this process, at most half a minute."""
    for _ in range(TRIES):
        if holds():
            return
        await asyncio.sleep(PAUSE_S)
    raise AssertionError(f"did not happen: {what}")


async def talk(page: Page, gateway: FakeGateway) -> str:
    """Sari goes ready, Budi calls, they talk. Returns the call's id."""
    await softphone.go_ready(page)
    call_id = await gateway.ring(["u1"])
    await softphone.answer(page)
    await gateway.pick_up(call_id)
    await softphone.expect_talking(page)
    return call_id
