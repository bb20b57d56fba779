"""Files that a dead worker left: cut, closed, or left alone with a clear reason."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.capture_files import create_locked, write_whole
from media.capture_format import MAGIC, StopReason, decode_header
from media.capture_scan import scan
from media.recover import Outcome, recover_directory, recover_file
from tests.media_capture.rig import rig


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A capture of 3 s as its writer closed it."""
    directory = tmp_path_factory.mktemp("whole")
    with rig(directory) as up:
        up.captures.open_budget("b", 60_000)
        up.start("call")
        up.run(3)
        up.finish()
    return (directory / "call.000.capture").read_bytes()


@given(st.data())
def test_torn_at_any_byte_it_is_cut_and_closed_once(whole: bytes, data: st.DataObject) -> None:
    begin = decode_header(whole)[1]
    size = data.draw(st.integers(begin, len(whole) - 1))
    path = Path("/dev/shm") / f"torn-{os.getpid()}.capture"
    path.write_bytes(whole[:size])
    before = scan(whole[:size])
    try:
        recovered = recover_file(path)
        assert recovered.outcome is Outcome.RECOVERED
        assert recovered.duration_ms == before.duration_ms
        assert recovered.cut_bytes == size - before.valid_bytes
        assert recovered.blob == "blob of call"
        after = scan(path.read_bytes())
        assert after.end_reason is StopReason.RECOVERED
        assert after.duration_ms == before.duration_ms
        assert (len(after.customer), len(after.agent)) == (
            len(before.customer),
            len(before.agent),
        )
        closed = path.read_bytes()
        assert recover_file(path).outcome is Outcome.FINISHED
        assert path.read_bytes() == closed
    finally:
        path.unlink()


def test_a_file_its_writer_closed_is_not_changed(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "call.000.capture"
    path.write_bytes(whole)
    recovered = recover_file(path)
    assert (recovered.outcome, recovered.duration_ms) == (Outcome.FINISHED, 3_000)
    assert path.read_bytes() == whole


def test_a_file_that_is_still_written_is_left_alone(whole: bytes, tmp_path: Path) -> None:
    fd = create_locked(tmp_path, "call.000.capture", whole[:500])
    recovered = recover_file(tmp_path / "call.000.capture")
    assert recovered.outcome is Outcome.STILL_WRITTEN
    write_whole(fd, whole[500:])
    os.close(fd)
    assert (tmp_path / "call.000.capture").read_bytes() == whole


@pytest.mark.parametrize(
    ("content", "outcome", "reason"),
    [
        (b"", Outcome.EMPTY, "within its header"),
        (MAGIC + b"\x01\x00", Outcome.EMPTY, "within its header"),
        (MAGIC + b"\x02\x00" + bytes(50), Outcome.REFUSED, "format version 2"),
        (b"OggS" + bytes(300), Outcome.REFUSED, "does not start like"),
        (MAGIC.replace(b"\r\n", b"\n") + bytes(99), Outcome.REFUSED, "does not start like"),
    ],
)
def test_what_is_no_capture_is_refused_and_kept(
    tmp_path: Path, content: bytes, outcome: Outcome, reason: str
) -> None:
    path = tmp_path / "x.000.capture"
    path.write_bytes(content)
    recovered = recover_file(path)
    assert recovered.outcome is outcome
    assert reason in recovered.reason
    assert path.read_bytes() == content


def test_a_link_out_of_the_directory_is_not_followed(whole: bytes, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.write_bytes(whole[:-3])
    directory = tmp_path / "captures"
    directory.mkdir()
    (directory / "x.000.capture").symlink_to(target)
    (recovered,) = recover_directory(directory)
    assert recovered.outcome is Outcome.FAILED
    assert target.read_bytes() == whole[:-3]


def test_a_full_disk_does_not_hinder_recovery(whole: bytes, tmp_path: Path) -> None:
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("mounting needs root")
    order = [mount, "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)]
    if subprocess.run(order, check=False, capture_output=True).returncode:
        pytest.skip("mounting is not permitted here")
    try:
        path = tmp_path / "call.000.capture"
        path.write_bytes(whole[:-4])
        with (tmp_path / "ballast").open("wb") as file:
            try:
                while True:
                    os.write(file.fileno(), bytes(512))
            except OSError:
                pass
        recovered = recover_file(path)
        assert (recovered.outcome, recovered.duration_ms) == (Outcome.RECOVERED, 3_000)
        assert scan(path.read_bytes()).duration_ms == 3_000
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_old_temporary_names_are_cleared_and_young_ones_kept(tmp_path: Path) -> None:
    old, young = tmp_path / "a.000.capture.1.new", tmp_path / "b.000.capture.2.new"
    for path in (old, young):
        path.write_bytes(b"")
    os.utime(old, (time.time() - 3600,) * 2)
    recover_directory(tmp_path)
    assert sorted(tmp_path.iterdir()) == [young]


def test_the_command_prints_a_line_per_file(whole: bytes, tmp_path: Path) -> None:
    (tmp_path / "call.000.capture").write_bytes(whole[:-1])
    (tmp_path / "foreign.000.capture").write_bytes(b"MZ")
    (tmp_path / "notes.txt").write_bytes(b"")
    done = subprocess.run(
        [sys.executable, "-m", "media.recover", str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["file"], line["outcome"]) for line in lines] == [
        ("call.000.capture", "recovered"),
        ("foreign.000.capture", "refused"),
    ]
    assert lines[0]["duration_ms"] == 3_000


def test_the_command_names_a_directory_that_is_not_there(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "media.recover", str(tmp_path / "none")],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"] == "unreadable"
