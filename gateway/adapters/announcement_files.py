"""Makes announcements in a process of its own (port `AnnouncementMaker`)."""

import asyncio
import hashlib
import tempfile
from pathlib import Path

from typing_extensions import override

from gateway.adapters.capture_assembly import run_module
from gateway.core.recording.own_announcement import AnnouncementId, OwnAnnouncement
from gateway.ports.announcements import (
    AnnouncementMaker,
    BadSound,
    MadeAnnouncement,
    MakerDown,
)

_FAULTS = {
    "no_audio": "This is no sound file that can be read, or it holds less than half a second.",
    "silent": "There is nothing to hear in this file.",
    "too_large": "This file is too large to be read.",
}


class AnnouncementFiles(AnnouncementMaker):
    """Runs `python -m media.announcement`, which bounds its own means, one at a time."""

    def __init__(self, *, longest_s: float, process_max_s: float = 60.0) -> None:
        self._longest_s = longest_s
        self._max_s = process_max_s
        self._turn = asyncio.Lock()

    @override
    async def make(self, upload: bytes) -> MadeAnnouncement:
        async with self._turn:
            folder = await asyncio.to_thread(_folder_with, upload)
            try:
                return await self._make(folder, upload)
            finally:
                await asyncio.to_thread(folder.cleanup)

    async def _make(
        self, folder: "tempfile.TemporaryDirectory[str]", upload: bytes
    ) -> MadeAnnouncement:
        source, out = _paths(folder)
        longest_ms = round(self._longest_s * 1000)
        said = await run_module(
            (
                *("media.announcement", "--file", str(source), "--out", str(out)),
                *("--longest-ms", str(longest_ms)),
            ),
            self._max_s,
        )
        if len(said) != 1:
            # Killed by its own bounds, most likely: what does that is no announcement.
            raise BadSound("no_audio", _FAULTS["no_audio"])
        [told] = said
        code = told.get("error")
        if code == "too_long":
            text = f"An announcement may be {self._longest_s:g} seconds long."
            raise BadSound("too_long", text)
        if code in _FAULTS:
            raise BadSound(code, _FAULTS[code])
        if code is not None:
            raise MakerDown(str(code))
        ogg = await asyncio.to_thread(out.read_bytes)
        return MadeAnnouncement(
            OwnAnnouncement(AnnouncementId(told["sha256"]), told["duration_ms"]),
            ogg,
            hashlib.sha256(upload).hexdigest(),
        )


def _folder_with(upload: bytes) -> "tempfile.TemporaryDirectory[str]":
    try:
        folder = tempfile.TemporaryDirectory(prefix="callgate-announcement-")
        _paths(folder)[0].write_bytes(upload)
    except OSError as error:
        raise MakerDown(error.strerror or "io_error") from error
    return folder


def _paths(folder: "tempfile.TemporaryDirectory[str]") -> tuple[Path, Path]:
    return Path(folder.name) / "upload", Path(folder.name) / "announcement.ogg"
