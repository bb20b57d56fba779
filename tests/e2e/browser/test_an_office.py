"""Two agents and their supervisor: who gets a call, who is told what."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect

from gateway.demo.check import CUSTOMER_HZ
from gateway.demo.stack import CUSTOMER_ID, Stack
from tests.e2e.browser import ears
from tests.e2e.browser.desks import (
    ANA,
    BUDI,
    SARI,
    customer_calls,
    desks_at,
    ended_well,
    go_ready_plainly,
)
from tests.web import softphone

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.browser,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="session"),
]


@dataclass(frozen=True, slots=True)
class Office:
    """Their pages; Ana and Budi are ready, Sari looks on."""

    ana: Page
    budi: Page
    sari: Page


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def office(stack: Stack, humming_browser: Browser) -> AsyncIterator[Office]:
    async with desks_at(stack, humming_browser) as open_desk:
        pages = Office(await open_desk(ANA), await open_desk(BUDI), await open_desk(SARI))
        for page in (pages.ana, pages.budi):
            await go_ready_plainly(page)
        yield pages


async def test_the_first_to_answer_has_the_call_and_the_other_is_told_who(
    stack: Stack, office: Office
) -> None:
    wacid = await customer_calls(stack)
    await ears.until_sound(office.budi)  # it rings
    await expect(softphone.incoming(office.budi)).to_be_visible()
    await softphone.answer(office.ana)
    await softphone.expect_talking(office.ana)

    await expect(softphone.incoming(office.budi)).to_have_count(0)
    await expect(office.budi.get_by_role("main")).to_contain_text("Ana took the call")
    await softphone.expect_status(office.budi, "Ready")
    await ears.until_silent(office.budi)
    await ears.until_tone(office.ana, CUSTOMER_HZ)
    await softphone.hang_up(office.ana)
    await ended_well(stack, wacid)


async def test_a_call_that_both_decline_is_over_for_the_customer(
    stack: Stack, office: Office
) -> None:
    wacid = await customer_calls(stack)
    await expect(softphone.incoming(office.budi)).to_be_visible()
    await softphone.decline(office.ana)
    await expect(softphone.incoming(office.budi)).to_be_visible()
    await softphone.decline(office.budi)

    report = await stack.sandbox.wait_for(wacid, "call.ended")
    assert report["outcome"]["ended_by"] == "business"
    assert report["received"] is None or report["received"]["packets"] == 0
    await expect(newest_call(office.sari)).to_contain_text("Declined")


async def test_a_caller_who_gives_up_is_a_missed_call_and_called_back(
    stack: Stack, office: Office
) -> None:
    wacid = await customer_calls(stack)
    await expect(softphone.incoming(office.ana)).to_be_visible()
    await stack.sandbox.wait_for(wacid, "call.pre_accepted")
    await stack.sandbox.hang_up(wacid)

    await expect(softphone.incoming(office.ana)).to_have_count(0)
    await expect(office.ana.get_by_role("main")).to_contain_text("Missed call")
    await ears.until_silent(office.ana)
    await expect(newest_call(office.sari)).to_contain_text("Missed")

    await stack.sandbox.behave(CUSTOMER_ID, answers="yes", answer_after_s=0.2)
    await office.ana.get_by_role("button", name="Call back").click()
    await softphone.expect_talking(office.ana)
    await softphone.hang_up(office.ana)


def newest_call(page: Page) -> Locator:
    """The first row of the recent calls on the phone's page."""
    calls = page.locator("section").filter(has=page.get_by_role("heading", name="Recent calls"))
    return calls.get_by_role("listitem").first


async def test_a_supervisor_watches_a_call_and_reads_what_happened_step_by_step(
    stack: Stack, office: Office
) -> None:
    wacid = await customer_calls(stack)
    await softphone.answer(office.ana)
    await softphone.expect_talking(office.ana)
    await softphone.open_page(office.sari, "Calls")
    row = office.sari.get_by_role("table").get_by_role("row").nth(1)
    await expect(row).to_contain_text("Demo Customer")
    await expect(row).to_contain_text("Ana")
    await expect(row).to_contain_text("Talking")

    await row.get_by_role("link").click()
    steps = office.sari.get_by_role("list", name="What happened")
    for step in ("started", "pre accept", "DTLS connected", "agent answered", "accepted"):
        await expect(steps.get_by_text(step, exact=True).first).to_be_visible()
    await softphone.hang_up(office.ana)
    await ended_well(stack, wacid)
    for step in ("hung up", "terminate", "terminated"):
        await expect(steps.get_by_text(step, exact=True).first).to_be_visible()
    await office.sari.get_by_role("switch", name="Show details of the steps").check()
    await expect(steps).to_contain_text("fbtrace id")
    await expect(office.sari.get_by_role("main")).to_contain_text("Completed")
