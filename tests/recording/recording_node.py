"""A node as far as recording goes: a real media worker, the real runtime parts, a database."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self, cast

import psutil

from gateway.adapters.capture_assembly import AssemblyPlaces, CaptureAssembly
from gateway.adapters.media_engine import EngineSettings, MediaSocketEngine, WorkerAddress
from gateway.adapters.media_process import MediaProcess, WorkerCommand
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_quota_minutes import SqlMinutes
from gateway.adapters.sql_recordings import SqlRecordings
from gateway.adapters.system_clock import SystemClock
from gateway.adapters.system_ids import random_id
from gateway.core.call.call import Call, CallAgent
from gateway.core.call.commands import StartCapture, StopCapture
from gateway.core.call.start import Line, dial
from gateway.core.ids import AccountId, CallId, LegId, NodeId
from gateway.core.quota.lease import LeaseTerms
from gateway.core.recording.stage import CallRecording, RecordingStage
from gateway.core.whatsapp import Peer
from gateway.ports.media import CaptureEvent, CaptureStopped, LegTag, WorkerBack
from gateway.runtime.call_trace import TraceBook
from gateway.runtime.live_calls import LiveCalls
from gateway.runtime.notices import Notices
from gateway.runtime.quota_keeper_budget import KeeperBounds
from gateway.runtime.recording_runtime import RecordingRuntime
from gateway.runtime.tasks import Tasks
from gateway.runtime.world import NodeLife, RuntimeSettings, World
from tests.core.scenes import ANI, LINE, warm
from tests.runtime.fakes import FakeBus

BOUNDS = KeeperBounds(resume_min_ms=20)
"""To the last frame, so that a test can count frames."""


@dataclass
class KnownCalls:
    """The calls of a node, as what hears of captures needs them."""

    calls: dict[CallId, Call] = field(default_factory=dict)
    done: dict[CallId, int] = field(default_factory=dict)

    def actor(self, call_id: CallId) -> Any:
        call = self.calls.get(call_id)
        return None if call is None else SimpleNamespace(call=call)

    def publish_recording(self, call_id: CallId) -> None:
        """Nobody looks."""

    async def deliver(self, call_id: CallId, event: Any) -> None:
        self.done[call_id] = event.duration_ms


class RecordingNode:
    """Enter by `recording_node`."""

    def __init__(
        self, folder: Path, node_id: NodeId, engine: MediaSocketEngine, database: Database
    ) -> None:
        self.folder = folder
        self.engine = engine
        self.calls = KnownCalls()
        self.stops: list[CaptureStopped] = []
        self._clock = SystemClock()
        self._tasks = Tasks(self._clock)
        self.world = self._world(database)
        life = NodeLife(node_id, 1)
        settings = RuntimeSettings(keeper=BOUNDS)
        notices = Notices(self.world.bus, lambda: ())
        self.recording = RecordingRuntime(self.world, life, settings, self._tasks, notices)
        trace = TraceBook(self.world.calls, self._clock, lines_max=10_000, flush_s=60.0)
        self._captures = self.recording.join(cast("LiveCalls", self.calls), trace)

    def _world(self, database: Database) -> World:
        unused: Any = None
        return World(
            calls=unused,
            tombstones=unused,
            inbox=unused,
            read_webhook=unused,
            directory=unused,
            presence=unused,
            bus=FakeBus(),
            media=self.engine,
            minutes=SqlMinutes(database, LeaseTerms()),
            budgets=self.engine.budgets,
            recordings=SqlRecordings(database),
            assembler=CaptureAssembly(
                AssemblyPlaces(self.folder / "captures", self.folder / "recordings")
            ),
            whatsapp=unused,
            clock=self._clock,
            new_id=random_id,
        )

    async def __aenter__(self) -> Self:
        self._tasks.keep_running(self._hear, name="hear")
        self._tasks.keep_running(self.recording.keeper.run, name="keeper")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._tasks.close()
        assert self._tasks.crash_count == 0

    async def _hear(self) -> None:
        async for event in self.engine.events():
            if isinstance(event, WorkerBack):
                self._forget_lost(event)
                self._captures.worker_back(event)
            elif isinstance(event, CaptureEvent):
                if isinstance(event, CaptureStopped):
                    self.stops.append(event)
                self._captures.note(event)

    def _forget_lost(self, event: WorkerBack) -> None:
        """Legs went with their worker, and with them their calls."""
        legs = {leg.leg_id for leg in event.legs}
        for call_id, call in list(self.calls.calls.items()):
            if call.whatsapp.leg_id not in legs:
                del self.calls.calls[call_id]

    async def capture(self, account_id: AccountId) -> CallId:
        """Begin to record a call: its leg is offered, its other side is silent."""
        line: Line = replace(LINE, account_id=account_id)
        call_id = CallId(random_id())
        agent = CallAgent(ANI, "Ani", warm(LegId("leg")))
        call, _ = dial(call_id, line, Peer(phone="1"), agent=agent, now=self._clock.wall())
        stage = CallRecording(RecordingStage.CAPTURING)
        leg_id = call.whatsapp.leg_id
        tag = LegTag(call_id=call_id, account_id=account_id)
        await self.engine.offer_whatsapp(leg_id, tag, epoch=1)
        assert await self.recording.keeper.hold(account_id, call_id)
        self.calls.calls[call_id] = replace(call, recording=stage)
        failed = await self.recording.recorder.carry_out(call, StartCapture(leg_id))
        assert failed is None, failed
        return call_id

    async def hang_up(self, call_id: CallId) -> None:
        """End a call's recording; one that a dead worker took along is over."""
        call = self.calls.calls.pop(call_id, None)
        if call is not None:
            await self.recording.recorder.carry_out(call, StopCapture())

    def kill_worker(self) -> None:
        """As the kernel does when memory is short."""
        for process in psutil.process_iter(["cmdline"]):
            with suppress(psutil.Error):
                if str(self.folder / "media.sock") in (process.info["cmdline"] or []):
                    os.kill(process.pid, signal.SIGKILL)

    def stopped_by_quota(self) -> dict[CallId, float]:
        """When each capture that lives stopped last, if the quota stopped it."""
        live = self.calls.calls
        last = {stop.call_id: stop for stop in self.stops if stop.call_id in live}
        return {call_id: stop.at for call_id, stop in last.items() if stop.reason == "quota"}


@asynccontextmanager
async def recording_node(
    folder: Path, node_id: NodeId, database_url: str
) -> AsyncIterator[RecordingNode]:
    """A node with a worker that is started, and started again should it die."""
    await asyncio.to_thread(folder.mkdir)
    address = WorkerAddress(folder / "media.sock", folder / "media.token")
    command = WorkerCommand(
        ("--bind", "127.0.0.1", "--captures", str(folder / "captures")), folder / "media.log"
    )
    worker = MediaProcess(address, command)
    async with AsyncExitStack() as stack:
        database = Database(database_url)
        stack.push_async_callback(database.close)
        stack.callback(worker.terminate)
        engine = await stack.enter_async_context(
            MediaSocketEngine(
                address,
                gateway_epoch=1,
                new_id=random_id,
                ensure_worker=worker.ensure,
                settings=EngineSettings(command_timeout_s=30, away_wait_s=60),
            )
        )
        async with asyncio.timeout(60):
            while not engine.is_connected:  # noqa: ASYNC110 - the engine tells nobody
                await asyncio.sleep(0.05)
        yield await stack.enter_async_context(RecordingNode(folder, node_id, engine, database))
