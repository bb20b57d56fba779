"""Looks into recordings and cuts them (port `FileWork`): `python -m media.official`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from typing_extensions import override

from gateway.adapters.capture_assembly import run_module
from gateway.core.recording.intervals import Intervals
from gateway.ports.cases import FilesDown, FileWork, Inspected, KeptFile, Unsound
from gateway.ports.storage import Contents, NotStored, StorageDown, Unsealable

_UNSOUND = frozenset({"not_ogg_opus", "nothing_recorded", "nothing_kept", "too_large"})


class OfficialFiles(FileWork):
    """Files lie in one folder, by account; fetched ones have no name and are passed open.

    What has left the folder, or is sealed, is had from `contents`.
    """

    def __init__(
        self, folder: Path, contents: Contents | None = None, *, process_max_s: float = 600.0
    ) -> None:
        self._folder = folder
        self._contents = contents
        self._max_s = process_max_s

    @override
    async def inspect(
        self, fd: int, *, ours: KeptFile | None, laid_out: Intervals, ends_ms: int | None
    ) -> Inspected:
        arguments = ["media.official", "inspect", "--file", f"/dev/fd/{fd}"]
        if ends_ms is not None:
            arguments.append(f"--ends={ends_ms}")
        if ours is None:
            said = await self._run(arguments, fd)
        else:
            async with self._content(ours) as (path, *fds):
                arguments += ["--against", path, f"--laid-out={_written(laid_out)}"]
                said = await self._run(arguments, fd, *fds)
        return Inspected(said["duration_ms"], said["channels"], said["offset_ms"])

    @override
    async def cut_fetched(self, fd: int, key: str, keep: Intervals) -> KeptFile:
        out = self._folder / key
        try:
            await asyncio.to_thread(out.parent.mkdir, parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise FilesDown(error.strerror or "the folder cannot be made") from error
        return await self._cut(f"/dev/fd/{fd}", out, keep, fd)

    @override
    async def cut_kept(self, source: KeptFile, key: str, keep: Intervals) -> KeptFile:
        async with self._content(source) as (path, *fds):
            return await self._cut(path, self._folder / key, keep, *fds)

    @asynccontextmanager
    async def _content(self, file: KeptFile) -> AsyncIterator[tuple[str, *tuple[int, ...]]]:
        """Give a path at which a child process finds the content, and what to pass it."""
        path = self._folder / file.file
        if self._contents is None or await asyncio.to_thread(path.is_file):
            yield (str(path),)
            return
        try:
            async with self._contents.hold(file.file) as plain:
                yield f"/dev/fd/{plain.fd}", plain.fd
        except (StorageDown, NotStored, Unsealable) as error:
            raise FilesDown(str(error)) from error

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
