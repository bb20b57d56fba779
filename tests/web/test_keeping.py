"""How long recordings are kept, in the browser, against a real gateway's REST."""

from datetime import timedelta

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from gateway.core.recording.retention import KeepingRules, WhenFull
from gateway.core.zones import local_day
from gateway.ports.accounts import Role
from gateway.ports.audit import Order
from tests.http.recorded import put
from tests.http.site import Site
from tests.web import softphone
from tests.web.real_site import admin, sign_in, site, template

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="session"),
]
__all__ = ["admin", "site", "template"]


async def made(site: Site, days_ago: int, held_at: float | None = None) -> None:
    """A recording that was made some days ago, of an account that keeps them for two years."""
    day = local_day(site.clock.wall(), site.account.timezone) - timedelta(days=days_ago)
    goes = str(day + timedelta(days=731))
    await put(site, made_day=str(day), purge_day=goes, held_at=held_at)


async def rules(site: Site) -> KeepingRules:
    return (await site.deps.recording_life.rules(site.account.account_id)).rules


async def keeping(page: Page) -> Locator:
    await softphone.open_page(page, "Settings")
    await page.get_by_role("tab", name="Recording").click()
    section = page.get_by_role("region", name="Keeping")
    await expect(section.get_by_test_id("going")).to_be_visible()
    return section


async def choose_days(section: Locator, days: str) -> None:
    await section.get_by_role("radio", name="Another number of days").check()
    await section.get_by_label("Days", exact=True).fill(days)


async def test_before_a_shorter_time_is_saved_it_is_told_what_goes_and_confirmed(
    admin: Page, site: Site
) -> None:
    for age in (400, 300, 80):
        await made(site, age)
    await made(site, 200, held_at=1.0)
    section = await keeping(admin)
    await expect(section.get_by_test_id("going")).to_have_text("None.")
    await choose_days(section, "90")
    await section.get_by_role("button", name="Save").click()
    dialog = admin.get_by_role("dialog", name="Keep recordings for 90 days?")
    told = dialog.get_by_role("listitem")
    await expect(told).to_have_count(3)
    await expect(told.nth(0)).to_contain_text("2 of 4 recordings are older")
    await expect(told.nth(1)).to_have_text("1 more goes in the next 30 days.")
    await expect(told.nth(2)).to_have_text("1 is on hold and stays.")
    shorten = dialog.get_by_role("button", name="Keep for a shorter time")
    await expect(shorten).to_be_disabled()
    await dialog.get_by_role("button", name="Leave it as it is").click()
    assert await rules(site) == KeepingRules()
    await section.get_by_role("button", name="Save").click()
    await dialog.get_by_label("Type 2 to confirm").fill("2")
    await shorten.click()
    await expect(section.get_by_text("Saved.")).to_be_visible()
    assert await rules(site) == KeepingRules(retention_days=90)
    await expect(section.get_by_test_id("going")).to_contain_text("3 recordings")
    await section.get_by_text("Day by day").click()
    await expect(section.get_by_role("table").get_by_role("row")).to_have_count(3)


async def test_what_lets_nothing_go_sooner_is_saved_at_once(admin: Page, site: Site) -> None:
    await made(site, 700)
    section = await keeping(admin)
    await choose_days(section, "1000")
    await section.get_by_role("radio", name="Stop recording").check()
    await section.get_by_role("switch", name="Seal recordings at rest").check()
    await section.get_by_role("button", name="Save").click()
    await expect(section.get_by_text("Saved.")).to_be_visible()
    assert await rules(site) == KeepingRules(WhenFull.STOP, 1_000, encrypts=True)
    await section.get_by_role("radio", name="Two years").check()
    await section.get_by_role("button", name="Save").click()
    dialog = admin.get_by_role("dialog", name="Keep recordings for two years?")
    await expect(dialog).to_contain_text("No recording is that old")
    await dialog.get_by_role("button", name="Keep for a shorter time").click()
    await expect(dialog).to_have_count(0)
    assert (await rules(site)).retention_days is None


@pytest.mark.parametrize("days", ["0", "-5", "36601", ""])
async def test_a_number_that_is_none_is_not_sent(admin: Page, site: Site, days: str) -> None:
    section = await keeping(admin)
    await choose_days(section, days)
    await expect(section.get_by_text("A whole number from 1 to 36600.")).to_be_visible()
    await expect(section.get_by_role("button", name="Save")).to_be_disabled()


async def test_of_two_admins_the_second_is_told(admin: Page, site: Site) -> None:
    section = await keeping(admin)
    await site.deps.recording_life.change_rules(
        site.account.account_id,
        KeepingRules(WhenFull.ROTATE),
        seen=0,
        order=Order(site.clock.wall()),
    )
    await section.get_by_role("radio", name="Stop recording").check()
    await section.get_by_role("button", name="Save").click()
    await expect(section.get_by_text("Load the page again to see them")).to_be_visible()
    assert await rules(site) == KeepingRules(WhenFull.ROTATE)


async def test_supervisors_read_it_and_agents_do_not_see_it(
    browser: Browser, site: Site
) -> None:
    context = await softphone.context_for(browser, site.origin)
    page = await context.new_page()
    await sign_in(page, Role.SUPERVISOR)
    section = await keeping(page)
    await expect(section.get_by_role("radio", name="Two years")).to_be_disabled()
    await expect(section.get_by_role("button", name="Save")).to_have_count(0)
    await context.clear_cookies()
    await sign_in(page, Role.AGENT)
    await softphone.open_page(page, "Settings")
    await expect(page.get_by_role("heading", name="Sound")).to_be_visible()
    await expect(page.get_by_role("tab", name="Recording")).to_have_count(0)
    await context.close()
