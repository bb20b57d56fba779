"""Reads the files of recordings, wherever their bytes lie and whether they are sealed."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from typing_extensions import override

from gateway.core.errors import NotFound, Refused
from gateway.core.ids import NodeId
from gateway.core.jobs import Setback
from gateway.core.recording.files import FileState, Place, sealed_name
from gateway.ports.storage import (
    Content,
    Contents,
    DataKeyId,
    DataKeys,
    NotStored,
    PlainFile,
    Sealing,
    Storage,
    StorageDown,
    StoredFile,
    StoredFiles,
)

PIECE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Places:
    """The storages that this node can reach."""

    node_id: NodeId
    folder: Storage
    store: Storage | None = None
    """None: everything stays in the folders of the nodes."""

    @property
    def all(self) -> Mapping[Place, Storage]:
        """Return them by place."""
        found = {Place.FOLDER: self.folder}
        if self.store is not None:
            found[Place.STORE] = self.store
        return found

    def storage(self, place: Place) -> Storage:
        """Return one. Raises `StorageDown` for a store that is not configured any more."""
        if place is Place.FOLDER:
            return self.folder
        if self.store is None:
            raise StorageDown(Setback.REFUSED, "no object store is configured")
        return self.store


@dataclass(frozen=True, slots=True)
class Digest:
    """What some content is."""

    bytes: int
    sha256: str


class RecordingVault(Contents):
    """Opens kept files; everything else does not exist."""

    def __init__(
        self,
        files: StoredFiles,
        keys: DataKeys,
        sealing: Sealing,
        places: Places,
        scratch: Path,
    ) -> None:
        """Content that must be a file of the system has no name in `scratch`'s volume."""
        self._files = files
        self._keys = keys
        self._sealing = sealing
        self._places = places
        self._scratch = scratch

    async def open(self, key: str) -> Content:
        """Open a kept file; one that is moved while it is read is followed to its place.

        Raises `NotFound`, `Refused` for one that lies with another node, `NotStored`,
        `Unsealable`, `StorageDown`, `StoreDown`.
        """
        file = await self._files.find(key)
        if file is None or file.state is not FileState.KEPT:
            raise NotFound("there is no such file")
        if file.place is Place.FOLDER and file.node_id not in {None, self._places.node_id}:
            raise Refused("on_other_node", "this recording lies on another node")
        content = await self.open_at(file, file.place, file.data_key_id)
        return _Followed(partial(self.open, key), content)

    async def open_at(
        self, file: StoredFile, place: Place, data_key_id: DataKeyId | None
    ) -> Content:
        """Open what lies at a place for a file, whether its row says so or not."""
        storage = self._places.storage(place)
        if data_key_id is None:
            size = await storage.size(file.key)
            if size is None:
                raise NotStored("there is no such file")
            return _Plain(storage, file.key, size)
        data_key = await self._keys.find(data_key_id)
        return await self._sealing.open(storage, sealed_name(file.key), key=data_key.key)

    @staticmethod
    async def stream(content: Content, begin: int, end: int) -> AsyncGenerator[bytes]:
        """Yield a part of what was opened, piece by piece; raises what reading raises."""
        for at in range(begin, end, PIECE_BYTES):
            yield await content.read(at, min(PIECE_BYTES, end - at))

    @override
    @asynccontextmanager
    async def hold(self, key: str) -> AsyncIterator[PlainFile]:
        content = await self.open(key)
        try:
            file = await asyncio.to_thread(tempfile.TemporaryFile, dir=self._scratch)
        except OSError as error:
            raise StorageDown(Setback.OUTAGE, error.strerror or "the disk failed") from error
        with file:
            async with aclosing(self.stream(content, 0, content.size)) as pieces:
                async for piece in pieces:
                    await _written(file.write, piece)
            await _written(file.flush)
            file.seek(0)
            yield PlainFile(file.fileno())


async def _written(write: object, *content: bytes) -> None:
    assert callable(write)
    try:
        await asyncio.to_thread(write, *content)
    except OSError as error:
        raise StorageDown(Setback.OUTAGE, error.strerror or "the disk failed") from error


async def digest_of(content: Content) -> Digest:
    """Read content to its end. Raises what reading it does."""
    digest, at = hashlib.sha256(), 0
    while at < content.size:
        piece = await content.read(at, min(PIECE_BYTES, content.size - at))
        digest.update(piece)
        at += len(piece)
    return Digest(content.size, digest.hexdigest())


class _Followed(Content):
    """Content whose bytes may be moved, once, while it is read."""

    def __init__(self, reopen: Callable[[], Awaitable[Content]], content: Content) -> None:
        self._reopen = reopen
        self._content = content
        self._size = content.size

    @property
    @override
    def size(self) -> int:
        return self._size

    @override
    async def read(self, begin: int, length: int) -> bytes:
        try:
            return await self._content.read(begin, length)
        except NotStored:
            self._content = await self._reopen()
            return await self._content.read(begin, length)


class _Plain(Content):
    """Content as it lies there."""

    def __init__(self, storage: Storage, name: str, size: int) -> None:
        self._storage = storage
        self._name = name
        self._size = size

    @property
    @override
    def size(self) -> int:
        return self._size

    @override
    async def read(self, begin: int, length: int) -> bytes:
        return await self._storage.read(self._name, begin, length)
