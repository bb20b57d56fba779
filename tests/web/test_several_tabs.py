"""Several tabs: one has the phone, the others show what happens."""

import pytest
from playwright.async_api import Page, expect

from tests.web import softphone
from tests.web.fake_gateway import FakeGateway
from tests.web.scenes import talk, until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def second_tab(page: Page) -> Page:
    tab = await page.context.new_page()
    await tab.goto("/")
    await expect(tab.get_by_text("The phone is in another tab", exact=True)).to_be_visible()
    return tab


async def test_only_one_tab_has_a_leg_and_flashes(page: Page, gateway: FakeGateway) -> None:
    await softphone.go_ready(page)
    tabs = [await second_tab(page) for _ in range(2)]
    assert len(gateway.legs) == 1
    await gateway.ring(["u1"])
    await expect(page).to_have_title("📞 Incoming call from Budi Santoso")
    for tab in tabs:
        await expect(softphone.incoming(tab)).to_be_visible()
        await softphone.expect_status(tab, "Incoming call")
        assert await tab.title() == "Callgate"


async def test_a_mirror_answers_through_the_tab_that_has_the_phone(
    page: Page, gateway: FakeGateway
) -> None:
    await softphone.go_ready(page)
    tab = await second_tab(page)
    call_id = await gateway.ring(["u1"])
    await softphone.answer(tab)
    await gateway.pick_up(call_id)
    await softphone.expect_talking(page)
    await softphone.expect_talking(tab)
    assert len(gateway.legs) == 1
    await softphone.mute(tab)
    await expect(
        softphone.current_call(page).get_by_role("button", name="Unmute")
    ).to_be_visible()
    await softphone.hang_up(tab)
    await softphone.expect_status(page, "Ready")


async def test_taking_over_moves_readiness(page: Page, gateway: FakeGateway) -> None:
    await softphone.go_ready(page)
    tab = await second_tab(page)
    await tab.get_by_role("button", name="Take over here").click()
    await softphone.expect_status(tab, "Ready")
    await softphone.expect_status(page, "In another tab")
    await until(lambda: len(gateway.legs) == 1, "the first tab's leg is given back")
    assert gateway.availability["u1"] == "available"


async def test_taking_over_in_a_call_moves_its_sound(page: Page, gateway: FakeGateway) -> None:
    call_id = await talk(page, gateway)
    first = gateway.leg_of[call_id]
    tab = await second_tab(page)
    await tab.get_by_role("button", name="Take over here").click()
    await softphone.expect_talking(tab)
    assert gateway.leg_of[call_id] != first
    leg = gateway.leg_on(call_id)
    await until(lambda: leg.loudness() > 0.002, "heard from the new tab")
    await softphone.hang_up(tab)
    await softphone.expect_status(tab, "Ready")
    await softphone.expect_status(page, "In another tab")


async def test_when_the_tab_with_the_phone_closes_another_gets_it(
    page: Page, gateway: FakeGateway
) -> None:
    await softphone.go_ready(page)
    tab = await second_tab(page)
    await page.close()
    await softphone.expect_status(tab, "Not ready")
    await until(lambda: gateway.availability["u1"] == "away", "nobody rings meanwhile")
    await softphone.go_ready(tab)


async def test_when_the_tab_with_the_call_closes_another_keeps_the_call(
    page: Page, gateway: FakeGateway
) -> None:
    call_id = await talk(page, gateway)
    tab = await second_tab(page)
    await page.close()
    await gateway.lose_leg(call_id)
    await softphone.expect_talking(tab)
    assert gateway.calls[call_id]["agent_away"] is False
