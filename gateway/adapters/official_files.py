"""Looks into recordings and cuts them (port `FileWork`): `python -m media.official`."""

import asyncio
from pathlib import Path
from typing import Any

from typing_extensions import override

from gateway.adapters.capture_assembly import run_module
from gateway.core.ids import AccountId, CallId
from gateway.core.recording.intervals import Intervals
from gateway.ports.cases import FilesDown, FileWork, Inspected, KeptFile, Unsound

SUFFIX = ".official.ogg"
_UNSOUND = frozenset({"not_ogg_opus", "nothing_recorded", "nothing_kept", "too_large"})


class OfficialFiles(FileWork):
    """Files lie in one folder, by account; fetched ones have no name and are passed open."""

    def __init__(self, folder: Path, *, process_max_s: float = 600.0) -> None:
        self._folder = folder
        self._max_s = process_max_s

    @override
    async def inspect(
        self, fd: int, *, ours: KeptFile | None, laid_out: Intervals, expected_ms: int
    ) -> Inspected:
        arguments = ["media.official", "inspect", "--file", f"/dev/fd/{fd}"]
        arguments.append(f"--expected={expected_ms}")
        if ours is not None:
            arguments += ["--against", str(self._folder / ours.file)]
            arguments.append(f"--laid-out={_written(laid_out)}")
        said = await self._run(arguments, fd)
        return Inspected(said["duration_ms"], said["channels"], said["offset_ms"])

    @override
    async def cut_fetched(
        self, fd: int, call_id: CallId, account_id: AccountId, keep: Intervals
    ) -> KeptFile:
        out = self._folder / account_id / f"{call_id}{SUFFIX}"
        try:
            await asyncio.to_thread(out.parent.mkdir, parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise FilesDown(error.strerror or "the folder cannot be made") from error
        return await self._cut(f"/dev/fd/{fd}", out, keep, fd)

    @override
    async def cut_kept(self, source: KeptFile, name: str, keep: Intervals) -> KeptFile:
        path = self._folder / source.file
        return await self._cut(str(path), path.with_name(name), keep)

    @override
    async def remove(self, file: KeptFile) -> None:
        def unlink() -> None:
            for name in (file.file, file.peaks):
                if name is not None:
                    (self._folder / name).unlink(missing_ok=True)

        try:
            await asyncio.to_thread(unlink)
        except OSError as error:
            raise FilesDown(error.strerror or "a file cannot be deleted") from error

    async def _cut(self, source: str, out: Path, keep: Intervals, *fds: int) -> KeptFile:
        arguments = ["media.official", "cut", "--file", source, "--out", str(out)]
        said = await self._run([*arguments, f"--keep={_written(keep)}"], *fds)
        return KeptFile(
            file=str(out.relative_to(self._folder)),
            duration_ms=said["duration_ms"],
            bytes=said["bytes"],
            sha256=said["sha256"],
            holds=keep,
        )

    async def _run(self, arguments: list[str], *fds: int) -> dict[str, Any]:
        said = await run_module(tuple(arguments), self._max_s, pass_fds=fds)
        if len(said) != 1:
            # Killed by its own bounds, most likely: what does that is no recording.
            raise Unsound("process_failed")
        [told] = said
        code = told.get("error")
        if code in _UNSOUND:
            raise Unsound(str(code))
        if code is not None:
            raise FilesDown(str(code))
        return told


def _written(intervals: Intervals) -> str:
    return ",".join(f"{begin}:{end}" for begin, end in intervals)
