"""Two recordings of one conversation, and a sandbox that serves Meta's."""

import hashlib
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from sandbox.config import SandboxConfig
from sandbox.sandbox import Sandbox
from tests.media_capture.audio import RATE
from tests.media_capture.foreign import Floats, conversation, official_file, own_file

EARLIER_MS = 300
"""Meta's file begins a little before ours."""


@dataclass(frozen=True)
class Recordings:
    """Files: what we recorded, its first 10 s, and what Meta recorded (2 channels, 1, cut)."""

    ours: Path
    ours_cut: Path
    stereo: bytes
    mono: bytes
    short: bytes


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Recordings:
    folder = tmp_path_factory.mktemp("recordings")
    agent, customer = (side[: 20 * RATE] for side in conversation(3))
    first = folder / "first"
    first.mkdir()
    earlier = [_later(side) for side in (agent, customer)]
    shorter = [side[: 12 * RATE] for side in earlier]
    return Recordings(
        ours=own_file(folder, agent, customer),
        ours_cut=own_file(first, agent[: 10 * RATE], customer[: 10 * RATE]),
        stereo=official_file(folder / "stereo", earlier, channels=2).read_bytes(),
        mono=official_file(folder / "mono", earlier).read_bytes(),
        short=official_file(folder / "short", shorter, channels=2).read_bytes(),
    )


def _later(pcm: Floats) -> Floats:
    lead = conversation(4)[0][: EARLIER_MS * RATE // 1000]
    return np.concatenate((lead, pcm))


def digest(content: bytes) -> str:
    return b64encode(hashlib.sha256(content).digest()).decode()


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(SandboxConfig()) as sandbox:
        yield sandbox
