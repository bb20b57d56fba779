"""Moves recordings to where they are to be kept: into the object store, or sealed.

The local copy goes only when what was stored has been read back and is right.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import structlog

from gateway.core.errors import StoreDown
from gateway.core.ids import AccountId
from gateway.core.jobs import Setback
from gateway.core.recording.files import Fault, FileState, Place, sealed_name
from gateway.ports.clock import Clock
from gateway.ports.jobs import Job, JobKind, Jobs, JobWork, NewJob, NotWanted, TryLater
from gateway.ports.recording_life import RecordingLife
from gateway.ports.storage import (
    AlreadyStored,
    Content,
    DataKey,
    DataKeys,
    NotStored,
    Sealing,
    StorageDown,
    StoredFile,
    StoredFiles,
    Unsealable,
)
from gateway.runtime.recording_figures import KeepingFigures, Move
from gateway.runtime.recording_vault import (
    PIECE_BYTES,
    Digest,
    Places,
    RecordingVault,
    digest_of,
)
from gateway.runtime.upkeep import Purge

_log = structlog.get_logger(__name__)

JOB_S = 24 * 3600.0
"""A job that could not be done for so long is given up, and ordered anew."""
_DAY_S = 86_400
ROUND_S = 60.0


@dataclass(frozen=True, slots=True)
class StoringBounds:
    """When and how much is moved."""

    after_s: float = 900.0
    """What was made so long ago: by then its recordings have mostly been compared."""
    ordered_max: int = 200
    """Jobs ordered in one look."""


class StoreOrders:
    """Orders a job for each file that lies where it should not stay; called by upkeep."""

    def __init__(
        self, files: StoredFiles, jobs: Jobs, bounds: StoringBounds, *, has_store: bool
    ) -> None:
        self._files = files
        self._jobs = jobs
        self._bounds = bounds
        self._has_store = has_store
        self._last: StoredFile | None = None

    async def __call__(self, *, now: float) -> int:
        """Order some of what is to be moved; return how many jobs are new. Raises `StoreDown`.

        Goes on where it ended the last time: what cannot be moved for now holds up nothing.
        """
        found = await self._files.to_move(
            made_before=now - self._bounds.after_s,
            has_store=self._has_store,
            limit=self._bounds.ordered_max,
            after=self._last,
        )
        self._last = found[-1] if len(found) == self._bounds.ordered_max else None
        count = 0
        for file in found:
            # By day, so that what was given up yesterday is tried again.
            since = f"{file.place}:{file.data_key_id or 'plain'}:{int(now // _DAY_S)}"
            key = f"store:{file.key}:{since}"
            job = NewJob(JobKind.STORE, key, {"key": file.key}, now + JOB_S, file.account_id)
            count += await self._jobs.add(job, now=now)
        return count


class StoreRounds:
    """Looks again and again for what is to be moved or removed, until cancelled."""

    def __init__(
        self, orders: StoreOrders, sweep: Purge, clock: Clock, *, wake: Callable[[], None]
    ) -> None:
        """`wake` is called when there are new jobs."""
        self._orders = orders
        self._sweep = sweep
        self._clock = clock
        self._wake = wake

    async def run(self) -> None:
        """Go on until cancelled; a store that is down is asked at the next round."""
        while True:
            try:
                if await self._orders(now=self._clock.wall()):
                    self._wake()
                await self._sweep(now=self._clock.wall())
            except StoreDown:
                _log.info("the files of recordings wait for the database")
            await self._clock.sleep(ROUND_S)


class StoreWork(JobWork):
    """Moves one file. Every step may be done again after a crash."""

    def __init__(  # noqa: PLR0913 (each is a part it joins)
        self,
        files: StoredFiles,
        keys: DataKeys,
        sealing: Sealing,
        places: Places,
        vault: RecordingVault,
        *,
        life: RecordingLife,
        clock: Clock,
        scratch: Path,
        figures: KeepingFigures | None = None,
    ) -> None:
        self._files = files
        self._keys = keys
        self._sealing = sealing
        self._places = places
        self._vault = vault
        self._life = life
        self._clock = clock
        self._scratch = scratch
        self._figures = figures or KeepingFigures()
        self._locks: dict[str, asyncio.Lock] = {}

    async def carry_out(self, job: Job) -> None:
        """See the port."""
        key = str(job.payload["key"])
        lock = self._locks.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                await self._move(key)
        except StorageDown as down:
            self._figures.moves[Move(down.setback)] += 1
            raise TryLater(down.setback, str(down)) from down
        except TryLater as later:
            self._figures.moves[Move(later.setback)] += 1
            raise
        except NotWanted:
            self._figures.moves[Move.DROPPED] += 1
            raise
        finally:
            if not lock.locked():
                self._locks.pop(key, None)

    async def lost(self, job: Job) -> None:
        """See the port."""
        self._figures.moves[Move.LOST] += 1
        _log.warning("a recording could not be moved all day", job_id=job.job_id)

    async def _move(self, key: str) -> None:
        file = await self._files.find(key)
        if file is None or file.state is not FileState.KEPT:
            raise NotWanted("deleted")
        if file.node_id not in {None, self._places.node_id}:
            raise TryLater(Setback.NOT_YET, "on another node")
        data_key = await self._data_key(file)
        place = Place.FOLDER if self._places.store is None else Place.STORE
        wanted = (place, None if data_key is None else data_key.data_key_id)
        if (file.place, file.data_key_id) != wanted:
            file = await self._store(file, place, data_key)
        await self._leave(file)

    async def _data_key(self, file: StoredFile) -> DataKey | None:
        """Return what to seal with; what is sealed stays so."""
        if file.data_key_id is not None:
            return await self._keys.find(file.data_key_id)
        if not await self._encrypts(file.account_id):
            return None
        return await self._keys.current(file.account_id, now=self._clock.wall())

    async def _encrypts(self, account_id: AccountId) -> bool:
        return (await self._life.rules(account_id)).rules.encrypts

    async def _store(
        self, file: StoredFile, place: Place, data_key: DataKey | None
    ) -> StoredFile:
        source = await self._source(file)
        file = replace(file, bytes=source.digest.bytes, sha256=source.digest.sha256)
        storage = self._places.storage(place)
        name = file.key if data_key is None else sealed_name(file.key)
        async with self._sealed(source.content, data_key, name) as (content, size):
            try:
                await storage.put(name, content, size)
            except AlreadyStored:
                # A crash came between the put and its note, or somebody lies to us.
                _log.info("a recording lay in the storage already")
        key_id = None if data_key is None else data_key.data_key_id
        try:
            found = await digest_of(await self._vault.open_at(file, place, key_id))
        except (NotStored, Unsealable):
            found = None
        if found != source.digest:
            await storage.remove(name)
            raise TryLater(Setback.DAMAGED, "read back it is another")
        if not await self._files.note_moved(file, place=place, data_key_id=key_id):
            await storage.remove(name)
            raise NotWanted("deleted meanwhile")
        self._figures.moves[Move.MOVED] += 1
        self._figures.moved_bytes += source.digest.bytes
        return replace(file, place=place, data_key_id=key_id)

    async def _source(self, file: StoredFile) -> "_Source":
        """Open the file where it lies now, and make sure that it is what was made."""
        try:
            content = await self._vault.open_at(file, file.place, file.data_key_id)
            digest = await digest_of(content)
        except (NotStored, Unsealable) as error:
            if file.node_id is None and file.place is Place.FOLDER:
                raise TryLater(Setback.REFUSED, "not in this node's folder") from error
            fault = Fault.MISSING if isinstance(error, NotStored) else Fault.DAMAGED
            raise await self._faulty(file, fault) from error
        if file.sha256 not in {None, digest.sha256}:
            raise await self._faulty(file, Fault.DAMAGED)
        return _Source(content, digest)

    async def _faulty(self, file: StoredFile, fault: Fault) -> NotWanted:
        """What is damaged is not moved: the scrub tells of it."""
        _log.error("a recording's file is faulty", call_id=file.call_id, fault=fault)
        await self._files.note_checked(file, now=self._clock.wall(), fault=fault)
        return NotWanted(fault.value)

    @asynccontextmanager
    async def _sealed(
        self, source: Content, data_key: DataKey | None, name: str
    ) -> AsyncIterator[tuple[BinaryIO, int]]:
        """Give a file without a name with what is to be stored."""
        try:
            with (
                tempfile.TemporaryFile(dir=self._scratch) as plain,
                tempfile.TemporaryFile(dir=self._scratch) as sealed,
            ):
                for at in range(0, source.size, PIECE_BYTES):
                    piece = await source.read(at, min(PIECE_BYTES, source.size - at))
                    await asyncio.to_thread(plain.write, piece)
                plain.seek(0)
                if data_key is None:
                    yield plain, source.size
                    return
                size = await asyncio.to_thread(
                    self._sealing.seal, plain, sealed, key=data_key.key, name=name
                )
                sealed.seek(0)
                yield sealed, size
        except OSError as error:
            raise StorageDown(Setback.OUTAGE, error.strerror or "the disk failed") from error

    async def _leave(self, file: StoredFile) -> None:
        """Remove what lies anywhere beside what is kept, and note that."""
        kept = file.key if file.data_key_id is None else sealed_name(file.key)
        for place, storage in self._places.all.items():
            for name in (file.key, sealed_name(file.key)):
                if (place, name) != (file.place, kept):
                    await storage.remove(name)
        if file.place is Place.STORE:
            await self._files.note_left(file.key)


@dataclass(frozen=True, slots=True)
class _Source:
    """What is to be moved."""

    content: Content
    digest: Digest
