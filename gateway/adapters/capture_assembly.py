"""Makes recordings in processes of their own (port `Assembler`): `python -m media.assemble`.

Captures lie in one folder, `CALL.SEGMENT.capture`; recordings in another, by account and month
of their beginning's first file. What the processes print is one line of JSON per file.
"""

import asyncio
import importlib.util
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from typing_extensions import override

from gateway.core.ids import AccountId, CallId
from gateway.ports.recordings import (
    Assembled,
    Assembler,
    NotAssembled,
    NothingRecorded,
)

SUFFIX = ".capture"
OUTPUT_BYTES_MAX = 16 << 20
_NOTHING = "nothing_recorded"
_UNJUDGED = "failed"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AssemblyPlaces:
    """Folders, and how long a process may take."""

    captures: Path
    recordings: Path
    assemble_max_s: float = 1_800.0
    recover_max_s: float = 600.0


class CaptureAssembly(Assembler):
    """Runs the processes. They lower their own priority and bound their own means."""

    def __init__(self, places: AssemblyPlaces) -> None:
        self._places = places

    @override
    async def assemble(
        self, call_id: CallId, account_id: AccountId
    ) -> Assembled | NothingRecorded | NotAssembled:
        files = await asyncio.to_thread(self._files_of, call_id)
        if not files:
            return NothingRecorded()
        name = Path(account_id) / call_id
        out = self._places.recordings / name.with_suffix(".ogg")
        peaks = self._places.recordings / name.with_suffix(".peaks")
        try:
            await asyncio.to_thread(out.parent.mkdir, parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            return NotAssembled("io_error", error.strerror or "the folder cannot be made")
        said = await run_module(
            ("media.assemble", "--out", str(out), "--peaks", str(peaks), *map(str, files)),
            self._places.assemble_max_s,
        )
        if len(said) != 1:
            return NotAssembled("process_failed", "the process ended without a result")
        (result,) = said
        if result.get("capture_id", call_id) != call_id:
            # A file under a name that is not its own: another call's time is not this one's.
            await asyncio.to_thread(_remove, out, peaks)
            return NotAssembled("foreign_capture", "the files are another call's")
        return self._made(result, out, peaks)

    def _made(
        self, said: dict[str, Any], out: Path, peaks: Path
    ) -> Assembled | NothingRecorded | NotAssembled:
        code = said.get("error")
        if code == _NOTHING:
            return NothingRecorded()
        if code is not None:
            return NotAssembled(str(code), str(said.get("reason", "")))
        root = self._places.recordings
        segments = said["segments"]
        return Assembled(
            file=str(out.relative_to(root)),
            peaks=None if said["peaks_bytes"] is None else str(peaks.relative_to(root)),
            duration_ms=said["duration_ms"],
            bytes=said["bytes"],
            sha256=said["sha256"],
            began_at=segments[0]["started_unix_ms"] / 1000,
            segments=tuple(segments),
        )

    @override
    async def recover(self) -> bool:
        folder = self._places.captures
        if not await asyncio.to_thread(folder.is_dir):
            return True
        said = await run_module(("media.recover", str(folder)), self._places.recover_max_s)
        for each in said:
            if each.get("outcome") in {"recovered", "refused", _UNJUDGED}:
                _log.warning(
                    "a capture file was left open",
                    outcome=each.get("outcome"),
                    reason=each.get("reason"),
                    duration_ms=each.get("duration_ms"),
                )
        has_all = len(said) == len(await asyncio.to_thread(self._all_files))
        return has_all and all(each.get("outcome") != _UNJUDGED for each in said)

    @override
    async def discard(self, call_id: CallId) -> None:
        def unlink() -> None:
            for path in self._files_of(call_id):
                path.unlink(missing_ok=True)

        try:
            await asyncio.to_thread(unlink)
        except OSError as error:
            # They are found again at the next start.
            _log.warning("capture files stay behind", reason=error.strerror)

    @override
    async def left_over(self) -> Sequence[CallId]:
        files = await asyncio.to_thread(self._all_files)
        return sorted({CallId(path.name.partition(".")[0]) for path in files})

    def _files_of(self, call_id: CallId) -> list[Path]:
        return sorted(self._places.captures.glob(f"{call_id}.*{SUFFIX}"))

    def _all_files(self) -> list[Path]:
        return sorted(self._places.captures.glob(f"*{SUFFIX}"))


def _remove(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


async def run_module(
    arguments: tuple[str, ...], max_s: float, *, pass_fds: tuple[int, ...] = ()
) -> list[dict[str, Any]]:
    """Run `python -m …` and return what it says; nothing if it fails or takes too long."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": import_path()},
        limit=OUTPUT_BYTES_MAX,
        pass_fds=pass_fds,
    )
    try:
        async with asyncio.timeout(max_s):
            said, _ = await process.communicate()
    except TimeoutError:
        _log.error("a process took too long", process=arguments[0])
        return []
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        lines = [json.loads(line) for line in said.splitlines()]
    except ValueError:
        return []
    return [line for line in lines if isinstance(line, dict)]


def import_path() -> str:
    """Return where a child process finds `media`, also when we run from a source tree."""
    found = importlib.util.find_spec("media")
    assert found is not None, "the package comes with the program"
    assert found.origin is not None
    ours = str(Path(found.origin).parent.parent)
    inherited = os.environ.get("PYTHONPATH", "")
    return os.pathsep.join(part for part in (ours, inherited) if part)
