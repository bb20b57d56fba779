"""Going ready: all checks pass, or the one that fails says what to do."""

import pytest
from playwright.async_api import Page, Playwright, expect

from tests.web import softphone
from tests.web.conftest import OpenPage
from tests.web.fake_gateway import FakeGateway
from tests.web.scenes import until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def fail_with(
    playwright: Playwright, open_page: OpenPage, args: list[str], check: str
) -> tuple[Page, str]:
    """Go ready in a browser with these arguments; return what the failed check says."""
    browser = await softphone.launch(playwright, args)
    page = await open_page(browser, permissions=[])
    await softphone.login(page, "sari@example.test", "secret")
    await page.get_by_role("button", name="Go ready").click()
    failed = page.locator(f"[data-check={check}][data-state=failed]")
    await expect(failed).to_be_visible()
    text = await failed.inner_text()
    await softphone.expect_status(page, "Not ready")
    return page, text


async def test_ready_means_leg_up_channel_open_and_told_to_the_gateway(
    page: Page, gateway: FakeGateway
) -> None:
    await softphone.go_ready(page)
    (leg,) = gateway.legs.values()
    assert leg.peer.connectionState == "connected"
    assert leg.channel_open.is_set()
    assert gateway.availability["u1"] == "available"
    assert gateway.me("u1")["availability"] == "available"


async def test_the_offer_has_one_audio_line_both_ways_and_complete_candidates(
    page: Page, gateway: FakeGateway
) -> None:
    await softphone.go_ready(page)
    (offer,) = [body["offer"] for _, path, body in gateway.requests if path.endswith("-legs") and body]
    assert offer.count("m=audio") == 1
    assert offer.count("m=application") == 1
    assert offer.count("m=") == 2
    assert "a=sendrecv" in offer
    assert "a=candidate:" in offer


async def test_going_away_lets_go_of_leg_and_microphone(
    page: Page, gateway: FakeGateway
) -> None:
    await softphone.go_ready(page)
    await softphone.go_away(page)
    await until(lambda: gateway.legs == {}, "the leg is given back")
    assert gateway.availability["u1"] == "away"
    await softphone.go_ready(page)
    assert len(gateway.legs) == 1


async def test_a_refused_microphone_is_explained(
    playwright: Playwright, open_page: OpenPage, gateway: FakeGateway
) -> None:
    args = [arg for arg in softphone.ARGS if "fake-ui" not in arg]
    page, text = await fail_with(
        playwright, open_page, [*args, softphone.DENY_MICROPHONE], "permission"
    )
    assert "not allowed" in text
    assert "address bar" in text
    assert gateway.legs == {}
    assert gateway.availability["u1"] == "away"
    await page.context.browser.close()  # type: ignore[union-attr]


async def test_a_missing_microphone_is_explained(
    playwright: Playwright, open_page: OpenPage
) -> None:
    args = [arg for arg in softphone.ARGS if "fake-device" not in arg]
    page, text = await fail_with(playwright, open_page, args, "device")
    assert "No microphone was found" in text
    assert "headset" in text
    await page.context.browser.close()  # type: ignore[union-attr]


async def test_a_silent_microphone_is_explained_and_may_be_overruled(
    playwright: Playwright, open_page: OpenPage, silence_wav: str
) -> None:
    args = [*softphone.ARGS, f"--use-file-for-fake-audio-capture={silence_wav}"]
    page, text = await fail_with(playwright, open_page, args, "level")
    assert "Nothing was heard" in text
    await page.get_by_role("button", name="Go ready anyway").click()
    await softphone.expect_status(page, "Ready")
    await page.context.browser.close()  # type: ignore[union-attr]


async def test_a_blocked_path_is_explained_and_can_be_tried_again(
    page: Page, gateway: FakeGateway
) -> None:
    gateway.legs_blocked = True
    await page.get_by_role("button", name="Go ready").click()
    failed = page.locator("[data-check=path][data-state=failed]")
    await expect(failed).to_contain_text("firewall")
    assert gateway.availability["u1"] == "away"
    gateway.legs_blocked = False
    await page.get_by_role("button", name="Try again").click()
    await softphone.expect_status(page, "Ready")


async def test_what_the_gateway_says_about_the_path_is_shown(
    page: Page, gateway: FakeGateway
) -> None:
    gateway.refuse("agent-legs", "media_away", 503)
    await page.get_by_role("button", name="Go ready").click()
    failed = page.locator("[data-check=path][data-state=failed]")
    await expect(failed).to_contain_text("media service is not reachable")


async def test_without_being_ready_a_call_shows_but_cannot_be_answered(
    page: Page, gateway: FakeGateway
) -> None:
    await gateway.ring(["u1"])
    card = softphone.incoming(page)
    await expect(card.get_by_role("button", name="Answer")).to_be_disabled()
    await expect(card).to_contain_text("Go ready to answer.")


async def test_no_sound_before_a_gesture_is_said(
    playwright: Playwright, open_page: OpenPage, gateway: FakeGateway
) -> None:
    args = [arg for arg in softphone.ARGS if "autoplay" not in arg]
    browser = await softphone.launch(playwright, args)
    page = await open_page(browser)
    await softphone.login(page, "sari@example.test", "secret")
    await softphone.go_ready(page)
    await expect(page.get_by_text("keeps this page silent")).to_have_count(0)
    await browser.close()


async def test_audio_settings_reach_the_microphone_and_are_kept(
    page: Page, gateway: FakeGateway
) -> None:
    await softphone.choose_plain_microphone(page)
    await softphone.go_ready(page)
    await page.reload()
    await softphone.open_page(page, "Settings")
    group = page.get_by_role("group", name="Microphone processing")
    for name in ("Echo cancellation", "Noise suppression", "Automatic volume"):
        await expect(group.get_by_role("switch", name=name)).not_to_be_checked()
