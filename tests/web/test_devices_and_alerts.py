"""Headsets that come and go, and how a call makes itself noticed."""

import asyncio
from collections.abc import Callable

import pytest
from playwright.async_api import Page, Playwright, expect

from tests.web import softphone
from tests.web.conftest import OpenPage
from tests.web.fake_gateway import FakeGateway
from tests.web.scenes import PAUSE_S, TRIES, talk, until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

NOTE_NOTIFICATIONS = """
window.Notification = class {
  static permission = "granted";
  static requestPermission() { return Promise.resolve("granted"); }
  constructor(title, options) {
    const before = sessionStorage.notified ?? "";
    sessionStorage.notified = `${before}${title}|${options.body};`;
  }
  close() { sessionStorage.closed = "yes"; }
};
"""
TWO_DEVICES = "--use-fake-device-for-media-stream=device-count=2"


async def test_another_microphone_takes_over_in_a_call_without_a_new_leg(
    playwright: Playwright, open_page: OpenPage, gateway: FakeGateway
) -> None:
    args = [arg for arg in softphone.ARGS if "fake-device" not in arg]
    browser = await softphone.launch(playwright, [*args, TWO_DEVICES])
    page = await open_page(browser)
    await softphone.login(page, "sari@example.test", "secret")
    call_id = await talk(page, gateway)
    leg_id = gateway.leg_of[call_id]
    await softphone.open_page(page, "Settings")
    await page.get_by_role("combobox", name="Microphone").click()
    await page.get_by_role("option", name="Fake Audio Input 2").click()
    await softphone.open_page(page, "Phone")
    leg = gateway.leg_on(call_id)
    heard = leg.frames_heard
    await until(lambda: leg.frames_heard > heard + 100, "the stream goes on")
    await until(lambda: leg.loudness() > 0.002, "the other microphone is heard")
    assert gateway.leg_of[call_id] == leg_id
    assert len(gateway.legs) == 1
    await softphone.hang_up(page)
    await expect(page.get_by_text("Microphone: Fake Audio Input 2")).to_be_visible()
    await browser.close()


async def test_a_call_to_a_hidden_page_notifies_once_and_takes_it_back(
    page: Page, gateway: FakeGateway
) -> None:
    await page.context.add_init_script(NOTE_NOTIFICATIONS)
    await page.reload()
    # A page without the focus, as when the person works in another window.
    await page.evaluate("document.hasFocus = () => false")
    await softphone.go_ready(page)
    mirror = await page.context.new_page()
    await mirror.goto("/")
    await softphone.expect_status(mirror, "In another tab")
    await mirror.evaluate("document.hasFocus = () => false")
    call_id = await gateway.ring(["u1"])
    await softphone.expect_status(mirror, "Incoming call")
    await expect(softphone.incoming(page)).to_be_visible()
    notified = await page.evaluate("sessionStorage.notified")
    assert notified == "Incoming call from Budi Santoso|On +62 21 5550 0100;"
    assert await mirror.evaluate("sessionStorage.notified ?? null") is None
    await gateway.end(call_id, "missed")
    await softphone.expect_status(page, "Ready")
    assert await page.evaluate("sessionStorage.closed") == "yes"


async def test_the_ring_is_heard_and_stops_with_the_call(
    page: Page, gateway: FakeGateway
) -> None:
    await page.context.add_init_script(COUNT_OSCILLATORS)
    await page.reload()
    await softphone.go_ready(page)
    before = await page.evaluate("Number(sessionStorage.oscillators ?? 0)")
    call_id = await gateway.ring(["u1"])
    await expect_count(page, "oscillators", lambda count: count >= before + 6)
    await gateway.end(call_id, "missed")
    await softphone.expect_status(page, "Ready")
    await expect_count(page, "sounding", lambda count: count == 0)


async def expect_count(page: Page, name: str, holds: Callable[[int], bool]) -> None:
    for _ in range(TRIES):
        if holds(int(await page.evaluate(f"Number(sessionStorage.{name} ?? 0)"))):
            return
        await asyncio.sleep(PAUSE_S)
    raise AssertionError(name)


COUNT_OSCILLATORS = """
sessionStorage.oscillators = 0;
sessionStorage.sounding = 0;
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...when) {
  sessionStorage.oscillators = Number(sessionStorage.oscillators) + 1;
  sessionStorage.sounding = Number(sessionStorage.sounding) + 1;
  this.addEventListener("ended", () => {
    sessionStorage.sounding = Number(sessionStorage.sounding) - 1;
  });
  return start.apply(this, when);
};
"""
