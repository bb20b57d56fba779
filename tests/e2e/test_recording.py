"""Recorded calls with real media: minutes, the exact stop, and kills in the middle."""

import asyncio
import os
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.demo.headless_agent import HeadlessAgent
from gateway.demo.minutes import OWNED_MS
from gateway.demo.stack import Stack
from tests.e2e.conftest import SUPERVISOR, OpenStack, full_options
from tests.e2e.talks import (
    PATIENCE_S,
    come_back,
    eventually,
    media_process,
    reach,
    take_call,
)
from tests.media_capture.audio import ffmpeg_decode

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

FRAME_MS = 20


@dataclass
class Recorded:
    """A stack that records all calls, its supervisor, and an agent who is ready."""

    stack: Stack
    boss: HeadlessAgent
    agent: HeadlessAgent
    leave_ms: int

    async def quota(self) -> dict[str, Any]:
        return await self.boss.request("GET", "/quota")

    async def settled(self) -> dict[str, Any]:
        """Wait until nothing is reserved; how the minutes stand then."""

        async def is_settled() -> bool:
            return bool((await self.quota())["reserved_ms"] == 0)

        await eventually(is_settled, within_s=2 * PATIENCE_S)
        return await self.quota()

    async def kept(self, call_id: str) -> dict[str, Any]:
        """Wait until a call's recording is there; what the call says of it."""
        shown: dict[str, Any] = {}

        async def is_kept() -> bool:
            shown.update((await self.boss.read(call_id))["recording"])
            return bool(shown["state"] == "kept")

        await eventually(is_kept, within_s=2 * PATIENCE_S)
        return shown

    async def written(self, call_id: str, ms: int) -> None:
        """Wait until a call has so much recorded."""

        async def is_written() -> bool:
            shown = (await self.boss.read(call_id))["recording"]
            return bool((shown["written_ms"] or 0) >= ms)

        await eventually(is_written)

    def files(self, call_id: str) -> Path:
        return self.stack.recording_of(call_id)

    async def no_captures_left(self) -> None:
        """Wait until the capture files are gone: they go after all else is done."""
        captures = self.stack.folder / "data" / "media" / "captures"

        async def are_gone() -> bool:
            return not list(captures.glob("*"))

        await eventually(are_gone)

    def row(self, call_id: str) -> sqlite3.Row:
        with sqlite3.connect(self.stack.folder / "data" / "callgate.db") as database:
            database.row_factory = sqlite3.Row
            found = database.execute("SELECT * FROM recordings WHERE call_id = ?", (call_id,))
            row: sqlite3.Row = found.fetchone()
            return row


@asynccontextmanager
async def recording(open_stack: OpenStack, leave_ms: int) -> AsyncIterator[Recorded]:
    async with open_stack(full_options()) as stack:
        await stack.sell_minutes(leave_ms=leave_ms)
        async with stack.agent(SUPERVISOR) as boss, stack.agent() as agent:
            await agent.go_ready()
            yield Recorded(stack, boss, agent, leave_ms)


async def test_calls_in_both_directions_are_recorded_charged_and_decode(
    open_stack: OpenStack,
) -> None:
    async with recording(open_stack, 600_000) as room:
        talks = [await take_call(room.stack, room.agent)]
        await talks[0].heard_both_ways()
        await talks[0].hang_up()
        talks.append(await reach(room.stack, room.agent))
        await talks[1].heard_both_ways()
        await talks[1].customer_hangs_up()
        kept = [await room.kept(talk.call_id) for talk in talks]
        quota = await room.settled()
        total_ms = sum(each["duration_ms"] for each in kept)
        assert quota["used_ms"] == OWNED_MS - room.leave_ms + total_ms
        for talk, each in zip(talks, kept, strict=True):
            sound = await asyncio.to_thread(ffmpeg_decode, room.files(talk.call_id))
            assert sound.shape == (each["duration_ms"] * 48, 2)
            assert abs(sound[:, 0]).max() > 1_000, "the agent is heard on the left"
            assert abs(sound[:, 1]).max() > 1_000, "the customer on the right"
            assert (await talk.report())["faults"] == {}
        ledger = (await room.boss.request("GET", "/quota/ledger"))["items"]
        charged = {line["call_id"]: line["amount_ms"] for line in ledger}
        assert [charged[talk.call_id] for talk in talks] == [e["duration_ms"] for e in kept]
        await room.no_captures_left()


async def test_the_recording_stops_when_the_minutes_are_used_up_and_the_call_goes_on(
    open_stack: OpenStack,
) -> None:
    """One minute left and a call of ten, at a tenth of the time and with real media."""
    async with recording(open_stack, 12_000) as room:
        talk = await take_call(room.stack, room.agent)

        async def is_stopped() -> bool:
            shown = (await room.boss.read(talk.call_id))["recording"]
            return bool((shown["state"], shown["reason"]) == ("stopped", "quota"))

        await eventually(is_stopped, within_s=60)
        await talk.heard_both_ways()
        quota = await room.quota()
        assert (quota["free_ms"], quota["level"]) == (0, 100)
        await asyncio.sleep(5)
        await talk.heard_both_ways()
        await talk.hang_up()
        kept = await room.kept(talk.call_id)
        assert abs(kept["duration_ms"] - 12_000) <= FRAME_MS
        quota = await room.settled()
        assert (quota["used_ms"], quota["overdrawn_ms"]) == (OWNED_MS, 0)
        row = room.row(talk.call_id)
        assert row["duration_ms"] == kept["duration_ms"]


async def test_a_call_without_minutes_is_answered_and_not_recorded(
    open_stack: OpenStack,
) -> None:
    async with recording(open_stack, 5_000) as room:
        talk = await take_call(room.stack, room.agent)
        await talk.heard_both_ways()
        shown = (await room.agent.read(talk.call_id))["recording"]
        assert (shown["state"], shown["reason"]) == ("refused", "no_minutes")
        await talk.hang_up()
        quota = await room.settled()
        assert quota["free_ms"] == 5_000
        assert room.row(talk.call_id) is None


async def test_a_recording_goes_on_while_the_gateway_is_killed_and_started_again(
    open_stack: OpenStack,
) -> None:
    async with recording(open_stack, 600_000) as room:
        talk = await take_call(room.stack, room.agent)
        await room.written(talk.call_id, 2_000)
        await room.stack.kill_gateway()
        await asyncio.sleep(2)
        await room.stack.start_gateway()
        await come_back(room.agent)
        await come_back(room.boss)
        await room.written(talk.call_id, 6_000)
        await talk.hang_up()
        kept = await room.kept(talk.call_id)
        quota = await room.settled()
        assert kept["duration_ms"] >= 6_000
        assert quota["used_ms"] == OWNED_MS - room.leave_ms + kept["duration_ms"]
        await room.no_captures_left()


@pytest.mark.parametrize("also_gateway", [False, True], ids=["worker", "worker and gateway"])
async def test_a_killed_worker_leaves_a_recording_and_no_minute_reserved(
    open_stack: OpenStack, also_gateway: bool
) -> None:
    async with recording(open_stack, 600_000) as room:
        talk = await take_call(room.stack, room.agent)
        await room.written(talk.call_id, 3_000)
        if also_gateway:
            await room.stack.kill_gateway()
        os.kill(media_process(room.stack).pid, signal.SIGKILL)
        if also_gateway:
            await room.stack.start_gateway()
            await come_back(room.boss)
        await room.boss.wait_state(talk.call_id, "ended", within_s=PATIENCE_S)
        kept = await room.kept(talk.call_id)
        quota = await room.settled()
        assert kept["duration_ms"] >= 3_000
        assert quota["used_ms"] == OWNED_MS - room.leave_ms + kept["duration_ms"]
        assert quota["suspense_ms"] == 0
        sound = await asyncio.to_thread(ffmpeg_decode, room.files(talk.call_id))
        assert len(sound) == kept["duration_ms"] * 48
        await room.no_captures_left()
