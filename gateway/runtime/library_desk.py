"""The recordings as people look through them and hear them: who may see what, within bounds.

Every method takes the acting person. What is not theirs to see is `NotFound`. That a role may
ask at all is the policy's business, and that a play is noted the caller's.
"""

from collections import OrderedDict
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Iterator,
    Sequence,
)
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from gateway.core.errors import Forbidden, NotFound, Refused
from gateway.core.ids import CallId
from gateway.core.recording.lifecycle import Life
from gateway.ports.accounts import Person, Role
from gateway.ports.audit import AuditEntry
from gateway.ports.clock import Clock
from gateway.ports.library import (
    PAGE_ROWS_MAX,
    AudioKind,
    Busy,
    Library,
    LibraryFilter,
    LibraryPage,
    Shelved,
    Transcoder,
)
from gateway.ports.storage import Content
from gateway.runtime.library_archive import pack

RETRY_AFTER_S = 10.0
PLAY_S = 600.0
"""Requests of one person for one recording within so long are one listening."""
PLAYS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class LibraryBounds:
    """What looking after recordings may take of this node."""

    archive_files_max: int = 500
    archive_bytes_max: int = 2 << 30
    exports_max: int = 2
    """Archives and lists that are sent at the same time."""
    convert_length_max_s: float = 4 * 3_600.0
    """Longest recording that is made into another format."""
    peaks_kept_max: int = 64
    """Drawings of recordings that come without; they are made anew when needed."""

    def hold(self, files: int, size: int) -> bool:
        """Whether one archive may have so many files of so many bytes together."""
        return files <= self.archive_files_max and size <= self.archive_bytes_max


class RecordingSource(Protocol):
    """Reads stored files by their keys, wherever they lie (`RecordingVault`).

    Raises `NotFound`, `Refused`, `NotStored`, `Unsealable`, `StorageDown`, `StoreDown`.
    """

    async def open(self, key: str) -> Content:
        """Open a kept file."""

    def stream(self, content: Content, begin: int, end: int) -> AsyncGenerator[bytes]:
        """Yield a part of what was opened, also if it is moved meanwhile."""


class LibraryDesk:
    """Used by HTTP handlers, concurrently."""

    def __init__(
        self,
        library: Library,
        source: RecordingSource,
        transcoder: Transcoder,
        clock: Clock,
        *,
        bounds: LibraryBounds | None = None,
    ) -> None:
        self.bounds = bounds or LibraryBounds()
        self._library = library
        self._source = source
        self._transcoder = transcoder
        self._clock = clock
        self._exports = 0
        self._drawn: OrderedDict[str, bytes] = OrderedDict()
        self._plays: OrderedDict[tuple[str, CallId], float] = OrderedDict()

    # --- looking -----------------------------------------------------------------------------

    async def page(
        self, person: Person, wanted: LibraryFilter, *, cursor: str | None, limit: int
    ) -> LibraryPage:
        """List recordings, newest first; agents see their own.

        Raises `BadInput` for a cursor not made here, `Forbidden` for an agent who asks for
        what was deleted.
        """
        narrowed = _narrowed(person, wanted)
        if narrowed is None:
            return LibraryPage((), None)
        return await self._library.page(narrowed, cursor=cursor, limit=limit)

    async def pages(
        self, person: Person, wanted: LibraryFilter
    ) -> AsyncGenerator[Sequence[Shelved]]:
        """Yield all that `page` would list, part by part; each part is read by itself."""
        cursor = None
        while True:
            page = await self.page(person, wanted, cursor=cursor, limit=PAGE_ROWS_MAX)
            yield page.rows
            cursor = page.next_cursor
            if cursor is None:
                return

    async def one(self, person: Person, call_id: CallId) -> Shelved:
        """Return a recording; one that was deleted only to leads. Raises `NotFound`."""
        row = await self._library.find(person.account_id, call_id)
        if row is None or not _may_see(person, row):
            raise NotFound("no such recording")
        return row

    async def available(self, person: Person, call_id: CallId) -> Shelved:
        """Return a recording that can be heard. Raises `NotFound`."""
        row = await self.one(person, call_id)
        if row.state is not Life.AVAILABLE:
            raise NotFound("no such recording")
        return row

    async def several(self, person: Person, call_ids: Sequence[CallId]) -> Sequence[Shelved]:
        """Return recordings that can be heard, each once. Raises `NotFound` if one is not."""
        wanted = list(dict.fromkeys(call_ids))
        rows = await self._library.some(person.account_id, wanted)
        seen = [r for r in rows if _may_see(person, r) and r.state is Life.AVAILABLE]
        if len(seen) != len(wanted):
            raise NotFound("one of these recordings is not there")
        return seen

    async def set_note(
        self,
        person: Person,
        call_id: CallId,
        note: str | None,
        *,
        seen: int | None,
        deed: AuditEntry,
    ) -> None:
        """Write beside a recording that can be heard; the deed is written with it.

        Raises `NotFound`, or `VersionConflict` unless its version is `seen`.
        """
        await self.available(person, call_id)
        await self._library.set_note(person.account_id, call_id, note, seen=seen, deed=deed)

    def is_new_play(self, actor: str, call_id: CallId) -> bool:
        """Whether this is not one more request of a listening that was noted already.

        A player asks for a recording in many parts.
        """
        now = self._clock.monotonic()
        at = self._plays.pop((actor, call_id), None)
        is_new = at is None or now - at >= PLAY_S
        self._plays[actor, call_id] = now if at is None or is_new else at
        while len(self._plays) > PLAYS_MAX:
            self._plays.popitem(last=False)
        return is_new

    def forget_play(self, actor: str, call_id: CallId) -> None:
        """The play could not be noted: the next request has to be."""
        self._plays.pop((actor, call_id), None)

    # --- hearing -----------------------------------------------------------------------------

    async def audio(self, row: Shelved) -> Content:
        """Open the recording of a row that the person may hear."""
        return await self._source.open(row.file)

    def part(self, content: Content, begin: int, end: int) -> AsyncGenerator[bytes]:
        """Yield a part of a recording that was opened."""
        return self._source.stream(content, begin, end)

    async def peaks(self, row: Shelved) -> bytes:
        """Return what a player draws, as JSON; made now if nobody has yet.

        Raises `Busy` or `NotTranscoded` besides what opening does.
        """
        if row.peaks is not None:
            kept = await self._source.open(row.peaks)
            return await kept.read(0, kept.size)
        drawn = self._drawn.get(row.sha256)
        if drawn is None:
            drawn = await self._draw(row)
            self._drawn[row.sha256] = drawn
            while len(self._drawn) > self.bounds.peaks_kept_max:
                self._drawn.popitem(last=False)
        return drawn

    async def _draw(self, row: Shelved) -> bytes:
        async with self.converted(row, AudioKind.PEAKS) as pieces:
            return b"".join([piece async for piece in pieces])

    @asynccontextmanager
    async def converted(
        self, row: Shelved, kind: AudioKind
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Make another format of a recording while it is read.

        Raises `Refused("recording_too_long")`, `Busy`, `NotTranscoded`, and what opening does.
        """
        if row.duration_ms > self.bounds.convert_length_max_s * 1000:
            raise Refused(
                "recording_too_long",
                "This recording is too long to be converted; download it as it is.",
            )
        content = await self.audio(row)
        async with (
            aclosing(self.part(content, 0, content.size)) as source,
            self._transcoder.transcode(source, kind, length_ms=row.duration_ms) as pieces,
        ):
            yield pieces

    # --- taking away -------------------------------------------------------------------------

    @contextmanager
    def exporting(self) -> Iterator[None]:
        """Hold one of the places for what is sent in bulk. Raises `Busy`."""
        if self._exports >= self.bounds.exports_max:
            raise Busy(RETRY_AFTER_S)
        self._exports += 1
        try:
            yield
        finally:
            self._exports -= 1

    def check_fits(self, rows: Sequence[Shelved]) -> None:
        """Refuse more than goes into one archive. Raises `Refused`."""
        if not self.bounds.hold(len(rows), sum(row.bytes for row in rows)):
            raise Refused(
                "archive_too_large",
                f"One archive holds up to {self.bounds.archive_files_max} recordings of "
                f"{self.bounds.archive_bytes_max >> 20} MB together; choose fewer.",
            )

    def packed(self, rows: Sequence[Shelved], zone: str) -> AsyncGenerator[bytes]:
        """Yield an archive of recordings that the person may take away."""
        return pack(rows, self._whole, zone=zone, now=self._clock.wall())

    async def _whole(self, row: Shelved) -> AsyncGenerator[bytes]:
        content = await self.audio(row)
        async with aclosing(self.part(content, 0, content.size)) as chunks:
            async for chunk in chunks:
                yield chunk


def _narrowed(person: Person, wanted: LibraryFilter) -> LibraryFilter | None:
    """Return what of `wanted` is the person's to see; None: nothing."""
    assert wanted.account_id == person.account_id, "the caller asks for its own account"
    if person.role is not Role.AGENT:
        return wanted
    if wanted.state is not Life.AVAILABLE:
        raise Forbidden("only supervisors and admins see what was deleted")
    if wanted.agent_id not in {None, person.user_id}:
        return None
    return replace(wanted, agent_id=person.user_id)


def _may_see(person: Person, row: Shelved) -> bool:
    if person.role is not Role.AGENT:
        return True
    return row.agent_id == person.user_id and row.state is Life.AVAILABLE
