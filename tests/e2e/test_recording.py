"""Recorded calls with real media: minutes, the exact stop, and kills in the middle."""

import asyncio
import os
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.system_clock import SystemClock
from gateway.core.ids import CallId
from gateway.core.quota import charge
from gateway.core.quota.charge import Stamp
from gateway.core.quota.contract import SubscriptionTerm
from gateway.core.quota.plan import MS_PER_MINUTE
from gateway.core.recording.policy import Records
from gateway.demo.headless_agent import HeadlessAgent
from gateway.demo.stack import CID, Stack
from gateway.foundation import open_foundation
from gateway.settings import load
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
FREE_MS = 400 * MS_PER_MINUTE
"""Five users of a plan with 80 minutes each."""


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
        (path,) = (self.stack.folder / "data" / "recordings").rglob(f"{call_id}.ogg")
        return path

    def captures_left(self) -> list[Path]:
        return list((self.stack.folder / "data" / "media" / "captures").glob("*"))

    def row(self, call_id: str) -> sqlite3.Row:
        with sqlite3.connect(self.stack.folder / "data" / "callgate.db") as database:
            database.row_factory = sqlite3.Row
            found = database.execute("SELECT * FROM recordings WHERE call_id = ?", (call_id,))
            row: sqlite3.Row = found.fetchone()
            return row


async def prepare(stack: Stack, leave_ms: int) -> None:
    """Let the account record everything, with so much left of what it owns."""
    settings = load(data_dir=stack.folder / "data")

    async with open_foundation(settings, SystemClock()) as stores:
        account = await stores.accounts.account(CID)
        now = SystemClock().wall()
        term = SubscriptionTerm("plan", "sales-suite-plus", 5, now - 60, _far_ahead())
        await stores.contracts.subscribe(account.account_id, term, stamp=Stamp(now))
        used = charge.Recorded(FREE_MS - leave_ms)
        await stores.minutes.settle(CallId("earlier"), account.account_id, used, Stamp(now))
        await stores.accounts.set_records(account.account_id, Records.BOTH)


def _far_ahead() -> date:
    return date.today() + timedelta(days=300)  # noqa: DTZ011 (any day far ahead)


@asynccontextmanager
async def recording(open_stack: OpenStack, leave_ms: int) -> AsyncIterator[Recorded]:
    async with open_stack(full_options()) as stack:
        await prepare(stack, leave_ms)
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
        assert quota["used_ms"] == FREE_MS - room.leave_ms + total_ms
        for talk, each in zip(talks, kept, strict=True):
            sound = await asyncio.to_thread(ffmpeg_decode, room.files(talk.call_id))
            assert sound.shape == (each["duration_ms"] * 48, 2)
            assert abs(sound[:, 0]).max() > 1_000, "the agent is heard on the left"
            assert abs(sound[:, 1]).max() > 1_000, "the customer on the right"
            assert (await talk.report())["faults"] == {}
        ledger = (await room.boss.request("GET", "/quota/ledger"))["items"]
        charged = {line["call_id"]: line["amount_ms"] for line in ledger}
        assert [charged[talk.call_id] for talk in talks] == [e["duration_ms"] for e in kept]
        assert room.captures_left() == []


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
        assert (quota["used_ms"], quota["overdrawn_ms"]) == (FREE_MS, 0)
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
        assert quota["used_ms"] == FREE_MS - room.leave_ms + kept["duration_ms"]
        assert room.captures_left() == []


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
        assert quota["used_ms"] == FREE_MS - room.leave_ms + kept["duration_ms"]
        assert quota["suspense_ms"] == 0
        sound = await asyncio.to_thread(ffmpeg_decode, room.files(talk.call_id))
        assert len(sound) == kept["duration_ms"] * 48
        assert room.captures_left() == []
