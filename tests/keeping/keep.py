"""A node with a database, a folder of recordings, and perhaps an object store."""

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from typing_extensions import override

from gateway.adapters.capture_assembly import AssemblyPlaces, CaptureAssembly
from gateway.app_keeping import Keeping, open_keeping
from gateway.core.ids import AccountId, CallId
from gateway.core.quota.balance import Balance
from gateway.core.quota.charge import Recorded, Stamp
from gateway.core.recording.files import peaks_key, recording_key
from gateway.core.recording.lifecycle import Why
from gateway.core.recording.retention import KeepingRules
from gateway.foundation import Foundation, open_foundation
from gateway.ports.audit import Order
from gateway.ports.jobs import JobKind, NotWanted, TryLater
from gateway.ports.recordings import Assembled, Recording
from gateway.ports.storage import StoredFile
from gateway.runtime.recording_upkeep import Retention
from gateway.settings import Settings, load
from tests.adapters.quota.conftest import own
from tests.adapters.sql.rows import an_account, fresh_id

CAPACITY_MS = 1_000 * 60_000
DURATION_MS = 60_000
TRASH_S = 24 * 3600.0


@dataclass
class MovedClock:
    """The real time, and as much more as a test wants."""

    ahead_s: float = 0.0

    def wall(self) -> float:
        return time.time() + self.ahead_s

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class HurriedClock(MovedClock):
    """Waits a hundredth of what it is asked for."""

    @override
    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 100)


@dataclass
class Keep:
    """What a test does with a node."""

    settings: Settings
    folder: Path
    """Of the recordings."""
    stores: Foundation
    keeping: Keeping
    clock: MovedClock
    account_id: AccountId
    contents: dict[str, bytes] = field(default_factory=dict)

    @property
    def now(self) -> float:
        return self.clock.wall()

    @property
    def assembler(self) -> CaptureAssembly:
        captures = self.folder.parent / "media" / "captures"
        return CaptureAssembly(AssemblyPlaces(captures, self.folder))

    async def record(self, size: int = 100_000, *, with_peaks: bool = False) -> CallId:
        """A call was recorded just now; its file has random content."""
        call_id, content = CallId(fresh_id()), b"OggS" + os.urandom(size)
        key, peaks = (
            recording_key(self.account_id, call_id),
            peaks_key(self.account_id, call_id),
        )
        await self.stores.recordings.expect(call_id, self.account_id, now=self.now)
        self.write(key, content)
        if with_peaks:
            self.write(peaks, os.urandom(100))
        made = Assembled(
            file=key,
            peaks=peaks if with_peaks else None,
            duration_ms=DURATION_MS,
            bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            began_at=self.now - 60,
            segments=(),
        )
        recording = Recording(call_id, self.account_id, made, self.now)
        await self.stores.recordings.keep(recording, Recorded(DURATION_MS), Stamp(self.now))
        return call_id

    def write(self, key: str, content: bytes) -> Path:
        path = self.folder / key
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        self.contents[key] = content
        return path

    def key(self, call_id: CallId) -> str:
        return recording_key(self.account_id, call_id)

    def path(self, call_id: CallId) -> Path:
        return self.folder / self.key(call_id)

    async def encrypt(self) -> None:
        life = self.stores.recording_life
        before = await life.rules(self.account_id)
        await life.change_rules(
            self.account_id,
            KeepingRules(encrypts=True),
            seen=before.version,
            order=Order(self.now),
        )

    async def file(self, call_id: CallId) -> StoredFile:
        found = await self.stores.stored_files.find(self.key(call_id))
        assert found is not None
        return found

    async def move(self, *, order: bool = True) -> list[str]:
        """Order what is to be moved and try each job once; tells what came of each."""
        if order:
            self.clock.ahead_s += 1_000
            await self.keeping.orders(now=self.now)
        jobs = await self.stores.jobs.claim(
            [JobKind.STORE], now=self.now, lease_s=60.0, limit=100
        )
        told = []
        for job in jobs:
            try:
                await self.keeping.work.carry_out(job)
            except TryLater as later:
                told.append(f"{later.setback}: {later.trouble}")
                await self.stores.jobs.put_back(job, due_at=self.now, trouble=later.trouble)
                continue
            except NotWanted as error:
                told.append(str(error))
            else:
                told.append("moved")
            await self.stores.jobs.done(job, now=self.now)
        return told

    async def heard(self, call_id: CallId) -> bytes:
        """Read the recording as a player does, in two parts."""
        content = await self.keeping.vault.open(self.key(call_id))
        half = content.size // 2
        return await content.read(0, half) + await content.read(half, content.size - half)

    async def delete(self, call_id: CallId, why: Why = Why.HAND) -> None:
        await self.stores.recording_life.delete(
            self.account_id, call_id, why=why, order=Order(self.now)
        )

    async def retain(self) -> int:
        retention = Retention(self.stores.recording_life, lambda _: None, self.keeping.figures)
        return await retention(now=self.now)

    async def sweep(self) -> int:
        return await self.keeping.sweep(now=self.now)

    def on_disk(self) -> Sequence[str]:
        return sorted(
            str(path.relative_to(self.folder))
            for path in self.folder.rglob("*")
            if path.is_file()
        )

    async def in_store(self) -> Sequence[str]:
        store = self.keeping.places.store
        assert store is not None
        return sorted([entry.name async for entry in store.entries()])

    async def used_ms(self) -> int:
        return (await self.balance()).used_ms

    async def balance(self) -> Balance:
        view = await self.stores.minutes.view(self.account_id, now=self.now)
        assert await self.stores.quota_books.verify(self.account_id) == []
        return view.balance


@asynccontextmanager
async def keeping(
    folder: Path,
    *,
    endpoint: str | None = None,
    bucket: str | None = None,
    account_id: AccountId | None = None,
    database_url: str | None = None,
    clock: MovedClock | None = None,
) -> AsyncIterator[Keep]:
    """Open a node; with `account_id` the one that was there before."""
    clock = clock or MovedClock()
    settings = load(
        data_dir=folder,
        database_url=database_url,
        storage_url=None if bucket is None else f"s3://{bucket}/kept",
        storage_endpoint=endpoint,
        storage_access_key_id=None if bucket is None else "AKIATEST",
        storage_secret_access_key=None if bucket is None else "no secret",
        storage_request_max_s=2.0,
        storage_retries_max=0,
    )
    async with open_foundation(settings, clock) as stores:
        await stores.migrate()
        if account_id is None:
            account_id = (await an_account(stores.database, clock.wall)).account_id
            await own(stores.database, account_id, CAPACITY_MS, clock.wall())
        made = open_keeping(settings, stores, clock)
        yield Keep(settings, settings.recordings_path, stores, made, clock, account_id)
