"""WAV and MP3 of a recording, made while they are sent."""

import json
import subprocess
import sys
import wave
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest

from media.assemble_peaks import read_peaks
from tests.media_capture.foreign import conversation, official_file, own_file

RATE = 48_000


def transcode(content: bytes, to: str, length_ms: int) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "media.transcode", "--to", to, "--length-ms", str(length_ms)],
        input=content,
        capture_output=True,
        check=False,
        timeout=60,
    )


def decode(content: bytes, format_: str) -> np.ndarray:
    with av.open(BytesIO(content), "r", format=format_) as container:
        resampler = av.AudioResampler(format="s16p", rate=RATE)
        frames = [r for f in container.decode(audio=0) for r in resampler.resample(f)]
    return np.concatenate([frame.to_ndarray() for frame in frames], axis=1)


def ours(path: Path, seed: int = 1) -> bytes:
    return own_file(path, *conversation(seed)).read_bytes()


def loudness(samples: np.ndarray) -> list[float]:
    return [float(np.sqrt(np.mean(side.astype(np.float64) ** 2))) for side in samples]


def test_wav_holds_both_sides_to_the_sample(tmp_path: Path) -> None:
    recording = ours(tmp_path)
    original = decode(recording, "ogg")
    length_ms = original.shape[1] // 48
    made = transcode(recording, "wav", length_ms)
    assert made.returncode == 0, made.stderr
    with wave.open(BytesIO(made.stdout)) as read:
        assert (read.getnchannels(), read.getframerate(), read.getsampwidth()) == (2, RATE, 2)
        assert read.getnframes() == length_ms * 48
        assert len(made.stdout) == 44 + read.getnframes() * 4
    heard = decode(made.stdout, "wav")
    length = min(heard.shape[1], original.shape[1])
    np.testing.assert_allclose(heard[:, :length], original[:, :length], atol=2)


def test_wav_of_a_mono_file_is_mono(tmp_path: Path) -> None:
    path = official_file(tmp_path / "official.ogg", conversation(2), channels=1)
    made = transcode(path.read_bytes(), "wav", 2_000)
    with wave.open(BytesIO(made.stdout)) as read:
        assert (read.getnchannels(), read.getnframes()) == (1, 2_000 * 48)


def test_mp3_sounds_like_the_recording_on_both_sides(tmp_path: Path) -> None:
    recording = ours(tmp_path)
    original = decode(recording, "ogg")
    length_ms = original.shape[1] // 48
    made = transcode(recording, "mp3", length_ms)
    assert made.returncode == 0, made.stderr
    heard = decode(made.stdout, "mp3")
    assert heard.shape[0] == 2
    # An MP3 begins and ends with what its encoder needs, some thousand samples.
    assert 0 <= heard.shape[1] - original.shape[1] < 5_000
    for side, as_it_was in zip(loudness(heard), loudness(original), strict=True):
        assert side == pytest.approx(as_it_was, rel=0.1)


@pytest.mark.parametrize("to", ["wav", "mp3"])
def test_what_is_missing_at_the_end_is_silence(tmp_path: Path, to: str) -> None:
    recording = ours(tmp_path)
    length_ms = decode(recording, "ogg").shape[1] // 48 + 3_000
    heard = decode(transcode(recording, to, length_ms).stdout, to)
    assert heard.shape[1] >= length_ms * 48
    assert max(loudness(heard[:, -2 * RATE :])) < 2


@pytest.mark.parametrize("to", ["wav", "mp3"])
@pytest.mark.parametrize(
    "content", [b"", b"no recording at all", b"OggS" + b"\xff" * 5_000], ids=len
)
def test_what_is_no_recording_is_refused_in_words(content: bytes, to: str) -> None:
    made = transcode(content, to, 1_000)
    assert made.returncode == 2
    assert made.stderr.strip()
    assert b"Traceback" not in made.stderr


def test_damage_never_makes_it_hang_or_crash(tmp_path: Path) -> None:
    recording = bytearray(ours(tmp_path))
    random = np.random.default_rng(7)
    for place in random.integers(500, len(recording), 40):
        recording[place] ^= 0xFF
    made = transcode(bytes(recording), "wav", 2_000)
    assert made.returncode in {0, 2}
    assert b"Traceback" not in made.stderr


@pytest.mark.parametrize("to", ["wav", "mp3"])
def test_nobody_listening_any_more_ends_it_quietly(tmp_path: Path, to: str) -> None:
    path = tmp_path / "in.ogg"
    path.write_bytes(ours(tmp_path))
    with path.open("rb") as source:
        process = subprocess.Popen(
            [sys.executable, "-m", "media.transcode", "--to", to, "--length-ms", "3600000"],
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(1_000)
    process.stdout.close()
    said = process.stderr.read()
    assert process.wait(60) == 0, said
    assert said == b""
    process.stderr.close()


def test_what_wav_cannot_count_is_refused_in_words(tmp_path: Path) -> None:
    made = transcode(ours(tmp_path), "wav", 7 * 3_600_000)
    assert (made.returncode, made.stdout) == (2, b"")
    assert b"too long for WAV" in made.stderr


def test_peaks_are_those_that_are_made_with_the_recording(tmp_path: Path) -> None:
    recording = ours(tmp_path)
    path = tmp_path / "ours.ogg"
    path.write_bytes(recording)
    left, right, _ = read_peaks(path)
    made = json.loads(transcode(recording, "peaks", 0).stdout)
    assert made == {"per_second": 10, "full": 255, "agent": left, "customer": right}


def test_peaks_of_a_mono_file_are_of_both_together(tmp_path: Path) -> None:
    path = official_file(tmp_path / "official.ogg", conversation(2), channels=1)
    made = json.loads(transcode(path.read_bytes(), "peaks", 0).stdout)
    assert set(made) == {"per_second", "full", "mixed"}
    assert max(made["mixed"]) > 10
