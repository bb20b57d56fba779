"""Admins say what is recorded and what is said before; supervisors see it, agents do not."""

import pytest
import pytest_asyncio
from playwright.async_api import FilePayload, Locator, Page, expect

from tests.web import softphone
from tests.web.conftest import OpenPage
from tests.web.fake_gateway import FakeGateway
from tests.web.fake_settings import FakeSettings, silence
from tests.web.test_pages import serious_faults

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="session"),
]


@pytest_asyncio.fixture(loop_scope="session")
async def settings(gateway: FakeGateway) -> FakeSettings:
    gateway.add_person("ayu@example.test", "Ayu Rahma", "admin")
    settings: FakeSettings = gateway.call_settings
    return settings


async def recording_tab(open_page: OpenPage, email: str = "ayu@example.test") -> Page:
    page = await open_page()
    await softphone.login(page, email, "secret")
    await softphone.open_page(page, "Settings")
    await page.get_by_role("tab", name="Recording").click()
    await expect(page.get_by_role("heading", name="Recording of calls")).to_be_visible()
    return page


def form(page: Page) -> Locator:
    return page.get_by_role("region", name="Recording of calls")


async def choose(page: Page, label: str, option: str) -> None:
    await page.locator("input").and_(page.get_by_label(label)).click()
    await page.get_by_role("option", name=option, exact=True).click()


async def test_an_admin_sees_what_will_be_spoken_and_saves_it(
    open_page: OpenPage, settings: FakeSettings
) -> None:
    page = await recording_tab(open_page)
    save = form(page).get_by_role("button", name="Save")
    await expect(save).to_be_disabled()
    await choose(page, "Which calls are recorded", "Both")
    await expect(page.get_by_text("Write the purpose")).to_be_visible()
    await expect(save).to_be_disabled()
    await choose(page, "Language of the announcement", "Spanish")
    await page.get_by_label("Purpose of the recording").fill("quality control")
    await expect(page.get_by_text("15 of 250 characters")).to_be_visible()
    spoken = page.get_by_test_id("spoken")
    await expect(spoken).to_have_text("Recorded (es) for: quality control")
    await page.get_by_role("switch", name="Let WhatsApp write down").check()
    await expect(spoken).to_have_text("Recorded and transcribed (es) for: quality control")
    assert not await serious_faults(page)
    await save.click()
    await expect(page.get_by_role("status").get_by_text("Saved.")).to_be_visible()
    assert settings.kept["records"] == "both"
    assert settings.kept["language"] == "es"
    assert settings.kept["transcription"] is True
    await expect(save).to_be_disabled()


async def test_recording_by_the_gateway_alone_asks_for_an_announcement_first(
    open_page: OpenPage, settings: FakeSettings
) -> None:
    page = await recording_tab(open_page)
    save = form(page).get_by_role("button", name="Save")
    await choose(page, "Which calls are recorded", "Both")
    await page.get_by_role("radio", name="Only the gateway").check()
    await expect(page.get_by_text("Upload the announcement first")).to_be_visible()
    await expect(save).to_be_disabled()
    sound: FilePayload = {"name": "hello.wav", "mimeType": "audio/wav", "buffer": silence()}
    settings.refuse_upload = "announcement_silent"
    async with page.expect_file_chooser() as chooser:
        await page.get_by_role("button", name="Upload a sound file").click()
    await (await chooser.value).set_files(sound)
    await expect(page.get_by_text("There is nothing to hear")).to_be_visible()
    settings.refuse_upload = None
    async with page.expect_file_chooser() as chooser:
        await page.get_by_role("button", name="Upload a sound file").click()
    await (await chooser.value).set_files(sound)
    await expect(page.get_by_test_id("announcement")).to_contain_text("0:04 long")
    assert settings.uploads == [silence()]
    await expect(page.get_by_label("Hear the announcement")).to_be_visible()
    assert not await serious_faults(page)
    await save.click()
    await expect(page.get_by_role("status").get_by_text("Saved.")).to_be_visible()
    assert (settings.kept["mode"], settings.kept["records"]) == ("local", "both")


async def test_a_file_that_is_too_large_never_leaves_the_browser(
    open_page: OpenPage, settings: FakeSettings
) -> None:
    page = await recording_tab(open_page)
    await page.get_by_role("radio", name="Only the gateway").check()
    async with page.expect_file_chooser() as chooser:
        await page.get_by_role("button", name="Upload a sound file").click()
    content = bytes(1024 * 1024 + 1)
    large: FilePayload = {"name": "a.wav", "mimeType": "audio/wav", "buffer": content}
    await (await chooser.value).set_files(large)
    await expect(page.get_by_text("too large to be read")).to_be_visible()
    assert settings.uploads == []


async def test_of_two_admins_the_second_is_told(
    open_page: OpenPage, settings: FakeSettings
) -> None:
    page = await recording_tab(open_page)
    settings.kept["version"] = 5
    await page.get_by_label("Purpose of the recording").fill("training")
    await form(page).get_by_role("button", name="Save").click()
    await expect(page.get_by_text("The settings were not saved")).to_be_visible()
    assert settings.kept["purpose"] == ""


async def test_supervisors_read_and_agents_do_not_see_it(
    open_page: OpenPage, settings: FakeSettings
) -> None:
    page = await recording_tab(open_page, "agus@example.test")
    await expect(form(page).get_by_text("Only admins change these")).to_be_visible()
    await expect(page.get_by_label("Purpose of the recording")).to_be_disabled()
    await expect(form(page).get_by_role("button", name="Save")).to_have_count(0)
    other = await open_page()
    await softphone.login(other, "sari@example.test", "secret")
    await softphone.open_page(other, "Settings")
    await expect(other.get_by_role("heading", name="Sound")).to_be_visible()
    await expect(other.get_by_role("tab", name="Recording")).to_have_count(0)
