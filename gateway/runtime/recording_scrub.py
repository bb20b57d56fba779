"""Compares what lies in the storages with what should: re-hashes, finds orphans on either side.

What is safe is repaired; all else is told. It may be stopped and begun again at any time.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace

import structlog

from gateway.core.errors import SecretUnreadable
from gateway.core.ids import CallId
from gateway.core.recording.files import Fault, Place, key_of
from gateway.core.recording.scrub import Finding, KnownFile, judge
from gateway.ports.clock import Clock
from gateway.ports.recordings import Assembler, RecordingStore
from gateway.ports.storage import (
    NotStored,
    Storage,
    StorageDown,
    StoredEntry,
    StoredFile,
    StoredFiles,
    Unsealable,
)
from gateway.runtime.recording_figures import KeepingFigures, Look
from gateway.runtime.recording_vault import Digest, Places, RecordingVault, digest_of

_log = structlog.get_logger(__name__)

AT_ONCE = 200
AWAY_MAX = 3
"""A storage that did not answer so often is not asked for the next hundred thousand files."""
LISTED_MAX = 1000
"""So many of each kind are named; the rest is counted."""

Progress = Callable[[int], None]
"""Told how many files have been looked at so far."""


@dataclass
class ScrubReport:
    """What a scrub found; names are keys, without personal data."""

    checked: int = 0
    checked_bytes: int = 0
    learned: int = 0
    """Digests that were not known."""
    repaired: list[str] = field(default_factory=list)
    """Found right at another place, and noted there."""
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    """Sealed with a key that is not in the key ring."""
    removed: list[str] = field(default_factory=list)
    """Left over; gone now."""
    doubtful: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    """Nothing is known of them; they are left alone."""
    without_file: list[str] = field(default_factory=list)
    """Recordings that are to be played, and have no file."""
    captures_waiting: int = 0
    """Calls whose recording is still to be made of their capture files."""
    captures_removed: int = 0
    away: list[str] = field(default_factory=list)
    """Storages that did not answer: the scrub is incomplete."""

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left that somebody has to look at."""
        return not any(
            (
                *(self.missing, self.damaged, self.unreadable, self.doubtful),
                *(self.strangers, self.without_file, self.away),
            )
        )


class RecordingScrub:
    """One node's look at its folder, its captures, and the store that all share."""

    def __init__(  # noqa: PLR0913 (each is a part it joins)
        self,
        files: StoredFiles,
        places: Places,
        vault: RecordingVault,
        *,
        recordings: RecordingStore,
        assembler: Assembler,
        clock: Clock,
        figures: KeepingFigures | None = None,
    ) -> None:
        self._figures = figures or KeepingFigures()
        self._files = files
        self._places = places
        self._vault = vault
        self._recordings = recordings
        self._assembler = assembler
        self._clock = clock

    async def run(self, *, progress: Progress = lambda _: None) -> ScrubReport:
        """Look at everything. Raises `StoreDown`."""
        report = ScrubReport()
        began_at = self._clock.wall()
        await self.check(report, before=began_at, limit=None, progress=progress)
        for place, storage in self._places.all.items():
            await self._sweep(report, place, storage, began_at)
        report.without_file += await self._files.without_file(limit=LISTED_MAX)
        await self._look_at_captures(report)
        return report

    async def check(
        self,
        report: ScrubReport,
        *,
        before: float,
        limit: int | None,
        progress: Progress = lambda _: None,
    ) -> None:
        """Hash files that nobody has since `before`, up to `limit`; all if that is None."""
        after, left = "", limit
        while left is None or left > 0:
            page = AT_ONCE if left is None else min(AT_ONCE, left)
            found = await self._files.unchecked(before=before, after=after, limit=page)
            for file in found:
                await self._check(report, file)
                progress(report.checked)
                if len(report.away) >= AWAY_MAX:
                    return
            if len(found) < page:
                return
            after = found[-1].key
            left = None if left is None else left - len(found)

    async def _check(self, report: ScrubReport, file: StoredFile) -> None:
        self._figures.looks[await self._look(report, file)] += 1

    async def _look(self, report: ScrubReport, file: StoredFile) -> Look:
        report.checked += 1
        try:
            digest = await self._digest(file, file.place)
        except SecretUnreadable:
            _name(report.unreadable, file.key)
            return Look.UNREADABLE
        except StorageDown as down:
            _name(report.away, f"{file.place}: {down}")
            return Look.AWAY
        if isinstance(digest, Fault):
            return await self._repair(report, file, digest)
        report.checked_bytes += digest.bytes
        report.learned += file.sha256 is None
        seen = replace(file, bytes=digest.bytes, sha256=digest.sha256)
        await self._files.note_checked(seen, now=self._clock.wall(), fault=None)
        return Look.RIGHT

    async def _digest(self, file: StoredFile, place: Place) -> Digest | Fault:
        try:
            content = await self._vault.open_at(file, place, file.data_key_id)
            digest = await digest_of(content)
        except NotStored:
            return Fault.MISSING
        except Unsealable:
            return Fault.DAMAGED
        is_right = file.sha256 in {None, digest.sha256}
        return digest if is_right else Fault.DAMAGED

    async def _repair(self, report: ScrubReport, file: StoredFile, fault: Fault) -> Look:
        """Look for the file where it lay before; else remember and tell what is wrong."""
        here = (file.place, file.data_key_id)
        others = [
            (place, data_key_id)
            for place in self._places.all
            for data_key_id in dict.fromkeys((file.data_key_id, None))
            if (place, data_key_id) != here and file.sha256 is not None
        ]
        for place, data_key_id in others:
            found = await self._digest(replace(file, data_key_id=data_key_id), place)
            if isinstance(found, Digest):
                await self._files.note_moved(file, place=place, data_key_id=data_key_id)
                _name(report.repaired, file.key)
                return Look.REPAIRED
        await self._files.note_checked(file, now=self._clock.wall(), fault=fault)
        _name(report.missing if fault is Fault.MISSING else report.damaged, file.key)
        _log.error("a recording's file is faulty", call_id=file.call_id, fault=fault)
        return Look.MISSING if fault is Fault.MISSING else Look.DAMAGED

    async def _sweep(
        self, report: ScrubReport, place: Place, storage: Storage, began_at: float
    ) -> None:
        try:
            async for entries in _in_pages(storage.entries()):
                await self._sweep_page(report, place, entries, began_at)
        except StorageDown as down:
            _name(report.away, f"{place}: {down}")

    async def _sweep_page(
        self,
        report: ScrubReport,
        place: Place,
        entries: Sequence[StoredEntry],
        began_at: float,
    ) -> None:
        keys = sorted({key_of(entry.name) for entry in entries})
        known = {file.key: file for file in await self._files.known(keys)}
        for entry in entries:
            file = known.get(key_of(entry.name))
            age_s = began_at - entry.changed_at
            found = judge(entry.name, place, age_s, self._known(file, began_at))
            if found is Finding.LEFT_OVER:
                await self._places.storage(place).remove(entry.name)
                _name(report.removed, entry.name)
            elif found is Finding.DOUBTFUL:
                _name(report.doubtful, entry.name)
            elif found is Finding.STRANGER:
                _name(report.strangers, entry.name)

    def _known(self, file: StoredFile | None, began_at: float) -> KnownFile | None:
        if file is None:
            return None
        return KnownFile(
            file.key,
            file.state,
            file.place,
            is_sealed=file.data_key_id is not None,
            is_here=file.node_id in {None, self._places.node_id},
            is_right=file.fault is None and file.checked_at >= began_at,
        )

    async def _look_at_captures(self, report: ScrubReport) -> None:
        for call_id in await self._assembler.left_over():
            if await self._recordings.find(CallId(call_id)) is None:
                report.captures_waiting += 1
                continue
            await self._assembler.discard(call_id)
            report.captures_removed += 1


async def _in_pages(entries: AsyncIterator[StoredEntry]) -> AsyncIterator[list[StoredEntry]]:
    page: list[StoredEntry] = []
    async for entry in entries:
        page.append(entry)
        if len(page) == AT_ONCE:
            yield page
            page = []
    if page:
        yield page


def _name(names: list[str], name: str) -> None:
    if len(names) < LISTED_MAX:
        names.append(name)
