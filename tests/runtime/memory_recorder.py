"""The worker's own capture code on a virtual clock, writing to a disk in memory."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from gateway.adapters import media_engine_recording as recording
from gateway.core.errors import MediaRefused
from gateway.core.ids import CallId
from gateway.ports.clock import Clock
from gateway.ports.media import CaptureEvent
from gateway.runtime.tasks import Tasks
from media import protocol as wire
from media import protocol_capture
from media.capture_book import CaptureConflict
from media.capture_commands import BudgetCommand, carry_out_on_budget, carry_out_on_call
from media.capture_files import SegmentFile
from media.capture_writer import Append, CaptureWriter, Close, SegmentClosed
from media.captures import Captures
from media.settings import CaptureSettings

TICK_S = 0.15


@dataclass
class MemoryFile:
    """A segment's file: how much it holds, and whether its writer lives."""

    segment: int
    written_ms: int = 0
    is_locked: bool = True
    is_closed: bool = False


@dataclass
class MemoryDisk:
    """Capture files by call; outlives the workers that write them."""

    files: dict[CallId, dict[int, MemoryFile]] = field(default_factory=dict)

    def file(self, segment: SegmentFile) -> MemoryFile:
        of_call = self.files.setdefault(CallId(segment.header.capture_id), {})
        return of_call.setdefault(segment.header.segment, MemoryFile(segment.header.segment))

    def held_ms(self, call_id: CallId) -> int:
        return sum(file.written_ms for file in self.files.get(call_id, {}).values())

    def unlock(self) -> None:
        """Every writer is dead."""
        for of_call in self.files.values():
            for file in of_call.values():
                file.is_locked = False


class MemoryWriter:
    """What `Captures` needs of its writer: here each batch is on the disk at once."""

    accepting = True

    def __init__(self, disk: MemoryDisk) -> None:
        self._disk = disk
        self._closed: list[SegmentFile] = []

    def submit(self, work: list[Append | Close]) -> None:
        for each in work:
            segment, file = each.segment, self._disk.file(each.segment)
            if isinstance(each, Append):
                segment.written_ms = file.written_ms = each.position_ms
                segment.written_bytes += len(each.records)
            else:
                file.is_locked, file.is_closed = False, True
                self._closed.append(segment)

    def sync(self, segments: Iterable[SegmentFile]) -> bool:
        return True

    def take_reports(self) -> Iterator[SegmentClosed]:
        closed, self._closed = self._closed, []
        return map(SegmentClosed, closed)


class MemoryRecorder:
    """One life of a worker, as far as recording goes."""

    def __init__(
        self, clock: Clock, disk: MemoryDisk, tell: Callable[[CaptureEvent], None]
    ) -> None:
        self._clock = clock
        self._tell = tell
        writer = cast("CaptureWriter", MemoryWriter(disk))
        self.captures = Captures(writer, self._publish, CaptureSettings())
        self._tasks = Tasks(clock)
        self._is_ticking = False
        self._is_dead = False

    def carry_out(self, command: wire.Command) -> wire.Done:
        """Answer a command about recording. Raises `MediaRefused`."""
        now = self._clock.monotonic()
        try:
            if isinstance(command, BudgetCommand):
                budget = carry_out_on_budget(self.captures, command, now)
                return wire.Done(id=command.id, budget=budget)
            assert isinstance(command, protocol_capture.CaptureCommand)
            unix_ms = round(self._clock.wall() * 1000)
            capture = carry_out_on_call(self.captures, command, now=now, unix_ms=unix_ms)
        except CaptureConflict as conflict:
            raise MediaRefused(conflict.code, str(conflict)) from None
        self._tick_on()
        return wire.Done(id=command.id, capture=capture)

    def snapshot(self) -> wire.Snapshot:
        captures, budgets = self.captures.snapshot()
        return wire.Snapshot(last_seq=0, legs=(), captures=captures, budgets=budgets)

    def leg_closed(self, leg_id: str) -> None:
        self.captures.end_of_leg(self._clock.monotonic(), leg_id)

    def die(self) -> None:
        """As `kill -9` does: nothing more is written or told."""
        self._is_dead = True

    def _publish(self, make: Callable[[int, float], Any]) -> None:
        if not self._is_dead:
            self._tell(recording.translated(make(0, self._clock.wall())))

    def _tick_on(self) -> None:
        if not self._is_ticking:
            self._is_ticking = True
            self._tasks.spawn(self._tick(), name="captures", on_crash=lambda: None)

    async def _tick(self) -> None:
        """Tick only while there is something to record: idle hours then pass at once."""
        while self.captures.snapshot()[0] and not self._is_dead:
            await asyncio.sleep(TICK_S)
            if not self._is_dead:
                self.captures.tick(self._clock.monotonic())
        self._is_ticking = False
