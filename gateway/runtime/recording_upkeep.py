"""Lets recordings go whose time is over, and the bytes of what was deleted. Called by upkeep.

Each step is a transaction of its own: stopped anywhere, the next run goes on from there.
"""

from collections.abc import Callable
from functools import partial

import structlog

from gateway.core.ids import AccountId
from gateway.core.recording.files import sealed_name
from gateway.core.recording.lifecycle import Deletion, Why
from gateway.ports.audit import Order
from gateway.ports.recording_life import RecordingLife
from gateway.ports.storage import Storage, StorageDown, StoredFile, StoredFiles
from gateway.runtime.recording_figures import KeepingFigures
from gateway.runtime.recording_scrub import RecordingScrub, ScrubReport
from gateway.runtime.recording_vault import Places

_log = structlog.get_logger(__name__)

AT_ONCE = 200
"""Read in one go; nobody's memory fills up with a hundred thousand of them."""
FAILURES_MAX = 3
"""A storage that did not answer so often is left alone until the next run."""


class Retention:
    """Deletes recordings on their day."""

    def __init__(
        self,
        life: RecordingLife,
        balance_changed: Callable[[AccountId], None],
        figures: KeepingFigures | None = None,
    ) -> None:
        self._life = life
        self._balance_changed = balance_changed
        self._figures = figures or KeepingFigures()

    async def __call__(self, *, now: float) -> int:
        """Delete all whose day has come; return how many. Raises `StoreDown`."""
        count = 0
        while True:
            over = await self._life.over(now=now, limit=AT_ONCE)
            deleted = 0
            for account_id, call_id in over:
                ended = await self._life.delete(
                    account_id, call_id, why=Why.RETENTION, order=Order(now)
                )
                deleted += ended.outcome is Deletion.DELETED
            for account_id in {account_id for account_id, _ in over}:
                self._balance_changed(account_id)
            count += deleted
            self._figures.retired += deleted
            if len(over) < AT_ONCE or not deleted:
                return count


class ByteSweep:
    """Removes the bytes that are due, wherever they lie."""

    def __init__(
        self, files: StoredFiles, places: Places, figures: KeepingFigures | None = None
    ) -> None:
        self._files = files
        self._places = places
        self._figures = figures or KeepingFigures()

    async def __call__(self, *, now: float) -> int:
        """Remove what is due; return how many files. Raises `StoreDown`.

        What a storage does not give away now is tried again at the next run.
        """
        count = failures = 0
        while failures < FAILURES_MAX:
            due = await self._files.due(now=now, limit=AT_ONCE)
            ended = 0
            for file in due:
                try:
                    ended += await self._remove(file, now)
                except StorageDown as down:
                    _log.warning("bytes cannot be removed yet", reason=str(down))
                    failures += 1
                    if failures == FAILURES_MAX:
                        break
            count += ended
            self._figures.removed_files += ended
            if len(due) < AT_ONCE or not ended:
                break
        await self._files.purge(now=now)
        return count

    async def _remove(self, file: StoredFile, now: float) -> bool:
        if self._places.store is not None:
            await _remove_both(self._places.store, file.key)
        remove = partial(_remove_both, self._places.folder, file.key)
        return await self._files.end(file, now=now, remove=remove)


class Recheck:
    """Hashes a few of the files again that nobody has for long."""

    def __init__(self, scrub: RecordingScrub, *, every_s: float, files_max: int) -> None:
        self._scrub = scrub
        self._every_s = every_s
        self._files_max = files_max

    async def __call__(self, *, now: float) -> int:
        """Look at some; return how many were found faulty. Raises `StoreDown`."""
        report = ScrubReport()
        await self._scrub.check(report, before=now - self._every_s, limit=self._files_max)
        return len(report.missing) + len(report.damaged)


async def _remove_both(storage: Storage, key: str) -> None:
    """Remove a file as it is and sealed: a crash may have left either."""
    for name in (key, sealed_name(key)):
        await storage.remove(name)
