"""A node that does all by itself what `callgate serve` does with recordings.

Database, folders, assembling processes, object store and jobs are real; the media worker says
only that it is there, and nobody calls.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.adapters.system_ids import random_id
from gateway.core.whatsapp import WhatsAppEvent
from gateway.runtime.call_runtime import CallRuntime
from gateway.runtime.call_trace import TraceBook
from gateway.runtime.tasks import Tasks
from gateway.runtime.world import NodeLife, RuntimeLimits, RuntimeSettings, World
from tests.keeping.keep import Keep
from tests.runtime.fake_media import FakeWorker
from tests.runtime.fake_meta import FakeMeta
from tests.runtime.fakes import FakeBus, FakeDirectory, FakePresence, FakeReader

# The clock of such a node is hurried; the inbox and the ringing are not what this is about.
LIMITS = RuntimeLimits(inbox_poll_s=100.0, presence_poll_s=100.0, trace_flush_s=50.0)


@asynccontextmanager
async def working(keep: Keep, worker_name: str) -> AsyncIterator[FakeWorker]:
    """Let a node work; what its former media workers left is recovered at once."""
    stores, clock = keep.stores, keep.clock
    worker = FakeWorker(clock, name=worker_name)
    world = World(
        calls=stores.calls,
        tombstones=stores.tombstones,
        inbox=stores.inbox,
        read_webhook=FakeReader(),
        directory=FakeDirectory(),
        presence=FakePresence(),
        bus=FakeBus(),
        media=worker,
        minutes=stores.minutes,
        budgets=worker.budgets,
        recordings=stores.recordings,
        assembler=keep.assembler,
        whatsapp=FakeMeta(clock, worker, _nobody_hears),
        clock=clock,
        new_id=random_id,
    )
    life = NodeLife(stores.node_id, await stores.nodes.next_epoch(stores.node_id))
    trace = TraceBook(
        stores.calls, clock, lines_max=LIMITS.trace_lines_max, flush_s=LIMITS.trace_flush_s
    )
    tasks = Tasks(clock)
    try:
        async with CallRuntime(world, life, RuntimeSettings(limits=LIMITS), trace):
            keep.keeping.keep_going(keep.settings, stores, clock, tasks)
            yield worker
    finally:
        await tasks.close()


async def _nobody_hears(event: WhatsAppEvent) -> None:
    raise AssertionError(event)
