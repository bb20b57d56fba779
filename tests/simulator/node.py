"""A node: a gateway that dies and comes back, its media worker and disk, people and users."""

import asyncio
import itertools
import random
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Self

from gateway.adapters.sql_calls import SqlCalls
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_inbox import SqlInbox, SqlTombstones
from gateway.adapters.sql_quota_minutes import SqlMinutes
from gateway.adapters.sql_recordings import SqlRecordings
from gateway.core.errors import CallgateError
from gateway.core.ids import CallId, LegId, NodeId
from gateway.core.recording.policy import Records
from gateway.core.whatsapp import CallStatus, WhatsAppEvent
from gateway.ports.live import Availability
from gateway.runtime.call_desk import LegChoice
from gateway.runtime.call_runtime import CallRuntime
from gateway.runtime.call_trace import TraceBook
from gateway.runtime.quota_keeper_budget import KeeperBounds
from gateway.runtime.world import NodeLife, RuntimeLimits, RuntimeSettings, World
from tests.runtime.fake_media import FakeWorker
from tests.runtime.fake_meta import SITI, FakeMeta, MetaCall
from tests.runtime.fake_recordings import FakeAssembler
from tests.runtime.fakes import NUMBER_ID, FakeBus, FakeDirectory, FakePresence, FakeReader
from tests.runtime.office import ANI, BUDI, Fuse, Line
from tests.simulator.frozen_time import Distance, SkewedClock, Weather

BOUNDS = KeeperBounds(hold_age_max_s=60.0)
LIMITS = RuntimeLimits(worker_wait_s=1.0, inbox_poll_s=3.0, presence_poll_s=3.0)


@dataclass
class Stores:
    """What SQL keeps: the calls of one node, the minutes of all."""

    calls: Database
    minutes: SqlMinutes
    recordings: SqlRecordings


@dataclass
class Node:
    """Lives as often as it is started."""

    name: str
    stores: Stores
    chance: random.Random
    ids: "itertools.count[int]"
    lives: int = 0
    gateway: CallRuntime | None = None

    def __post_init__(self) -> None:
        self.clock = SkewedClock()
        self.weather = Weather(self.chance)
        self.worker = FakeWorker(self.clock, name=self.name)
        self.assembler = FakeAssembler(self.worker.disk)
        self.directory = FakeDirectory()
        self.directory.add(ANI, BUDI)
        number = self.directory.by_id[NUMBER_ID]
        self.directory.by_id[NUMBER_ID] = replace(number, records=Records.BOTH)
        self.presence, self.bus, self.reader = FakePresence(), FakeBus(), FakeReader()
        self.meta = FakeMeta(self.clock, self.worker, self.deliver)
        self.meta.user = self.picks_up
        self.calls = SqlCalls(self.stores.calls, self.clock.wall)
        self.inbox = SqlInbox(self.stores.calls, self.clock.wall)
        self.tombstones = SqlTombstones(self.stores.calls, self.clock.wall)
        self._distances: list[Distance] = []
        self._fuse = Fuse()

    # --- lives -------------------------------------------------------------------------------

    async def start(self) -> Self:
        """Begin another life."""
        self.lives += 1
        self._fuse = Fuse()
        world = self._world()
        trace = TraceBook(world.calls, self.clock, lines_max=10_000, flush_s=1.0)
        life = NodeLife(NodeId(self.name), self.lives)
        self.gateway = CallRuntime(
            world, life, RuntimeSettings(limits=LIMITS, keeper=BOUNDS), trace
        )
        await self.gateway.__aenter__()
        return self

    async def kill(self) -> None:
        """End without a farewell."""
        gateway, self.gateway = self.gateway, None
        assert gateway is None or gateway.crash_count == 0, "a fault of our own"
        self._fuse.blow()
        if gateway is not None:
            await gateway._tasks.close()
        for distance in self._distances:
            await distance.rest()
        self._distances.clear()

    def _world(self) -> World:
        def sql(port: object) -> Any:
            distance = Distance(port, self.weather, self._fuse)
            self._distances.append(distance)
            return distance

        def line(port: object, *plain: str) -> Any:
            return Line(port, self._fuse, plain=frozenset(plain))

        return World(
            calls=sql(self.calls),
            tombstones=sql(self.tombstones),
            inbox=sql(self.inbox),
            read_webhook=self.reader,
            directory=line(self.directory),
            presence=line(self.presence),
            bus=self.bus,
            media=line(self.worker, "events"),
            minutes=sql(self.stores.minutes),
            budgets=line(self.worker.budgets),
            recordings=sql(self.stores.recordings),
            assembler=line(self.assembler),
            whatsapp=line(self.meta, "clock_offset_s"),
            clock=self.clock,
            new_id=lambda: f"{next(self.ids):026d}",
        )

    # --- what people and users do ------------------------------------------------------------

    async def deliver(self, event: WhatsAppEvent) -> None:
        """A webhook comes: once or twice, and not before it is stored."""
        for copy in range(self.chance.choice((1, 1, 1, 2))):
            item = self.reader.item(event, f"{next(self.ids)}-{copy}")
            add = Distance(self.inbox, Weather(self.chance), Fuse()).add
            await add([item], received_at=self.clock.wall())
            if self.gateway is not None:
                self.gateway.wake_inbox()
            await asyncio.sleep(self.chance.choice((0.0, 0.0, 2.0)))

    async def picks_up(self, call: MetaCall) -> None:
        await asyncio.sleep(self.chance.choice((0.5, 3.0)))
        if call.state != "over" and self.chance.random() < 0.8:
            await self.meta.status(call, CallStatus.ACCEPTED)

    async def agents_are_ready(self) -> None:
        """Let both have a persistent leg, as their browsers see to."""
        for who in (ANI, BUDI):
            gateway = self.gateway
            if gateway is None:
                return
            with suppress(CallgateError):
                await gateway.desk.enter(who)
                if self._leg(who.user_id) is None:
                    await gateway.desk.open_agent_leg(who, "offer")
                await gateway.desk.set_availability(who, Availability.AVAILABLE)

    async def somebody_answers(self) -> None:
        """An agent who is free takes what rings."""
        for who in (ANI, BUDI):
            gateway, leg = self.gateway, self._leg(who.user_id)
            if gateway is None or leg is None:
                continue
            with suppress(CallgateError):
                for call in await gateway.desk.live_calls(who):
                    if call.state == "ringing" and call.agent is None:
                        await gateway.desk.answer(who, CallId(call.id), LegChoice(leg_id=leg))

    async def somebody_dials(self) -> None:
        gateway, leg = self.gateway, self._leg(ANI.user_id)
        if gateway is not None and leg is not None:
            with suppress(CallgateError):
                await gateway.desk.dial(ANI, SITI, LegChoice(leg_id=leg))

    async def agents_hang_up(self) -> None:
        for who in (ANI, BUDI):
            gateway = self.gateway
            if gateway is None:
                continue
            with suppress(CallgateError):
                for call in await gateway.desk.live_calls(who):
                    if call.agent is not None and call.agent.id == who.user_id:
                        await gateway.desk.hang_up(who, CallId(call.id))

    async def users_hang_up(self) -> None:
        for call in list(self.meta.calls.values()):
            await self.meta.over(call)

    def _leg(self, user_id: str) -> LegId | None:
        own = (leg for leg in self.worker.agent_legs() if leg.tag.user_id == user_id)
        return next((leg.leg_id for leg in own if leg.is_up), None)
