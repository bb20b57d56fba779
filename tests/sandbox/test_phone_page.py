"""A person at the phone page, in Chromium with its fake microphone."""

from collections.abc import AsyncIterator

import aiohttp
import numpy as np
import pytest
from playwright.async_api import Page, async_playwright, expect

from sandbox.sandbox import Sandbox
from tests.sandbox.business import ANN, Business, BusinessPeer, eventually

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
FLAGS = [
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
]
PATIENCE_MS = 30_000


@pytest.fixture
async def sandbox(business: Business) -> AsyncIterator[Sandbox]:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        yield sandbox


@pytest.fixture
async def page(sandbox: Sandbox) -> AsyncIterator[Page]:
    """The phone page; any error of its scripts fails the test."""
    problems: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=FLAGS
        )
        page = await browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console",
            lambda message: problems.append(message.text) if message.type == "error" else None,
        )
        await page.goto(sandbox.phone_url)
        await expect(page.get_by_text("online")).to_be_visible()
        yield page
        await browser.close()
    assert not problems


async def press(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name, exact=True).click()


async def status(page: Page, text: str) -> None:
    await expect(page.get_by_role("status")).to_have_text(text, timeout=PATIENCE_MS)


def loud_share(peer: BusinessPeer, seconds: float) -> float:
    levels = np.array(peer.hearing.measure(peer.hearing.duration_s - seconds).levels_dbfs)
    return float((levels > -60).mean())


async def test_a_person_calls_talks_presses_keys_and_hangs_up(
    business: Business, sandbox: Sandbox, page: Page
) -> None:
    await press(page, "Call the business")
    await status(page, "Calling…")
    peer = business.peer()
    await business.pick_up(peer)
    await status(page, "Connected")
    (call,) = sandbox.exchange.calls.values()

    # The user talks by itself until told not to.
    await eventually(lambda: peer.hearing.duration_s > 2)
    assert loud_share(peer, 2) > 0.3
    await press(page, "Talks by itself")
    quiet_from = peer.hearing.duration_s + 0.5
    await eventually(lambda: peer.hearing.duration_s > quiet_from + 1)
    assert loud_share(peer, 1) == 0

    # Chromium's fake microphone beeps.
    talk = page.get_by_role("button", name="Hold to talk")
    await talk.hover()
    await page.mouse.down()
    begun = peer.hearing.duration_s
    await eventually(lambda: peer.hearing.duration_s > begun + 4)
    assert loud_share(peer, 3) > 0.05
    await page.mouse.up()

    await press(page, "Keypad")
    await press(page, "star")
    await call.record.wait_for("user.pressed", 20)

    # The person hears the business's tone: the meter moves.
    width = "parseInt(document.getElementById('heard-level').style.width)"
    await page.wait_for_function(f"{width} > 30")

    await press(page, "Hang up")
    await status(page, "You hung up")
    ended = await business.wait("calls", "terminate")
    assert ended["status"] == "COMPLETED"
    assert not call.record.faults
    await expect(page.get_by_role("button", name="Call the business")).to_be_visible()


async def test_a_person_is_called_and_answers_by_keyboard(
    business: Business, sandbox: Sandbox, page: Page
) -> None:
    peer = business.peer()
    call = await business.dial(sandbox, peer)
    await status(page, "is calling you…")
    answer = page.get_by_role("button", name="Answer")
    await expect(answer).to_be_focused()
    connect = await business.wait("calls", "connect")
    await peer.take_answer(connect["session"]["sdp"])
    await page.keyboard.press("Enter")
    await business.wait("statuses", "ACCEPTED")
    await status(page, "Connected")
    await page.keyboard.down("Space")
    await expect(page.get_by_role("button", name="Hold to talk")).to_have_attribute(
        "aria-pressed", "true"
    )
    await page.keyboard.up("Space")
    await business.act_ok("terminate", call_id=call.wacid)
    await status(page, "The business hung up")


async def test_a_person_declines(business: Business, sandbox: Sandbox, page: Page) -> None:
    await business.dial(sandbox, business.peer())
    await status(page, "is calling you…")
    await press(page, "Decline")
    await business.wait("statuses", "REJECTED")
    await status(page, "Declined")


async def test_a_reloaded_page_shows_the_call_again(
    business: Business, sandbox: Sandbox, page: Page
) -> None:
    await press(page, "Call the business")
    await business.pick_up(business.peer())
    await status(page, "Connected")
    await page.reload()
    await status(page, "Connected")
    await press(page, "Hang up")
    await business.wait("calls", "terminate")


async def test_another_sites_page_cannot_use_the_phone(sandbox: Sandbox) -> None:
    async with aiohttp.ClientSession() as client:
        url = f"{sandbox.phone_url}/ws"
        for origin, user_id, expected in (
            ("http://elsewhere.example", "US.1", 403),
            (sandbox.graph_url, "US.404", 404),
        ):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
                await client.ws_connect(url, origin=origin, params={"user_id": user_id})
            assert refusal.value.status == expected


async def test_nonsense_from_the_page_is_survived(sandbox: Sandbox) -> None:
    async with (
        aiohttp.ClientSession() as client,
        client.ws_connect(f"{sandbox.phone_url}/ws?user_id=US.1") as socket,
    ):
        assert (await socket.receive_json())["call"] is None
        for text in ("", "{", "[]", '{"do":"dance"}', '{"do":"press","digits":"x"}'):
            await socket.send_str(text)
        await socket.send_bytes(b"odd")
        await socket.send_json({"do": "hang_up"})
        await socket.send_json({"do": "call"})
        assert (await socket.receive_json())["call"]["state"] == "ringing"
