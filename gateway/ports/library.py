"""The recordings of an account as people look through them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from gateway.core.ids import AccountId, CallId, UserId
from gateway.core.recording.lifecycle import Life
from gateway.core.whatsapp import Direction, Peer
from gateway.ports import Json
from gateway.ports.audit import AuditEntry

PAGE_ROWS_MAX = 500


@dataclass(frozen=True, slots=True)
class LibraryFilter:
    """Which recordings to list, newest first; what is not set lets all through."""

    account_id: AccountId
    agent_id: UserId | None = None
    """Only of this agent's calls (an agent sees own ones only)."""
    since: float | None = None
    """Begun then or later, wall clock."""
    until: float | None = None
    """Begun before."""
    direction: Direction | None = None
    peer: Peer | None = None
    """Only with the user of this phone number or this user id; either is enough."""
    shortest_ms: int | None = None
    longest_ms: int | None = None
    verdict: str | None = None
    cut_by_quota: bool | None = None
    noted: str | None = None
    """Part of what was written beside it; capital letters or not."""
    is_held: bool | None = None
    state: Life = Life.AVAILABLE


@dataclass(frozen=True, slots=True)
class Hold:
    """Why nothing deletes a recording."""

    at: float
    by: UserId | None
    why: str


@dataclass(frozen=True, slots=True)
class Ending:
    """How a recording ended."""

    trashed_at: float
    gone_after: float | None
    by: UserId | None
    """None: nobody; it was its time, or room was needed."""
    why: str
    purged_at: float | None


@dataclass(frozen=True, slots=True)
class Shelved:
    """One recording of the library."""

    call_id: CallId
    account_id: AccountId
    version: int
    state: Life
    file: str
    """Key of what is played (`StoredFile`)."""
    peaks: str | None
    """Key of what a player draws of it; None: nothing was drawn yet."""
    direction: Direction | None
    """None: the call is not known any more; so are agent and peer then."""
    agent_id: UserId | None
    agent_name: str | None
    number_display: str | None
    peer: Peer
    began_at: float
    duration_ms: int
    bytes: int
    sha256: str
    verdict: str | None
    cut_by_quota: bool
    note: str | None
    made_day: str
    purge_day: str
    has_transcript: bool
    hold: Hold | None = None
    ending: Ending | None = None
    segments: tuple[Json, ...] = ()
    """Where each stretch of capture lies in it; only with one recording, not in lists."""


@dataclass(frozen=True, slots=True)
class LibraryPage:
    """One page; `next_cursor` is None on the last."""

    rows: tuple[Shelved, ...]
    next_cursor: str | None


class Library(Protocol):
    """Every method raises `StoreDown`."""

    async def page(
        self, wanted: LibraryFilter, *, cursor: str | None, limit: int
    ) -> LibraryPage:
        """List recordings, newest first. Raises `BadInput` for a cursor not made here."""

    async def find(self, account_id: AccountId, call_id: CallId) -> Shelved | None:
        """Return one recording of an account, in whatever state."""

    async def some(
        self, account_id: AccountId, call_ids: Sequence[CallId]
    ) -> Sequence[Shelved]:
        """Return those of an account's recordings that are there, in the order asked for."""

    async def set_note(
        self,
        account_id: AccountId,
        call_id: CallId,
        note: str | None,
        *,
        seen: int | None,
        deed: AuditEntry,
    ) -> int:
        """Write beside a recording, and the deed with it; return its new version.

        `seen` is the version that the writer had before them; None: whichever. Raises
        `NotFound` for one that is not available, `VersionConflict`.
        """


class AudioKind(StrEnum):
    """What a recording can be made into."""

    WAV = "wav"
    MP3 = "mp3"
    PEAKS = "peaks"
    """What a player draws, as JSON."""


class Busy(Exception):
    """All places are taken; `retry_after_s` later it is worth another try."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("all places are taken")
        self.retry_after_s = retry_after_s


class NotTranscoded(Exception):
    """Nothing could be made of it; the text says why."""


class Transcoder(Protocol):
    """Makes other formats of recordings, in processes of its own."""

    def transcode(
        self, source: AsyncIterator[bytes], kind: AudioKind, *, length_ms: int
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Make it while it is read, `length_ms` long; leaving the context ends the process.

        Entering raises `Busy`, or `NotTranscoded` where the very beginning fails; reading
        raises `NotTranscoded`, or what `source` raises.
        """
