"""Nodes that live through the lives of recordings until they are killed, one after another.

Usage: python -m tests.keeping.life_process FOLDER DATABASE ENDPOINT BUCKET ACCOUNT, then on its
standard input for each life `SEED WORKER`. It answers `pid N`, the life a line for each of its
steps, and when that is over `dead`. Lives are forked: what all of them need is loaded once.
"""

import asyncio
import os
import random
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy import select

from gateway.adapters.sql_recording_schema import recordings
from gateway.core.ids import AccountId, CallId
from gateway.core.recording.lifecycle import Life
from tests.keeping.keep import HurriedClock, Keep, keeping
from tests.keeping.whole_node import working
from tests.runtime.fake_media import FakeWorker

AHEAD_MAX_S = 1_000 * 86_400.0
"""How far the clock of a node is ahead of the real time at most."""
WATCH_MAX_S = 1.5
"""Nobody waits longer for a node to work: jobs of a life before may be leased still."""
NOTHING = (0, 0)


@dataclass(frozen=True)
class Home:
    """Where a node lives."""

    folder: Path
    database: str
    endpoint: str
    bucket: str
    account_id: AccountId


async def delete_some(keep: Keep, chance: random.Random) -> None:
    for call_id in await available(keep):
        if chance.random() < 0.2:
            await keep.delete(call_id)


async def available(keep: Keep) -> list[CallId]:
    query = (
        select(recordings.c.call_id)
        .where(recordings.c.state == Life.AVAILABLE.value)
        .order_by(recordings.c.call_id)
    )
    async with keep.stores.database.reading() as connection:
        return [CallId(each) for each in (await connection.execute(query)).scalars()]


async def undone(keep: Keep) -> tuple[int, int]:
    """Return how many captures and files wait."""
    captures = len(await keep.assembler.left_over())
    return captures, (await keep.keeping.count_files()).to_move


async def until(keep: Keep, holds: Callable[[tuple[int, int]], bool]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(WATCH_MAX_S):
            while not holds(await undone(keep)):  # noqa: ASYNC110 (nobody tells)
                await asyncio.sleep(0.02)


async def one_step(keep: Keep, worker: FakeWorker, chance: random.Random) -> None:
    async def see_it_work() -> None:
        """Until something is made or moved, or nothing is left to do."""
        before = await undone(keep)
        await until(keep, lambda now: now != before or now == NOTHING)

    async def see_it_finish() -> None:
        await until(keep, lambda now: now == NOTHING)

    async def hear_the_worker_again() -> None:
        worker.come_back()

    steps: list[Callable[[], Awaitable[object]]] = [
        see_it_work,
        see_it_work,
        see_it_work,
        see_it_finish,
        lambda: delete_some(keep, chance),
        keep.retain,
        keep.keeping.scrub.run,
        hear_the_worker_again,
    ]
    await chance.choice(steps)()
    passed_s = chance.choice([0.0, 3_600.0, 86_400.0, 30 * 86_400.0])
    keep.clock.ahead_s = min(AHEAD_MAX_S, keep.clock.ahead_s + passed_s)


async def live(home: Home, seed: int, worker_name: str) -> None:
    chance = random.Random(seed)
    clock = HurriedClock(chance.choice([0.0, 86_400.0, 800 * 86_400.0]))
    async with (
        keeping(
            home.folder,
            endpoint=home.endpoint,
            bucket=home.bucket,
            account_id=home.account_id,
            database_url=home.database,
            clock=clock,
        ) as keep,
        working(keep, worker_name) as worker,
    ):
        while True:
            # Whoever kills us counts the steps.
            say("step")
            await one_step(keep, worker, chance)


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def main(home: Home) -> None:
    # What is logged must not stand between the steps.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    for line in sys.stdin:
        seed, worker_name = line.split()
        pid = os.fork()
        if pid == 0:
            asyncio.run(live(home, int(seed), worker_name))
        say(f"pid {pid}")
        os.waitpid(pid, 0)
        say("dead")


if __name__ == "__main__":
    folder, database, endpoint, bucket, account = sys.argv[1:]
    main(Home(Path(folder), database, endpoint, bucket, AccountId(account)))
