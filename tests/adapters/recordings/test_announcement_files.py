"""Uploads become announcements in a process of their own, or a clear refusal."""

import hashlib
import tempfile
import wave
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from gateway.adapters.announcement_files import AnnouncementFiles
from gateway.ports.announcements import BadSound, MakerDown


def sound(seconds: float, level: float = 8_000) -> bytes:
    when = np.arange(round(16_000 * seconds)) / 16_000
    samples = (np.sin(2 * np.pi * 300 * when) * level).astype(np.int16)
    out = BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(samples.tobytes())
    return out.getvalue()


def is_empty(folder: Path) -> bool:
    return not list(folder.iterdir())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where uploads lie while they are worked on."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


async def test_an_upload_becomes_an_announcement_and_leaves_nothing_behind(
    folder: Path,
) -> None:
    made = await AnnouncementFiles(longest_s=5.0).make(sound(2.0))
    assert made.own.duration_ms == 2_020
    assert made.own.announcement_id == hashlib.sha256(made.ogg).hexdigest()
    assert made.source_sha256 == hashlib.sha256(sound(2.0)).hexdigest()
    assert made.ogg.startswith(b"OggS")
    assert is_empty(folder)


@pytest.mark.parametrize(
    ("upload", "says"),
    [
        (b"", "no sound file"),
        (b"no sound at all" * 100, "no sound file"),
        (sound(0.2), "less than half a second"),
        (sound(5.5), "5 seconds long"),
        (sound(2.0, level=0), "nothing to hear"),
    ],
)
async def test_what_cannot_be_one_is_refused_in_plain_words(
    folder: Path, upload: bytes, says: str
) -> None:
    with pytest.raises(BadSound, match=says):
        await AnnouncementFiles(longest_s=5.0).make(upload)
    assert is_empty(folder)


async def test_a_process_that_takes_too_long_is_ended(folder: Path) -> None:
    with pytest.raises(BadSound, match="no sound file"):
        await AnnouncementFiles(longest_s=5.0, process_max_s=0.001).make(sound(2.0))
    assert is_empty(folder)


async def test_a_disk_that_takes_nothing_is_not_the_upload_s_fault(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "missing"))
    with pytest.raises(MakerDown):
        await AnnouncementFiles(longest_s=5.0).make(sound(2.0))
