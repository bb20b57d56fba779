"""Calls that WhatsApp announces and records, with real media, to their verdict."""

import json
import sqlite3
from typing import Any

import pytest

from gateway.adapters.system_clock import SystemClock
from gateway.core.recording.policy import Records
from gateway.core.recording.wish import Wish
from gateway.demo.stack import CID
from gateway.foundation import open_foundation
from gateway.settings import load
from media.ogg_reader import OpusReader
from tests.e2e.conftest import OpenStack
from tests.e2e.talks import PATIENCE_S, Talk, eventually, reach, take_call
from tests.e2e.test_recording import Recorded, recording

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
WISH = Wish(Records.BOTH, purpose="quality assurance", language="en", transcribes=True)
SPEECH_LOOP_MS = 3_000
"""The sandbox says the words again as soon as it has said them; no sooner than after this."""
SPEECH = {"kind": "speech", "text": "Good morning. I am calling about the order of last week."}


async def ask_meta(room: Recorded) -> None:
    """Let the account want WhatsApp's recording and its transcript."""
    async with open_foundation(
        load(data_dir=room.stack.folder / "data"), SystemClock()
    ) as all_:
        account = await all_.accounts.account(CID)
        now = SystemClock().wall()
        await all_.wishes.save(account.account_id, WISH, seen=0, actor=None, now=now)


def row(room: Recorded, table: str, call_id: str) -> dict[str, Any] | None:
    with sqlite3.connect(room.stack.folder / "data" / "callgate.db") as database:
        database.row_factory = sqlite3.Row
        query = f"SELECT * FROM {table} WHERE call_id = ?"
        found = database.execute(query, (call_id,)).fetchone()
        return None if found is None else dict(found)


async def verdict(room: Recorded, talk: Talk) -> dict[str, Any]:
    """Wait until the two recordings have been compared; what was concluded."""
    found: dict[str, Any] = {}

    async def is_concluded() -> bool:
        case = row(room, "recording_cases", talk.call_id)
        if case is None or case["conclusion"] is None:
            return False
        found.update(json.loads(case["conclusion"]) | {"facts": json.loads(case["facts"])})
        return True

    await eventually(is_concluded, within_s=3 * PATIENCE_S)
    return found


async def talked(room: Recorded, talk: Talk, seconds: float) -> None:
    """Wait until WhatsApp has recorded so much, then hang up."""
    await talk.stack.sandbox.wait_for(talk.wacid, "recording.began")
    announced = await announced_ms(talk)

    async def is_long() -> bool:
        heard = await talk.stack.sandbox.heard(talk.wacid)
        return bool(heard["duration_s"] * 1000 - announced > seconds * 1000)

    await eventually(is_long, within_s=seconds + PATIENCE_S)
    await talk.hang_up()


async def announced_ms(talk: Talk) -> float:
    """How long after the pick-up WhatsApp's recording began."""
    timeline = {e["event"]: e["at_ms"] for e in (await talk.report())["timeline"]}
    return float(timeline["recording.began"] - timeline["call.accepted"])


async def misplaced_ms(talk: Talk, facts: dict[str, Any]) -> float:
    """How far from where it began WhatsApp's recording was laid over ours."""
    [copy] = facts["officials"]
    report = await talk.report()
    [began_ms] = [e["at_ms"] for e in report["timeline"] if e["event"] == "recording.began"]
    placed_ms = facts["local"]["began_at"] * 1000 + copy["offset_ms"]
    return float(abs(placed_ms - report["began_at"] * 1000 - began_ms))


async def test_the_announcement_is_learned_and_both_recordings_agree(
    open_stack: OpenStack,
) -> None:
    async with recording(open_stack, 3_600_000) as room:
        await ask_meta(room)
        ends, announced = [], []
        for begin in (take_call, reach, take_call):
            talk = await begin(room.stack, room.agent, says=SPEECH)
            # A hum tells no moment from another: what is compared is the customer's speech.
            await room.agent.request("POST", f"/calls/{talk.call_id}/mute", {"muted": True})
            await talked(room, talk, 8.0)
            ends.append(await verdict(room, talk))
            announced.append(await announced_ms(talk))
            await room.settled()
        # The first estimate waits too long for this voice; two measurements correct it.
        assert [each["verdict"] for each in ends[:1]] == ["official_longer"]
        assert ends[2]["verdict"] == "matched", [e["facts"]["officials"] for e in ends]
        [copy] = ends[2]["facts"]["officials"]
        # A busy machine speaks slower now and then; nobody can know that beforehand.
        late_ms = max(0.0, announced[2] - max(announced[:2]))
        assert copy["offset_ms"] <= late_ms, "nothing of the announcement is in ours"
        used = (await room.quota())["used_ms"]
        before = used - sum(each["stored_ms"] for each in ends)
        assert before == 400 * 60_000 - 3_600_000

        async def is_written_down() -> bool:
            return row(room, "transcripts", talk.call_id) is not None

        await eventually(is_written_down, within_s=2 * PATIENCE_S)


async def test_metas_recording_stops_where_the_minutes_did(open_stack: OpenStack) -> None:
    async with recording(open_stack, 12_000) as room:
        await ask_meta(room)
        talk = await take_call(room.stack, room.agent, says=SPEECH)
        await talked(room, talk, 20.0)
        end = await verdict(room, talk)
        assert (end["verdict"], end["stored_ms"]) == ("trimmed_to_quota", 12_000), end["facts"]
        assert await misplaced_ms(talk, end["facts"]) < SPEECH_LOOP_MS / 2
        assert (await room.settled())["free_ms"] == 0
        kept = row(room, "recordings", talk.call_id)
        assert kept is not None
        path = room.stack.folder / "data" / "recordings" / kept["file"]
        with path.open("rb") as source:
            reader = OpusReader(source)
            for _ in reader.packets():
                pass
        assert reader.samples == 12_000 * 48
        # Nothing is left to announce the next one with, and the agent is told before.
        talk = await take_call(room.stack, room.agent, says=SPEECH)
        shown = (await room.boss.read(talk.call_id))["recording"]
        assert (shown["state"], shown["reason"]) == ("refused", "no_minutes")
        assert (await talk.report())["recording"] is None
        await talk.hang_up()


async def test_a_call_that_ends_during_the_announcement_costs_nothing(
    open_stack: OpenStack,
) -> None:
    async with recording(open_stack, 3_600_000) as room:
        await ask_meta(room)
        talk = await take_call(room.stack, room.agent, says=SPEECH)
        await talk.stack.sandbox.wait_for(talk.wacid, "announcement.began")
        await talk.customer_hangs_up()
        end = await verdict(room, talk)
        assert (end["verdict"], end["stored_ms"]) == ("declined", 0)
        assert (await room.settled())["free_ms"] == 3_600_000
        shown = (await room.boss.read(talk.call_id))["recording"]
        assert (shown["state"], shown["reason"]) == ("empty", "declined")
