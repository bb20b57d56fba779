"""Customers who ask for their data or to be forgotten, in the browser."""

import zipfile
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from gateway.ports.accounts import Role
from tests.http.site import Site
from tests.http.test_customers import SITI, recorded
from tests.web import softphone
from tests.web.conftest import OpenPage
from tests.web.fake_gateway import FakeGateway
from tests.web.gallery_office import CUSTOMER, PHONE
from tests.web.real_site import admin, sign_in, site, template

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="session"),
]
__all__ = ["admin", "site", "template"]
BUDI = "628111222333"


async def find(page: Page, phone: str) -> None:
    await page.get_by_label("Phone number").fill(phone)
    await page.get_by_role("button", name="Find").click()


async def test_a_copy_of_everything_is_saved(admin: Page, site: Site, tmp_path: Path) -> None:
    call_id = await recorded(site)
    await recorded(site, SITI)
    await admin.get_by_role("button", name="Account of Admin").click()
    await admin.get_by_role("menuitem", name="Data requests").click()
    await find(admin, "+62 811-1222-333")
    await expect(admin.get_by_role("heading", name="Budi Santoso")).to_be_visible()
    await expect(admin.get_by_test_id("found")).to_contain_text("1 recording, 102.4 kB")
    async with admin.expect_download() as coming:
        await admin.get_by_role("button", name="Export everything").click()
    download = await coming.value
    assert download.suggested_filename == "customer.zip"
    await download.save_as(tmp_path / "customer.zip")
    with zipfile.ZipFile(tmp_path / "customer.zip") as archive:
        assert archive.testzip() is None
        assert call_id.encode() in archive.read("manifest.csv")
        assert b"Siti" not in archive.read("calls.csv")
    await expect(admin.get_by_text("Saved, ")).to_be_visible()


async def test_a_customer_is_forgotten_but_for_what_is_held(admin: Page, site: Site) -> None:
    await recorded(site)
    held = await recorded(site, held_at=1.0, held_why="case")
    await admin.goto("/data-requests")
    await find(admin, BUDI)
    await expect(admin.get_by_text("1 recording is on hold")).to_be_visible()
    await admin.get_by_role("button", name="Forget this customer").click()
    dialog = admin.get_by_role("dialog")
    await expect(dialog).to_contain_text("1 recording is deleted at once")
    await expect(dialog).to_contain_text("1 recording is on hold: it stays")
    forget = dialog.get_by_role("button", name="Forget for good")
    await expect(forget).to_be_disabled()
    await dialog.get_by_label(f"Type {BUDI} to confirm").fill("628111222334")
    await expect(forget).to_be_disabled()
    await dialog.get_by_label(f"Type {BUDI} to confirm").fill(BUDI)
    await forget.click()
    result = admin.get_by_role("status").filter(has_text="Some of it had to stay")
    await expect(result).to_contain_text("1 call has no customer any more.")
    await expect(result.get_by_role("link", name=f"Call {held}")).to_be_visible()
    await expect(admin.get_by_test_id("found")).to_contain_text("1 call")
    await admin.get_by_role("link", name="Show what is on hold").click()
    await expect(admin.get_by_role("switch", name="On legal hold")).to_be_checked()
    await expect(admin.get_by_test_id("recording-row")).to_have_count(1)


async def test_once_all_is_released_nothing_is_left(admin: Page, site: Site) -> None:
    await recorded(site)
    await admin.goto("/data-requests")
    await find(admin, BUDI)
    await admin.get_by_role("button", name="Forget this customer").click()
    dialog = admin.get_by_role("dialog")
    await dialog.get_by_label(f"Type {BUDI} to confirm").fill(f"+{BUDI}")
    await dialog.get_by_role("button", name="Forget for good").click()
    await expect(admin.get_by_text("The customer is forgotten")).to_be_visible()
    await expect(admin.get_by_text("Nothing is kept of this customer.")).to_be_visible()


async def test_only_admins_come_to_it(browser: Browser, site: Site) -> None:
    context = await softphone.context_for(browser, site.origin)
    page = await context.new_page()
    await sign_in(page, Role.SUPERVISOR)
    await page.get_by_role("button", name="Account of Supervisor").click()
    await expect(page.get_by_role("menuitem", name="Sign out")).to_be_visible()
    await expect(page.get_by_role("menuitem", name="Data requests")).to_have_count(0)
    await page.goto("/data-requests")
    await expect(page.get_by_text("There is no such page.")).to_be_visible()
    await context.close()


# --- what a slow or refusing gateway looks like ----------------------------------------------


@pytest_asyncio.fixture(loop_scope="session")
async def ayu(open_page: OpenPage, gateway: FakeGateway) -> Page:
    gateway.add_person("ayu@example.test", "Ayu Rahma", "admin")
    gateway.office.customers = {PHONE: CUSTOMER}
    page = await open_page()
    await softphone.login(page, "ayu@example.test", "secret")
    await page.goto("/data-requests")
    return page


async def test_while_an_export_comes_it_is_said_how_much(
    ayu: Page, gateway: FakeGateway
) -> None:
    gateway.office.export_gate.clear()
    await find(ayu, PHONE)
    await ayu.get_by_role("button", name="Export everything").click()
    await expect(ayu.get_by_text("20 byte have come…")).to_be_visible()
    async with ayu.expect_download():
        gateway.office.export_gate.set()
    await expect(ayu.get_by_text("Saved, ")).to_be_visible()


async def test_what_is_refused_is_said_and_nothing_is_taken_for_done(
    ayu: Page, gateway: FakeGateway
) -> None:
    gateway.refuse("find", "store_down", 503)
    await find(ayu, PHONE)
    await expect(ayu.get_by_text("The customer could not be looked up")).to_be_visible()
    await find(ayu, PHONE)
    gateway.refuse("export", "busy", 503)
    await ayu.get_by_role("button", name="Export everything").click()
    await expect(ayu.get_by_text("The export did not work")).to_be_visible()
    gateway.refuse("erase", "store_down", 503)
    await ayu.get_by_role("button", name="Forget this customer").click()
    dialog = ayu.get_by_role("dialog")
    await dialog.get_by_label(f"Type {PHONE} to confirm").fill(PHONE)
    await dialog.get_by_role("button", name="Forget for good").click()
    await expect(dialog.get_by_text("Not everything was forgotten")).to_be_visible()
    assert gateway.office.erased == []


async def test_what_does_not_fit_is_not_begun(ayu: Page, gateway: FakeGateway) -> None:
    gateway.office.customers = {PHONE: CUSTOMER | {"fits": False}}
    await find(ayu, PHONE)
    await expect(ayu.get_by_role("button", name="Export everything")).to_be_disabled()
    await expect(ayu.get_by_text("callgate recording export")).to_be_visible()


async def test_a_customer_who_is_not_named_well_is_not_asked_for(ayu: Page) -> None:
    await ayu.get_by_label("Phone number").fill("0811222333")
    await expect(ayu.get_by_text("Write the number with its country code.")).to_be_visible()
    await expect(ayu.get_by_role("button", name="Find")).to_be_disabled()
    await ayu.get_by_label("Phone number").fill("")
    await ayu.get_by_label("WhatsApp user id").fill("budi")
    await expect(ayu.get_by_text("begins with two capital letters")).to_be_visible()
