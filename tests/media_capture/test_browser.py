"""An assembled file in Chromium: two channels, each side in its own, the right length."""

import base64
import shutil
from pathlib import Path

import pytest
from playwright.async_api import async_playwright

from media.assemble import assemble
from tests.media_capture.audio import AGENT, CUSTOMER, CaptureMaker, encode, speech

DECODE = """async ([encoded, quiet]) => {
  const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
  const context = new OfflineAudioContext(2, 48000, 48000);
  const audio = await context.decodeAudioData(bytes.buffer);
  const loudness = (channel, begin, end) => {
    const part = audio.getChannelData(channel).subarray(begin * 48000, end * 48000);
    return Math.sqrt(part.reduce((sum, each) => sum + each * each, 0) / part.length);
  };
  const element = document.createElement("audio");
  return {
    channels: audio.numberOfChannels,
    samples: audio.length,
    left: [loudness(0, 0, 2), loudness(0, ...quiet)],
    right: [loudness(1, 0, 2), loudness(1, ...quiet)],
    playable: element.canPlayType('audio/ogg; codecs="opus"'),
  };
}"""


@pytest.mark.browser
async def test_chromium_hears_both_sides_of_the_right_length(tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    agent, customer = encode(speech(8, 1)), encode(speech(8, 2))
    maker = CaptureMaker()
    maker.side(AGENT, agent)
    maker.side(CUSTOMER, [*customer[:100], *[None] * 200, *customer[300:]])
    made = assemble([maker.write(tmp_path, 7_654)], tmp_path / "call.ogg")
    encoded = base64.b64encode((tmp_path / "call.ogg").read_bytes()).decode()
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        page = await browser.new_page()
        heard = await page.evaluate(DECODE, [encoded, [2.5, 5.5]])
        await browser.close()
    assert heard["channels"] == 2
    assert heard["samples"] == made.samples == 7_654 * 48
    assert heard["playable"] == "probably"
    assert min(heard["left"]) > 0.02
    assert heard["right"][0] > 0.02
    assert heard["right"][1] < 0.0001
