"""A node killed at any moment of its recordings' lives: no orphan, no minute, no byte wrong."""

import asyncio
import hashlib
import random
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.core.errors import NotFound
from gateway.core.ids import CallId
from gateway.core.recording.lifecycle import Life
from tests.adapters.sql.rows import fresh_id
from tests.keeping.keep import TRASH_S, Keep, keeping
from tests.keeping.life_process import AHEAD_MAX_S, finalise
from tests.media_capture.audio import AGENT, CUSTOMER, CaptureMaker, encode, speech
from tests.services.object_store import ObjectServer

STEPS_MAX = 8
LATER_S = AHEAD_MAX_S + 86_400.0
"""Later than any clock of a killed node."""


@pytest.mark.timeout(7_200)
@pytest.mark.parametrize("encrypts", [False, True])
async def test_wherever_it_is_killed_every_recording_ends_as_it_should(
    tmp_path: Path,
    object_server: ObjectServer,
    rounds: Callable[..., int],
    seed: int,
    *,
    encrypts: bool,
) -> None:
    chance = random.Random(seed)
    bucket = object_server.fresh_bucket()
    calls = tmp_path / "calls"
    calls.mkdir()
    async with keeping(tmp_path, endpoint=object_server.url, bucket=bucket) as keep:
        account_id = keep.account_id
        if encrypts:
            await keep.encrypt()
    packets = encode(speech(1, 1))
    for _ in range(rounds(quick=10, soak=500)):
        capture(tmp_path, calls, packets)
        await run_and_kill(tmp_path, object_server.url, bucket, account_id, chance)
    async with keeping(
        tmp_path, endpoint=object_server.url, bucket=bucket, account_id=account_id
    ) as keep:
        await settle(keep)
        await check(keep, [CallId(path.stem) for path in calls.iterdir()])
        keep.clock.ahead_s += LATER_S
        await keep.retain()
        await keep.sweep()
        assert keep.on_disk() == []
        assert await keep.in_store() == []
        assert await keep.used_ms() == 0


def capture(folder: Path, calls: Path, packets: list[bytes]) -> None:
    captures = folder / "media" / "captures"
    captures.mkdir(parents=True, exist_ok=True)
    call_id = fresh_id()
    maker = CaptureMaker(call_id)
    maker.side(CUSTOMER, packets)
    maker.side(AGENT, packets)
    maker.write(captures, 1_000)
    (calls / call_id).touch()


async def run_and_kill(
    folder: Path, endpoint: str, bucket: str, account_id: str, chance: random.Random
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.keeping.life_process", str(folder), endpoint, bucket),
        *(account_id, str(chance.getrandbits(32))),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    for _ in range(chance.randint(1, STEPS_MAX)):
        # It never ends by itself but for a fault of ours.
        line = await process.stdout.readline()
        if line != b"step\n":
            if process.returncode is None:
                process.kill()
            raise AssertionError((line + await process.stderr.read()).decode())
    with suppress(TimeoutError):
        async with asyncio.timeout(chance.uniform(0.0, 0.5)):
            await process.wait()
            raise AssertionError((await process.stderr.read()).decode())
    process.send_signal(signal.SIGKILL)
    await process.wait()


async def settle(keep: Keep) -> None:
    """Let everything come to its end: later than every lease and every clock before."""
    keep.clock.ahead_s = LATER_S
    await finalise(keep)
    for _ in range(3):
        await keep.move()
        keep.clock.ahead_s += TRASH_S + 3_600.0
        await keep.sweep()
    report = await keep.keeping.scrub.run()
    assert report.is_clean, report
    report = await keep.keeping.scrub.run()
    assert not report.removed, "nothing is left over twice"


async def check(keep: Keep, calls: list[CallId]) -> None:
    """Every call is either heard whole and charged, or gone without a trace but its proof."""
    charged_ms, names = 0, set()
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
    assert await keep.used_ms() == charged_ms
    stored = {name.removesuffix(".sealed") for name in await keep.in_store()}
    assert stored == names, "nothing but what is kept"
    assert keep.on_disk() == []
