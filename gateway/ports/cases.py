"""Recorded calls whose two recordings are being compared, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.core.ids import AccountId, CallId
from gateway.core.quota.charge import Stamp
from gateway.core.recording.announcement import Announcement
from gateway.core.recording.facts import Fact, Facts, Mode
from gateway.core.recording.files import FileRole
from gateway.core.recording.intervals import Intervals
from gateway.core.recording.reconcile import Conclusion
from gateway.core.recording.transcript import Transcript


@dataclass(frozen=True, slots=True)
class Opening:
    """A call that was to be recorded has ended."""

    call_id: CallId
    account_id: AccountId
    mode: Mode
    ended_at: float
    is_declined: bool = False
    announcement: Announcement | None = None
    """What Meta said before it recorded."""
    delay_ms: int = 0
    """How long after the pick-up our capture began."""


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A durable file of a recording."""

    file: str
    """Relative to the folder of recordings."""
    duration_ms: int
    bytes: int
    sha256: str
    peaks: str | None = None
    holds: Intervals = ()
    """What of the recording it was cut from, in that one's time; empty: all of it."""


@dataclass(frozen=True, slots=True)
class CaseFiles:
    """What is kept of both recordings of a call."""

    local: KeptFile | None = None
    official: KeptFile | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One call's facts and what was concluded from them last."""

    opening: Opening
    facts: Facts
    version: int
    conclusion: Conclusion | None = None
    files: CaseFiles = field(default_factory=CaseFiles)


class Cases(Protocol):
    """Every method is one transaction and raises `StoreDown`. Times are wall clock, s."""

    async def open(self, opening: Opening) -> None:
        """Begin a case; a second time nothing changes."""

    async def load(self, call_id: CallId) -> Case | None:
        """Return a case, with the file of our own recording as it is known now."""

    async def tell(self, call_id: CallId, fact: Fact, *, now: float) -> bool:
        """Add a fact; False: there is no such case. The case is due at once."""

    async def due(self, *, now: float, limit: int) -> Sequence[CallId]:
        """Return cases that something may follow from by now."""

    async def conclude(
        self,
        case: Case,
        *,
        look_at: float | None,
        stamp: Stamp,
        measured_ms: int | None = None,
    ) -> bool:
        """Write `case` as it is now, charge the call, and point its recording to the record.

        False: somebody else changed the case since `case.version`, too few minutes are free by
        now, or a file was expected so long ago that it was removed; nothing was written, and
        another try may succeed. `measured_ms` is how long the announcement took.
        """

    async def expect(self, opening: Opening, key: str, role: FileRole, *, now: float) -> None:
        """Note a file before it is made; what is never concluded of is removed later."""

    async def announcement_times(self, announcement: Announcement) -> Sequence[int]:
        """Return the latest measurements of an announcement, ms, oldest first."""

    async def ended_between(
        self, account_id: AccountId, *, since: float, until: float, limit: int = 10_000
    ) -> Sequence[Case]:
        """Return an account's cases by the end of their calls, oldest first."""


class Transcripts(Protocol):
    """What was said in calls. Every method raises `StoreDown`."""

    async def keep(
        self, call_id: CallId, account_id: AccountId, transcript: Transcript, *, now: float
    ) -> None:
        """Keep a transcript; a later one of the same call replaces it.

        Of a recording that has been deleted nothing is kept.
        """

    async def find(self, call_id: CallId) -> Transcript | None:
        """Return a call's transcript."""

    async def delete(self, call_id: CallId) -> None:
        """Delete it; none is fine."""


@dataclass(frozen=True, slots=True)
class Inspected:
    """What a fetched file is."""

    duration_ms: int
    channels: int
    offset_ms: int | None
    """When it begins in our capture's time; None: the two could not be compared."""


class Unsound(Exception):
    """A file that is no recording; the text is a stable code."""


class FileWork(Protocol):
    """Looks into files and cuts them, in processes of their own.

    Raises `Unsound`, or `FilesDown` where it is our own trouble.
    """

    async def inspect(
        self, fd: int, *, ours: KeptFile | None, laid_out: Intervals, ends_ms: int | None
    ) -> Inspected:
        """Look into a fetched file, and lay it over our own recording.

        Both times are the capture's: `laid_out` says when what ours holds was recorded,
        `ends_ms` when the call ended, as far as that is known.
        """

    async def cut_fetched(self, fd: int, key: str, keep: Intervals) -> KeptFile:
        """Keep intervals of a fetched file under a name of `core.recording.files`."""

    async def cut_kept(self, source: KeptFile, key: str, keep: Intervals) -> KeptFile:
        """Keep intervals of a file of ours as another one."""

    async def remove(self, file: KeptFile) -> None:
        """Delete a file and its peaks; one that is gone is fine."""


class FilesDown(Exception):
    """No file could be made now, for want of space for instance."""
