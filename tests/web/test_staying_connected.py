"""Restarts, lost legs, reloads: the call is kept and the person is told."""

import pytest
from playwright.async_api import Page, expect

from tests.web import softphone
from tests.web.fake_gateway import FakeGateway
from tests.web.scenes import talk, until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_restart_of_the_gateway_is_survived_in_a_call(
    page: Page, gateway: FakeGateway
) -> None:
    call_id = await talk(page, gateway)
    leg_id = gateway.leg_of[call_id]
    await gateway.stop()
    await expect(page.get_by_text("No connection to the gateway")).to_be_visible()
    await expect(page.get_by_text("A call in progress goes on meanwhile.")).to_be_visible()
    gateway.availability["u1"] = "away"  # the restarted gateway has forgotten
    await gateway.start()
    await expect(page.get_by_text("No connection to the gateway")).to_have_count(0)
    await softphone.expect_talking(page)
    assert gateway.leg_of[call_id] == leg_id
    await until(lambda: gateway.availability["u1"] == "available", "ready is said again")


async def test_a_call_that_ended_meanwhile_is_told_after_reconnecting(
    page: Page, gateway: FakeGateway
) -> None:
    call_id = await talk(page, gateway)
    await gateway.stop()
    await gateway.end(call_id)
    await gateway.start()
    await expect(page.get_by_text("Call ended after")).to_be_visible()
    await softphone.expect_status(page, "Ready")


async def test_a_missed_event_makes_a_new_connection(page: Page, gateway: FakeGateway) -> None:
    await softphone.go_ready(page)
    await gateway.skip_a_number()
    await gateway.ring(["u1"])
    await expect(softphone.incoming(page)).to_be_visible()


async def test_the_browser_says_that_it_is_alive(page: Page, gateway: FakeGateway) -> None:
    await until(lambda: gateway.alive_count >= 2, "two signs of life")


async def test_a_leg_that_dies_while_ready_is_replaced(
    page: Page, gateway: FakeGateway
) -> None:
    await softphone.go_ready(page)
    (first,) = gateway.legs.values()
    gateway.leg_gate.clear()
    await first.peer.close()
    await softphone.expect_status(page, "Audio path lost")
    gateway.leg_gate.set()
    await softphone.expect_status(page, "Ready")
    await until(lambda: first.leg_id not in gateway.legs, "the dead leg is given back")
    assert len(gateway.legs) == 1


async def test_a_leg_that_dies_in_a_call_is_replaced_and_the_call_moved(
    page: Page, gateway: FakeGateway
) -> None:
    call_id = await talk(page, gateway)
    first = gateway.leg_on(call_id)
    gateway.leg_gate.clear()
    await first.peer.close()
    await expect(page.get_by_text("Your sound was interrupted")).to_be_visible()
    gateway.leg_gate.set()
    await softphone.expect_talking(page)
    leg = gateway.leg_on(call_id)
    assert leg is not first
    await until(lambda: leg.loudness() > 0.002, "the agent is heard on the new leg")


async def test_a_leg_that_the_gateway_calls_dead_is_replaced(
    page: Page, gateway: FakeGateway
) -> None:
    await softphone.go_ready(page)
    first = set(gateway.legs)
    await gateway.notify("leg_gone")
    await until(lambda: bool(set(gateway.legs) - first), "another leg")
    await softphone.expect_status(page, "Ready")


async def test_a_call_whose_leg_the_gateway_lost_is_attached_again(
    page: Page, gateway: FakeGateway
) -> None:
    call_id = await talk(page, gateway)
    await gateway.lose_leg(call_id)
    await until(lambda: not gateway.calls[call_id]["agent_away"], "attached again")
    await softphone.expect_talking(page)


async def test_a_reload_in_a_call_takes_it_up_again_by_itself(
    page: Page, gateway: FakeGateway
) -> None:
    call_id = await talk(page, gateway)
    first = gateway.leg_of[call_id]
    asked: list[str] = []

    async def leave(dialog: object) -> None:
        asked.append(dialog.type)  # type: ignore[attr-defined]
        await dialog.accept()  # type: ignore[attr-defined]

    page.on("dialog", leave)
    await page.reload()
    assert asked == ["beforeunload"]
    await softphone.expect_talking(page)
    assert gateway.calls[call_id]["state"] == "talking"
    assert gateway.leg_of[call_id] != first
    leg = gateway.leg_on(call_id)
    await until(lambda: leg.loudness() > 0.002, "the agent is heard after the reload")
    await softphone.hang_up(page)
    await softphone.expect_status(page, "Ready")


async def test_a_reload_outside_a_call_asks_nothing_and_is_not_ready(
    page: Page, gateway: FakeGateway
) -> None:
    await softphone.go_ready(page)
    asked: list[str] = []
    page.on("dialog", lambda dialog: asked.append(dialog.type))
    await page.reload()
    await softphone.expect_status(page, "Not ready")
    assert asked == []
    await until(lambda: gateway.availability["u1"] == "away", "nobody is offered calls here")
    await until(lambda: gateway.legs == {}, "the leg is given back")


async def test_a_call_on_another_machine_is_left_alone_until_asked_for(
    page: Page, gateway: FakeGateway
) -> None:
    call_id = await gateway.ring(["u1"])
    await gateway.change(
        call_id, state="connecting", agent={"id": "u1", "name": "Sari"}, offered_to=[]
    )
    await gateway.pick_up(call_id)
    await expect(page.get_by_text("Your call is waiting")).to_be_visible()
    assert gateway.legs == {}
    await page.get_by_role("button", name="Continue here").click()
    await softphone.expect_talking(page)
    assert call_id in gateway.leg_of


async def test_notices_of_the_gateway_come_and_go(page: Page, gateway: FakeGateway) -> None:
    await gateway.notify("store_down")
    await gateway.notify("token_invalid")
    await expect(page.get_by_text("The database cannot be reached.")).to_be_visible()
    await expect(page.get_by_text("does not accept the access token")).to_be_visible()
    await gateway.notify("store_back")
    await expect(page.get_by_text("The database cannot be reached.")).to_have_count(0)
    await expect(page.get_by_text("does not accept the access token")).to_be_visible()
