"""`callgate recording list|show|download` and `callgate audit`, as an operator types."""

import csv
import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import CALL, CID, OTHER, Callgate, Record
from tests.media_capture.foreign import official_file


def listed(callgate: Callgate, *arguments: str) -> list[str]:
    return callgate("recording", "list", CID, "--as", "ids", *arguments).out.split()


def test_recordings_are_listed_newest_first(callgate: Callgate, record: Record) -> None:
    record(age_s=3_600)
    record(OTHER)
    header, newest, oldest = callgate("recording", "list", CID).out.splitlines()
    assert header.split()[:3] == ["RECORDING", "BEGAN", "(Asia/Jakarta)"]
    assert newest.startswith(OTHER)
    assert oldest.startswith(CALL)
    assert "1:00" in oldest
    assert listed(callgate, "--limit", "1") == [OTHER]


def test_filters_are_those_of_the_rest_interface(callgate: Callgate, record: Record) -> None:
    record(age_s=40 * 86_400)
    record(OTHER)
    callgate("recording", "hold", CID, OTHER, "--reason", "case 7")
    assert listed(callgate, "--where", "held=true") == [OTHER]
    assert listed(callgate, "-w", "held=false", "-w", "min_duration_ms=60000") == [CALL]
    assert listed(callgate, "-w", "min_duration_ms=60001") == []
    assert listed(callgate, "-w", "since=2020-01-01", "-w", "until=2020-02-01") == []


@pytest.mark.parametrize(
    ("filter_", "told"),
    [
        ("held", "name=value"),
        ("colour=red", "there is no filter colour; there are since, until"),
        ("since=yesterday", "since: "),
        ("verdict=fine", "verdict: "),
        ("min_duration_ms=-1", "min_duration_ms: "),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(
    callgate: Callgate, record: Record, filter_: str, told: str
) -> None:
    assert told in callgate("recording", "list", CID, "-w", filter_, code=1).err
    twice = callgate("recording", "list", CID, "-w", "held=true", "-w", "held=false", code=1)
    assert "held is given twice" in twice.err


def test_a_list_is_given_to_programs(callgate: Callgate, record: Record) -> None:
    path = record()
    [line] = callgate("recording", "list", CID, "--as", "json").out.splitlines()
    told = json.loads(line)
    assert (told["id"], told["bytes"]) == (CALL, path.stat().st_size)
    [row] = csv.DictReader(io.StringIO(callgate("recording", "list", CID, "--as", "csv").out))
    assert row["recording_id"] == CALL
    assert row["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_everything_known_of_a_recording_is_shown(callgate: Callgate, record: Record) -> None:
    path = record()
    told = json.loads(callgate("recording", "show", CID, CALL).out)
    assert told["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert "no such recording" in callgate("recording", "show", CID, OTHER, code=1).err


def test_a_recording_is_downloaded_as_it_is_kept(
    callgate: Callgate, record: Record, tmp_path: Path
) -> None:
    path, output = record(), tmp_path / "call.ogg"
    callgate("recording", "download", CID, CALL, "-o", str(output))
    assert output.read_bytes() == path.read_bytes()
    assert output.stat().st_mode & 0o077 == 0
    again = callgate("recording", "download", CID, CALL, "-o", str(output), code=1)
    assert "is there already" in again.err


def test_a_recording_is_downloaded_in_another_format(
    callgate: Callgate, record: Record, tmp_path: Path
) -> None:
    heard = 0.1 * np.sin(np.arange(48_000) / 20)
    record(content=official_file(tmp_path / "made.ogg", [heard]).read_bytes())
    wav, mp3 = tmp_path / "call.wav", tmp_path / "call.mp3"
    callgate("recording", "download", CID, CALL, "--as", "wav", "-o", str(wav))
    callgate("recording", "download", CID, CALL, "--as", "mp3", "-o", str(mp3))
    assert wav.read_bytes().startswith(b"RIFF")
    assert 0 < mp3.stat().st_size < wav.stat().st_size


def test_what_cannot_be_converted_leaves_no_file(
    callgate: Callgate, record: Record, tmp_path: Path
) -> None:
    record()
    output = tmp_path / "call.wav"
    arguments = ("recording", "download", CID, CALL, "-o", str(output), "--as")
    assert "cannot be converted" in callgate(*arguments, "wav", code=1).err
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("call")]


def test_several_recordings_become_an_archive_with_a_manifest(
    callgate: Callgate, record: Record, tmp_path: Path
) -> None:
    paths, output = (record(), record(OTHER)), tmp_path / "calls.zip"
    ran = callgate("recording", "download", CID, CALL, OTHER, CALL, "-o", str(output))
    assert "manifest.csv" in ran.out
    archive = zipfile.ZipFile(output)
    assert archive.testzip() is None
    packed = {archive.read(name) for name in archive.namelist() if name.endswith(".ogg")}
    assert packed == {path.read_bytes() for path in paths}
    as_wav = ("recording", "download", CID, CALL, OTHER, "--as", "wav")
    refused = callgate(*as_wav, "-o", str(tmp_path / "a.zip"), code=1)
    assert "leave out --as" in refused.err


def test_what_was_deleted_or_lost_is_not_downloaded(
    callgate: Callgate, record: Record, tmp_path: Path
) -> None:
    record()
    lost = record(OTHER)
    callgate("recording", "delete", CID, CALL, "--yes")
    arguments = ("recording", "download", CID, "-o", str(tmp_path / "call.ogg"))
    assert "it was deleted" in callgate(*arguments, CALL, code=1).err
    assert "no such recording" in callgate(*arguments, "e" * 26, code=1).err
    lost.unlink()
    assert "there is no such file" in callgate(*arguments, OTHER, code=1).err
    assert not (tmp_path / "call.ogg").exists()
    assert listed(callgate) == [OTHER]
    assert listed(callgate, "-w", "state=trashed") == [CALL]


def test_the_audit_tells_who_did_what(
    callgate: Callgate, record: Record, tmp_path: Path
) -> None:
    record()
    callgate("recording", "download", CID, CALL, "-o", str(tmp_path / "call.ogg"))
    callgate("recording", "delete", CID, CALL, "--yes")
    out = callgate("audit", CID).out
    assert out.index("recording.deleted") < out.index("recording.downloaded")
    assert "operator" in out
    told = callgate("audit", CID, "-w", "action=recording.downloaded", "--json").out
    [line] = told.splitlines()
    assert json.loads(line)["subject"] == CALL
    assert json.loads(line)["fields"] == {"format": "ogg"}
    first = callgate("audit", CID, "--limit", "1").out
    assert "recording.deleted" in first
    cursor = first.split("--cursor ")[1].strip()
    rest = callgate("audit", CID, "--cursor", cursor).out
    assert "recording.deleted" not in rest
    assert "recording.downloaded" in rest
    assert "there is no filter colour" in callgate("audit", CID, "-w", "colour=1", code=1).err
