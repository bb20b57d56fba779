"""Calls that do not come about are explained in words, and the desk is ready again."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from gateway.demo.stack import CUSTOMER_ID, CUSTOMER_PHONE, Stack
from tests.e2e.browser.desks import ANA, desks_at
from tests.web import softphone

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.browser,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="session"),
]

SHY_PHONE = "14085550001"
NOBODYS_PHONE = "14085550002"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(stack: Stack, humming_browser: Browser) -> AsyncIterator[Page]:
    """Ana, ready."""
    async with desks_at(stack, humming_browser) as open_desk:
        page = await open_desk(ANA)
        await softphone.go_ready(page)
        yield page


async def try_to_call(page: Page, phone: str) -> None:
    await page.get_by_label("Phone number or user ID").fill(f"+{phone}")
    await page.get_by_role("button", name="Call", exact=True).click()


async def expect_refusal(page: Page, words: str, code: str) -> None:
    main = page.get_by_role("main")
    await expect(main).to_contain_text(words)
    await expect(main).to_contain_text(code)
    await softphone.expect_status(page, "Ready")


async def test_a_user_who_has_not_allowed_calls(stack: Stack, desk: Page) -> None:
    shy = {"wa_id": SHY_PHONE, "name": "Shy", "permission": "no_permission"}
    await stack.sandbox.ask("POST", "/users", shy)
    await try_to_call(desk, SHY_PHONE)
    await expect_refusal(desk, "has not allowed calls from your business", "138006")


async def test_somebody_who_is_not_on_whatsapp(desk: Page) -> None:
    await try_to_call(desk, NOBODYS_PHONE)
    await expect_refusal(desk, "cannot be called on WhatsApp", "138001")


async def test_whatsapp_finds_that_we_call_too_quickly(stack: Stack, desk: Page) -> None:
    fault = {"kind": "graph_rate_limited", "match": "calls.connect", "retry_after_s": 600}
    await stack.sandbox.ask("POST", "/faults", fault)
    await try_to_call(desk, CUSTOMER_PHONE)
    await expect_refusal(desk, "places calls too quickly", "138005")


async def test_a_user_who_rejects_the_call(stack: Stack, desk: Page) -> None:
    await stack.sandbox.behave(CUSTOMER_ID, answers="rejects", answer_after_s=0.5)
    await softphone.dial(desk, f"+{CUSTOMER_PHONE}")
    await expect(softphone.current_call(desk)).to_have_count(0)
    await expect(desk.get_by_role("main")).to_contain_text("Rejected")
    await softphone.expect_status(desk, "Ready")


async def test_a_user_who_does_not_pick_up(stack: Stack, desk: Page) -> None:
    await stack.sandbox.behave(CUSTOMER_ID, answers="never")
    await softphone.dial(desk, f"+{CUSTOMER_PHONE}")
    await softphone.expect_status(desk, "Ringing")
    await expect(softphone.current_call(desk)).to_have_count(0)
    await expect(desk.get_by_role("main")).to_contain_text("No answer")
    await softphone.expect_status(desk, "Ready")


async def test_the_agent_gives_up_before_the_pick_up(stack: Stack, desk: Page) -> None:
    await stack.sandbox.behave(CUSTOMER_ID, answers="never")
    count = len(await stack.sandbox.calls())
    await softphone.dial(desk, f"+{CUSTOMER_PHONE}")
    wacid = (await stack.sandbox.calls(count=count + 1))[-1]["wacid"]
    await softphone.hang_up(desk)
    await stack.sandbox.wait_for(wacid, "call.ended")
    await expect(desk.get_by_role("main")).to_contain_text("Cancelled")
    await softphone.expect_status(desk, "Ready")
