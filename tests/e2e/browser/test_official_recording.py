"""A call in Chromium that WhatsApp announces and records, cut where its minutes ran out."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from gateway.demo.check_official import SPEECH
from gateway.demo.sandbox_control import at_ms
from gateway.demo.stack import CUSTOMER_ID, Stack
from tests.e2e.browser.desks import ANA, SARI, desks_at, go_ready_plainly
from tests.e2e.conftest import fresh_stack
from tests.web import softphone

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.browser,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="session"),
]
LEFT_MS = 12_000
GOES_ON_MS = 4_000
"""For so long the call, and WhatsApp's recording, outlast the minutes."""
PATIENCE_MS = 60_000
DECODE = """
async (id) => {
  const answer = await fetch(`/api/v1/recordings/${id}/audio`);
  if (!answer.ok) throw new Error(`${answer.status}`);
  const context = new OfflineAudioContext(2, 48000, 48000);
  const sound = await context.decodeAudioData(await answer.arrayBuffer());
  const loudest = [...Array(sound.numberOfChannels).keys()].map((side) =>
    sound.getChannelData(side).reduce((most, each) => Math.max(most, Math.abs(each)), 0));
  return { ms: sound.duration * 1000, loudest };
}
"""
PLAY = """
async (id) => {
  const audio = new Audio(`/api/v1/recordings/${id}/audio`);
  audio.muted = true;
  await audio.play();
  await new Promise((over) => {
    audio.ontimeupdate = () => audio.currentTime > 0.5 && over();
  });
  return audio.duration * 1000;
}
"""


@pytest_asyncio.fixture(loop_scope="session")
async def short_of_minutes(dist: object) -> AsyncIterator[Stack]:
    async with fresh_stack() as stack:
        await stack.sell_minutes(leave_ms=LEFT_MS)
        await stack.ask_official()
        yield stack


async def test_whatsapps_recording_is_cut_to_the_minutes_and_plays_in_the_browser(
    short_of_minutes: Stack, humming_browser: Browser
) -> None:
    stack = short_of_minutes
    async with desks_at(stack, humming_browser) as open_desk:
        ana, sari = await open_desk(ANA), await open_desk(SARI)
        await go_ready_plainly(ana)
        wacid = (await stack.sandbox.call_business(CUSTOMER_ID, says=SPEECH))["wacid"]
        await softphone.answer(ana)
        await softphone.expect_talking(ana)
        for state in ("announcing", "low", "stopped_quota"):
            badge = ana.locator(f"[data-testid=recording][data-state={state}]")
            await expect(badge).to_be_visible(timeout=PATIENCE_MS)
        await ana.wait_for_timeout(GOES_ON_MS)
        await softphone.hang_up(ana)
        report = await stack.sandbox.wait_for(wacid, "call.ended")
        await _softphone_tells(ana)
        call_id = await _open_last_call(ana)
        outcome = (await _read(ana, f"/calls/{call_id}"))["recording"]["outcome"]
        told = (outcome["verdict"], outcome["stored_ms"], outcome["local_ms"])
        assert told == ("trimmed_to_quota", LEFT_MS, LEFT_MS), outcome
        await _page_tells(sari, call_id)
        assert outcome["official_ms"] > LEFT_MS + GOES_ON_MS / 2
        # What plays is as long as was granted, and both sides are heard in it.
        for play, arguments in ((DECODE, call_id), (PLAY, call_id)):
            played = await sari.evaluate(play, arguments)
            length_ms = played["ms"] if isinstance(played, dict) else played
            assert abs(length_ms - LEFT_MS) <= 20
            if isinstance(played, dict):
                assert len(played["loudest"]) == 2
                assert min(played["loudest"]) > 0.02
        await _nothing_of_the_announcement_was_captured(sari, call_id, report)


async def _softphone_tells(page: Page) -> None:
    """Whoever had the call reads how long it was recorded, and what came of it."""
    kept = page.locator("[data-testid=recording][data-state=kept]")
    await expect(kept).to_have_text("Recording saved, 0:12", timeout=PATIENCE_MS)
    compared = page.locator("[data-testid=compared][data-verdict=trimmed_to_quota]")
    await expect(compared).to_be_visible(timeout=PATIENCE_MS)


async def _open_last_call(page: Page) -> str:
    await page.get_by_role("link", name="Show the call").click()
    await expect(page.get_by_test_id("verdict")).to_have_text("Cut to the quota")
    return page.url.rpartition("/")[2]


async def _page_tells(page: Page, call_id: str) -> None:
    """A supervisor sees verdict, digest, lengths and words; and the day in the report."""
    await page.goto(f"{_origin(page)}/calls/{call_id}")
    await expect(page.get_by_test_id("verdict")).to_have_text("Cut to the quota")
    await expect(page.get_by_test_id("digest")).to_contain_text("was checked")
    await expect(page.get_by_text("0:12.0")).to_have_count(2)
    words = page.get_by_role("region", name="Transcript")
    await expect(words).to_be_visible(timeout=PATIENCE_MS)
    await page.goto(f"{_origin(page)}/reconciliation")
    report = page.get_by_role("table", name="Day by day")
    await expect(report).to_contain_text("Cut to the quota 1")


async def _read(page: Page, path: str) -> dict[str, Any]:
    answer = await page.request.get(f"{_origin(page)}/api/v1{path}")
    assert answer.ok, await answer.text()
    found: dict[str, Any] = await answer.json()
    return found


def _origin(page: Page) -> str:
    return "/".join(page.url.split("/")[:3])


async def _nothing_of_the_announcement_was_captured(
    page: Page, call_id: str, report: dict[str, Any]
) -> None:
    lines = (await _read(page, f"/calls/{call_id}/trace"))["lines"]
    at = {line["step"]: line["offset_ms"] for line in lines}
    announced_ms = at_ms(report, "announcement.ended") - at_ms(report, "call.accepted")
    assert at["capture_went"] - at["accepted"] >= announced_ms
