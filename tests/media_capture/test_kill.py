"""`kill -9` of a process that captures ten calls, at any moment."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from media.assemble import assemble
from media.capture_format import PACKET, StopReason
from media.capture_scan import CaptureContent, scan
from media.recover import Outcome, recover_directory
from tests.conftest import Rounds
from tests.media_capture.audio import encode, ffmpeg_decode, speech
from tests.media_capture.capturing_process import NUMBER, PHRASE
from tests.media_capture.disk import undisturbed_directory

CALLS = 10
LOST_FRAMES_MAX = 15
"""300 ms."""


@contextmanager
def capturing(directory: Path, board: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that captures; killed at the end at the latest."""
    board.write_bytes(bytes(NUMBER.size))
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.media_capture.capturing_process",
            str(directory),
            str(board),
            str(CALLS),
        ]
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)


def handed_over(board: Path) -> int:
    return int(NUMBER.unpack(board.read_bytes())[0])


def numbers(content: CaptureContent, places: list[int]) -> list[int]:
    return [PACKET.unpack_from(content.content, place)[4] for place in places]


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_killed_process_loses_at_most_300_ms_of_any_direction(
    tmp_path: Path, rounds: Rounds, seed: int
) -> None:
    chance = random.Random(seed)
    phrase = encode(speech(2, 1))
    content = b"".join(len(packet).to_bytes(2, "big") + packet for packet in phrase)
    board = tmp_path / "board"
    for _ in range(rounds(quick=3, soak=100)):
        with undisturbed_directory() as place:
            (place / PHRASE).write_bytes(content)
            directory = place / "captures"
            directory.mkdir()
            kill_one(directory, board, chance)
            check(directory, handed_over(board))


def kill_one(directory: Path, board: Path, chance: random.Random) -> None:
    with capturing(directory, board) as process:
        enough = chance.randrange(20, 120)
        deadline = time.monotonic() + 40
        while handed_over(board) < enough:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(chance.random() * 0.02)
        process.kill()
        process.wait(30)


def check(directory: Path, arrived: int) -> None:
    """Recover what is there and compare it with what had arrived."""
    recovered = recover_directory(directory)
    assert len(recovered) == CALLS
    for each in recovered:
        assert each.outcome is Outcome.RECOVERED, each
        content = scan((directory / each.file).read_bytes())
        assert content.end_reason is StopReason.RECOVERED
        assert content.damaged_bytes == 0
        for places in (content.customer, content.agent):
            kept = numbers(content, places.tolist())
            assert kept == list(range(len(kept))), "a frame in the middle is missing"
            assert arrived - len(kept) <= LOST_FRAMES_MAX
    chosen = directory / recovered[arrived % CALLS].file
    made = assemble([chosen], directory / "call.ogg")
    assert made.duration_ms == recovered[arrived % CALLS].duration_ms
    assert len(ffmpeg_decode(directory / "call.ogg")) == made.samples
