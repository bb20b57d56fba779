"""A call goes on whatever happens to the page or to the gateway."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from gateway.demo.check import AGENT_HZ, CUSTOMER_HZ
from gateway.demo.stack import Stack
from tests.e2e.browser import ears
from tests.e2e.browser.desks import (
    ANA,
    customer_hears,
    customer_hears_silence,
    customer_hears_the_tune,
    desks_at,
    ended_well,
    go_ready_plainly,
    talk,
)
from tests.web import softphone

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.browser,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="session"),
]

Conversation = tuple[Page, str]
"""The agent's page, and the call's name at WhatsApp."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def conversation(stack: Stack, humming_browser: Browser) -> AsyncIterator[Conversation]:
    """One call that outlives all that the tests do to it; each leaves it as it found it."""
    async with desks_at(stack, humming_browser) as open_desk:
        page = await open_desk(ANA)
        # "A call is in progress": leave the page anyway.
        page.on("dialog", lambda dialog: dialog.accept())
        await go_ready_plainly(page)
        wacid = await talk(stack, page)
        yield page, wacid
        await softphone.hang_up(page)
        await ended_well(stack, wacid)
        await softphone.expect_status(page, "Ready")


async def test_mute_silences_the_agent_and_only_the_agent(
    stack: Stack, conversation: Conversation
) -> None:
    page, wacid = conversation
    await softphone.mute(page)
    await customer_hears_silence(stack, wacid)
    assert (await ears.tone(page)).is_near(CUSTOMER_HZ)

    await softphone.unmute(page)
    await customer_hears(stack, wacid, AGENT_HZ)


async def test_on_hold_neither_hears_the_other(
    stack: Stack, conversation: Conversation
) -> None:
    page, wacid = conversation
    await softphone.hold(page)
    await ears.until_silent(page)
    await customer_hears_the_tune(stack, wacid)

    await softphone.resume_from_hold(page)
    await ears.until_tone(page, CUSTOMER_HZ)
    await customer_hears(stack, wacid, AGENT_HZ)


async def test_the_timer_runs_with_the_call(conversation: Conversation) -> None:
    page, _ = conversation
    before = await softphone.seconds_talked(page)
    timer = softphone.current_call(page).get_by_role("timer")
    await expect(timer).to_have_text(formatted(before + 2))


def formatted(seconds: int) -> str:
    return f"{seconds // 60}:{seconds % 60:02}"


async def test_a_reload_takes_the_call_up_again_by_itself(
    stack: Stack, conversation: Conversation
) -> None:
    page, wacid = conversation
    await page.reload()
    await softphone.expect_talking(page)
    await ears.until_tone(page, CUSTOMER_HZ)
    await customer_hears(stack, wacid, AGENT_HZ)


async def test_a_crash_of_the_gateway_is_not_heard_by_those_who_talk(
    stack: Stack, conversation: Conversation
) -> None:
    page, wacid = conversation
    await stack.kill_gateway()
    await expect(page.get_by_text("No connection to the gateway")).to_be_visible()
    await expect(page.get_by_text("A call in progress goes on meanwhile")).to_be_visible()
    await ears.forget(page)
    await ears.until_tone(page, CUSTOMER_HZ)
    await customer_hears(stack, wacid, AGENT_HZ)

    await stack.start_gateway()
    await expect(page.get_by_text("No connection to the gateway")).to_have_count(0)
    await softphone.expect_talking(page)
    await ears.until_tone(page, CUSTOMER_HZ)
    await customer_hears(stack, wacid, AGENT_HZ)
