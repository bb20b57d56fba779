"""The runtime on the real database: what it writes can be read, and carried on with."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import insert

from gateway.adapters.sql_calls import SqlCalls
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_inbox import SqlInbox, SqlTombstones
from gateway.adapters.sql_quota_minutes import SqlMinutes
from gateway.adapters.sql_recordings import SqlRecordings
from gateway.adapters.sql_schema import accounts
from gateway.adapters.system_clock import SystemClock
from gateway.core.ids import CallId
from gateway.core.quota.lease import LeaseTerms
from gateway.core.whatsapp import CallStatus, WhatsAppEvent
from gateway.ports.calls import CallFilter
from gateway.ports.live import Availability
from gateway.runtime.call_desk import LegChoice
from gateway.runtime.call_runtime import CallRuntime
from gateway.runtime.call_trace import TraceBook
from gateway.runtime.world import NodeLife, RuntimeSettings, World
from tests.runtime.fake_media import FakeWorker
from tests.runtime.fake_meta import SITI, FakeMeta, MetaCall
from tests.runtime.fake_recordings import FakeAssembler
from tests.runtime.fakes import (
    ACCOUNT,
    NODE,
    FakeBus,
    FakeDirectory,
    FakePresence,
    FakeReader,
)
from tests.runtime.office import ANI, SUPERVISOR
from tests.services.sqlite import put_migrated

WITHIN_S = 20


class Branch:
    """Real database and clock; worker, Meta and people are doubles."""

    def __init__(self, database: Database) -> None:
        self.clock = SystemClock()
        self.calls = SqlCalls(database, self.clock.wall)
        self.recordings = SqlRecordings(database)
        self.minutes = SqlMinutes(database, LeaseTerms())
        self.inbox = SqlInbox(database, self.clock.wall)
        self.tombstones = SqlTombstones(database, self.clock.wall)
        self.worker = FakeWorker(self.clock)
        self.meta = FakeMeta(self.clock, self.worker, self.deliver)
        self.reader = FakeReader()
        self.directory = FakeDirectory()
        self.directory.add(ANI, SUPERVISOR)
        self.presence = FakePresence()
        self.bus = FakeBus()
        self.runtime: CallRuntime | None = None
        self._epochs, self._ids = itertools.count(1), itertools.count(1)

    async def deliver(self, event: WhatsAppEvent) -> None:
        item = self.reader.item(event, f"event {next(self._ids)}")
        await self.inbox.add([item], received_at=self.clock.wall())
        if self.runtime is not None:
            self.runtime.wake_inbox()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[CallRuntime]:
        world = World(
            calls=self.calls,
            tombstones=self.tombstones,
            inbox=self.inbox,
            read_webhook=self.reader,
            directory=self.directory,
            presence=self.presence,
            bus=self.bus,
            media=self.worker,
            minutes=self.minutes,
            budgets=self.worker.budgets,
            recordings=self.recordings,
            assembler=FakeAssembler(self.worker.disk),
            whatsapp=self.meta,
            clock=self.clock,
            new_id=lambda: f"{next(self._ids):026d}",
        )
        trace = TraceBook(self.calls, self.clock, lines_max=1000, flush_s=0.1)
        life = NodeLife(NODE, next(self._epochs))
        async with CallRuntime(world, life, RuntimeSettings(), trace) as runtime:
            self.runtime = runtime
            yield runtime
            self.runtime = None

    async def until(self, call_id: CallId | None, state: str) -> CallId:
        """Wait until a call is in a state; without an id, any call of the account."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                page = await self.calls.page(CallFilter(ACCOUNT), cursor=None, limit=10)
                for row in page.rows:
                    if row.state == state and call_id in {None, row.call_id}:
                        return row.call_id
                await asyncio.sleep(0.02)


@pytest.fixture
async def branch(tmp_path: Path) -> AsyncIterator[Branch]:
    put_migrated(tmp_path / "callgate.db")
    database = Database(f"sqlite:///{tmp_path / 'callgate.db'}")
    async with database.writing() as connection:
        await connection.execute(
            insert(accounts).values(
                account_id=ACCOUNT, cid="c", name="n", timezone="UTC", created_at=0.0
            )
        )
    made = Branch(database)
    yield made
    await made.meta.close()
    await database.close()


async def test_a_users_call_is_answered_survives_a_restart_and_ends(branch: Branch) -> None:
    async with branch.open() as runtime:
        await runtime.desk.enter(ANI)
        await runtime.desk.set_availability(ANI, Availability.AVAILABLE)
        await branch.meta.user_calls()
        call_id = await branch.until(None, "ringing")
        await runtime.desk.answer(ANI, call_id, LegChoice(offer="offer"))
        await branch.until(call_id, "talking")
    async with branch.open() as runtime:
        await runtime.desk.mute(ANI, call_id, muted=True)
        await runtime.desk.hang_up(ANI, call_id)
        await branch.until(call_id, "ended")
        async with asyncio.timeout(WITHIN_S):
            while await branch.calls.unfinished() or await branch.inbox.waiting(limit=10):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    async with branch.open() as runtime:
        view = await runtime.desk.one(ANI, call_id)
        lines = await runtime.desk.trace(ANI, call_id)
    assert (view.state, view.outcome, view.muted) == ("ended", "completed", True)
    assert {"started", "accepted", "muted", "hung_up"} <= {line.step for line in lines}
    assert branch.meta.requests == ["pre_accept", "accept", "terminate"]
    assert branch.worker.legs == {}


async def test_an_agents_call_is_dialled_twice_with_one_key_and_ends(branch: Branch) -> None:
    async def user(call: MetaCall) -> None:
        await branch.meta.status(call, CallStatus.ACCEPTED)
        await branch.meta.over(call)

    branch.meta.user = user
    async with branch.open() as runtime:
        offer = LegChoice(offer="offer")
        first = await runtime.desk.dial(ANI, SITI, offer, idempotency_key="k")
        again = await runtime.desk.dial(ANI, SITI, offer, idempotency_key="k")
        assert (again.call.id, again.answer) == (first.call.id, first.answer)
        call_id = await branch.until(None, "ended")
        page = await runtime.desk.page(ANI)
    assert [(view.id, view.outcome) for view in page.items] == [(call_id, "completed")]
    assert branch.meta.requests == ["connect"]
