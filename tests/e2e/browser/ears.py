"""What a page plays, as samples: every media element that plays a stream is listened to."""

import asyncio
import base64
import time

import numpy as np
from playwright.async_api import Page

from gateway.demo.sound import FRAME_S, FRAME_SAMPLES, RATE, Tone, describe

PATIENCE_S = 30.0
POLL_S = 0.1
SILENT_RMS = 0.002
"""-54 dBFS: above comfort noise, far below anybody's voice."""

LISTEN = """
(() => {
  const CHUNKS_MAX = 1500;
  const chunks = [];
  const sources = new WeakMap();
  let input = null;

  function ear() {
    if (input !== null) return input;
    const context = new AudioContext({ sampleRate: 48000 });
    const recorder = context.createScriptProcessor(2048, 1, 1);
    recorder.onaudioprocess = ({ inputBuffer }) => {
      chunks.push(Float32Array.from(inputBuffer.getChannelData(0)));
      if (chunks.length > CHUNKS_MAX) chunks.shift();
    };
    recorder.connect(context.destination);
    window.__keptFromCollection = recorder;
    input = { context, recorder };
    return input;
  }

  const play = HTMLMediaElement.prototype.play;
  HTMLMediaElement.prototype.play = function () {
    const stream = this.srcObject;
    if (stream instanceof MediaStream && stream.getAudioTracks().length > 0) {
      const { context, recorder } = ear();
      sources.get(this)?.disconnect();
      const source = context.createMediaStreamSource(stream);
      source.connect(recorder);
      sources.set(this, source);
    }
    return play.call(this);
  };

  window.earForget = () => { chunks.length = 0; };
  window.earHeard = (seconds) => {
    const wanted = Math.ceil((seconds * 48000) / 2048);
    const last = chunks.slice(-wanted);
    const samples = new Int16Array(last.length * 2048);
    last.forEach((chunk, index) => {
      chunk.forEach((sample, at) => {
        samples[index * 2048 + at] = Math.max(-1, Math.min(1, sample)) * 32767;
      });
    });
    const bytes = new Uint8Array(samples.buffer);
    let text = "";
    for (let at = 0; at < bytes.length; at += 32768) {
      text += String.fromCharCode(...bytes.subarray(at, at + 32768));
    }
    return btoa(text);
  };
})()
"""
"""To run before the page's own scripts (`Page.add_init_script`)."""

ALL_S = 60.0


async def heard(page: Page, seconds: float = ALL_S) -> np.ndarray:
    """The newest sound of the page, as samples of -1 … 1 at 48 kHz."""
    text = await page.evaluate("seconds => window.earHeard(seconds)", seconds)
    return np.frombuffer(base64.b64decode(text), dtype="<i2").astype(np.float64) / 32768.0


async def forget(page: Page) -> None:
    await page.evaluate("window.earForget()")


async def tone(page: Page, seconds: float = 0.5) -> Tone:
    """The strongest tone of the newest stretch of sound."""
    return describe(await heard(page, seconds))


async def until_tone(page: Page, hz: float) -> Tone:
    """Wait until the page plays this tone and little else."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := await tone(page)).is_near(hz):
        assert time.monotonic() < deadline, f"waited for {hz} Hz, heard {found!r}"
        await asyncio.sleep(POLL_S)
    return found


async def until_sound(page: Page) -> None:
    """Wait until the page plays anything."""
    deadline = time.monotonic() + PATIENCE_S
    while (await tone(page)).rms < 10 * SILENT_RMS:
        assert time.monotonic() < deadline, "waited for any sound"
        await asyncio.sleep(POLL_S)


async def until_silent(page: Page) -> None:
    """Wait until the page has played nothing for half a second."""
    deadline = time.monotonic() + PATIENCE_S
    while (found := await tone(page)).rms > SILENT_RMS:
        assert time.monotonic() < deadline, f"waited for silence, heard {found!r}"
        await asyncio.sleep(POLL_S)


def seconds_of(samples: np.ndarray, hz: float) -> float:
    """Seconds in which this tone was most of what sounded, by frames of 20 ms."""
    frames = samples[: samples.size // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    wave = np.exp(-2j * np.pi * hz / RATE * np.arange(FRAME_SAMPLES))
    at_hz = 2 * np.abs(frames @ wave / FRAME_SAMPLES) ** 2
    power = np.mean(frames**2, axis=1)
    is_there = (power > SILENT_RMS**2) & (at_hz > power / 2)
    return float(np.count_nonzero(is_there)) * FRAME_S
