"""ZIP archives that are written as a stream."""

import hashlib
import io
import shutil
import subprocess
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.recording.zip_stream import ZipStream

AT = datetime(2026, 11, 21, 4, 30, 10, tzinfo=UTC)


def written(files: dict[str, list[bytes]]) -> tuple[bytes, dict[str, str]]:
    archive, whole, digests = ZipStream(), b"", {}
    for name, pieces in files.items():
        archive.begin(name, AT)
        for piece in pieces:
            archive.add(piece)
            whole += archive.taken()
        digests[name] = archive.end().sha256
    archive.finish()
    return whole + archive.taken(), digests


@given(st.dictionaries(st.text("abc", min_size=1), st.lists(st.binary(), max_size=4)))
def test_what_is_written_is_read_back_with_its_digests(files: dict[str, list[bytes]]) -> None:
    whole, digests = written(files)
    with zipfile.ZipFile(io.BytesIO(whole)) as read:
        assert read.testzip() is None
        assert read.namelist() == list(files)
        for name, pieces in files.items():
            assert read.read(name) == b"".join(pieces)
            assert digests[name] == hashlib.sha256(b"".join(pieces)).hexdigest()


def test_files_are_stored_under_their_time() -> None:
    whole, _ = written({"2026-11/a.ogg": [b"x" * 1_000]})
    [entry] = zipfile.ZipFile(io.BytesIO(whole)).infolist()
    assert (entry.compress_type, entry.compress_size) == (zipfile.ZIP_STORED, 1_000)
    assert entry.date_time == (2026, 11, 21, 4, 30, 10)


def test_a_file_that_breaks_off_leaves_a_sound_archive() -> None:
    archive = ZipStream()
    archive.begin("half.ogg", AT)
    archive.add(b"half")
    assert archive.end().bytes == 4
    archive.begin("next.ogg", AT)
    archive.end()
    archive.finish()
    with zipfile.ZipFile(io.BytesIO(archive.taken())) as read:
        assert read.testzip() is None
        assert read.namelist() == ["half.ogg", "next.ogg"]


def test_what_was_handed_on_is_not_kept() -> None:
    archive = ZipStream()
    archive.begin("long.ogg", AT)
    for _ in range(1_000):
        archive.add(b"x" * 65_536)
        assert 65_536 <= len(archive.taken()) < 70_000
    assert archive.end().bytes == 65_536_000


def test_a_time_that_the_format_cannot_say_is_brought_nearer() -> None:
    archive = ZipStream()
    archive.begin("old.ogg", datetime(1970, 1, 1, tzinfo=UTC))
    archive.end()
    archive.finish()
    [entry] = zipfile.ZipFile(io.BytesIO(archive.taken())).infolist()
    assert entry.date_time[0] == 1980


@pytest.mark.skipif(shutil.which("unzip") is None, reason="unzip is not installed here")
@pytest.mark.parametrize("bytes_planned", [0, 5_000, 5_000_000_000])
def test_another_program_reads_it(tmp_path: Path, bytes_planned: int) -> None:
    archive = ZipStream()
    archive.begin("a.ogg", AT, bytes_planned=bytes_planned)
    archive.add(b"x" * 5_000)
    archive.end()
    archive.finish()
    path = tmp_path / "a.zip"
    path.write_bytes(archive.taken())
    subprocess.run(["unzip", "-tq", path], check=True, capture_output=True)
