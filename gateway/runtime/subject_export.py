"""Everything that is kept of a customer of an account, as one ZIP archive.

It is made while it is sent: `calls.csv`, then recordings and transcripts, and at last
`manifest.csv`, which tells of each file whether it is whole, with the digest it should have and
the one it has. Of each file only a line stays in memory.
"""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from pathlib import PurePosixPath

from gateway.core.csv_text import Cell, csv_line
from gateway.core.errors import Refused
from gateway.core.ids import AccountId, CallId
from gateway.core.recording.files import FileRole, FileState
from gateway.core.recording.lifecycle import Life
from gateway.core.recording.transcript import Transcript
from gateway.core.recording.zip_stream import ZipStream
from gateway.core.whatsapp import Peer
from gateway.core.zones import local_time
from gateway.ports.accounts import Account
from gateway.ports.cases import Transcripts
from gateway.ports.library import Library, Shelved
from gateway.ports.storage import StoredFiles
from gateway.ports.subjects import SubjectCall, Subjects
from gateway.runtime.codec import Unreadable, call_from_json
from gateway.runtime.library_archive import MANIFEST, WHOLE, Packed, PackedFile
from gateway.runtime.library_desk import LibraryBounds, RecordingSource
from gateway.runtime.subject_erasure import AT_ONCE, expect_somebody
from gateway.runtime.subject_tables import COLUMNS, UNREADABLE, CallOfSubject

CALLS = "calls.csv"
MANIFEST_COLUMNS = (
    "file",
    "kind",
    "call_id",
    "result",
    "bytes_here",
    "sha256_here",
    "bytes",
    "sha256",
)

NAMES_MAX = 5
"""More names of one person help nobody."""

NoteTaken = Callable[[CallId], Awaitable[None]]
"""Notes that a call's recording is taken away; one that cannot be noted is left out."""


@dataclass(frozen=True, slots=True)
class SubjectSources:
    """What an export is gathered from."""

    subjects: Subjects
    library: Library
    files: StoredFiles
    contents: RecordingSource
    transcripts: Transcripts


@dataclass(frozen=True, slots=True)
class _RecordedFile:
    """A file of a recording that can be heard."""

    row: Shelved
    key: str
    name: str
    bytes: int
    sha256: str | None


@dataclass(frozen=True, slots=True)
class SubjectSize:
    """How much is kept of a customer."""

    calls: int = 0
    recordings: int = 0
    files: int = 0
    """Of recordings."""
    bytes: int = 0
    held: int = 0
    """Recordings that a legal hold keeps."""
    not_over: int = 0
    """Calls that go on."""
    first_at: float | None = None
    last_at: float | None = None
    """When the calls that can be read began; wall clock, seconds."""
    names: tuple[str, ...] = ()
    """Under which the person called, as far as they are few."""

    def plus(self, of: CallOfSubject, files: Sequence[_RecordedFile]) -> "SubjectSize":
        """Count one more call, and the files of its recording."""
        counted = replace(
            self,
            calls=self.calls + 1,
            recordings=self.recordings + bool(files),
            files=self.files + len(files),
            bytes=self.bytes + sum(file.bytes for file in files),
            held=self.held + (of.row is not None and of.row.hold is not None),
            not_over=self.not_over + (not of.is_over),
        )
        if of.call is None:
            return counted
        at, name = of.call.identity.created_at, of.call.identity.peer.name
        names = (*self.names, name) if name else self.names
        return replace(
            counted,
            first_at=at if self.first_at is None else min(at, self.first_at),
            last_at=at if self.last_at is None else max(at, self.last_at),
            names=tuple(dict.fromkeys(names))[:NAMES_MAX],
        )


class SubjectExport:
    """Used by HTTP handlers, concurrently, and by a command."""

    def __init__(
        self,
        sources: SubjectSources,
        wall: Callable[[], float],
        *,
        bounds: LibraryBounds | None = None,
    ) -> None:
        """`wall` tells the time, in seconds since the epoch."""
        self.bounds = bounds or LibraryBounds()
        self._sources = sources
        self._wall = wall

    async def measured(self, account: Account, peer: Peer) -> SubjectSize:
        """Tell how much an archive would hold. Raises `BadInput` for nobody, `StoreDown`."""
        expect_somebody(peer)
        size = SubjectSize()
        async with aclosing(self._pages(account.account_id, peer)) as pages:
            async for page in pages:
                for each in page:
                    size = size.plus(each, await self._files_of(each, account.timezone))
        return size

    def fits(self, size: SubjectSize) -> bool:
        """Whether one archive may hold so much."""
        return self.bounds.hold(size.files, size.bytes)

    def check_fits(self, size: SubjectSize) -> None:
        """Refuse more than is sent to a browser in one archive. Raises `Refused`."""
        bounds = self.bounds
        if not self.fits(size):
            raise Refused(
                "archive_too_large",
                f"One download holds up to {bounds.archive_files_max} recordings of "
                f"{bounds.archive_bytes_max >> 20} MB together, and this customer has more; "
                "your operator can write them all with `callgate recording export`.",
            )

    def packed(self, account: Account, peer: Peer, *, note: NoteTaken) -> AsyncGenerator[bytes]:
        """Yield the archive of the user of a phone number or of a user id, or of both.

        Nobody who is known makes an archive without calls. A recording that cannot be read, or
        only in part, does not end the archive: the manifest names it. Raises `BadInput` if
        neither is given; reading raises `StoreDown`.
        """
        expect_somebody(peer)
        return self._packed(account, peer, note)

    async def _packed(
        self, account: Account, peer: Peer, note: NoteTaken
    ) -> AsyncGenerator[bytes]:
        making = _Making(account.timezone, self._wall())
        async with aclosing(self._tabled(making, account.account_id, peer)) as chunks:
            async for chunk in chunks:
                yield chunk
        async with aclosing(self._pages(account.account_id, peer)) as pages:
            async for page in pages:
                for each in page:
                    async with aclosing(self._with_files(making, each, note)) as chunks:
                        async for chunk in chunks:
                            yield chunk
        yield making.finished()

    async def _tabled(
        self, making: "_Making", account_id: AccountId, peer: Peer
    ) -> AsyncGenerator[bytes]:
        archive = making.archive
        archive.begin(CALLS, making.at)
        archive.add(csv_line(COLUMNS).encode())
        async with aclosing(self._pages(account_id, peer)) as pages:
            async for page in pages:
                lines = [csv_line(each.cells(making.zone)) for each in page]
                archive.add("".join(lines).encode())
                making.note_unreadable(page)
                yield archive.taken()
        entry = archive.end()
        making.lines.append((CALLS, "calls", None, WHOLE, entry.bytes, entry.sha256))

    async def _with_files(
        self, making: "_Making", of: CallOfSubject, note: NoteTaken
    ) -> AsyncGenerator[bytes]:
        for file in await self._files_of(of, making.zone):
            packing = PackedFile(
                file.row,
                file.name,
                making.zone,
                bytes_planned=file.bytes,
                sha256=file.sha256,
            )
            async with aclosing(self._whole(file, note)) as source:
                async for chunk in packing.into(making.archive, source):
                    yield chunk
            making.note_recording(file, packing.became())
        if of.row is not None and not of.row.has_transcript:
            return
        transcript = await self._sources.transcripts.find(of.call_id)
        if transcript is not None:
            yield making.with_transcript(of, transcript)

    async def _whole(self, file: _RecordedFile, note: NoteTaken) -> AsyncGenerator[bytes]:
        content = await self._sources.contents.open(file.key)
        await note(file.row.call_id)
        chunks = self._sources.contents.stream(content, 0, content.size)
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    async def _pages(
        self, account_id: AccountId, peer: Peer
    ) -> AsyncGenerator[Sequence[CallOfSubject]]:
        after = None
        while True:
            found = await self._sources.subjects.calls(
                account_id, peer, after=after, limit=AT_ONCE
            )
            rows = await self._sources.library.some(account_id, [c.call_id for c in found])
            by_call = {row.call_id: row for row in rows}
            yield [_read(each, by_call.get(each.call_id)) for each in found]
            if len(found) < AT_ONCE:
                return
            after = found[-1].call_id

    async def _files_of(self, of: CallOfSubject, zone: str) -> Sequence[_RecordedFile]:
        """Return all that is kept of a recording, what people hear first."""
        row = of.row
        if row is None or row.state is not Life.AVAILABLE:
            return ()
        stem = of.stem(zone)
        found = [
            _RecordedFile(
                row, row.file, f"recordings/{stem}{_suffix(row.file)}", row.bytes, row.sha256
            )
        ]
        for file in await self._sources.files.of_call(of.call_id):
            is_heard = file.key == row.file or file.role is FileRole.PEAKS
            if file.state is not FileState.KEPT or is_heard:
                continue
            name = f"recordings/{stem}_{file.role.value}{_suffix(file.key)}"
            found.append(_RecordedFile(row, file.key, name, file.bytes or 0, file.sha256))
        return found


class _Making:
    """An archive that is being made."""

    def __init__(self, zone: str, now: float) -> None:
        self.archive = ZipStream()
        self.zone = zone
        self.at = local_time(now, zone)
        self.lines: list[tuple[Cell, ...]] = []
        """Of the manifest; what is missing at their ends stays empty."""

    def note_unreadable(self, page: Sequence[CallOfSubject]) -> None:
        """Tell of calls of which only their recordings can be shown."""
        self.lines += [
            (CALLS, "call", each.call_id, UNREADABLE) for each in page if each.call is None
        ]

    def note_recording(self, file: _RecordedFile, became: Packed) -> None:
        """Tell what became of a recording's file."""
        entry = became.entry
        here = (None, None) if entry is None else (entry.bytes, entry.sha256)
        planned = (file.bytes, file.sha256)
        line = (became.file, "recording", file.row.call_id, became.result, *here, *planned)
        self.lines.append(line)

    def with_transcript(self, of: CallOfSubject, transcript: Transcript) -> bytes:
        """Add what was said, and return what is written of the archive."""
        self.archive.begin(f"transcripts/{of.stem(self.zone)}.json", self.at)
        self.archive.add(_as_json(of.call_id, transcript))
        entry = self.archive.end()
        self.lines.append(
            (entry.name, "transcript", of.call_id, WHOLE, entry.bytes, entry.sha256)
        )
        return self.archive.taken()

    def finished(self) -> bytes:
        """Add the manifest, end the archive, and return the rest of it."""
        self.archive.begin(MANIFEST, self.at)
        self.archive.add(csv_line(MANIFEST_COLUMNS).encode())
        for line in self.lines:
            blank = (None,) * (len(MANIFEST_COLUMNS) - len(line))
            self.archive.add(csv_line((*line, *blank)).encode())
        self.archive.end()
        self.archive.finish()
        return self.archive.taken()


def _read(found: SubjectCall, row: Shelved | None) -> CallOfSubject:
    try:
        call = call_from_json(found.snapshot)
    except Unreadable:
        call = None
    return CallOfSubject(found.call_id, call, row, is_over=found.is_over)


def _suffix(key: str) -> str:
    return PurePosixPath(key).suffix


def _as_json(call_id: CallId, transcript: Transcript) -> bytes:
    passages = [asdict(each) for each in transcript.passages]
    for each in passages:
        del each["words"]
    whole = {"call_id": call_id, "language": transcript.language, "passages": passages}
    return (json.dumps(whole, ensure_ascii=False, indent=1) + "\n").encode()
