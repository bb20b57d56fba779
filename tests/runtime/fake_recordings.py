"""Doubles of what makes and keeps recordings: port `Assembler`, port `RecordingStore`."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from typing_extensions import override

from gateway.core.errors import StoreDown
from gateway.core.ids import AccountId, CallId, NodeId
from gateway.core.quota.charge import Recorded, Stamp
from gateway.core.quota.lease import WorkerId
from gateway.ports import Json
from gateway.ports.quota import ChargedCall
from gateway.ports.recordings import (
    Assembled,
    Assembler,
    NotAssembled,
    NothingRecorded,
    Recording,
    RecordingStore,
)
from tests.core.quota.book import Book
from tests.runtime.memory_recorder import MemoryDisk


@dataclass
class FakeAssembler(Assembler):
    """Adds up what a call's files hold. `fails_with` makes every try end like that."""

    disk: MemoryDisk
    fails_with: str | None = None
    has_bug: bool = False
    made: list[CallId] = field(default_factory=list)
    running: int = 0
    running_max: int = 0
    looks: int = 0
    """At the files of the dead."""

    @override
    async def assemble(
        self, call_id: CallId, account_id: AccountId
    ) -> Assembled | NothingRecorded | NotAssembled:
        self.running += 1
        self.running_max = max(self.running, self.running_max)
        try:
            await asyncio.sleep(0.2)
        finally:
            self.running -= 1
        if self.has_bug:
            raise ZeroDivisionError("a bug of ours")
        if self.fails_with is not None:
            return NotAssembled(self.fails_with, "as a test wants it")
        files = self.disk.files.get(call_id, {})
        if any(file.is_locked for file in files.values()):
            return NotAssembled("still_written", "another process holds its lock")
        duration_ms = self.disk.held_ms(call_id)
        if not duration_ms:
            return NothingRecorded()
        self.made.append(call_id)
        segments: tuple[Json, ...] = tuple({"segment": number} for number in files)
        return Assembled(
            f"{call_id}.ogg", None, duration_ms, duration_ms, "0" * 64, 1.0, segments
        )

    @override
    async def recover(self) -> bool:
        self.looks += 1
        await asyncio.sleep(0.1)
        for of_call in self.disk.files.values():
            for file in of_call.values():
                file.is_closed |= not file.is_locked
        return True

    @override
    async def discard(self, call_id: CallId) -> None:
        await asyncio.sleep(0)
        self.disk.files.pop(call_id, None)

    @override
    async def left_over(self) -> Sequence[CallId]:
        await asyncio.sleep(0)
        return sorted(self.disk.files)


@dataclass
class FakeRecordings(RecordingStore):
    """Keeps recordings beside a book of minutes; it is down when the book is."""

    book: Book
    kept: dict[CallId, Recording] = field(default_factory=dict)
    workers: dict[WorkerId, tuple[NodeId, bool]] = field(default_factory=dict)

    @override
    async def expect(self, call_id: CallId, account_id: AccountId, *, now: float) -> None:
        await self._reach()

    @override
    async def keep(self, recording: Recording, recorded: Recorded, stamp: Stamp) -> ChargedCall:
        await self._reach()
        charged = await self.book.settle(
            recording.call_id, recording.account_id, recorded, stamp
        )
        self.kept.setdefault(recording.call_id, recording)
        return charged

    @override
    async def find(self, call_id: CallId) -> Recording | None:
        await self._reach()
        return self.kept.get(call_id)

    @override
    async def note_worker(self, worker_id: WorkerId, node_id: NodeId, *, now: float) -> None:
        await self._reach()
        self.workers.setdefault(worker_id, (node_id, False))

    @override
    async def unrecovered(self, node_id: NodeId) -> Sequence[WorkerId]:
        await self._reach()
        return [
            worker_id
            for worker_id, (node, is_recovered) in self.workers.items()
            if node == node_id and not is_recovered
        ]

    @override
    async def note_recovered(self, worker_id: WorkerId, *, now: float) -> None:
        await self._reach()
        self.workers[worker_id] = (self.workers[worker_id][0], True)

    async def _reach(self) -> None:
        await asyncio.sleep(0.001)
        if self.book.is_down:
            raise StoreDown("the database does not answer")
