"""Uploaded sounds become announcements: what is taken, what is refused, and what comes out."""

import json
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from media.announcement import make
from media.announcement_file import read_frames
from media.one_shot import NotMade
from tests.media_capture.audio import RATE, Samples, decode, ffmpeg_decode, speech

LONGEST_MS = 5_000
KINDS = {
    "wav": ("pcm_s16le", 44_100),
    "flac": ("flac", 32_000),
    "mp3": ("libmp3lame", 44_100),
    "ogg": ("libopus", 48_000),
    "m4a": ("aac", 22_050),
    "webm": ("libopus", 48_000),
    "aiff": ("pcm_s16be", 8_000),
}


def sine(seconds: float, rate: int = RATE, *, level: float = 9_000) -> Samples:
    when = np.arange(round(rate * seconds)) / rate
    return (np.sin(2 * np.pi * 500 * when) * level).astype(np.int16)


def upload(path: Path, samples: Samples, rate: int = RATE, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.repeat(samples, channels).tobytes())
    return path


def encoded(path: Path, samples: Samples, codec: str, rate: int) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="stereo")
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(
            np.repeat(samples, 2)[None, :], format="s16", layout="stereo"
        )
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def run(file: Path, out: Path) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "media.announcement", "--file", str(file)),
            *("--out", str(out), "--longest-ms", str(LONGEST_MS)),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def refusal(file: Path, out: Path) -> str:
    with pytest.raises(NotMade) as refused:
        make(file, out, longest_ms=LONGEST_MS)
    assert str(refused.value)
    assert not out.exists()
    return refused.value.code


@pytest.mark.parametrize("kind", KINDS)
def test_the_usual_kinds_of_sound_files_are_taken(tmp_path: Path, kind: str) -> None:
    codec, rate = KINDS[kind]
    file = encoded(tmp_path / f"in.{kind}", sine(2.0, rate), codec, rate)
    out = tmp_path / "out.ogg"
    made = make(file, out, longest_ms=LONGEST_MS)
    assert abs(made.duration_ms - 2_000) <= 100
    frames = read_frames(out.read_bytes())
    assert len(frames) * 20 == made.duration_ms
    heard = decode(frames)[RATE // 4 : RATE].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert abs(np.argmax(spectrum) * RATE / len(heard) - 500) < 5


def test_what_is_heard_is_what_was_uploaded_to_its_last_sample(tmp_path: Path) -> None:
    samples = speech(3.333, 7)
    out = tmp_path / "out.ogg"
    made = make(upload(tmp_path / "in.wav", samples), out, longest_ms=LONGEST_MS)
    played = ffmpeg_decode(out).reshape(-1)
    assert len(played) == len(samples)
    assert made.duration_ms == 3_340
    both = np.corrcoef(played[:RATE].astype(float), samples[:RATE].astype(float))
    assert both[0, 1] > 0.8


def test_the_same_sound_makes_the_same_announcement(tmp_path: Path) -> None:
    file = upload(tmp_path / "in.wav", speech(1.0, 3))
    digests = {
        make(file, tmp_path / f"{turn}.ogg", longest_ms=LONGEST_MS).sha256 for turn in "ab"
    }
    assert len(digests) == 1


def test_what_is_too_long_silent_short_or_no_sound_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out.ogg"
    assert refusal(upload(tmp_path / "1.wav", sine(5.1)), out) == "too_long"
    assert refusal(upload(tmp_path / "2.wav", np.zeros(RATE, np.int16)), out) == "silent"
    assert refusal(upload(tmp_path / "3.wav", sine(1.0, level=20)), out) == "silent"
    assert refusal(upload(tmp_path / "4.wav", sine(0.4)), out) == "no_audio"
    for name, content in (
        ("5", b""),
        ("6", b"hello " * 1000),
        ("7", b"\x89PNG\r\n\x1a\n" + bytes(2000)),
        ("8", b"OggS" + bytes(200)),
    ):
        (tmp_path / name).write_bytes(content)
        assert refusal(tmp_path / name, out) == "no_audio"


def test_no_upload_can_make_us_open_another_file_or_address(tmp_path: Path) -> None:
    secret = upload(tmp_path / "secret.wav", sine(2.0))
    lists = {
        "a.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{secret}\n#EXT-X-ENDLIST\n",
        "b.ffconcat": f"ffconcat version 1.0\nfile {secret}\n",
        "c.mpd": f"<MPD><Period><BaseURL>file://{secret}</BaseURL></Period></MPD>",
        "d.sdp": "v=0\nm=audio 9 RTP/AVP 0\nc=IN IP4 127.0.0.1\n",
    }
    for name, text in lists.items():
        (tmp_path / name).write_text(text)
        assert refusal(tmp_path / name, tmp_path / "out.ogg") == "no_audio"


def test_a_damaged_upload_ends_in_a_result_and_never_in_a_crash(tmp_path: Path) -> None:
    random, codes = np.random.default_rng(11), set[str]()
    whole = encoded(tmp_path / "in.mp3", sine(2.0, 44_100), "libmp3lame", 44_100).read_bytes()
    for turn in range(8):
        content = bytearray(whole)
        for place in random.integers(0, len(content), 40):
            content[place] ^= 0xFF
        file = tmp_path / f"{turn}.mp3"
        file.write_bytes(content[: random.integers(200, len(content))])
        try:
            made = make(file, tmp_path / "out.ogg", longest_ms=LONGEST_MS)
        except NotMade as failed:
            codes.add(failed.code)
        else:
            assert 500 <= made.duration_ms <= LONGEST_MS + 40
    assert codes <= {"no_audio", "silent"}


def test_the_process_says_what_it_made_or_why_not(tmp_path: Path) -> None:
    out = tmp_path / "out.ogg"
    status, said = run(upload(tmp_path / "in.wav", sine(1.0)), out)
    assert (status, said["duration_ms"], said["bytes"]) == (0, 1_020, out.stat().st_size)
    status, said = run(upload(tmp_path / "long.wav", sine(6.0)), tmp_path / "other.ogg")
    assert (status, said["error"]) == (2, "too_long")
    status, said = run(tmp_path / "in.wav", tmp_path / "nowhere" / "out.ogg")
    assert (status, said["error"]) == (3, "io_error")
    status, said = run(tmp_path / "missing", out)
    assert (status, said["error"]) == (3, "unreadable")
