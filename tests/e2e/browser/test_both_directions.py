"""A known tone from either side is found at the other, in both directions of calling."""

import math

import pytest
from playwright.async_api import Browser, Page, expect

from gateway.demo.check import AGENT_HZ, CUSTOMER_DBFS, CUSTOMER_HZ
from gateway.demo.sandbox_control import Report
from gateway.demo.sound import FRAME_S, TONE_AMPLITUDE
from gateway.demo.stack import Stack, StackOptions
from tests.e2e.browser import ears
from tests.e2e.browser.desks import (
    ANA,
    OpenDesk,
    customer_calls,
    customer_hears,
    desks_at,
    dial_customer,
    ended_well,
    go_ready_plainly,
)
from tests.e2e.conftest import OpenStack
from tests.web import softphone

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.browser,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="session"),
]

LEVEL_OFF_MAX_DB = 3.0
AGENT_DBFS = 20 * math.log10(TONE_AMPLITUDE / math.sqrt(2))
HEAD_FRAMES = 50
LATE_FRAMES_MAX = 5
LOST_AT_THE_ENDS_S = 0.5
"""What a jitter buffer may still hold when the call ends, and what it takes to fade in."""


async def both_hear_each_other_at_the_right_level(stack: Stack, page: Page, wacid: str) -> None:
    at_agent = await ears.until_tone(page, CUSTOMER_HZ)
    at_customer = await customer_hears(stack, wacid, AGENT_HZ)
    assert abs(20 * math.log10(at_agent.rms) - CUSTOMER_DBFS) <= LEVEL_OFF_MAX_DB
    assert abs(at_customer["level_dbfs"] - AGENT_DBFS) <= LEVEL_OFF_MAX_DB


def first_words_reached_the_customer(heard: Report) -> None:
    """From the very start; holes come from a busy machine, where the fake microphone skips."""
    assert heard["first_sound_s"] <= LATE_FRAMES_MAX * FRAME_S
    head = heard["levels_dbfs"][:HEAD_FRAMES]
    loud = [level for level in head if level > AGENT_DBFS - 20]
    assert len(loud) > HEAD_FRAMES / 2, f"{head}"


async def all_that_was_said_reached_the_agent(page: Page, report: Report) -> None:
    said_s = report["sent"]["packets"] * FRAME_S
    heard_s = ears.seconds_of(await ears.heard(page), CUSTOMER_HZ)
    assert heard_s >= said_s - LOST_AT_THE_ENDS_S


async def test_a_user_calls_and_nothing_of_what_either_side_says_is_lost(
    stack: Stack, open_desk: OpenDesk
) -> None:
    page = await open_desk(ANA)
    await go_ready_plainly(page)
    wacid = await customer_calls(stack, hang_up_after_s=3.0)
    await expect(softphone.incoming(page)).to_be_visible()
    await stack.sandbox.wait_for(wacid, "dtls.connected")
    assert (await stack.sandbox.report(wacid))["datagrams"]["before_keys"] == 0
    await ears.forget(page)

    await softphone.answer(page)
    await softphone.expect_talking(page)
    await both_hear_each_other_at_the_right_level(stack, page, wacid)

    report = await ended_well(stack, wacid)
    await softphone.expect_status(page, "Ready")
    first_words_reached_the_customer(await stack.sandbox.heard(wacid))
    await all_that_was_said_reached_the_agent(page, report)
    await ears.until_silent(page)


async def test_we_call_a_user_and_nothing_of_what_either_side_says_is_lost(
    stack: Stack, open_desk: OpenDesk
) -> None:
    await call_a_user(stack, await open_desk(ANA))


@pytest.mark.parametrize("setup", ["active", "actpass"])
async def test_it_is_so_whatever_role_their_answer_asks_of_us(
    open_stack: OpenStack, humming_browser: Browser, setup: str
) -> None:
    async with (
        open_stack(StackOptions(sandbox={"bic_answer_setup": setup})) as stack,
        desks_at(stack, humming_browser) as open_desk,
    ):
        await call_a_user(stack, await open_desk(ANA))


async def call_a_user(stack: Stack, page: Page) -> None:
    await go_ready_plainly(page)
    await ears.forget(page)
    wacid = await dial_customer(stack, page, answer_after_s=60.0, hang_up_after_s=3.0)
    await softphone.expect_status(page, "Ringing")
    await stack.sandbox.ask("POST", f"/calls/{wacid}/answer")

    await softphone.expect_talking(page)
    await both_hear_each_other_at_the_right_level(stack, page, wacid)

    report = await ended_well(stack, wacid)
    await softphone.expect_status(page, "Ready")
    first_words_reached_the_customer(await stack.sandbox.heard(wacid))
    await all_that_was_said_reached_the_agent(page, report)
    await ears.until_silent(page)
