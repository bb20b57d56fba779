"""A person at the stand-in's phone page is the WhatsApp user: two tabs, one conversation."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from gateway.demo.check import AGENT_HZ
from gateway.demo.stack import CUSTOMER_PHONE, Stack
from tests.e2e.browser import ears
from tests.e2e.browser.desks import ANA, desks_at, ended_well, go_ready_plainly
from tests.web import softphone

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.browser,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="session"),
]

PLAIN_MICROPHONE = """
(() => {
  const devices = MediaDevices.prototype;
  const open = devices.getUserMedia;
  const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  devices.getUserMedia = function ({ audio }) {
    return open.call(this, { audio: { ...audio, ...plain } });
  };
})()
"""
"""Noise suppression would take the steady tone for noise."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(stack: Stack, humming_browser: Browser) -> AsyncIterator[Page]:
    async with desks_at(stack, humming_browser) as open_desk:
        page = await open_desk(ANA)
        await go_ready_plainly(page)
        yield page


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def phone(stack: Stack, humming_browser: Browser) -> AsyncIterator[Page]:
    """The customer's phone in the same browser; it says nothing unless its button is held."""
    context = await softphone.context_for(humming_browser, stack.phone_url)
    await context.add_init_script(PLAIN_MICROPHONE)
    page = await context.new_page()
    await page.goto("")
    await expect(page.get_by_text("online")).to_be_visible()
    yield page
    await context.close()


async def newest(stack: Stack) -> str:
    return str((await stack.sandbox.calls())[-1]["wacid"])


async def hold_to_talk(stack: Stack, desk: Page, phone: Page) -> None:
    """The customer says nothing, then hums as long as the button is held."""
    await phone.get_by_role("button", name="Talks by itself").click()
    await ears.until_silent(desk)
    button = phone.get_by_role("button", name="Hold to talk")
    await button.hover()
    await phone.mouse.down()
    await ears.until_tone(desk, AGENT_HZ)
    await phone.mouse.up()
    await ears.until_silent(desk)


async def test_the_person_calls_and_talks_with_the_button_held(
    stack: Stack, desk: Page, phone: Page
) -> None:
    await phone.get_by_role("button", name="Call the business").click()
    await softphone.answer(desk)
    await softphone.expect_talking(desk)
    await expect(phone.get_by_role("status")).to_have_text("Connected")
    await hold_to_talk(stack, desk, phone)

    wacid = await newest(stack)
    await phone.get_by_role("button", name="Hang up").click()
    await softphone.expect_status(desk, "Ready")
    await ended_well(stack, wacid)


async def test_the_person_is_called_and_answers(stack: Stack, desk: Page, phone: Page) -> None:
    await softphone.dial(desk, f"+{CUSTOMER_PHONE}")
    await expect(phone.get_by_role("status")).to_have_text("is calling you…")
    await phone.get_by_role("button", name="Answer").click()
    await softphone.expect_talking(desk)
    await hold_to_talk(stack, desk, phone)
    wacid = await newest(stack)
    await softphone.hang_up(desk)
    await expect(phone.get_by_role("status")).to_have_text("The business hung up")
    await ended_well(stack, wacid)


async def test_the_person_declines(stack: Stack, desk: Page, phone: Page) -> None:
    await softphone.dial(desk, f"+{CUSTOMER_PHONE}")
    await phone.get_by_role("button", name="Decline").click()
    await expect(desk.get_by_role("main")).to_contain_text("Rejected")
    await expect(phone.get_by_role("status")).to_have_text("Declined")
