"""A node killed at any moment of its recordings' lives: no orphan, no minute, no byte wrong."""

import asyncio
import hashlib
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.adapters.sql_recording_schema import recordings
from gateway.core.errors import NotFound
from gateway.core.ids import CallId
from gateway.core.quota.lease import BudgetId, WorkerId
from gateway.core.recording.lifecycle import Life
from tests.adapters.sql.conftest import migrated_url
from tests.adapters.sql.rows import fresh_id
from tests.keeping.keep import TRASH_S, HurriedClock, Keep, keeping
from tests.keeping.life_process import AHEAD_MAX_S
from tests.keeping.whole_node import working
from tests.media_capture.audio import AGENT, CUSTOMER, CaptureMaker, encode, speech
from tests.services.object_store import ObjectServer

__all__ = ["migrated_url"]

STEPS_MAX = 6
LATER_S = AHEAD_MAX_S + 86_400.0
"""Later than any clock of a killed node."""
WITHIN_S = 300.0


@pytest.mark.services
@pytest.mark.timeout(7_200)
@pytest.mark.parametrize("encrypts", [False, True])
async def test_wherever_it_is_killed_every_recording_ends_as_it_should(
    tmp_path: Path,
    migrated_url: str,
    object_server: ObjectServer,
    rounds: Callable[..., int],
    seed: int,
    *,
    encrypts: bool,
) -> None:
    chance = random.Random(seed)
    bucket = object_server.fresh_bucket()
    async with keeping(
        tmp_path,
        endpoint=object_server.url,
        bucket=bucket,
        database_url=migrated_url,
        clock=HurriedClock(),
    ) as keep:
        if encrypts:
            await keep.encrypt()
        packets = encode(speech(1, 1))
        calls = []
        async with lives(keep, migrated_url, object_server.url, bucket) as node:
            for number in range(rounds(quick=5, soak=250)):
                calls.append(await captured(keep, WorkerId(f"worker{number}-1"), packets))
                await node.live_and_die(f"worker{number + 1}", chance)
        await settle(keep)
        await check(keep, calls)
        keep.clock.ahead_s += LATER_S
        await keep.retain()
        await keep.sweep()
        assert keep.on_disk() == []
        assert await keep.in_store() == []
        assert await keep.used_ms() == 0


async def captured(keep: Keep, worker_id: WorkerId, packets: list[bytes]) -> CallId:
    """A call is captured by a media worker that dies before it can tell of its end."""
    call_id, stores = CallId(fresh_id()), keep.stores
    await stores.recordings.note_worker(worker_id, stores.node_id, now=keep.now)
    assert await stores.minutes.take_hold(keep.account_id, call_id, now=keep.now)
    await stores.minutes.open_capture(
        call_id, keep.account_id, worker_id, fresh=BudgetId(fresh_id())
    )
    captures = keep.settings.captures_path
    captures.mkdir(parents=True, exist_ok=True)
    maker = CaptureMaker(call_id)
    maker.side(CUSTOMER, packets)
    maker.side(AGENT, packets)
    maker.write(captures, 1_000)
    return call_id


@dataclass
class Lives:
    """A node that lives as often as it is told to."""

    process: asyncio.subprocess.Process
    errors: Path

    async def live_and_die(self, worker_name: str, chance: random.Random) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{chance.getrandbits(32)} {worker_name}\n".encode())
        pid = int((await self._line()).removeprefix("pid "))
        for _ in range(chance.randint(1, STEPS_MAX)):
            # It never ends by itself but for a fault of ours.
            line = await self._line()
            assert line == "step", (line, self.errors.read_text())
        await asyncio.sleep(chance.uniform(0.0, 0.3))
        os.kill(pid, signal.SIGKILL)
        while (line := await self._line()) != "dead":
            assert line == "step", (line, self.errors.read_text())

    async def _line(self) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(WITHIN_S):
            return (await self.process.stdout.readline()).decode().rstrip()


@asynccontextmanager
async def lives(keep: Keep, database: str, endpoint: str, bucket: str) -> AsyncIterator[Lives]:
    errors = keep.settings.data_path / "errors"
    place = (str(keep.settings.data_path), database, endpoint, bucket, keep.account_id)
    with errors.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.keeping.life_process", *place),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
        )
    try:
        yield Lives(process, errors)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def settle(keep: Keep) -> None:
    """Let everything come to its end: later than every lease and every clock before."""
    keep.clock.ahead_s = LATER_S
    async with working(keep, "last"):
        await until(keep, is_all_made)
        for _ in range(3):
            await until(keep, is_all_moved)
            keep.clock.ahead_s += TRASH_S + 3_600.0
    await keep.sweep()
    report = await keep.keeping.scrub.run()
    assert report.is_clean, report
    report = await keep.keeping.scrub.run()
    assert not report.removed, "nothing is left over twice"


async def until(keep: Keep, holds: Callable[[Keep], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not await holds(keep):  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.05)


async def is_all_made(keep: Keep) -> bool:
    stores = keep.stores
    unsettled = [
        charge
        for worker_id in await stores.minutes.workers()
        for charge in await stores.minutes.unsettled(worker_id)
    ]
    left = await stores.recordings.unrecovered(stores.node_id)
    return not unsettled and left == ["last-1"] and not await keep.assembler.left_over()


async def is_all_moved(keep: Keep) -> bool:
    return (await keep.keeping.count_files()).to_move == 0


async def check(keep: Keep, calls: list[CallId]) -> None:
    """Every call is either heard whole and charged, or gone without a trace but its proof."""
    charged_ms, names = 0, set()
    async with keep.stores.database.reading() as connection:
        made = set((await connection.execute(select(recordings.c.call_id))).scalars())
    assert made == set(calls), "what was captured became a recording, and nothing else did"
    for call_id in calls:
        life = await keep.stores.recording_life.find(keep.account_id, call_id)
        if life.state is Life.AVAILABLE:
            content = await keep.heard(call_id)
            assert hashlib.sha256(content).hexdigest() == life.sha256
            charged_ms += life.duration_ms
            names |= {life.file, life.peaks}
        else:
            assert life.state is Life.PURGED
            with pytest.raises(NotFound):
                await keep.heard(call_id)
    balance = await keep.balance()
    assert (balance.used_ms, balance.reserved_ms) == (charged_ms, 0)
    stored = {name.removesuffix(".sealed") for name in await keep.in_store()}
    assert stored == names, "nothing but what is kept"
    assert keep.on_disk() == []
