"""The recording badge tells the truth, and supervisors see the minutes move."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.web import softphone
from tests.web.conftest import OpenPage
from tests.web.fake_gateway import FakeGateway, stamp
from tests.web.scenes import talk
from tests.web.test_pages import serious_faults

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def badge(page: Page) -> Locator:
    return page.get_by_test_id("recording")


def a_recording(state: str, **more: Any) -> dict[str, Any]:
    plain = {"reason": None, "written_ms": 0, "ends_at": None, "duration_ms": None}
    return {"state": state, **plain, **more}


def a_picture(**more: Any) -> dict[str, Any]:
    return {
        "at": stamp(),
        "version": 1,
        "capacity_ms": 6_000_000,
        "used_ms": 3_000_000,
        "reserved_ms": 60_000,
        "free_ms": 2_940_000,
        "overdrawn_ms": 0,
        "suspense_ms": 0,
        "level": 0,
        "empty_at": None,
        "captures": [],
        **more,
    }


async def test_without_recording_nothing_is_said_of_it(
    page: Page, gateway: FakeGateway
) -> None:
    await talk(page, gateway)
    await expect(badge(page)).to_have_count(0)


async def test_the_agent_knows_before_answering(page: Page, gateway: FakeGateway) -> None:
    await softphone.go_ready(page)
    call_id = await gateway.ring(["u1"])
    await gateway.change(call_id, recording=a_recording("ready"))
    card = softphone.incoming(page)
    await expect(card.get_by_test_id("recording")).to_have_text("Will be recorded")
    refused = a_recording("refused", reason="no_minutes")
    await gateway.change(call_id, recording=refused)
    await expect(card.get_by_test_id("recording")).to_have_text(
        "Not recorded: no recording minutes left"
    )
    await expect(card.get_by_role("button", name="Answer")).to_be_enabled()


async def test_the_badge_counts_down_and_tells_the_stop_while_the_call_goes_on(
    page: Page, gateway: FakeGateway
) -> None:
    call_id = await talk(page, gateway)
    announcer = page.get_by_test_id("announcer")
    await gateway.tell_recording(call_id, a_recording("recording"))
    await expect(badge(page)).to_have_text("Recording")
    await expect(announcer).to_have_text("The call is being recorded")

    def left(seconds: float) -> dict[str, Any]:
        ends_at = stamp(datetime.now(UTC) + timedelta(seconds=seconds))
        return a_recording("recording", ends_at=ends_at)

    await gateway.tell_recording(call_id, left(290))
    await expect(badge(page)).to_contain_text("minutes left for 4:")
    await expect(announcer).to_contain_text("less than five minutes")
    await gateway.tell_recording(call_id, left(58))
    await expect(badge(page)).to_contain_text("minutes left for 0:")
    await expect(badge(page)).to_have_attribute("data-tone", "bad")
    await expect(announcer).to_contain_text("less than one minute")
    await gateway.tell_recording(call_id, a_recording("stopped", reason="quota"))
    await expect(badge(page)).to_have_text(
        "Recording stopped: quota used up, the call continues"
    )
    await expect(announcer).to_contain_text("quota used up")
    await softphone.expect_talking(page)
    await gateway.tell_recording(call_id, a_recording("recording"))
    await expect(badge(page)).to_have_text("Recording")


async def test_a_fault_of_the_recorder_is_not_called_a_quota(
    page: Page, gateway: FakeGateway
) -> None:
    call_id = await talk(page, gateway)
    await gateway.tell_recording(call_id, a_recording("stopped", reason="disk_full"))
    await expect(badge(page)).to_have_text("Recording stopped by a fault, the call continues")


async def test_after_the_call_the_agent_sees_that_it_was_saved(
    page: Page, gateway: FakeGateway
) -> None:
    call_id = await talk(page, gateway)
    await gateway.change(call_id, recording=a_recording("recording"))
    await gateway.end(call_id, recording=a_recording("ended"))
    await expect(badge(page)).to_have_text("Recording is being saved")
    kept = a_recording("kept", duration_ms=65_000)
    await gateway.change(call_id, recording=kept)
    await expect(badge(page)).to_have_text("Recording saved, 1:05")
    await page.get_by_role("button", name="Dismiss").click()
    await gateway.change(call_id, recording=kept)
    await gateway.presence("u2", "Dewi Lestari", "busy")
    await expect(page.get_by_text("In a call")).to_be_visible()
    await expect(badge(page)).to_have_count(0)


async def test_agents_have_no_page_of_minutes(page: Page, gateway: FakeGateway) -> None:
    navigation = page.get_by_role("navigation", name="Main")
    await expect(navigation.get_by_role("link", name="Calls").first).to_be_visible()
    await expect(navigation.get_by_role("link", name="Minutes")).to_have_count(0)
    await page.goto("/minutes")
    await expect(page.get_by_role("heading", name="There is no such page.")).to_be_visible()


async def test_a_supervisor_sees_the_minutes_move(
    open_page: OpenPage, gateway: FakeGateway
) -> None:
    page = await open_page()
    gateway.quota = a_picture()
    await softphone.login(page, "agus@example.test", "secret")
    await softphone.open_page(page, "Minutes")
    balance = page.get_by_role("region", name="Minutes now")
    await expect(balance).to_contain_text("50:00")
    await expect(balance).to_contain_text("49:00")
    await expect(page.get_by_text("No call is being recorded now.")).to_be_visible()

    call_id = await gateway.ring(["u1"])
    sari = {"id": "u1", "name": "Sari Wulandari"}
    await gateway.change(call_id, state="talking", agent=sari, answered_at=stamp())
    captures = [{"call_id": call_id, "written_ms": 125_000, "stopped": False}]
    await gateway.tell_quota(
        a_picture(used_ms=3_125_000, captures=captures, empty_at="2030-01-01T07:32:10.000Z")
    )
    await expect(balance).to_contain_text("52:05")
    # 7:32 UTC is 14:32 in Jakarta.
    await expect(page.get_by_test_id("empty-at")).to_have_text("Empty at 14:32 at this rate")
    row = page.get_by_role("row").filter(has_text="Sari Wulandari")
    await expect(row).to_contain_text("Budi Santoso")
    await expect(row).to_contain_text("2:05")
    await expect(row).to_contain_text("Recording")

    stopped = [{"call_id": call_id, "written_ms": 300_000, "stopped": True}]
    await gateway.tell_quota(
        a_picture(used_ms=6_000_000, reserved_ms=0, free_ms=0, level=100, captures=stopped)
    )
    await expect(row).to_contain_text("Stopped")
    await expect(page.get_by_text("All minutes are used.")).to_be_visible()


async def test_thresholds_and_an_overdrawn_account_are_told(
    open_page: OpenPage, gateway: FakeGateway
) -> None:
    page = await open_page()
    gateway.quota = a_picture(overdrawn_ms=120_000, free_ms=0, capacity_ms=2_940_000)
    await softphone.login(page, "agus@example.test", "secret")
    await gateway.tell_threshold(80)
    notice = page.get_by_text("80 % of the recording minutes are used.")
    await expect(notice).to_be_visible()
    await page.get_by_role("button", name="Dismiss").click()
    await expect(notice).to_have_count(0)
    await softphone.open_page(page, "Minutes")
    await expect(page.get_by_text("More is used than owned, by 2:00 minutes")).to_be_visible()


async def test_minutes_that_cannot_be_read_are_said(
    open_page: OpenPage, gateway: FakeGateway
) -> None:
    page = await open_page()
    gateway.quota = None
    await softphone.login(page, "agus@example.test", "secret")
    await softphone.open_page(page, "Minutes")
    await expect(page.get_by_text("The minutes could not be loaded")).to_be_visible()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (400, "dark")])
async def test_the_page_of_minutes_is_accessible_and_fits(
    open_page: OpenPage, gateway: FakeGateway, width: int, scheme: str
) -> None:
    page = await open_page(
        viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
    )
    call_id = await gateway.ring(["u1"])
    captures = [{"call_id": call_id, "written_ms": 125_000, "stopped": True}]
    gateway.quota = a_picture(
        level=95, captures=captures, empty_at="2030-01-01T07:32:10.000Z", suspense_ms=1_000
    )
    await softphone.login(page, "agus@example.test", "secret")
    await softphone.open_page(page, "Minutes")
    await expect(page.get_by_text("95 % of the minutes are used.")).to_be_visible()
    await expect(page.get_by_role("table", name="Calls being recorded")).to_be_visible()
    assert await serious_faults(page) == []
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert await page.evaluate(overflow) <= 0
