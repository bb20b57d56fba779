"""What a person does with the softphone, as steps that any browser test may use.

All steps act on roles and names as a person (or a screen reader) perceives them, in English; open
pages with `context_for` so that the language is set. No step waits longer than `PATIENCE_MS`.
"""

import re
from typing import Any

from playwright.async_api import Browser, BrowserContext, Locator, Page, Playwright, expect

PATIENCE_MS = 30_000

CHROMIUM = "/usr/bin/chromium"
ARGS = [
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
]
DENY_MICROPHONE = "--use-fake-ui-for-media-stream=deny"

expect.set_options(timeout=PATIENCE_MS)


async def launch(playwright: Playwright, args: list[str] | None = None) -> Browser:
    """Start Chromium with a fake microphone that is always allowed (a beep every second).

    Add `--use-file-for-fake-audio-capture=FILE.wav` to `ARGS` for a microphone that says FILE.
    """
    return await playwright.chromium.launch(
        executable_path=CHROMIUM, args=ARGS if args is None else args
    )


async def context_for(browser: Browser, url: str, **options: Any) -> BrowserContext:
    """Return a fresh profile at the gateway's address, with the microphone allowed."""
    context = await browser.new_context(
        **{"base_url": url, "locale": "en-GB", "permissions": ["microphone"], **options}
    )
    context.set_default_timeout(PATIENCE_MS)
    return context


async def login(page: Page, email: str, password: str) -> None:
    """Open the app and sign in; done when the phone's page shows."""
    await page.goto("/")
    await page.get_by_label("E-mail").fill(email)
    await page.get_by_role("textbox", name="Password").fill(password)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("navigation", name="Main").first).to_be_visible()


async def choose_plain_microphone(page: Page) -> None:
    """Switch echo cancellation, noise suppression and automatic volume off (they eat tones)."""
    await open_page(page, "Settings")
    processing = page.get_by_role("group", name="Microphone processing")
    for name in ("Echo cancellation", "Noise suppression", "Automatic volume"):
        await processing.get_by_role("switch", name=name).uncheck(force=True)
    await open_page(page, "Phone")


async def open_page(page: Page, name: str) -> None:
    """Follow the navigation: Phone, Calls or Settings."""
    navigation = page.get_by_role("navigation", name="Main")
    await navigation.get_by_role("link", name=name, exact=True).locator("visible=true").click()


async def go_ready(page: Page) -> None:
    """Pass the pre-flight; done when calls are offered here."""
    await page.get_by_role("button", name="Go ready", exact=True).click()
    await expect_status(page, "Ready")


async def go_away(page: Page) -> None:
    await page.get_by_role("button", name="Go away").click()
    await expect_status(page, "Not ready")


def status(page: Page) -> Locator:
    """The phone's state in the header."""
    return page.get_by_test_id("status")


async def expect_status(page: Page, text: str) -> None:
    await expect(status(page)).to_have_text(text)


def incoming(page: Page) -> Locator:
    """The card of a call that rings here."""
    return page.get_by_role("region", name="Incoming call")


def current_call(page: Page) -> Locator:
    return page.get_by_role("region", name="Current call")


async def answer(page: Page) -> None:
    """Answer what rings; done when the call is this person's (not yet: talking)."""
    await incoming(page).get_by_role("button", name="Answer").click()
    await expect(current_call(page)).to_be_visible()


async def decline(page: Page) -> None:
    await incoming(page).get_by_role("button", name="Decline").click()
    await expect(incoming(page)).to_have_count(0)


async def dial(page: Page, to: str, number: str | None = None) -> None:
    """Call a phone number or user id; done when the call shows."""
    if number is not None:
        await page.get_by_label("Call from").select_option(label=number)
    await page.get_by_label("Phone number or user ID").fill(to)
    await page.get_by_role("button", name="Call", exact=True).click()
    await expect(current_call(page)).to_be_visible()


async def expect_talking(page: Page) -> None:
    """Talking, and sound of the other side arrives here."""
    await expect_status(page, "In a call")


async def mute(page: Page) -> None:
    await current_call(page).get_by_role("button", name="Mute").click()
    await expect(current_call(page).get_by_role("button", name="Unmute")).to_be_visible()


async def unmute(page: Page) -> None:
    await current_call(page).get_by_role("button", name="Unmute").click()
    await expect(current_call(page).get_by_role("button", name="Mute")).to_be_visible()


async def hold(page: Page) -> None:
    await current_call(page).get_by_role("button", name="Hold").click()
    await expect_status(page, "On hold")


async def resume_from_hold(page: Page) -> None:
    await current_call(page).get_by_role("button", name="Resume").click()
    await expect_talking(page)


async def hang_up(page: Page) -> None:
    """End the call (or cancel it while it rings there)."""
    button = current_call(page).get_by_role("button", name=re.compile("^(Hang up|Cancel call)$"))
    await button.click()
    await expect(current_call(page)).to_have_count(0)


async def sign_out(page: Page) -> None:
    await page.get_by_role("button", name=re.compile("^Account of")).click()
    await page.get_by_role("menuitem", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def seconds_talked(page: Page) -> int:
    """What the timer shows."""
    text = await current_call(page).get_by_role("timer").inner_text()
    seconds = 0
    for part in text.split(":"):
        seconds = seconds * 60 + int(part)
    return seconds
