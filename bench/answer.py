"""How long from the click on Answer until both sides hear each other, in Chromium.

`python -m bench.answer [--quick]`: a table for people, then one JSON object as the last line.
Everything is real and on this machine: browser, gateway, media worker, and the sandbox for
WhatsApp, whose way to the gateway takes no time. A user calls and hums, an agent answers:

* persistent: the softphone as it is, with the leg that it keeps up while the agent is ready;
* cold: the softphone after it lost its leg, which it makes anew at the click;
* rival: a page that opens microphone and peer connection when the person answers and brings
  its offer with the answer, as softphones mostly do.

The user's side was made ready while it rang (`pre_accept`) in all three. The time ends when the
agent's page plays the user's hum and the user has the agent's, whichever is later. The three
take turns, so that a busy moment of this machine hits them alike.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from playwright.async_api import Browser, Page, async_playwright, expect

from bench.answer_page import WATCH
from gateway.demo.check import AGENT_HZ, CUSTOMER_DBFS, CUSTOMER_HZ
from gateway.demo.sound import RATE, TONE_AMPLITUDE
from gateway.demo.stack import CUSTOMER_ID, Stack, StackOptions
from tests.web import softphone
from tests.web.conftest import write_wav

GOALS = {"persistent_p95_ms": 300, "cold_p95_ms": 600}
PATIENCE_S = 20.0
TALK_S = 0.6
HUM = {"kind": "tone", "frequency_hz": CUSTOMER_HZ, "level_dbfs": CUSTOMER_DBFS}
TRIES_MAX = 3


@dataclass(slots=True)
class Samples:
    """Times of one way to answer, ms from the click; one of each per call."""

    way: str
    accepted: list[float] = field(default_factory=list)
    agent_hears: list[float] = field(default_factory=list)
    customer_hears: list[float] = field(default_factory=list)
    both_hear: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        """Return the percentiles that are reported."""
        return {
            "calls": len(self.both_hear),
            "accepted_p50_ms": percentile(self.accepted, 50),
            "agent_hears_p50_ms": percentile(self.agent_hears, 50),
            "customer_hears_p50_ms": percentile(self.customer_hears, 50),
            "p50_ms": percentile(self.both_hear, 50),
            "p95_ms": percentile(self.both_hear, 95),
        }


class Void(Exception):
    """This call measured something else than it should; says what."""


def percentile(values: list[float], share: float) -> float:
    """Return a percentile in whole milliseconds."""
    return round(float(np.percentile(values, share)))


@dataclass(frozen=True, slots=True)
class Scene:
    """A stack, the page of an agent with a softphone, and a page that answers naively."""

    stack: Stack
    softphone: Page
    naive: Page


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    """Start everything, with both agents ready."""
    # Webhooks come sooner than Meta's; none of them is between the click and the sound.
    options = StackOptions(sandbox={"timings": {"speed": 5}})
    with tempfile.TemporaryDirectory(prefix="callgate-bench-") as name:
        folder = Path(name)
        phase = np.arange(RATE * 2) * (2 * np.pi * AGENT_HZ / RATE)
        hum = write_wav(folder / "hum.wav", np.sin(phase) * TONE_AMPLITUDE * 32767)
        args = [*softphone.ARGS, f"--use-file-for-fake-audio-capture={hum}"]
        async with Stack(folder, options) as stack, async_playwright() as playwright:
            browser = await softphone.launch(playwright, args)
            ana, budi = await open_page(browser, stack, 0), await open_page(browser, stack, 1)
            await softphone.choose_plain_microphone(ana)
            await softphone.go_ready(ana)
            await budi.evaluate("window.benchBeAvailable('available')")
            yield Scene(stack, ana, budi)
            await browser.close()


async def open_page(browser: Browser, stack: Stack, place: int) -> Page:
    """Sign a person in, with the clocks built into the page."""
    context = await softphone.context_for(browser, stack.gateway_url)
    await context.add_init_script(WATCH)
    page = await context.new_page()
    person = stack.people[place]
    await softphone.login(page, person.email, person.password)
    return page


async def answer_with_leg(at: Scene) -> Page:
    """Click on Answer with the leg up."""
    await at.softphone.get_by_role("button", name="Answer").click()
    return at.softphone


async def answer_cold(at: Scene) -> Page:
    """Click on Answer without a leg; a leg that was made before the click voids the call."""
    page = at.softphone
    await page.get_by_role("button", name="Answer").click()
    times = await page.evaluate("window.benchTimes()")
    if times["madeAt"] < times["clickedAt"]:
        raise Void("the leg was made anew before the click")
    return page


async def answer_naively(at: Scene) -> Page:
    """Answer as the rival does."""
    call_id = await at.naive.evaluate("window.benchRinging()")
    await at.naive.evaluate("id => window.benchAnswerNaively(id)", call_id)
    return at.naive


WAYS: dict[str, Callable[[Scene], Awaitable[Page]]] = {
    "persistent": answer_with_leg,
    "cold": answer_cold,
    "rival": answer_naively,
}


async def one_call(at: Scene, samples: Samples) -> None:
    """Let the user call and one agent answer. Raises `Void`."""
    control = at.stack.sandbox
    if samples.way == "cold":
        await at.softphone.evaluate("window.benchLoseLeg()")
    wacid = (await control.call_business(CUSTOMER_ID, says=HUM))["wacid"]
    for page in (at.softphone, at.naive):
        await expect(softphone.incoming(page)).to_be_visible()
        await page.evaluate("window.benchReset()")
    await control.wait_for(wacid, "dtls.connected", timeout_s=PATIENCE_S)
    try:
        page = await WAYS[samples.way](at)
        times = await until_heard(page)
        await asyncio.sleep(TALK_S)
        await note(at, samples, wacid, times)
    finally:
        await control.hang_up(wacid)
        await at.naive.evaluate("window.benchEndNaively()")
        await softphone.expect_status(at.softphone, "Ready")
        await expect(softphone.incoming(at.naive)).to_have_count(0)
        await expect(softphone.current_call(at.naive)).to_have_count(0)


async def until_heard(page: Page) -> dict[str, float]:
    """Wait until the page has played the user's hum."""
    deadline = time.monotonic() + PATIENCE_S
    while (times := await page.evaluate("window.benchTimes()"))["heardAt"] is None:
        if time.monotonic() > deadline:
            raise TimeoutError("the agent heard nothing")
        await asyncio.sleep(0.05)
    return dict(times)


async def note(at: Scene, samples: Samples, wacid: str, times: dict[str, float]) -> None:
    """Put the agent's clock and the user's together; both are this machine's."""
    report: dict[str, Any] = await at.stack.sandbox.report(wacid)
    heard = report["heard"]
    if heard["first_sound_s"] is None:
        raise Void("the user heard nothing of the agent")
    began_ms = report["began_at"] * 1000
    accepted = next(e["at_ms"] for e in report["timeline"] if e["event"] == "call.accepted")
    sound_ms = heard["first_packet_at_ms"] + heard["first_sound_s"] * 1000
    samples.accepted.append(began_ms + accepted - times["clickedAt"])
    samples.agent_hears.append(times["heardAt"] - times["clickedAt"])
    samples.customer_hears.append(began_ms + sound_ms - times["clickedAt"])
    samples.both_hear.append(max(samples.agent_hears[-1], samples.customer_hears[-1]))


async def measure(calls: int) -> list[Samples]:
    """Answer so many calls each way, by turns, after one of each to warm up."""
    async with scene() as at:
        for way in WAYS:
            await with_patience(at, Samples(way))
        found = [Samples(way) for way in WAYS]
        for _ in range(calls):
            for samples in found:
                await with_patience(at, samples)
        return found


async def with_patience(at: Scene, samples: Samples) -> None:
    """Do one call, and another one if it was void."""
    for _ in range(TRIES_MAX):
        try:
            await one_call(at, samples)
        except Void as reason:
            print(f"{samples.way}: {reason}; once more", flush=True)
        else:
            return
    raise RuntimeError(f"{TRIES_MAX} void calls in a row")


def summary(found: list[Samples], load_average: float) -> dict[str, Any]:
    """Return what the last line holds."""
    ours = {each.way: each.figures() for each in found}
    rival = ours.pop("rival")
    persistent = ours["persistent"]
    return {
        "bench": "answer",
        "load_average": load_average,
        "figures": ours,
        "rival": rival,
        "ratio": {
            name: round(rival[name] / persistent[name], 2) for name in ("p50_ms", "p95_ms")
        },
        "goals": GOALS,
        "held": persistent["p95_ms"] <= GOALS["persistent_p95_ms"]
        and ours["cold"]["p95_ms"] <= GOALS["cold_p95_ms"],
    }


def show(found: list[Samples]) -> None:
    """Print the table for people."""
    print("ms from click   calls  accepted  agent hears  user hears  both p50  both p95")
    for each in found:
        row = each.figures()
        print(
            f"{each.way:14} {row['calls']:6.0f} {row['accepted_p50_ms']:9.0f}"
            f" {row['agent_hears_p50_ms']:12.0f} {row['customer_hears_p50_ms']:11.0f}"
            f" {row['p50_ms']:9.0f} {row['p95_ms']:9.0f}"
        )


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="bench.answer", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few calls")
    parser.add_argument("--calls", type=int, default=25, help="calls each way")
    chosen = parser.parse_args()
    load_average = os.getloadavg()[0]
    found = asyncio.run(measure(4 if chosen.quick else chosen.calls))
    show(found)
    print(json.dumps(summary(found, load_average)))


if __name__ == "__main__":
    main()
