"""Signing in at the real gateway, and what an address without HTTPS says."""

from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, expect

from gateway.demo.stack import Stack
from tests.e2e.browser.conftest import OFFICE_HOST
from tests.e2e.browser.desks import ANA
from tests.web import softphone

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.browser,
    pytest.mark.timeout(120),
    pytest.mark.asyncio(loop_scope="session"),
]


async def test_a_wrong_password_is_told_and_the_right_one_lets_in(
    stack: Stack, humming_browser: Browser
) -> None:
    context = await softphone.context_for(humming_browser, stack.gateway_url)
    page = await context.new_page()
    person = stack.people[ANA]
    await page.goto("/")
    await page.get_by_label("E-mail").fill(person.email)
    await page.get_by_role("textbox", name="Password").fill("not this one")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("E-mail or password is wrong")

    await page.get_by_role("textbox", name="Password").fill(person.password)
    await page.get_by_role("button", name="Sign in").click()
    await softphone.expect_status(page, "Not ready")
    await softphone.sign_out(page)
    await context.close()


async def test_an_address_that_gets_no_microphone_says_so_before_anybody_signs_in(
    stack: Stack, humming_browser: Browser
) -> None:
    port = urlsplit(stack.gateway_url).port
    context = await softphone.context_for(
        humming_browser, f"http://{OFFICE_HOST}:{port}", permissions=[]
    )
    page = await context.new_page()
    await page.goto("/")
    hint = page.get_by_role("alert")
    await expect(hint).to_contain_text("cannot use the microphone")
    await expect(hint).to_contain_text(f"ssh -L {port}:localhost:{port} {OFFICE_HOST}")

    person = stack.people[ANA]
    await page.get_by_label("E-mail").fill(person.email)
    await page.get_by_role("textbox", name="Password").fill(person.password)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_text("the gateway takes no password here")).to_be_visible()
    await context.close()
