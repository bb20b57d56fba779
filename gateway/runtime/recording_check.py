"""Reads the kept files of recordings again and compares them with what the store says."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from gateway.core.errors import NotFound, Refused
from gateway.core.ids import CallId
from gateway.core.recording.files import FileRole, FileState
from gateway.ports.recordings import RecordingStore
from gateway.ports.storage import (
    Content,
    NotStored,
    StorageDown,
    StoredFile,
    StoredFiles,
    Unsealable,
)
from gateway.runtime.recording_vault import digest_of

PAGE_FILES = 200
_EVER = 1e12


class Finding(StrEnum):
    """What reading a file has shown."""

    SOUND = "sound"
    """Every byte is what was stored."""
    NO_DIGEST = "no digest known"
    """It can be read; what it should be was never noted."""
    ELSEWHERE = "on another node"
    MISSING = "MISSING"
    DAMAGED = "DAMAGED"
    UNREADABLE = "UNREADABLE"
    """Its storage does not answer, or its key does not open it."""

    @property
    def is_fault(self) -> bool:
        """Whether somebody has to look."""
        return self in {Finding.MISSING, Finding.DAMAGED, Finding.UNREADABLE}


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """One file."""

    call_id: CallId
    key: str
    role: FileRole | None
    """None: the store tells of a recording, but of no such file."""
    bytes: int | None
    finding: Finding


class Opens(Protocol):
    """Opens kept files, wherever they lie."""

    async def open(self, key: str) -> Content:
        """Raises as `RecordingVault.open`."""


class RecordingCheck:
    """Changes nothing."""

    def __init__(self, files: StoredFiles, recordings: RecordingStore, vault: Opens) -> None:
        self._files = files
        self._recordings = recordings
        self._vault = vault

    async def of_call(self, call_id: CallId) -> Sequence[CheckedFile]:
        """Check all files of a call. Raises `StoreDown`, or `NotFound` if it has none."""
        kept = [
            file for file in await self._files.of_call(call_id) if file.state is FileState.KEPT
        ]
        recording = await self._recordings.find(call_id)
        checked = [await self._check(file) for file in kept]
        if recording is not None:
            key = recording.assembled.file
            known = {file.key: file.sha256 for file in kept}
            if key not in known:
                checked.append(CheckedFile(call_id, key, None, None, Finding.MISSING))
            elif known[key] not in {None, recording.assembled.sha256}:
                checked.append(CheckedFile(call_id, key, None, None, Finding.DAMAGED))
        if not checked:
            raise NotFound(f"call {call_id} has no recording that is kept")
        return checked

    async def of_all(self) -> AsyncIterator[CheckedFile]:
        """Check all kept files that this node can read. Raises `StoreDown`."""
        after = ""
        while page := await self._files.unchecked(before=_EVER, after=after, limit=PAGE_FILES):
            for file in page:
                yield await self._check(file)
            after = page[-1].key

    async def _check(self, file: StoredFile) -> CheckedFile:
        finding = await self._read(file)
        return CheckedFile(file.call_id, file.key, file.role, file.bytes, finding)

    async def _read(self, file: StoredFile) -> Finding:
        try:
            found = await digest_of(await self._vault.open(file.key))
        except (NotStored, NotFound):
            return Finding.MISSING
        except Refused:
            return Finding.ELSEWHERE
        except (Unsealable, StorageDown):
            return Finding.UNREADABLE
        if file.sha256 is None:
            return Finding.NO_DIGEST
        is_same = found.sha256 == file.sha256 and file.bytes in {None, found.bytes}
        return Finding.SOUND if is_same else Finding.DAMAGED
