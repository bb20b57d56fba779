"""A person at a browser, and the customer they talk with."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Page

from gateway.demo.check import AGENT_HZ, CUSTOMER_DBFS, CUSTOMER_HZ
from gateway.demo.sandbox_control import Report
from gateway.demo.stack import CUSTOMER_ID, CUSTOMER_PHONE, Stack
from media.hold_tune import NOTES_HZ
from tests.e2e.browser import ears
from tests.web import softphone

ANA, BUDI, SARI = 0, 1, 2
"""Places in `Stack.people`: two agents and a supervisor."""

HUM = {"kind": "tone", "frequency_hz": CUSTOMER_HZ, "level_dbfs": CUSTOMER_DBFS}
OpenDesk = Callable[..., Awaitable[Page]]


@asynccontextmanager
async def desks_at(stack: Stack, browser: Browser) -> AsyncIterator[OpenDesk]:
    """Open desks of people of a stack, each signed in, in a profile of its own.

    At the end the calls are over and the pages are left. Errors on a page count as failures.
    """
    complaints: list[str] = []
    pages: list[Page] = []

    async def open_one(place: int, *, in_browser: Browser | None = None) -> Page:
        context = await softphone.context_for(in_browser or browser, stack.gateway_url)
        await context.add_init_script(ears.LISTEN)
        page = await context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        pages.append(page)
        person = stack.people[place]
        await softphone.login(page, person.email, person.password)
        return page

    try:
        yield open_one
    finally:
        await end_calls(stack)
        for page in pages:
            await page.goto("about:blank")  # the gateway hears that they left
            await page.context.close()
    assert complaints == []


async def end_calls(stack: Stack) -> None:
    for call in await stack.sandbox.calls():
        if call["state"] != "ended":
            await stack.sandbox.hang_up(call["wacid"])
            await stack.sandbox.wait_for(call["wacid"], "call.ended")


async def go_ready_plainly(page: Page) -> None:
    """Ready, with a microphone that lets tones pass."""
    await softphone.choose_plain_microphone(page)
    await softphone.go_ready(page)


async def customer_calls(stack: Stack, user_id: str = CUSTOMER_ID, **persona: object) -> str:
    """A customer calls the business and hums; returns the wacid."""
    report = await stack.sandbox.call_business(user_id, **{"says": HUM, **persona})
    return str(report["wacid"])


async def dial_customer(stack: Stack, page: Page, **persona: object) -> str:
    """The agent calls the customer, who picks up and hums; returns the wacid."""
    await stack.sandbox.behave(
        CUSTOMER_ID, **{"answers": "yes", "answer_after_s": 0.5, "says": HUM, **persona}
    )
    count = len(await stack.sandbox.calls())
    await softphone.dial(page, f"+{CUSTOMER_PHONE}")
    return str((await stack.sandbox.calls(count=count + 1))[-1]["wacid"])


async def talk(stack: Stack, page: Page) -> str:
    """The customer calls, the agent answers; returns the wacid once both hear each other."""
    wacid = await customer_calls(stack)
    await softphone.answer(page)
    await softphone.expect_talking(page)
    await ears.until_tone(page, CUSTOMER_HZ)
    await customer_hears(stack, wacid, AGENT_HZ)
    return wacid


async def last_heard(stack: Stack, wacid: str, seconds: float = 0.5) -> Report:
    """What the customer heard most recently."""
    heard = await stack.sandbox.heard(wacid)
    return await stack.sandbox.heard(wacid, from_s=max(0.0, heard["duration_s"] - seconds))


def is_tone(measured: Report, hz: float) -> bool:
    return bool(
        abs(measured["dominant_hz"] - hz) < 15
        and measured["dominant_share"] > 0.5
        and measured["level_dbfs"] > -34
    )


async def customer_hears(stack: Stack, wacid: str, hz: float) -> Report:
    """Wait until the customer hears this tone and little else."""
    return await _until(stack, wacid, lambda measured: is_tone(measured, hz), f"{hz:.0f} Hz")


async def customer_hears_silence(stack: Stack, wacid: str) -> None:
    """Wait until the customer hears nothing of the agent."""
    await _until(stack, wacid, lambda measured: measured["level_dbfs"] < -50, "silence")


async def customer_hears_the_tune(stack: Stack, wacid: str) -> None:
    """Wait until the customer hears a note of the tune of held lines."""

    def is_note(measured: Report) -> bool:
        return any(abs(measured["dominant_hz"] - hertz) < 12 for hertz in NOTES_HZ)

    await _until(
        stack, wacid, lambda told: is_note(told) and told["level_dbfs"] > -45, "the tune"
    )


async def _until(
    stack: Stack, wacid: str, holds: Callable[[Report], bool], wanted: str
) -> Report:
    deadline = time.monotonic() + ears.PATIENCE_S
    while not holds(measured := await last_heard(stack, wacid)):
        brief = {name: value for name, value in measured.items() if name != "levels_dbfs"}
        assert time.monotonic() < deadline, f"waited for {wanted}, the customer heard {brief}"
        await asyncio.sleep(ears.POLL_S)
    return measured


async def ended_well(stack: Stack, wacid: str) -> Report:
    """Wait for the end of a call at WhatsApp; no rule of Meta's was broken in it."""
    report = await stack.sandbox.wait_for(wacid, "call.ended")
    assert report["faults"] == {}
    assert report["outcome"]["status"] == "COMPLETED"
    return report
