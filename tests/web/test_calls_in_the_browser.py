"""Calls in the softphone: in, out, muted, held, ended, refused."""

import pytest
from playwright.async_api import Page, Playwright, expect

from tests.web import softphone
from tests.web.conftest import OpenPage
from tests.web.fake_gateway import BUDI, FakeGateway
from tests.web.scenes import talk, until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_an_incoming_call_is_answered_and_both_sides_hear_each_other(
    page: Page, gateway: FakeGateway
) -> None:
    await softphone.go_ready(page)
    call_id = await gateway.ring(["u1"])
    card = softphone.incoming(page)
    await expect(card.get_by_role("heading", name="Budi Santoso")).to_be_visible()
    await expect(card).to_contain_text("+62 812 3456 7890")
    await expect(card).to_contain_text("ID.134912086553")
    await expect(card).to_contain_text("+62 21 5550 0100")

    await softphone.answer(page)
    await softphone.expect_status(page, "Connecting")
    await gateway.pick_up(call_id)
    await softphone.expect_talking(page)
    leg = gateway.leg_on(call_id)
    await until(lambda: leg.loudness() > 0.002, "the agent's beep is heard")
    await expect(softphone.current_call(page).get_by_role("timer")).to_be_visible()


async def test_talking_shows_only_once_sound_of_the_other_side_arrives(
    page: Page, gateway: FakeGateway
) -> None:
    await softphone.go_ready(page)
    call_id = await gateway.ring(["u1"])
    await softphone.answer(page)
    await gateway.change(call_id, state="talking", answered_at="2026-01-01T00:00:00.000Z")
    await expect(softphone.current_call(page)).to_contain_text("Connecting the sound")
    await expect(softphone.current_call(page)).to_contain_text("No sound of the other side")
    await softphone.expect_status(page, "Connecting")
    gateway.leg_on(call_id).player.flowing.set()
    await softphone.expect_talking(page)


async def test_nobody_hears_the_microphone_outside_a_call(
    page: Page, gateway: FakeGateway
) -> None:
    await softphone.go_ready(page)
    leg = next(iter(gateway.legs.values()))
    heard = leg.frames_heard
    await until(lambda: leg.frames_heard > heard + 100, "two seconds of the leg")
    assert leg.loudness(frames=75) < 0.001


async def test_mute_silences_at_once_and_at_the_gateway(
    page: Page, gateway: FakeGateway
) -> None:
    call_id = await talk(page, gateway)
    leg = gateway.leg_on(call_id)
    await until(lambda: leg.loudness() > 0.002, "the agent is heard")
    await softphone.mute(page)
    await until(lambda: bool(gateway.calls[call_id]["muted"]), "the gateway mutes")
    heard = leg.frames_heard
    await until(lambda: leg.frames_heard > heard + 60, "the stream goes on")
    assert leg.loudness(frames=50) < 0.001
    await expect(softphone.current_call(page)).to_contain_text("muted")
    await softphone.unmute(page)
    await until(lambda: leg.loudness() > 0.002, "the agent is heard again")
    assert gateway.calls[call_id]["muted"] is False


async def test_a_muted_agent_who_talks_is_told(
    playwright: Playwright, open_page: OpenPage, gateway: FakeGateway, tone_wav: str
) -> None:
    args = [*softphone.ARGS, f"--use-file-for-fake-audio-capture={tone_wav}"]
    browser = await softphone.launch(playwright, args)
    page = await open_page(browser)
    await softphone.login(page, "sari@example.test", "secret")
    await softphone.choose_plain_microphone(page)
    await talk(page, gateway)
    hint = page.get_by_text("You are talking, but your microphone is muted.")
    await expect(hint).to_have_count(0)
    await softphone.mute(page)
    await expect(hint).to_be_visible()
    await softphone.unmute(page)
    await expect(hint).to_have_count(0)
    await browser.close()


async def test_hold_is_asked_of_the_gateway_and_shown(page: Page, gateway: FakeGateway) -> None:
    call_id = await talk(page, gateway)
    await softphone.hold(page)
    assert gateway.calls[call_id]["held"] is True
    await expect(softphone.current_call(page)).to_contain_text("neither of you hears")
    await softphone.resume_from_hold(page)
    assert gateway.calls[call_id]["held"] is False


async def test_hang_up_ends_the_call_and_says_so(page: Page, gateway: FakeGateway) -> None:
    call_id = await talk(page, gateway)
    await softphone.hang_up(page)
    assert gateway.calls[call_id]["state"] == "ended"
    await expect(page.get_by_text("Call ended after")).to_be_visible()
    await softphone.expect_status(page, "Ready")


async def test_decline_silences_only_me(page: Page, gateway: FakeGateway) -> None:
    await softphone.go_ready(page)
    call_id = await gateway.ring(["u1", "u2"])
    await softphone.decline(page)
    assert gateway.calls[call_id]["state"] == "ringing"
    assert gateway.calls[call_id]["offered_to"] == ["u2"]
    await softphone.expect_status(page, "Ready")


async def test_a_call_that_a_colleague_took_stops_ringing(
    page: Page, gateway: FakeGateway
) -> None:
    await softphone.go_ready(page)
    call_id = await gateway.ring(["u1", "u2"])
    await softphone.expect_status(page, "Incoming call")
    await gateway.change(
        call_id, state="connecting", agent={"id": "u2", "name": "Dewi"}, offered_to=[]
    )
    await expect(softphone.incoming(page)).to_have_count(0)
    await softphone.expect_status(page, "Ready")


async def test_losing_the_race_for_a_call_is_told_in_plain_words(
    page: Page, gateway: FakeGateway
) -> None:
    await softphone.go_ready(page)
    await gateway.ring(["u1", "u2"])
    gateway.refuse("answer", "call_taken")
    await softphone.incoming(page).get_by_role("button", name="Answer").click()
    await expect(page.get_by_role("alert")).to_contain_text(["A colleague was faster"])


async def test_a_leg_that_the_gateway_lost_is_replaced_and_the_call_answered(
    page: Page, gateway: FakeGateway
) -> None:
    await softphone.go_ready(page)
    first = set(gateway.legs)
    call_id = await gateway.ring(["u1"])
    gateway.refuse("answer", "leg_gone")
    await softphone.answer(page)
    assert gateway.leg_of[call_id] not in first
    await gateway.pick_up(call_id)
    await softphone.expect_talking(page)


async def test_dialling_goes_through_its_states_to_talking(
    page: Page, gateway: FakeGateway
) -> None:
    await softphone.go_ready(page)
    await softphone.dial(page, "+62 812-3456-7890", number="+62 21 5550 0200")
    await softphone.expect_status(page, "Dialling")
    (call_id,) = gateway.calls
    call = gateway.calls[call_id]
    assert call["peer"] == {"phone": "6281234567890"}
    assert call["number"]["id"] == "n2"
    await gateway.change(call_id, state="remote_ringing")
    await softphone.expect_status(page, "Ringing")
    await gateway.pick_up(call_id)
    await softphone.expect_talking(page)
    await gateway.end(call_id)
    await softphone.expect_status(page, "Ready")


async def test_the_dial_pad_and_a_user_id(page: Page, gateway: FakeGateway) -> None:
    await softphone.go_ready(page)
    pad = page.get_by_role("group", name="Dial pad")
    await pad.get_by_role("button", name="Plus sign").click()
    for digit in "628":
        await pad.get_by_role("button", name=f"Digit {digit}").click()
    field = page.get_by_label("Phone number or user ID")
    await expect(field).to_have_value("+628")
    await page.get_by_role("button", name="Erase").click()
    await expect(field).to_have_value("+62")
    await softphone.dial(page, "ID.134912086553")
    (call,) = gateway.calls.values()
    assert call["peer"] == {"user_id": "ID.134912086553"}


async def test_a_wrong_number_is_explained_and_nothing_is_dialled(
    page: Page, gateway: FakeGateway
) -> None:
    await softphone.go_ready(page)
    await page.get_by_label("Phone number or user ID").fill("0812 3456")
    await page.get_by_role("button", name="Call", exact=True).click()
    await expect(page.get_by_text("Begin with the country code")).to_be_visible()
    assert gateway.calls == {}


async def test_what_whatsapp_refused_is_shown_with_its_code(
    page: Page, gateway: FakeGateway
) -> None:
    await softphone.go_ready(page)
    fault = {"code": 138006, "message": "No approved call permission", "details": "Ask first"}
    gateway.refuse("calls", "no_permission", 422, meta=fault)
    await page.get_by_label("Phone number or user ID").fill("6281234567890")
    await page.get_by_role("button", name="Call", exact=True).click()
    alert = page.get_by_role("alert").filter(has_text="could not be placed")
    await expect(alert).to_contain_text("has not allowed calls from your business")
    await expect(alert).to_contain_text("138006")
    await expect(alert).to_contain_text("No approved call permission · Ask first")
    await softphone.expect_status(page, "Ready")
    await alert.get_by_role("button", name="Dismiss").click()
    await expect(alert).to_have_count(0)


async def test_a_call_that_failed_tells_why(page: Page, gateway: FakeGateway) -> None:
    call_id = await talk(page, gateway)
    meta = {"code": 138021, "message": "No media", "details": "None for 20 s"}
    problem = {"code": "meta_refused", "detail": "Meta ended it", "meta": meta}
    await gateway.end(call_id, "failed", problem=problem)
    await expect(page.get_by_text("No media · None for 20 s")).to_be_visible()


async def test_earlier_calls_with_the_person_stand_beside_the_call(
    page: Page, gateway: FakeGateway
) -> None:
    gateway.finished_call()
    gateway.finished_call(peer={"name": "Somebody Else", "phone": "6289999999999"})
    await softphone.go_ready(page)
    await gateway.ring(["u1"])
    history = page.locator("section").filter(has_text="Earlier calls with this person")
    await expect(history.get_by_role("listitem")).to_have_count(1)
    await expect(history.get_by_role("listitem")).to_contain_text(BUDI["name"])


async def test_a_call_runs_by_keyboard_alone(page: Page, gateway: FakeGateway) -> None:
    await softphone.go_ready(page)
    call_id = await gateway.ring(["u1"])
    await expect(softphone.incoming(page)).to_be_visible()
    await page.keyboard.press("a")
    await expect(softphone.current_call(page)).to_be_visible()
    await gateway.pick_up(call_id)
    await softphone.expect_talking(page)
    await page.keyboard.press("m")
    await expect(page.get_by_role("button", name="Unmute")).to_be_visible()
    await until(lambda: bool(gateway.calls[call_id]["muted"]), "muted by key")
    await page.keyboard.press("e")
    await softphone.expect_status(page, "Ready")
    assert gateway.calls[call_id]["state"] == "ended"


async def test_keys_do_nothing_while_a_person_types(page: Page, gateway: FakeGateway) -> None:
    await softphone.go_ready(page)
    await page.get_by_label("Phone number or user ID").focus()
    call_id = await gateway.ring(["u1"])
    await expect(softphone.incoming(page)).to_be_visible()
    await open_search(page)
    await page.keyboard.press("d")
    await expect(softphone.incoming(page)).to_be_visible()
    assert gateway.calls[call_id]["offered_to"] == ["u1"]


async def open_search(page: Page) -> None:
    """Put the cursor into a field that exists while it rings."""
    await softphone.open_page(page, "Settings")
    await page.get_by_role("combobox", name="Language").click()


async def test_the_call_follows_to_the_other_pages(page: Page, gateway: FakeGateway) -> None:
    call_id = await talk(page, gateway)
    await softphone.open_page(page, "Calls")
    bar = softphone.current_call(page)
    await expect(bar).to_contain_text("Budi Santoso")
    await bar.get_by_role("button", name="Mute").click()
    await until(lambda: bool(gateway.calls[call_id]["muted"]), "muted from another page")
    await bar.get_by_role("button", name="Hang up").click()
    await softphone.expect_status(page, "Ready")


async def test_state_changes_are_announced_to_screen_readers(
    page: Page, gateway: FakeGateway
) -> None:
    await softphone.go_ready(page)
    call_id = await gateway.ring(["u1"])
    urgent = page.locator("[aria-live=assertive]")
    await expect(urgent).to_have_text("Incoming call from Budi Santoso")
    await softphone.answer(page)
    await gateway.pick_up(call_id)
    calm = page.get_by_test_id("announcer")
    await expect(calm).to_have_text("You are talking with Budi Santoso")
    await softphone.mute(page)
    await expect(calm).to_have_text("Microphone muted")
    await gateway.end(call_id)
    await expect(calm).to_have_text("Call ended: Completed")


async def test_the_title_flashes_while_it_rings_and_is_plain_after(
    page: Page, gateway: FakeGateway
) -> None:
    await softphone.go_ready(page)
    call_id = await gateway.ring(["u1"])
    await expect(page).to_have_title("📞 Incoming call from Budi Santoso")
    await expect(page).to_have_title("Callgate")
    await gateway.end(call_id, "missed")
    await softphone.expect_status(page, "Ready")
    await expect(page).to_have_title("Callgate")
