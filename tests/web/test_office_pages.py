"""The pages of supervisors and admins: legible everywhere, filters that live in the address."""

import re

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.conftest import Rounds
from tests.web import softphone
from tests.web.conftest import OpenPage
from tests.web.fake_gateway import FakeGateway
from tests.web.gallery_office import fill_office, login_in, office_screens
from tests.web.test_pages import serious_faults
from tests.web.wording import Wording

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="session"),
]
SIGHTS = [
    (1280, "light", "en"),
    (400, "dark", "id"),
    (1280, "dark", "id"),
    (400, "light", "en"),
]
LOCALES = {"en": "en-GB", "id": "id-ID"}


@pytest.mark.soak
@pytest.mark.parametrize(("width", "scheme", "language"), SIGHTS)
async def test_every_page_is_accessible_and_fits(
    open_page: OpenPage,
    gateway: FakeGateway,
    rounds: Rounds,
    width: int,
    scheme: str,
    language: str,
) -> None:
    if (width, scheme, language) not in SIGHTS[: rounds(quick=2, soak=4)]:
        pytest.skip("the other two sights are for the long run")
    gateway.add_person("ayu@example.test", "Ayu Rahma", "admin")
    page = await open_page(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        locale=LOCALES[language],
        reduced_motion="reduce",
    )
    say, faults = Wording(language), []
    await login_in(page, say, "ayu@example.test")
    async for name in office_screens(page, gateway, say):
        faults += [f"{name}: {fault}" for fault in await serious_faults(page)]
        needed = await page.evaluate("document.documentElement.scrollWidth")
        if needed > width:
            faults.append(f"{name}: needs {needed} px")
    assert not faults, "\n".join(faults)


@pytest_asyncio.fixture(loop_scope="session")
async def agus(open_page: OpenPage, gateway: FakeGateway) -> Page:
    """A supervisor's page, with recordings to look at."""
    fill_office(gateway)
    page = await open_page()
    await softphone.login(page, "agus@example.test", "secret")
    return page


async def test_filters_of_recordings_outlast_a_reload_and_go_back_one_by_one(
    agus: Page,
) -> None:
    await softphone.open_page(agus, "Recordings")
    rows, note = agus.get_by_test_id("recording-row"), agus.get_by_label("Note contains")
    await expect(rows).to_have_count(6)
    held = agus.get_by_role("switch", name="On legal hold")
    await held.check()
    await expect(rows).to_have_count(1)
    await expect(agus).to_have_url(re.compile(r"/recordings\?held=1$"))
    await held.uncheck()
    await note.press_sequentially("refund")
    await expect(rows).to_have_count(1)
    await expect(agus).to_have_url(re.compile(r"/recordings\?note=refund$"))
    await agus.reload()
    await expect(rows).to_have_count(1)
    await expect(note).to_have_value("refund")
    await agus.go_back()
    await expect(note).to_have_value("")
    await expect(rows).to_have_count(6)
    await agus.go_back()
    await expect(held).to_be_checked()
    await expect(rows).to_have_count(1)
    await agus.go_back()
    await agus.go_back()
    await expect(agus.get_by_role("button", name="Go ready")).to_be_visible()


async def test_a_shared_address_shows_the_same_and_nonsense_in_it_is_left_out(
    agus: Page,
) -> None:
    rows = agus.get_by_test_id("recording-row")
    await agus.goto("/recordings?customer=%2B6281311112222&since=soon&verdict=best&held=0")
    await expect(agus.get_by_label("Customer")).to_have_value("+6281311112222")
    await expect(agus.get_by_label("From", exact=True)).to_have_value("")
    await expect(rows).to_have_count(2)
    await agus.get_by_role("button", name="Clear the filters").click()
    await expect(rows).to_have_count(6)
    await expect(agus).to_have_url(re.compile(r"/recordings$"))


async def test_back_from_a_call_the_list_is_filtered_as_before(agus: Page) -> None:
    await agus.goto("/calls?direction=outbound")
    rows = agus.get_by_role("table").locator("tbody tr")
    await expect(rows).to_have_count(12)
    await rows.first.get_by_role("link").click()
    await expect(agus.get_by_role("link", name="All calls")).to_be_visible()
    await agus.go_back()
    await expect(rows).to_have_count(12)
    await expect(agus.get_by_role("radio", name="Outbound")).to_be_checked()
    await agus.get_by_role("switch", name="Live only").check()
    await expect(agus).to_have_url(re.compile(r"direction=outbound&live=1$"))
    await agus.reload()
    await expect(agus.get_by_role("switch", name="Live only")).to_be_checked()


async def test_what_is_deleted_in_the_list_is_gone_from_it_and_its_minutes_are_free(
    agus: Page, gateway: FakeGateway
) -> None:
    await softphone.open_page(agus, "Recordings")
    rows, free = agus.get_by_test_id("recording-row"), agus.get_by_test_id("free-minutes")
    await expect(free).to_have_text("257:13")
    for place in (0, 2):
        await rows.nth(place).get_by_role("checkbox").check()
    await agus.get_by_role("button", name="Delete", exact=True).click()
    await agus.get_by_role("dialog").get_by_role("button", name="Delete for good").click()
    await expect(rows).to_have_count(4)
    await expect(free).not_to_have_text("257:13")
    await agus.get_by_role("switch", name="Deleted, not gone yet").check()
    await expect(rows).to_have_count(2)
