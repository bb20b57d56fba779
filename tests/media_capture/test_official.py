"""Recordings from outside: laid over ours, cut without transcoding, kept at arm's length."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.envelope import STEP_MS, read_envelope, spread
from media.official import cut_file, inspect, intervals
from media.offset import find_offset
from media.ogg_cut import cut
from media.ogg_opus import OpusHead
from media.ogg_reader import OpusReader
from media.one_shot import NotMade
from sandbox.recorder import encode_ogg
from tests.media_capture.audio import RATE, Samples, encode, ffmpeg_decode, speech
from tests.media_capture.foreign import (
    Floats,
    conversation,
    lossy,
    official_file,
    ogg,
    own_file,
)

TOLERANCE_MS = 20


def later(pcm: Floats, offset_ms: int) -> Floats:
    """What is heard by somebody who begins so much later (earlier: nothing is heard first)."""
    samples = offset_ms * RATE // 1000
    return pcm[samples:] if samples >= 0 else np.concatenate((np.zeros(-samples), pcm))


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Conversation 3 as we recorded it, with a twentieth of all packets lost."""
    return own_file(tmp_path_factory.mktemp("ours"), *conversation(3), loss=0.05)


@pytest.mark.parametrize("offset_ms", [-4_300, -300, 0, 850, 12_340])
@pytest.mark.parametrize("channels", [1, 2])
def test_the_offset_is_found_through_loss_noise_and_another_gain(
    tmp_path: Path, ours: Path, offset_ms: int, channels: int
) -> None:
    agent, customer = conversation(3)
    sides = [0.25 * later(lossy(side, 0.05, 4), offset_ms) for side in (agent, 1.8 * customer)]
    theirs = official_file(tmp_path / "theirs.ogg", sides, channels=channels)
    found = inspect(theirs, ours)
    assert found.offset_ms is not None
    assert abs(found.offset_ms - offset_ms) <= TOLERANCE_MS
    assert found.channels == channels
    assert abs(found.duration_ms - len(sides[0]) * 1000 / RATE) <= 1


def test_the_offset_counts_in_real_time_where_ours_has_gaps(tmp_path: Path) -> None:
    agent, customer = conversation(5)
    begin, end = 12_000 * 48, 19_000 * 48
    recorded = [np.concatenate((side[:begin], side[end:])) for side in (agent, customer)]
    ours = own_file(tmp_path, recorded[0], recorded[1])
    theirs = official_file(tmp_path / "theirs.ogg", [later(agent, -400), later(customer, -400)])
    laid_out = ((0, 12_000), (19_000, 40_000))
    found = inspect(theirs, ours, laid_out=laid_out)
    assert found.offset_ms is not None
    assert abs(found.offset_ms + 400) <= TOLERANCE_MS


def part(sides: tuple[Floats, Floats], begin_s: float, length_s: float) -> list[Floats]:
    begin, end = round(begin_s * RATE), round((begin_s + length_s) * RATE)
    return [side[begin:end] for side in sides]


@pytest.mark.parametrize("length_s", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("begin_s", [0.5, 7.0, 22.0])
@pytest.mark.parametrize("offset_ms", [-320, 180])
def test_calls_of_few_seconds_are_laid_over_each_other_too(
    tmp_path: Path, begin_s: float, length_s: float, offset_ms: int
) -> None:
    agent, customer = part(conversation(3), begin_s, length_s)
    ours = own_file(tmp_path, agent, customer, loss=0.05)
    sides = [0.25 * later(lossy(side, 0.05, 4), offset_ms) for side in (agent, 1.8 * customer)]
    found = inspect(official_file(tmp_path / "theirs.ogg", sides), ours)
    assert found.offset_ms is not None
    assert abs(found.offset_ms - offset_ms) <= TOLERANCE_MS
    assert found.certainty is not None
    assert found.certainty > 6


def test_a_few_seconds_with_a_gap_are_compared_in_real_time(tmp_path: Path) -> None:
    agent, customer = part(conversation(5), 6.0, 4.0)
    recorded = [np.concatenate((side[:RATE], side[2 * RATE :])) for side in (agent, customer)]
    ours = own_file(tmp_path, recorded[0], recorded[1])
    sides = [later(side, -250) for side in (agent, customer)]
    theirs = official_file(tmp_path / "theirs.ogg", sides)
    found = inspect(theirs, ours, laid_out=((0, 1_000), (2_000, 4_000)))
    assert found.offset_ms is not None
    assert abs(found.offset_ms + 250) <= TOLERANCE_MS


def test_what_cannot_be_told_of_a_few_seconds_is_left_open(tmp_path: Path) -> None:
    agent, customer = part(conversation(3), 7.0, 3.0)
    ours = own_file(tmp_path, agent, customer)
    random = np.random.default_rng(2)
    when = np.arange(3 * RATE) / RATE
    others = {
        "another": [speech(3, 8).astype(float)],
        "later": part(conversation(3), 20.0, 3.0),
        "hum": [5_000 * np.sin(2 * np.pi * 440 * when)],
        "noise": [random.standard_normal(3 * RATE) * 500],
        "silence": [np.zeros(3 * RATE)],
        "blink": [agent[: RATE // 5]],
    }
    for name, sides in others.items():
        theirs = official_file(tmp_path / f"{name}.ogg", sides)
        for ends_ms in (None, 3_000):
            assert inspect(theirs, ours, ends_ms=ends_ms).offset_ms is None, name
    hum = own_file(tmp_path, others["hum"][0], others["hum"][0])
    for ends_ms in (None, 3_000):
        assert inspect(tmp_path / "hum.ogg", hum, ends_ms=ends_ms).offset_ms is None


def test_another_call_is_not_taken_for_this_one(tmp_path: Path, ours: Path) -> None:
    noise = speech(40, 8).astype(float)
    theirs = official_file(tmp_path / "theirs.ogg", [noise])
    assert inspect(theirs, ours).offset_ms is None


def test_silence_matches_nothing(tmp_path: Path) -> None:
    silent = np.zeros(RATE * 5)
    ours = own_file(tmp_path, silent, silent)
    theirs = official_file(tmp_path / "theirs.ogg", [silent])
    assert inspect(theirs, ours).offset_ms is None
    assert find_offset(np.empty(0, np.float32), np.empty(0, np.float32)) is None


@pytest.mark.parametrize("begin_s", [0.0, 0.7, 2.9])
@pytest.mark.parametrize("offset_s", [-2.0, 1.1])
def test_words_that_are_said_again_and_again_are_placed_by_the_end_of_the_call(
    tmp_path: Path, begin_s: float, offset_s: float
) -> None:
    looped = np.tile(speech(3.1, 8).astype(float), 12)
    hum = 9_800 * np.sin(2 * np.pi * 440 * np.arange(len(looped)) / RATE)
    before_s = 3.0 + begin_s
    agent, customer = part((hum, looped), before_s, 12.0)
    ours = own_file(tmp_path, agent, customer)
    theirs_s = 20.0
    sides = part((hum, looped), before_s + offset_s, theirs_s)
    theirs = official_file(tmp_path / "theirs.ogg", sides, channels=2)
    # The ends are known no better than the two parties' clocks and the network allow.
    for late_s in (-0.5, 0.0, 0.5):
        ends_ms = round((offset_s + theirs_s + late_s) * 1000)
        found = inspect(theirs, ours, ends_ms=ends_ms)
        assert found.offset_ms is not None
        assert abs(found.offset_ms - offset_s * 1000) <= TOLERANCE_MS
    assert inspect(theirs, ours).offset_ms is None, "nothing tells the places apart"


def test_of_equal_places_the_expected_one_is_taken_and_none_without() -> None:
    word = np.random.default_rng(1).random(200).astype(np.float32) ** 4
    looped = np.tile(word, 40)
    assert find_offset(looped, looped[400:-400]) is None
    for expected_ms in (-2_000, 0, 4_000):
        found = find_offset(looped, looped[400:-400], expected_ms=expected_ms)
        assert found is not None
        assert abs(found.ms - expected_ms) <= TOLERANCE_MS


@settings(max_examples=20, deadline=None)
@given(st.integers(-9_000, 9_000), st.integers(0, 1000))
def test_long_recordings_are_compared_block_by_block(lag: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    ours = random.random(150_000).astype(np.float32) ** 4
    pad = random.random(abs(lag)).astype(np.float32) ** 4
    others = ours[lag:] if lag >= 0 else np.concatenate((pad, ours))
    found = find_offset(ours, others)
    assert found is not None
    assert found.ms == lag * STEP_MS


def test_an_envelope_follows_the_sound(tmp_path: Path) -> None:
    pcm = np.concatenate((np.zeros(RATE), speech(1, 1).astype(float), np.zeros(RATE // 2)))
    theirs = official_file(tmp_path / "x.ogg", [pcm])
    with theirs.open("rb") as source:
        steps = read_envelope(OpusReader(source))
    assert len(steps) == 250
    assert steps[2:98].max() < steps[102:198].mean() / 1_000
    assert list(spread(steps[:4], ((0, 20), (50, 70)))) == [*steps[:2], 0, 0, 0, *steps[2:4], 0]


# --- cutting -----------------------------------------------------------------------------


def a_file(seconds: float) -> tuple[bytes, list[bytes], Samples]:
    """A file, its packets, and what ffmpeg hears in it."""
    pcm = speech(seconds, 6)
    packets = encode(np.concatenate((pcm, np.zeros(RATE // 10, np.int16))))
    content = ogg(packets, OpusHead(1, 312), samples=len(pcm))
    return content, packets, pcm


def heard(content: bytes, directory: Path) -> Samples:
    path = directory / "cut.ogg"
    path.write_bytes(content)
    order = ["ffmpeg", "-v", "error", "-xerror", "-c:a", "libopus", "-i", str(path)]
    done = subprocess.run([*order, "-f", "s16le", "-"], check=True, capture_output=True)
    return np.frombuffer(done.stdout, dtype=np.int16)


CONTENT, PACKETS, PCM = a_file(4.0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4_200), min_size=2, max_size=8, unique=True))
def test_a_cut_keeps_exactly_as_much_as_is_granted(edges: list[int]) -> None:
    edges = sorted(edges[: len(edges) // 2 * 2])
    keep = [(edges[index], edges[index + 1]) for index in range(0, len(edges), 2)]
    inside = [(begin, min(end, 4_000)) for begin, end in keep if begin < 4_000]
    granted = sum(end - begin for begin, end in inside)
    target = io.BytesIO()
    if not inside:
        with pytest.raises(ValueError, match="nothing of what is to be kept"):
            cut(io.BytesIO(CONTENT), target, keep)
        assert not target.getvalue()
        return
    samples = cut(io.BytesIO(CONTENT), target, keep)
    assert samples <= granted * 48
    # Each seam inside lies at a packet's edge.
    assert samples >= granted * 48 - 480 * 2 * (len(inside) - 1)
    target.seek(0)
    reader = OpusReader(target)
    kept = [packet.content for packet in reader.packets()]
    assert reader.samples == samples
    assert all(packet in PACKETS for packet in kept)
    assert len(kept) <= granted / 20 + 2 * len(inside) + 1


def test_a_cut_plays_what_the_whole_plays_there(tmp_path: Path) -> None:
    whole = heard(CONTENT, tmp_path)
    target = io.BytesIO()
    assert cut(io.BytesIO(CONTENT), target, [(1_013, 2_517)]) == 1_504 * 48
    part = heard(target.getvalue(), tmp_path)
    assert len(part) == 1_504 * 48
    expected = whole[1_013 * 48 : 2_517 * 48]
    # The decoder needs some packets to agree with one that has heard the beginning.
    settled = slice(200 * 48, None)
    difference = part[settled].astype(float) - expected[settled]
    assert np.sqrt(np.mean(difference**2)) < 0.02 * np.sqrt(np.mean(expected**2.0))


def test_seams_are_placed_where_the_intervals_meet(tmp_path: Path) -> None:
    whole = heard(CONTENT, tmp_path)
    target = io.BytesIO()
    cut(io.BytesIO(CONTENT), target, [(0, 1_000), (3_000, 4_000)])
    part = heard(target.getvalue(), tmp_path)
    assert abs(len(part) - 2_000 * 48) <= 480
    for begin, place in ((0, 0), (3_400, 1_400)):
        ours = part[place * 48 : (place + 500) * 48].astype(float)
        best = max(
            float(np.corrcoef(ours, whole[at : at + len(ours)].astype(float))[0, 1])
            for at in range(max(0, begin * 48 - 960), begin * 48 + 961, 40)
            if at + len(ours) <= len(whole)
        )
        assert best > 0.95


@pytest.mark.parametrize("frame_ms", [2.5, 10, 60])
def test_any_length_of_packet_is_cut(frame_ms: float) -> None:
    content = odd_packets(frame_ms)
    target = io.BytesIO()
    assert cut(io.BytesIO(content), target, [(501, 1_502)]) == 1_001 * 48


def odd_packets(frame_ms: float) -> bytes:
    """Two seconds in packets of another length."""
    pcm = np.concatenate((speech(2.0, 6), np.zeros(RATE // 5, np.int16)))
    size = round(frame_ms * 48)
    length = 2 * RATE + 312
    packets = encode(pcm, frame_ms=frame_ms, application="audio")[: -(-length // size)]
    return ogg(packets, OpusHead(1, 312), samples=2 * RATE, packet_samples=size)


def test_the_same_cut_gives_the_same_bytes() -> None:
    targets = [io.BytesIO(), io.BytesIO()]
    for target in targets:
        cut(io.BytesIO(CONTENT), target, [(100, 900)])
    assert targets[0].getvalue() == targets[1].getvalue()


# --- the process -------------------------------------------------------------------------


def run(*arguments: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "media.official", *arguments],
        capture_output=True,
        timeout=50,
        check=False,
    )
    assert not done.stderr, done.stderr.decode()
    line: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, line


def test_a_file_without_a_name_is_inspected_and_cut(tmp_path: Path) -> None:
    out = tmp_path / "out.ogg"
    descriptor = os.open(tmp_path, os.O_TMPFILE | os.O_RDWR, 0o600)
    try:
        os.write(descriptor, CONTENT)
        name = f"/proc/{os.getpid()}/fd/{descriptor}"
        status, found = run("inspect", "--file", name)
        assert (status, found["duration_ms"], found["channels"]) == (0, 4_000, 1)
        status, made = run("cut", "--file", name, "--out", str(out), "--keep", "0:1000")
    finally:
        os.close(descriptor)
    assert (status, made["duration_ms"], made["bytes"]) == (0, 1_000, out.stat().st_size)
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        CONTENT[:-1],
        CONTENT[: len(CONTENT) // 2],
        CONTENT + b"x",
        CONTENT[:500] + bytes([CONTENT[500] ^ 1]) + CONTENT[501:],
        b"\x1aE\xdf\xa3" + CONTENT,
        ogg([b"\xfc"], OpusHead(8, 0, 8, 0, bytes(range(8)), 1), samples=960),
        ogg([b"\xfc"], OpusHead(2, 0, 255, 0, bytes([0, 254]), 1), samples=960),
        ogg([b"\xff\xff"], OpusHead(1, 0), samples=960),
    ],
    ids=[
        "empty",
        "JSON",
        "last byte missing",
        "half",
        "a byte more",
        "damaged",
        "WebM first",
        "eight channels",
        "255 streams",
        "bad packet",
    ],
)
def test_what_is_no_sound_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "foreign.ogg"
    path.write_bytes(content)
    with pytest.raises(NotMade) as refused:
        inspect(path)
    assert refused.value.code == "not_ogg_opus"
    with pytest.raises(NotMade):
        cut_file(path, tmp_path / "out.ogg", ((0, 100),))
    assert [each.name for each in tmp_path.iterdir()] == ["foreign.ogg"]


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (("inspect", "--file", "gone.ogg"), 3, "unreadable"),
        (("cut", "--file", "x.ogg", "--out", "gone/o", "--keep", "0:9"), 3, "io_error"),
        (("cut", "--file", "x.ogg", "--out", "o", "--keep", "90000:90010"), 2, "nothing_kept"),
        (("inspect", "--file", "x.ogg", "--against", "junk"), 2, "ours_unreadable"),
    ],
)
def test_failures_are_told_in_one_line(
    tmp_path: Path, arguments: tuple[str, ...], status: int, code: str
) -> None:
    (tmp_path / "x.ogg").write_bytes(CONTENT)
    (tmp_path / "junk").write_bytes(b"junk")
    placed = [
        str(tmp_path / each) if before in {"--file", "--out", "--against"} else each
        for before, each in zip(("", *arguments), arguments, strict=False)
    ]
    told_status, told = run(*placed)
    assert (told_status, told["error"]) == (status, code)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("samples", [48_000, 48_001, 100_000])
def test_a_file_of_ffmpegs_muxer_is_sound_and_cut(
    tmp_path: Path, channels: int, samples: int
) -> None:
    spoken = speech(3, 1)[:samples]
    path = tmp_path / "x.ogg"
    path.write_bytes(encode_ogg(spoken, spoken, channels))
    found = inspect(path)
    assert (found.duration_ms, found.channels) == (-(-samples // 48), channels)
    made = cut_file(path, tmp_path / "cut.ogg", ((250, 750),))
    assert made.duration_ms == 500
    assert inspect(tmp_path / "cut.ogg").duration_ms == 500


@pytest.mark.parametrize("text", ["5:1", "0:10,5:20", "a:b", "1"])
def test_intervals_out_of_order_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (argparse tells it)
        intervals(text)


def test_ours_is_heard_by_ffmpeg_too(tmp_path: Path) -> None:
    """The rig itself: what the tests call ours is a file that others play."""
    ours = own_file(tmp_path, *(side[: RATE * 3] for side in conversation(1)))
    assert len(ffmpeg_decode(ours)) == 3 * RATE
