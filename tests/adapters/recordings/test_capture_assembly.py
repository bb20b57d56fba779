"""Recordings made by processes of their own, from real capture files."""

import asyncio
import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.adapters.capture_assembly import AssemblyPlaces, CaptureAssembly
from gateway.core.ids import AccountId, CallId
from gateway.ports.recordings import Assembled, NotAssembled, NothingRecorded
from tests.media_capture.audio import (
    AGENT,
    CUSTOMER,
    CaptureMaker,
    encode,
    ffmpeg_decode,
    speech,
)

CALL, ACCOUNT = CallId("c" * 26), AccountId("a" * 26)


@pytest.fixture
def places(tmp_path: Path) -> AssemblyPlaces:
    (tmp_path / "captures").mkdir()
    return AssemblyPlaces(tmp_path / "captures", tmp_path / "recordings")


@pytest.fixture
def assembly(places: AssemblyPlaces) -> CaptureAssembly:
    return CaptureAssembly(places)


def capture(places: AssemblyPlaces, segment: int = 0, *, seconds: int = 1) -> Path:
    maker = CaptureMaker(CALL, segment, offset_ms=segment * 5_000)
    packets = encode(speech(seconds, segment + 1))
    maker.side(CUSTOMER, packets)
    maker.side(AGENT, packets)
    return maker.write(places.captures, seconds * 1000)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Another process writes it."""
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


async def made(assembly: CaptureAssembly) -> Assembled:
    result = await assembly.assemble(CALL, ACCOUNT)
    assert isinstance(result, Assembled), result
    return result


async def test_all_segments_of_a_call_become_one_file(
    places: AssemblyPlaces, assembly: CaptureAssembly
) -> None:
    capture(places, 0, seconds=2)
    capture(places, 1, seconds=1)
    recording = await made(assembly)
    path = places.recordings / recording.file
    assert recording.duration_ms == 3_000
    content = path.read_bytes()
    assert len(content) == recording.bytes
    assert hashlib.sha256(content).hexdigest() == recording.sha256
    assert recording.peaks is not None
    assert (places.recordings / recording.peaks).stat().st_size > 0
    assert recording.began_at == 1_700_000_000.0
    assert len(recording.segments) == 2
    assert ffmpeg_decode(path).shape == (3_000 * 48, 2)


async def test_made_again_it_is_the_same(
    places: AssemblyPlaces, assembly: CaptureAssembly
) -> None:
    capture(places)
    assert await made(assembly) == await made(assembly)


async def test_a_call_without_captures_has_nothing_recorded(
    places: AssemblyPlaces, assembly: CaptureAssembly
) -> None:
    assert await assembly.assemble(CALL, ACCOUNT) == NothingRecorded()
    CaptureMaker(CALL).write(places.captures, 0)
    assert await assembly.assemble(CALL, ACCOUNT) == NothingRecorded()


async def test_a_capture_that_is_being_written_is_left_alone(
    places: AssemblyPlaces, assembly: CaptureAssembly
) -> None:
    with held(capture(places)):
        result = await assembly.assemble(CALL, ACCOUNT)
        assert isinstance(result, NotAssembled)
        assert result.code == "still_written"
        assert await assembly.recover(), "a living writer is no failure"
    assert (await made(assembly)).duration_ms == 1_000


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda content: b"nonsense" * 40, "not_a_capture"),
        (lambda content: content[:8] + b"\xff\xff" + content[10:], "unknown_version"),
    ],
)
async def test_what_cannot_be_read_is_told_by_its_code_and_kept(
    places: AssemblyPlaces, assembly: CaptureAssembly, spoil: object, code: str
) -> None:
    path = capture(places)
    path.write_bytes(spoil(path.read_bytes()))  # type: ignore[operator]  # a function
    result = await assembly.assemble(CALL, ACCOUNT)
    assert isinstance(result, NotAssembled)
    assert result.code == code
    assert path.exists()


async def test_a_file_under_another_calls_name_is_nobodys_recording(
    places: AssemblyPlaces, assembly: CaptureAssembly
) -> None:
    own = capture(places)
    foreign = own.with_name(f"{'d' * 26}.000.capture")
    own.rename(foreign)
    result = await assembly.assemble(CallId("d" * 26), ACCOUNT)
    assert isinstance(result, NotAssembled)
    assert result.code == "foreign_capture"
    assert foreign.exists()
    assert not list(places.recordings.rglob("*.ogg"))


async def test_a_torn_file_is_closed_by_recovery_and_keeps_what_is_whole(
    places: AssemblyPlaces, assembly: CaptureAssembly
) -> None:
    path = capture(places, seconds=2)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 4])
    assert await assembly.recover()
    assert await assembly.recover(), "twice is fine"
    recording = await made(assembly)
    assert 1_000 < recording.duration_ms < 2_000


async def test_a_folder_that_cannot_be_made_is_told_and_the_captures_stay(
    places: AssemblyPlaces, assembly: CaptureAssembly
) -> None:
    capture(places)
    places.recordings.mkdir()
    (places.recordings / ACCOUNT).write_text("a file where a folder should be")
    result = await assembly.assemble(CALL, ACCOUNT)
    assert isinstance(result, NotAssembled)
    assert result.code == "io_error"
    assert await assembly.left_over() == [CALL]


async def test_a_process_that_takes_too_long_is_ended(places: AssemblyPlaces) -> None:
    capture(places)
    hasty = CaptureAssembly(
        AssemblyPlaces(places.captures, places.recordings, assemble_max_s=0.001)
    )
    result = await hasty.assemble(CALL, ACCOUNT)
    assert isinstance(result, NotAssembled)
    assert result.code == "process_failed"
    assert not list(places.recordings.rglob("*.ogg"))


async def test_captures_go_when_their_recording_stands_for_them(
    places: AssemblyPlaces, assembly: CaptureAssembly
) -> None:
    capture(places, 0)
    capture(places, 1)
    other = CaptureMaker("d" * 26).write(places.captures, 0)
    assert await assembly.left_over() == [CALL, "d" * 26]
    await assembly.discard(CALL)
    await assembly.discard(CALL)
    assert await assembly.left_over() == ["d" * 26]
    assert other.exists()


async def test_without_a_folder_nothing_is_left_over(tmp_path: Path) -> None:
    assembly = CaptureAssembly(AssemblyPlaces(tmp_path / "none", tmp_path / "recordings"))
    assert await assembly.recover()
    assert await assembly.left_over() == []
    assert await assembly.assemble(CALL, ACCOUNT) == NothingRecorded()


async def test_a_recording_given_up_leaves_no_process_behind(
    places: AssemblyPlaces, assembly: CaptureAssembly
) -> None:
    capture(places, seconds=3)
    task = asyncio.create_task(assembly.assemble(CALL, ACCOUNT))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await made(assembly)).duration_ms == 3_000
