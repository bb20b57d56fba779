"""Thirty real captures in two worker processes against sixty seconds of minutes."""

import asyncio
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from sqlalchemy import insert

from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_quota_books import SqlQuotaBooks
from gateway.adapters.sql_schema import accounts
from gateway.core.ids import AccountId, NodeId
from tests.adapters.quota.conftest import own
from tests.conftest import Rounds
from tests.recording.recording_node import RecordingNode, recording_node
from tests.runtime.fakes import ACCOUNT
from tests.services.sqlite import put_migrated

pytestmark = [pytest.mark.e2e, pytest.mark.soak, pytest.mark.timeout(7_200)]

CAPTURES, WORKERS = 30, 2
POOL_MS = 60_000
FRAME_MS = 20
PATIENCE_S = 120.0


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not await holds():
        assert time.monotonic() < until, f"{holds.__name__} never held"
        await asyncio.sleep(0.05)


async def make_database(path: Path) -> Database:
    put_migrated(path)
    database = Database(f"sqlite:///{path}")
    async with database.writing() as connection:
        await connection.execute(
            insert(accounts).values(
                account_id=ACCOUNT, cid="C-1", name="Toko", timezone="UTC", created_at=0.0
            )
        )
    await own(database, AccountId(ACCOUNT), POOL_MS, time.time())
    return database


async def test_the_pool_is_never_passed_and_used_to_the_last_frame(
    rounds: Rounds, seed: int
) -> None:
    """In half of the runs, in turn, a worker is killed while all of them record."""
    chance = random.Random(seed)
    begin_with_kill = chance.random() < 0.5
    for turn in range(rounds(quick=1, soak=20)):
        is_killed = (turn % 2 == 0) == begin_with_kill
        # A Unix socket's path is short.
        with tempfile.TemporaryDirectory(prefix="callgate-thirty-") as name:
            await one_run(Path(name), chance, is_killed=is_killed)


async def one_run(folder: Path, chance: random.Random, *, is_killed: bool) -> None:
    database = await make_database(folder / "callgate.db")
    books = SqlQuotaBooks(database)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        nodes = [
            await stack.enter_async_context(
                recording_node(
                    folder / str(n), NodeId(f"node-{n}"), f"sqlite:///{folder / 'callgate.db'}"
                )
            )
            for n in range(WORKERS)
        ]
        calls = await asyncio.gather(
            *(nodes[n % WORKERS].capture(ACCOUNT) for n in range(CAPTURES))
        )
        if is_killed:
            await asyncio.sleep(chance.random() * 1.5)
            chance.choice(nodes).kill_worker()
        await eventually(lambda: is_dry(nodes, may_be_killed=is_killed))
        stops = [at for node in nodes for at in node.stopped_by_quota().values()]
        assert max(stops) - min(stops) <= 1.0, "all stop within a second of each other"
        assert len(stops) == (CAPTURES // WORKERS if is_killed else CAPTURES)
        for n, call_id in enumerate(calls):
            await nodes[n % WORKERS].hang_up(call_id)

        async def is_settled() -> bool:
            minutes = await nodes[0].world.minutes.view(ACCOUNT, now=time.time())
            return minutes.balance.reserved_ms == 0

        await eventually(is_settled)
        assert await books.verify(ACCOUNT) == []
        minutes = await nodes[0].world.minutes.view(ACCOUNT, now=time.time())
        recorded_ms = 0
        for call_id in calls:
            recording = await nodes[0].world.recordings.find(call_id)
            recorded_ms += 0 if recording is None else recording.assembled.duration_ms
        assert recorded_ms == minutes.balance.used_ms
        assert recorded_ms <= POOL_MS, "never above what was owned"
        assert recorded_ms >= POOL_MS - CAPTURES * FRAME_MS, "and used to the last frames"
        for node in nodes:
            assert list((node.folder / "captures").glob("*")) == []


async def is_dry(nodes: list[RecordingNode], *, may_be_killed: bool) -> bool:
    """Every capture that lives was stopped by the quota, and nothing waits for recovery."""
    live = sum(len(node.calls.calls) for node in nodes)
    stopped = sum(len(node.stopped_by_quota()) for node in nodes)
    if live != stopped or live != (CAPTURES // WORKERS if may_be_killed else CAPTURES):
        return False
    minutes = await nodes[0].world.minutes.view(ACCOUNT, now=time.time())
    return minutes.balance.free_ms < FRAME_MS and minutes.suspense_ms == 0
