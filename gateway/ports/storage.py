"""Where the bytes of recordings lie, and what is known of their files."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import BinaryIO, NewType, Protocol

from gateway.core.errors import CallgateError
from gateway.core.ids import AccountId, CallId, NodeId
from gateway.core.jobs import Setback
from gateway.core.recording.files import Fault, FileRole, FileState, Place

DataKeyId = NewType("DataKeyId", str)


class StorageDown(CallgateError):
    """Bytes could not be stored, read or removed now; what was there is still there."""

    def __init__(self, setback: Setback, detail: str) -> None:
        """`detail` names what happened in a few stable words, without personal data."""
        super().__init__(detail)
        self.setback = setback


class AlreadyStored(CallgateError):
    """Something lies under this name; nothing was changed."""


class NotStored(CallgateError):
    """Nothing lies under this name, or less than was asked for."""


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """Something that lies in a storage."""

    name: str
    bytes: int
    changed_at: float
    """Wall clock of the storage, seconds."""


class Storage(Protocol):
    """Bytes under names of ours. Every method raises `StorageDown`.

    Names are made by `core.recording.files`; any other raises `BadInput`.
    """

    async def put(self, name: str, content: BinaryIO, size: int) -> None:
        """Store `content`, which is at its beginning, durably and whole or not at all.

        Never replaces anything: raises `AlreadyStored`.
        """

    async def size(self, name: str) -> int | None:
        """Return how many bytes lie there; None: nothing does."""

    async def read(self, name: str, begin: int, length: int) -> bytes:
        """Return exactly so many bytes. Raises `NotStored`."""

    async def remove(self, name: str) -> None:
        """Remove it; nothing there is fine."""

    def entries(self) -> AsyncIterator[StoredEntry]:
        """List everything that lies here, in any order, strangers' things too."""


class Content(Protocol):
    """The content of a stored file, as it was before it was sealed."""

    @property
    def size(self) -> int:
        """How many bytes it has."""

    async def read(self, begin: int, length: int) -> bytes:
        """Return exactly so many bytes. Raises `NotStored`, `Unsealable`, `StorageDown`."""


class Sealing(Protocol):
    """Encrypts content so that any part of it can be read alone."""

    def seal(self, source: BinaryIO, target: BinaryIO, *, key: bytes, name: str) -> int:
        """Write `source` sealed and bound to `name`; return how many bytes that took.

        Blocks: call it in a thread.
        """

    async def open(self, storage: Storage, name: str, *, key: bytes) -> Content:
        """Open what was sealed. Raises `Unsealable`, `NotStored`, `StorageDown`."""


class Unsealable(CallgateError):
    """Sealed with another key or under another name, cut short, or tampered with."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """Seals the files of one account."""

    data_key_id: DataKeyId
    key: bytes


class DataKeys(Protocol):
    """Keys of accounts, sealed with the key ring. Every method raises `StoreDown`."""

    async def current(self, account_id: AccountId, *, now: float) -> DataKey:
        """Return the key to seal with; the first time one is made."""

    async def find(self, data_key_id: DataKeyId) -> DataKey:
        """Return a key. Raises `NotFound` or `SecretUnreadable`."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A durable file of a recording, wherever its bytes lie."""

    key: str
    account_id: AccountId
    call_id: CallId
    role: FileRole
    state: FileState
    place: Place
    node_id: NodeId | None
    """In whose folder a copy lies, or may still lie."""
    data_key_id: DataKeyId | None
    bytes: int | None
    """Of the content, before it was sealed; None: not known yet."""
    sha256: str | None
    made_at: float
    due_at: float | None = None
    checked_at: float = 0.0
    fault: Fault | None = None


class StoredFiles(Protocol):
    """The rows of all files. Every method is one transaction and raises `StoreDown`."""

    async def find(self, key: str) -> StoredFile | None:
        """Return one."""

    async def of_call(self, call_id: CallId) -> Sequence[StoredFile]:
        """Return all files of a call that are not gone."""

    async def known(self, keys: Sequence[str]) -> Sequence[StoredFile]:
        """Return those of these that have a row."""

    async def to_move(
        self,
        *,
        made_before: float,
        has_store: bool,
        limit: int,
        after: StoredFile | None = None,
    ) -> Sequence[StoredFile]:
        """Return files in this node's folder that belong elsewhere, or sealed.

        The oldest first; `after` is the last one of the page before.
        """

    async def note_moved(
        self, file: StoredFile, *, place: Place, data_key_id: DataKeyId | None
    ) -> bool:
        """The bytes lie there now, too; False: the file is kept no longer."""

    async def note_left(self, key: str) -> None:
        """No copy is left in this node's folder."""

    async def due(self, *, now: float, limit: int) -> Sequence[StoredFile]:
        """Return files whose bytes this node may remove now.

        What was ordered long ago and never kept is doomed first.
        """

    async def end(
        self, file: StoredFile, *, now: float, remove: Callable[[], Awaitable[None]]
    ) -> bool:
        """Let `remove` unlink it in this node's folder, if it is doomed still, and note that.

        Nobody can order it anew meanwhile, so `remove` must be quick; what lies elsewhere is
        removed before. A recording that has no bytes left is purged.
        """

    async def purge(self, *, now: float) -> int:
        """Call deleted recordings purged that are due and have no files; return how many."""

    async def unchecked(self, *, before: float, after: str, limit: int) -> Sequence[StoredFile]:
        """Return kept files that this node can read and nobody has looked at since `before`.

        In the order of their keys, from behind `after` on.
        """

    async def without_file(self, *, limit: int) -> Sequence[str]:
        """Return the keys of recordings that are available, and whose file is not kept."""

    async def note_checked(self, file: StoredFile, *, now: float, fault: Fault | None) -> None:
        """Remember what a look at the bytes found; `file` has its digest by now."""


@dataclass(frozen=True, slots=True)
class FileCounts:
    """How it stands with files."""

    to_move: int
    """In this node's folder, and to be moved or sealed."""
    faulty: Mapping[Fault, int]
    """Of all nodes, as the last look at each found it."""


class FileCounter(Protocol):
    """Tells how it stands with files."""

    async def count(self, *, made_before: float, has_store: bool) -> FileCounts:
        """Count what is to be moved of what was made before, and what is faulty.

        Raises `StoreDown`.
        """


@dataclass(frozen=True, slots=True)
class PlainFile:
    """Content without a name; gone when it is closed."""

    fd: int
    """A child process may open it as `/dev/fd/N`."""


class Contents(Protocol):
    """Gives the content of files to those who need a file of the system."""

    def hold(self, key: str) -> AbstractAsyncContextManager[PlainFile]:
        """Return a context in which the content is there.

        Raises `StoreDown`, `StorageDown` or `NotStored`.
        """
