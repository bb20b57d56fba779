"""Calls that the gateway announces by itself before it records them, with real media."""

import asyncio
import io
import wave

import numpy as np
import pytest

from gateway.adapters.announcement_files import AnnouncementFiles
from gateway.adapters.system_clock import SystemClock
from gateway.core.ids import UserId
from gateway.core.recording.facts import Mode
from gateway.core.recording.policy import Records
from gateway.core.recording.wish import Wish
from gateway.demo.stack import CID
from gateway.foundation import open_foundation
from gateway.settings import load
from tests.e2e.conftest import OpenStack
from tests.e2e.talks import PATIENCE_S, Talk, come_back, eventually, reach, take_call
from tests.e2e.test_official_recording import row, verdict
from tests.e2e.test_recording import Recorded, recording
from tests.media_capture.audio import RATE, ffmpeg_decode

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ANNOUNCED_HZ = 900.0
ANNOUNCED_S = 5.0
LOCAL = Wish(Records.BOTH, mode=Mode.LOCAL)


def announcement() -> bytes:
    """A tone that nobody else makes, as an uploaded WAV file."""
    when = np.arange(round(RATE * ANNOUNCED_S)) / RATE
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(
            (np.sin(2 * np.pi * ANNOUNCED_HZ * when) * 9_000).astype("<i2").tobytes()
        )
    return out.getvalue()


async def record_locally(room: Recorded, *, announces: bool = True) -> None:
    """Let the account record by itself, after an announcement of its own."""
    made = await AnnouncementFiles(longest_s=60).make(announcement())
    settings = load(data_dir=room.stack.folder / "data")
    async with open_foundation(settings, SystemClock()) as all_:
        account_id = (await all_.accounts.account(CID)).account_id
        now = SystemClock().wall()
        if announces:
            admin = UserId("a" * 26)
            await all_.announcements.replace(account_id, made, actor=admin, now=now)
        await all_.wishes.save(account_id, LOCAL, seen=0, actor=None, now=now)


async def announced_to_customer(talk: Talk) -> None:
    """Wait until the customer has heard the announcement's tone for half a second."""

    async def is_heard() -> bool:
        length = (await talk.stack.sandbox.heard(talk.wacid))["duration_s"]
        last = await talk.stack.sandbox.heard(talk.wacid, from_s=max(0.0, length - 0.5))
        return bool(abs(last["dominant_hz"] - ANNOUNCED_HZ) <= 15 and last["level_dbfs"] > -25)

    await eventually(is_heard)


async def state(room: Recorded, talk: Talk) -> tuple[str, str | None]:
    shown = (await room.boss.read(talk.call_id))["recording"]
    return shown["state"], shown["reason"]


async def is_recording(room: Recorded, talk: Talk) -> None:
    async def holds() -> bool:
        return (await state(room, talk))[0] == "recording"

    await eventually(holds)


def share_of(hertz: float, sound: np.ndarray) -> float:
    """How much of a sound's power lies at a tone."""
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    bins = np.fft.rfftfreq(len(sound), 1 / RATE)
    return float(power[np.abs(bins - hertz) < 15].sum() / max(power.sum(), 1.0))


async def nothing_announced_in(room: Recorded, talk: Talk) -> None:
    sound = (await asyncio.to_thread(ffmpeg_decode, room.files(talk.call_id))).astype(float)
    for side, own_hz in ((0, room.agent.mouth.tone_hz), (1, 620.0)):
        heard = sound[:, side]
        assert share_of(ANNOUNCED_HZ, heard) < 0.001
        assert share_of(own_hz, heard) > 0.5


async def test_both_sides_hear_the_announcement_and_none_of_it_is_recorded(
    open_stack: OpenStack,
) -> None:
    async with recording(open_stack, 3_600_000) as room:
        await record_locally(room)
        kept_ms = 0
        for begin in (take_call, reach):
            talk = await begin(room.stack, room.agent)
            await asyncio.gather(
                announced_to_customer(talk),
                room.agent.hears(ANNOUNCED_HZ, within_s=PATIENCE_S),
            )
            assert await state(room, talk) == ("announcing", None)
            await talk.heard_both_ways()
            await is_recording(room, talk)
            await room.written(talk.call_id, 2_000)
            await talk.hang_up()
            kept_ms += (await room.kept(talk.call_id))["duration_ms"]
            await nothing_announced_in(room, talk)
            end = await verdict(room, talk)
            assert (end["verdict"], end["record"]) == ("local", "local")
            assert (await talk.report())["recording"] is None, "Meta is not asked"
            assert (await talk.report())["faults"] == {}
        assert (await room.settled())["free_ms"] == 3_600_000 - kept_ms


async def test_a_call_that_ends_during_the_announcement_costs_nothing(
    open_stack: OpenStack,
) -> None:
    async with recording(open_stack, 3_600_000) as room:
        await record_locally(room)
        talk = await take_call(room.stack, room.agent)
        await announced_to_customer(talk)
        await talk.customer_hangs_up()
        assert await state(room, talk) == ("empty", "declined")
        end = await verdict(room, talk)
        assert (end["verdict"], end["stored_ms"]) == ("declined", 0)
        assert (await room.settled())["free_ms"] == 3_600_000
        assert row(room, "recordings", talk.call_id) is None


async def test_a_gateway_killed_during_the_announcement_records_after_it(
    open_stack: OpenStack,
) -> None:
    async with recording(open_stack, 3_600_000) as room:
        await record_locally(room)
        talk = await take_call(room.stack, room.agent)
        await announced_to_customer(talk)
        await room.stack.kill_gateway()
        await room.stack.start_gateway()
        await come_back(room.agent)
        await come_back(room.boss)
        await is_recording(room, talk)
        await room.written(talk.call_id, 2_000)
        await talk.customer_hangs_up()
        await room.kept(talk.call_id)
        await nothing_announced_in(room, talk)


async def test_without_an_announcement_nothing_is_recorded_and_the_agent_sees_so_before(
    open_stack: OpenStack,
) -> None:
    async with recording(open_stack, 3_600_000) as room:
        await record_locally(room, announces=False)
        talk = await take_call(room.stack, room.agent)
        assert await state(room, talk) == ("refused", "no_announcement")
        await talk.heard_both_ways()
        await talk.hang_up()
        assert row(room, "recordings", talk.call_id) is None
        assert (await room.settled())["free_ms"] == 3_600_000
