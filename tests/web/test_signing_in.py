"""The way in and out, and what an insecure address is told."""

import pytest
from playwright.async_api import Page, Playwright, expect

from tests.web import softphone
from tests.web.conftest import OpenPage
from tests.web.fake_gateway import FakeGateway

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_wrong_password_is_named_and_nothing_else(open_page: OpenPage) -> None:
    page = await open_page()
    await page.goto("/")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_text("Enter your e-mail address.")).to_be_visible()
    await page.get_by_label("E-mail").fill("sari@example.test")
    await page.get_by_role("textbox", name="Password").fill("guess")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("E-mail or password is wrong.")


async def test_a_session_survives_a_reload_and_ends_with_sign_out(
    page: Page, gateway: FakeGateway
) -> None:
    await page.reload()
    await softphone.expect_status(page, "Not ready")
    await softphone.sign_out(page)
    assert gateway.sessions == {}
    await page.reload()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_a_session_that_ends_leads_to_the_login_with_a_reason(
    page: Page, gateway: FakeGateway
) -> None:
    gateway.sessions.clear()
    await gateway.drop_sockets(4401)
    await expect(page.get_by_text("Your session has ended.")).to_be_visible()
    await page.get_by_label("E-mail").fill("dewi@example.test")
    await page.get_by_role("textbox", name="Password").fill("secret")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("button", name="Account of Dewi Lestari")).to_be_visible()
    await softphone.expect_status(page, "Not ready")


async def test_a_gateway_that_is_away_is_said_and_can_be_tried_again(
    open_page: OpenPage, gateway: FakeGateway
) -> None:
    page = await open_page()
    await page.goto("/")
    await gateway.stop()
    await page.get_by_label("E-mail").fill("sari@example.test")
    await page.get_by_role("textbox", name="Password").fill("secret")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    await gateway.start()
    await page.get_by_role("button", name="Sign in").click()
    await softphone.expect_status(page, "Not ready")


async def test_language_and_appearance_are_chosen_before_signing_in_and_kept(
    open_page: OpenPage,
) -> None:
    page = await open_page()
    await page.goto("/")
    await page.get_by_role("combobox", name="Language").click()
    await page.get_by_role("option", name="Bahasa Indonesia").click()
    await expect(page.get_by_role("heading", name="Masuk")).to_be_visible()
    await expect(page.locator("html")).to_have_attribute("lang", "id")
    await page.get_by_text("Gelap", exact=True).click()
    await page.reload()
    await expect(page.get_by_role("heading", name="Masuk")).to_be_visible()
    await expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")


async def test_an_insecure_address_is_named_with_what_to_do(
    playwright: Playwright, gateway: FakeGateway
) -> None:
    args = [*softphone.ARGS, "--host-resolver-rules=MAP gateway.test 127.0.0.1"]
    browser = await softphone.launch(playwright, args)
    try:
        url = f"http://gateway.test:{gateway.port}"
        context = await softphone.context_for(browser, url, permissions=[])
        page = await context.new_page()
        await page.goto("/")
        alert = page.get_by_role("alert")
        await expect(alert).to_contain_text("cannot use the microphone")
        await expect(alert).to_contain_text(f"ssh -L {gateway.port}:localhost:{gateway.port}")
        await softphone.login(page, "sari@example.test", "secret")
        await page.get_by_role("button", name="Go ready").click()
        failed = page.locator("[data-check=origin][data-state=failed]")
        await expect(failed).to_contain_text("https://")
        await softphone.expect_status(page, "Not ready")
    finally:
        await browser.close()
