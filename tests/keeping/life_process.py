"""A node that lives through the lives of recordings until it is killed.

Usage: python -m tests.keeping.life_process FOLDER ENDPOINT BUCKET ACCOUNT SEED
"""

import asyncio
import random
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from gateway.core.ids import AccountId, CallId
from gateway.core.quota.charge import Recorded, Stamp
from gateway.core.recording.lifecycle import Life
from gateway.ports.recordings import Assembled, Recording
from tests.keeping.keep import Keep, keeping

AHEAD_MAX_S = 1_000 * 86_400.0
"""How far the clock of a node is ahead of the real time at most."""


async def finalise(keep: Keep) -> None:
    """Make the recordings of all captures that are over, as the gateway does."""
    assembler, store = keep.assembler, keep.stores.recordings
    for call_id in await assembler.left_over():
        await store.expect(call_id, keep.account_id, now=keep.now)
        made = await assembler.assemble(call_id, keep.account_id)
        assert isinstance(made, Assembled), made
        recording = Recording(call_id, keep.account_id, made, keep.now)
        await store.keep(recording, Recorded(made.duration_ms), Stamp(keep.now))
        await assembler.discard(call_id)


async def delete_some(keep: Keep, chance: random.Random) -> None:
    for call_id in await available(keep):
        if chance.random() < 0.2:
            await keep.delete(call_id)


async def available(keep: Keep) -> list[CallId]:
    ids = [CallId(path.stem) for path in (keep.folder.parent / "calls").iterdir()]
    found = []
    for call_id in sorted(ids):
        recording = await keep.stores.recordings.find(call_id)
        if recording is not None:
            life = await keep.stores.recording_life.find(keep.account_id, call_id)
            if life.state is Life.AVAILABLE:
                found.append(call_id)
    return found


async def one_step(keep: Keep, chance: random.Random) -> None:
    steps: list[Callable[[], Awaitable[object]]] = [
        lambda: finalise(keep),
        keep.move,
        lambda: delete_some(keep, chance),
        keep.sweep,
        keep.retain,
        keep.keeping.scrub.run,
    ]
    await chance.choice([*steps, steps[0], steps[1]])()
    passed_s = chance.choice([0.0, 3_600.0, 86_400.0, 30 * 86_400.0])
    keep.clock.ahead_s = min(AHEAD_MAX_S, keep.clock.ahead_s + passed_s)


async def main(folder: Path, endpoint: str, bucket: str, account: str, seed: int) -> None:
    # What is logged must not stand between the steps.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    chance = random.Random(seed)
    account_id = AccountId(account)
    async with keeping(folder, endpoint=endpoint, bucket=bucket, account_id=account_id) as keep:
        keep.clock.ahead_s = chance.choice([0.0, 86_400.0, 800 * 86_400.0])
        while True:
            # Whoever kills us counts the steps.
            sys.stdout.write("step\n")
            sys.stdout.flush()
            await one_step(keep, chance)


if __name__ == "__main__":
    asyncio.run(
        main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]))
    )
