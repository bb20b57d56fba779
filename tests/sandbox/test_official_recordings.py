"""Calls that are announced, recorded and written down, as WhatsApp does it, and not quite."""

import asyncio
import base64
import hashlib
import io
import json
from typing import Any

import aiohttp
import av
import numpy as np
import pytest

from sandbox.announcements import announcement
from sandbox.config import Recorder, SandboxConfig, Timings
from sandbox.faults import FaultKind, FaultSpec
from sandbox.hearing import level_dbfs
from sandbox.opus import SAMPLE_RATE_HZ
from sandbox.sandbox import Sandbox
from sandbox.speech import synthesise
from sandbox.transcripts import Voice, transcript_json
from sandbox.validation import ANNOUNCEMENT_LANGUAGES, Announced
from tests.sandbox.business import ANN, TOKEN, Business, answer_session

ASKED = {"status": "ENABLED", "purpose": "quality", "announcement_language": "en_GB"}
BEARER = {"Authorization": f"Bearer {TOKEN}"}
QUICK = Recorder(announcement_s_max=1.0)


def config(business: Business, **recorder: Any) -> SandboxConfig:
    return business.config(
        users=[ANN],
        timings=Timings(speed=20.0),
        recorder=QUICK.model_copy(update=recorder),
    )


async def talk(
    business: Business, sandbox: Sandbox, *, seconds: float = 2.0, **asked: Any
) -> tuple[Any, Any]:
    """Let Ann call, accept with what is asked, talk after the announcement, hang up."""
    business.graph_url = sandbox.graph_url
    call = await sandbox.exchange.call_business("US.1")
    connect = await business.wait("calls", "connect")
    peer = business.peer()
    sdp = await peer.answer(connect["session"]["sdp"])
    await business.act_ok("accept", call_id=connect["id"], session=answer_session(sdp), **asked)
    if seconds:
        began = await call.record.wait_for("recording.began", timeout_s=30)
        await call.record.wait_for("rtp.first_heard", timeout_s=30)
        while call.record.now_ms() - began.at_ms < seconds * 1000:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    call.hang_up()
    return call, peer


async def fetch(url: str) -> bytes:
    async with aiohttp.ClientSession() as client, client.get(url, headers=BEARER) as response:
        assert response.status == 200
        return await response.read()


def played(content: bytes) -> np.ndarray[Any, np.dtype[np.float32]]:
    with av.open(io.BytesIO(content), "r") as container:
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    return np.concatenate(frames, axis=1)


@pytest.mark.parametrize("channels", [1, 2])
async def test_a_call_is_announced_recorded_and_told_of(
    business: Business, channels: int
) -> None:
    async with Sandbox(config(business, channels=channels)) as sandbox:
        call, peer = await talk(business, sandbox, recording=ASKED)
        event = await business.wait("calls", "call_recording_available")
        audio = event["call_recording"]["audio"]
        content = await fetch(audio["url"])
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        assert audio["sha256"] == digest
        assert audio["mime_type"] == "audio/ogg; codecs=opus"
        heard = played(content)
        ended = call.record.first("recording.ended").detail["duration_s"]
        assert heard.shape[0] == channels
        assert abs(heard.shape[1] / SAMPLE_RATE_HZ - ended) < 0.03
        # The announcement was heard by both, and is not in the recording.
        began = call.record.first("announcement.began")
        assert "will be recorded for the following purpose: quality" in began.detail["text"]
        spectrum = np.abs(np.fft.rfft(heard[0][-SAMPLE_RATE_HZ:]))
        strongest = np.argmax(spectrum[200:]) + 200
        assert strongest in ({700} if channels == 2 else {440, 700})
        if channels == 2:
            assert abs(np.argmax(np.abs(np.fft.rfft(heard[1][-SAMPLE_RATE_HZ:]))) - 440) <= 1
        assert peer.hearing.duration_s > 1


async def test_transcript_and_recording_are_two_events_and_one_announcement(
    business: Business,
) -> None:
    async with Sandbox(config(business)) as sandbox:
        other = ASKED | {"purpose": "another"}
        call, _ = await talk(business, sandbox, recording=ASKED, transcription=other)
        await business.wait("calls", "call_recording_available")
        event = await business.wait("calls", "call_transcription_available")
        spoken = call.record.first("announcement.began").detail["text"]
        assert spoken.endswith("recorded and transcribed for the following purpose: quality")
        document = event["call_transcript"]["document"]
        assert document["mime_type"] == "application/json"
        written = json.loads(await fetch(document["url"]))
        speakers = {each["speaker"] for each in written["transcript"]["segments"]}
        assert speakers == {"Business", "Customer"}
        assert written["transcript"]["text"].startswith("[")


async def test_a_call_that_ends_during_the_announcement_is_not_recorded(
    business: Business,
) -> None:
    async with Sandbox(config(business, announcement_s_max=None)) as sandbox:
        call, _ = await talk(business, sandbox, seconds=0.0, recording=ASKED)
        await call.record.wait_for("recording.declined", timeout_s=10)
        assert call.record.first("recording.began") is None


async def test_nothing_is_announced_that_was_not_asked_for(business: Business) -> None:
    async with Sandbox(config(business)) as sandbox:
        call, _ = await talk(business, sandbox, seconds=0.0, recording={"status": "DISABLED"})
        await call.record.wait_for("webhook.acked.calls.terminate", timeout_s=10)
        assert call.record.first("announcement.began") is None
        assert call.recording is None


def fault(kind: FaultKind, match: str, **fields: Any) -> FaultSpec:
    return FaultSpec(kind=kind, match=match, **fields)


async def test_a_recording_can_be_withheld_while_the_transcript_comes(
    business: Business,
) -> None:
    async with Sandbox(config(business)) as sandbox:
        sandbox.exchange.faults.add(fault(FaultKind.RECORDING_FILE_MISSING, "recording"))
        call, _ = await talk(business, sandbox, recording=ASKED, transcription=ASKED)
        await business.wait("calls", "call_transcription_available")
        assert call.record.first("recording.withheld") is not None
        names = {delivery.name for delivery in sandbox.exchange.webhooks.deliveries}
        assert "calls.call_recording_available" not in names


@pytest.mark.parametrize(
    ("kind", "size", "is_right"),
    [
        (FaultKind.RECORDING_FILE_WRONG_DIGEST, None, False),
        (FaultKind.RECORDING_FILE_WRONG_TYPE, 208, True),
        (FaultKind.RECORDING_FILE_EMPTY, 0, True),
    ],
)
async def test_a_file_can_be_other_than_it_should(
    business: Business, kind: FaultKind, size: int | None, is_right: bool
) -> None:
    async with Sandbox(config(business)) as sandbox:
        sandbox.exchange.faults.add(fault(kind, "recording"))
        await talk(business, sandbox, seconds=0.3, recording=ASKED)
        audio = (await business.wait("calls", "call_recording_available"))["call_recording"][
            "audio"
        ]
        content = await fetch(audio["url"])
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        assert (digest == audio["sha256"]) is is_right
        assert size is None or len(content) == size


async def test_a_recording_can_lack_its_end_and_lie_elsewhere(business: Business) -> None:
    async with Sandbox(config(business)) as sandbox:
        exchange = sandbox.exchange
        exchange.faults.add(fault(FaultKind.RECORDING_CUT_SHORT, "recording", seconds=1.0))
        foreign = "https://files.example/x"
        exchange.faults.add(
            fault(FaultKind.RECORDING_FILE_FOREIGN_HOST, "recording", to=foreign)
        )
        call, _ = await talk(business, sandbox, recording=ASKED)
        audio = (await business.wait("calls", "call_recording_available"))["call_recording"][
            "audio"
        ]
        assert audio["url"].startswith(foreign)
        began, ended = (call.record.first(f"recording.{each}") for each in ("began", "ended"))
        lasted_s = (ended.at_ms - began.at_ms) / 1000
        assert abs(lasted_s - 1.0 - ended.detail["duration_s"]) < 0.2


async def test_downloads_fail_in_every_way(business: Business) -> None:
    content = bytes(1000)
    async with Sandbox(business.config()) as sandbox, aiohttp.ClientSession() as client:
        stored = sandbox.exchange.media.put(content, "audio/ogg")
        async with client.get(
            f"{sandbox.graph_url}/v23.0/{stored.media_id}", headers=BEARER
        ) as response:
            url = (await response.json())["url"]

        async def get(kind: FaultKind, **fields: Any) -> aiohttp.ClientResponse:
            sandbox.exchange.faults.add(fault(kind, "download", **fields))
            return await client.get(url, headers=BEARER, allow_redirects=False)

        assert (await get(FaultKind.GRAPH_NOT_FOUND)).status == 404
        assert (await get(FaultKind.GRAPH_EXPIRED_TOKEN)).status == 401
        assert (await get(FaultKind.GRAPH_RATE_LIMITED)).status in {400, 429}
        led = await get(FaultKind.GRAPH_REDIRECT)
        assert (led.status, led.headers["Location"]) == (
            302,
            "http://169.254.169.254/latest/",
        )
        assert len(await (await get(FaultKind.GRAPH_TRUNCATED)).read()) == 500
        endless = await get(FaultKind.GRAPH_ENDLESS)
        assert len(await endless.content.readexactly(300_000)) == 300_000
        endless.close()


@pytest.mark.parametrize("language", sorted(ANNOUNCEMENT_LANGUAGES))
def test_every_language_is_spoken(language: str) -> None:
    asked = Announced("x", language)
    said = [announcement(asked, None), announcement(asked, asked), announcement(None, asked)]
    texts = {each[0] for each in said if each is not None}
    assert len(texts) == 3
    for each in said[:2]:
        assert each is not None
        assert 1.0 < len(synthesise(*each)) / SAMPLE_RATE_HZ < 20.0
    assert announcement(None, None) is None


def test_silence_is_written_down_as_nothing() -> None:
    silent = np.zeros(SAMPLE_RATE_HZ, np.int16)
    written = json.loads(transcript_json([Voice("Business", 0, silent, "")], 0.0))
    assert written["transcript"]["text"] == ""
    assert written["transcript"]["segments"] == []
    assert level_dbfs(silent) == -96.0
