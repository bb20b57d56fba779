"""A gateway killed at any moment of fetching and reconciling: the end is the same."""

import asyncio
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.sandbox import Sandbox
from tests.official.conftest import Recordings
from tests.official.scene import scene
from tests.official.test_reconciled import tell

KILLS_MAX = 4


@pytest.mark.soak
@pytest.mark.timeout(3_000)
async def test_the_end_is_the_same_wherever_a_gateway_is_killed(
    tmp_path: Path,
    recordings: Recordings,
    sandbox: Sandbox,
    rounds: Callable[..., int],
    seed: int,
) -> None:
    chance = random.Random(seed)
    for number in range(rounds(quick=3, soak=50)):
        folder = tmp_path / str(number)
        async with scene(folder, sandbox.graph_url) as at:
            await at.record_ours(recordings.ours)
            await tell(at, sandbox, recordings.mono)
            call_id = at.call_id
        for _ in range(chance.randint(1, KILLS_MAX)):
            await _run_and_kill(folder, sandbox.graph_url, call_id, chance.uniform(0.0, 2.0))
        async with scene(folder, sandbox.graph_url, call_id=call_id) as at:
            await at.work_off()
            case = await at.case()
            assert case.conclusion is not None
            assert (case.conclusion.verdict, case.conclusion.stored_ms) == ("matched", 20_000)
            assert await at.charged_ms() == 20_000
            assert [entry.split()[0] for entry in await at.entries()] == ["settle"]
            await at.sweep()
            assert at.files() == ["call.official.ogg", "call.ogg"]


async def _run_and_kill(folder: Path, graph_url: str, call_id: str, after_s: float) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.official.fetching_process",
        str(folder),
        graph_url,
        call_id,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    try:
        # The moment of the kill is what varies; the process may be done before.
        await asyncio.wait_for(process.stdout.readline(), after_s)
    except TimeoutError:
        process.send_signal(signal.SIGKILL)
    await process.wait()
