"""An office to try the runtime in: a gateway at a time, agents, users, killed processes."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from gateway.core.call.call import CallTiming
from gateway.core.ids import CallId, LegId, NodeId
from gateway.core.whatsapp import WhatsAppEvent
from gateway.ports.accounts import Person, Role
from gateway.ports.live import Availability
from gateway.runtime.call_desk import CallDesk, Joined, LegChoice
from gateway.runtime.call_runtime import CallRuntime
from gateway.runtime.call_trace import TraceBook
from gateway.runtime.call_view import CallView
from gateway.runtime.world import NodeLife, RuntimeLimits, RuntimeSettings, World
from tests.core.quota.book import Book
from tests.runtime.fake_media import FakeWorker
from tests.runtime.fake_meta import SITI, FakeMeta
from tests.runtime.fake_recordings import FakeAssembler, FakeRecordings
from tests.runtime.fakes import (
    NODE,
    FakeBus,
    FakeDirectory,
    FakePresence,
    FakeReader,
    FakeStore,
    person,
)
from tests.runtime.virtual_time import VirtualClock

ANI, BUDI, CITRA = person("Ani"), person("Budi"), person("Citra")
SUPERVISOR = person("Sri", Role.SUPERVISOR)
LIMITS = RuntimeLimits(worker_wait_s=1.0)


class Killed(BaseException):
    """The process is dead: nothing it tries happens any more."""


@dataclass
class Fuse:
    """Lets a process live for so many reaches into the world; None: for ever."""

    reaches_left: int | None = None
    reaches: int = 0
    is_blown: bool = False
    blown: asyncio.Event = field(default_factory=asyncio.Event)

    def burn(self) -> None:
        self.reaches += 1
        if self.reaches_left is not None and self.reaches > self.reaches_left:
            self.blow()
        if self.is_blown:
            raise Killed

    def blow(self) -> None:
        self.is_blown = True
        self.blown.set()

    async def unless_blown(self, work: Coroutine[Any, Any, bool]) -> bool:
        """Return what the work returns, or False as soon as the process is dead."""
        doing = asyncio.ensure_future(work)
        dying = asyncio.ensure_future(self.blown.wait())
        await asyncio.wait({doing, dying}, return_when=asyncio.FIRST_COMPLETED)
        is_done = doing.done() and not self.is_blown
        for task in (doing, dying):
            task.cancel()
        await asyncio.gather(doing, dying, return_exceptions=True)
        return doing.result() if is_done else False


class Line:
    """A port as one process reaches it: dead once the process is.

    A process may die before its request has its effect, or after it and before the answer.
    """

    def __init__(
        self, port: object, fuse: Fuse, *, plain: frozenset[str] = frozenset()
    ) -> None:
        self._port = port
        self._fuse = fuse
        self._plain = plain

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        if name in self._plain:
            return method

        async def reach(*args: Any, **kwargs: Any) -> Any:
            self._fuse.burn()
            result = await method(*args, **kwargs)
            self._fuse.burn()
            return result

        return reach


class Office:
    """The world that outlives gateways."""

    def __init__(
        self, *, limits: RuntimeLimits = LIMITS, timing: CallTiming | None = None
    ) -> None:
        self.clock = VirtualClock()
        self.store = FakeStore(self.clock)
        self.book = Book()
        self.recordings = FakeRecordings(self.book)
        self.worker = FakeWorker(self.clock)
        self.assembler = FakeAssembler(self.worker.disk)
        self.directory = FakeDirectory()
        self.directory.add(ANI, BUDI, CITRA, SUPERVISOR)
        self.presence = FakePresence()
        self.bus = FakeBus()
        self.reader = FakeReader()
        self.meta = FakeMeta(self.clock, self.worker, self.deliver)
        self.gateway: CallRuntime | None = None
        self.crashes_expected = 0
        """Faults of our own that a gateway's life ends with; each is somebody's mistake."""
        self.settings = RuntimeSettings(timing or CallTiming(), limits)
        self._epochs = itertools.count(1)
        self._keys = itertools.count(1)
        self._ids = itertools.count(1)

    # --- gateways ----------------------------------------------------------------------------

    def new_id(self) -> str:
        return f"{next(self._ids):026d}"

    def _world(self, fuse: Fuse) -> World:
        def line(port: object, *plain: str) -> Any:
            return Line(port, fuse, plain=frozenset(plain))

        store = line(self.store)
        return World(
            calls=store,
            tombstones=store,
            inbox=store,
            read_webhook=self.reader,
            directory=line(self.directory),
            presence=line(self.presence),
            bus=self.bus,
            media=line(self.worker, "events"),
            minutes=line(self.book),
            budgets=line(self.worker.budgets),
            recordings=line(self.recordings),
            assembler=line(self.assembler),
            whatsapp=line(self.meta, "clock_offset_s"),
            clock=self.clock,
            new_id=self.new_id,
        )

    @asynccontextmanager
    async def open(
        self, fuse: Fuse | None = None, *, node: NodeId = NODE
    ) -> AsyncIterator[CallRuntime]:
        """Run a gateway; killed without a farewell if its fuse has blown."""
        fuse = fuse or Fuse()
        asyncio.get_running_loop().set_exception_handler(_without_the_killed)
        world = self._world(fuse)
        limits = self.settings.limits
        trace = TraceBook(
            world.calls,
            self.clock,
            lines_max=limits.trace_lines_max,
            flush_s=limits.trace_flush_s,
        )
        life = NodeLife(node, next(self._epochs))
        runtime = CallRuntime(world, life, self.settings, trace)
        try:
            await runtime.__aenter__()
            self.gateway = runtime
            yield runtime
            if not fuse.is_blown:
                assert runtime.crash_count == self.crashes_expected
        finally:
            self.gateway = None
            if fuse.is_blown:
                await runtime._tasks.close()
            else:
                await runtime.__aexit__(None, None, None)

    async def deliver(self, event: WhatsAppEvent) -> None:
        """A webhook arrives: into the inbox, then the gateway is woken."""
        item = self.reader.item(event, f"event {next(self._keys)}")
        await self.store.add([item], received_at=self.clock.wall())
        self.wake()

    def wake(self) -> None:
        if self.gateway is not None:
            self.gateway.wake_inbox()

    # --- people ------------------------------------------------------------------------------

    async def ready(self, desk: CallDesk, *people: Person, offer: str = "offer") -> list[LegId]:
        """Let people be here, available, with a persistent leg that is up and heard."""
        legs = []
        for one in people:
            await desk.enter(one)
            legs.append((await desk.open_agent_leg(one, offer)).leg_id)
            await desk.set_availability(one, Availability.AVAILABLE)
        await asyncio.sleep(0.5)
        return legs

    async def make_available(self, desk: CallDesk, who: Person) -> None:
        """What a browser does after each connection: say again what its person chose."""
        here = self.presence.here.get(who.user_id)
        if here is None or here.availability is not Availability.AVAILABLE:
            await desk.set_availability(who, Availability.AVAILABLE)

    def leg_of(self, who: Person) -> LegId:
        return next(
            leg.leg_id for leg in self.worker.agent_legs() if leg.tag.user_id == who.user_id
        )

    async def call(self, **how: Any) -> CallId:
        """A user calls; returns our id of the call once it rings."""
        meta_call = await self.meta.user_calls(**how)
        for _ in range(100):
            await asyncio.sleep(0.01)
            for row in self.store.rows.values():
                if row.wacid == meta_call.wacid:
                    return row.call_id
        raise AssertionError("the call did not come into being")

    async def talk(self, desk: CallDesk, who: Person = ANI) -> CallId:
        """A user calls and `who` answers; returns while they talk."""
        call_id = await self.call()
        await asyncio.sleep(0.5)
        await desk.answer(who, call_id, LegChoice(leg_id=self.leg_of(who)))
        await self.until(call_id, "talking")
        return call_id

    async def dial(self, desk: CallDesk, who: Person = ANI, **how: Any) -> Joined:
        """`who` calls the user with their persistent leg."""
        return await desk.dial(who, SITI, LegChoice(leg_id=self.leg_of(who)), **how)

    # --- looking -----------------------------------------------------------------------------

    async def until(self, call_id: CallId, state: str, *, within_s: float = 120.0) -> None:
        """Wait until the stored call is in a state."""
        await self.when(lambda: self.store.rows[call_id].state == state, within_s=within_s)

    async def when(self, holds: Callable[[], bool], *, within_s: float = 120.0) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(within_s):
            while not holds():  # noqa: ASYNC110 - the time is virtual, the fakes tell nobody
                await asyncio.sleep(0.01)

    def outcome(self, call_id: CallId) -> str | None:
        return self.store.rows[call_id].outcome

    async def view(self, desk: CallDesk, call_id: CallId) -> CallView:
        return await desk.one(SUPERVISOR, call_id)

    def is_clean(self) -> list[str]:
        """Return what is left over when no call should be: nothing, one hopes."""
        left = [f"leg {leg.leg_id}" for leg in self.worker.whatsapp_legs()]
        left += [f"cold {leg.leg_id}" for leg in self.worker.agent_legs() if leg.tag.call_id]
        left += [f"at Meta {c.wacid}" for c in self.meta.calls.values() if c.state != "over"]
        left += [f"command {c.kind}" for c in self.store.commands.values()]
        left += [f"inbox {row.item.kind}" for row in self.store.inbox.values()]
        return left + self.meta.violations


def _without_the_killed(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Nobody mourns the tasks of a process that was killed."""
    if not isinstance(context.get("exception"), Killed):
        loop.default_exception_handler(context)
