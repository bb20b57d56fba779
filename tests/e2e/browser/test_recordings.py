"""Recordings of real calls in Chromium, as each role: heard, taken away, held, deleted."""

import re
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import av
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect

from gateway.demo.stack import CUSTOMER_PHONE, Stack, StackOptions
from gateway.ports.accounts import Role
from tests.e2e.browser.desks import (
    ANA,
    BUDI,
    SARI,
    customer_calls,
    desks_at,
    ended_well,
    go_ready_plainly,
)
from tests.e2e.conftest import fresh_stack
from tests.web import softphone

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.browser,
    pytest.mark.timeout(400),
    pytest.mark.asyncio(loop_scope="session"),
]
ADI = 3
"""The admin's place among the people."""
TALK_MS = 4_000
PEOPLE = [
    ("Ana", "ana@demo.example", Role.AGENT),
    ("Budi", "budi@demo.example", Role.AGENT),
    ("Sari", "sari@demo.example", Role.SUPERVISOR),
    ("Adi", "adi@demo.example", Role.ADMIN),
]


@pytest_asyncio.fixture(loop_scope="session")
async def recorded(dist: Path) -> AsyncIterator[Stack]:
    """A stack whose account records all calls."""
    async with fresh_stack(StackOptions(people=PEOPLE)) as stack:
        await stack.sell_minutes()
        yield stack


async def test_each_role_does_with_recordings_what_it_may(
    recorded: Stack, humming_browser: Browser, tmp_path: Path
) -> None:
    async with desks_at(recorded, humming_browser) as open_desk:
        ana, budi = await open_desk(ANA), await open_desk(BUDI)
        sari, adi = await open_desk(SARI), await open_desk(ADI)
        await go_ready_plainly(ana)
        for _ in range(2):
            await _recorded_call(recorded, ana)
        await _an_agent_plays_and_takes_nothing(ana)
        await _another_agent_sees_nothing(budi, await _id_of_newest(ana))
        await _an_admin_holds(adi)
        await _a_supervisor_takes_away(sari, tmp_path)
        await _a_supervisor_deletes_and_the_minutes_return(sari)
        await _an_admin_hears_releases_and_forgets(adi, tmp_path)
        await _nobody_is_known_any_more(ana)


async def _recorded_call(stack: Stack, page: Page) -> None:
    wacid = await customer_calls(stack)
    await softphone.answer(page)
    await softphone.expect_talking(page)
    await page.wait_for_timeout(TALK_MS)
    await softphone.hang_up(page)
    await ended_well(stack, wacid)
    kept = page.locator("[data-testid=recording][data-state=kept]")
    await expect(kept).to_be_visible()


async def _an_agent_plays_and_takes_nothing(page: Page) -> None:
    await softphone.open_page(page, "Calls")
    plays = page.get_by_role("button", name="Play the recording with Demo Customer")
    await expect(plays).to_have_count(2)
    await expect(page.get_by_role("link", name="Recordings")).to_have_count(0)
    await plays.first.click()
    dialog = page.get_by_role("dialog")
    await _plays(dialog)
    await _seeks(page, dialog)
    await expect(dialog.get_by_role("link", name=re.compile("Download"))).to_have_count(0)
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await page.get_by_role("table").get_by_role("link", name="Demo Customer").first.click()
    await expect(page.get_by_test_id("player")).to_be_visible()
    await expect(page.get_by_test_id("waves")).to_be_visible()


async def _plays(dialog: Locator) -> None:
    """It plays by itself, drawn on both sides, until it is paused."""
    await expect(dialog.get_by_test_id("waves")).to_be_visible()
    for side in ("Agent", "Customer"):
        await expect(dialog.get_by_text(side, exact=True)).to_be_visible()
    await expect(dialog.get_by_role("button", name="Pause")).to_be_visible()
    await expect(dialog.get_by_test_id("player-clock")).to_contain_text("0:01")
    await dialog.get_by_role("button", name="Pause").click()
    await expect(dialog.get_by_role("button", name="Play", exact=True)).to_be_visible()


async def _seeks(page: Page, dialog: Locator) -> None:
    """By the keys of the slider and by the buttons beside it."""
    clock, slider = dialog.get_by_test_id("player-clock"), dialog.get_by_role("slider")
    await dialog.get_by_role("button", name="Back 10 seconds").click()
    await expect(clock).to_contain_text("0:00 /")
    await slider.focus()
    for _ in range(2):
        await page.keyboard.press("ArrowRight")
    await expect(clock).to_contain_text("0:02 /")


async def _id_of_newest(page: Page) -> str:
    """Of an agent who may hear it, and neither take it away nor delete it."""
    items = (await _told(page, "/recordings"))[1]["items"]
    call_id = str(items[0]["id"])
    assert len(items) == 2
    assert (await _told(page, f"/recordings/{call_id}"))[0] == 200
    assert (await _told(page, f"/recordings/{call_id}/download"))[0] == 403
    assert (await _told(page, f"/recordings/{call_id}", "DELETE"))[0] == 403
    return call_id


async def _told(page: Page, path: str, method: str = "GET") -> tuple[int, Any]:
    """What the gateway answers this person."""
    status, body = await page.evaluate(
        """async ([path, method]) => {
          const response = await fetch('/api/v1' + path, { method });
          return [response.status, await response.json().catch(() => null)];
        }""",
        [path, method],
    )
    return status, body


async def _another_agent_sees_nothing(page: Page, call_id: str) -> None:
    await softphone.open_page(page, "Calls")
    await expect(page.get_by_text("No calls match.")).to_be_visible()
    assert (await _told(page, "/recordings"))[1]["items"] == []
    for path in ("", "/audio", "/peaks"):
        assert (await _told(page, f"/recordings/{call_id}{path}"))[0] == 404


async def _an_admin_holds(page: Page) -> None:
    await softphone.open_page(page, "Recordings")
    row = page.get_by_test_id("recording-row").nth(1)
    await row.get_by_role("button", name="Hold the recording with Demo Customer").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Why it is held").fill("Court case 7")
    await dialog.get_by_role("button", name="Hold", exact=True).click()
    await expect(dialog).to_have_count(0)
    await expect(row.get_by_text("On hold")).to_be_visible()
    delete = row.get_by_role("button", name="Delete the recording with Demo Customer")
    await expect(delete).to_be_disabled()


async def _a_supervisor_takes_away(page: Page, folder: Path) -> None:
    await softphone.open_page(page, "Recordings")
    rows = page.get_by_test_id("recording-row")
    await expect(rows).to_have_count(2)
    async with page.expect_download() as coming:
        await rows.first.get_by_role("link", name=re.compile("^Download")).click()
    download = await coming.value
    assert download.suggested_filename.endswith(".ogg")
    path = folder / "one.ogg"
    await download.save_as(path)
    with av.open(str(path)) as container:
        assert container.streams.audio[0].codec_context.channels == 2
    await page.get_by_label("Choose all that are shown").check()
    async with page.expect_download() as coming:
        await page.get_by_role("button", name="Download (ZIP)").click()
    await (await coming.value).save_as(folder / "all.zip")
    with zipfile.ZipFile(folder / "all.zip") as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 3
        assert path.read_bytes() in [archive.read(name) for name in archive.namelist()]
    await expect(page.get_by_role("button", name="Delete", exact=True)).to_be_disabled()
    await page.get_by_role("button", name="Choose none").click()


async def _a_supervisor_deletes_and_the_minutes_return(page: Page) -> None:
    rows, free = page.get_by_test_id("recording-row"), page.get_by_test_id("free-minutes")
    before = await free.inner_text()
    await rows.first.get_by_role("button", name=re.compile("^Delete the recording")).click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("return to your quota at once")
    await expect(dialog).to_contain_text("cannot be restored")
    await dialog.get_by_role("button", name="Delete for good").click()
    await expect(rows).to_have_count(1)
    await expect(page.get_by_text("minutes are free again")).to_be_visible()
    await expect(free).not_to_have_text(before)
    await softphone.open_page(page, "Minutes")
    await expect(page.get_by_role("table", name="Every change of the minutes")).to_contain_text(
        "Recording deleted"
    )
    await softphone.open_page(page, "Calls")
    plays = page.get_by_role("button", name="Play the recording with Demo Customer")
    await expect(plays).to_have_count(1)


async def _an_admin_hears_releases_and_forgets(page: Page, folder: Path) -> None:
    """What is left after the supervisor: a copy of it, then nothing, and all minutes free."""
    row, dialog = page.get_by_test_id("recording-row"), page.get_by_role("dialog")
    await page.reload()
    await expect(row).to_have_count(1)
    await row.get_by_role("button", name="Play the recording with Demo Customer").click()
    await _plays(dialog)
    await page.keyboard.press("Escape")
    await row.get_by_role("button", name="Release the recording with Demo Customer").click()
    await dialog.get_by_role("button", name="Release", exact=True).click()
    await expect(row.get_by_text("On hold")).to_have_count(0)
    await page.get_by_role("button", name=re.compile("^Account of")).click()
    await page.get_by_role("menuitem", name="Data requests").click()
    await page.get_by_label("Phone number").fill(f"+{CUSTOMER_PHONE}")
    await page.get_by_role("button", name="Find").click()
    await expect(page.get_by_test_id("found")).to_contain_text("2 calls")
    await expect(page.get_by_test_id("found")).to_contain_text("1 recording")
    async with page.expect_download() as coming:
        await page.get_by_role("button", name="Export everything").click()
    await (await coming.value).save_as(folder / "customer.zip")
    with zipfile.ZipFile(folder / "customer.zip") as archive:
        assert archive.testzip() is None
        assert b"Demo Customer" in archive.read("calls.csv")
    await page.get_by_role("button", name="Forget this customer").click()
    await dialog.get_by_label(f"Type {CUSTOMER_PHONE} to confirm").fill(CUSTOMER_PHONE)
    await dialog.get_by_role("button", name="Forget for good").click()
    await expect(page.get_by_text("The customer is forgotten")).to_be_visible()
    await softphone.open_page(page, "Recordings")
    await expect(page.get_by_text("No recordings match.")).to_be_visible()
    quota = (await _told(page, "/quota"))[1]
    assert (quota["used_ms"], quota["free_ms"]) == (0, quota["capacity_ms"])


async def _nobody_is_known_any_more(page: Page) -> None:
    await softphone.open_page(page, "Calls")
    await page.reload()
    await expect(page.get_by_role("link", name="Unknown caller")).to_have_count(2)
    await expect(page.get_by_text("Demo Customer")).to_have_count(0)
