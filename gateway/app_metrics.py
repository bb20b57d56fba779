"""What Prometheus reads on the internal port, besides the HTTP edge's own figures.

Labels come from closed sets of ours: no number, no person, no call.
"""

import asyncio
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from gateway.adapters.media_engine import MediaSocketEngine
from gateway.adapters.redis_bus import RedisBus
from gateway.adapters.redis_link import RedisLink
from gateway.adapters.redis_nodes import RedisNodes
from gateway.adapters.sql_inbox import SqlInbox
from gateway.adapters.sql_jobs import SqlJobs
from gateway.app_keeping import Keeping
from gateway.app_metrics_keeping import KeepingCollector
from gateway.app_metrics_recordings import RecordingFigures
from gateway.core.call.call import Outcome, State
from gateway.core.errors import StoreDown
from gateway.core.whatsapp import Direction
from gateway.foundation import Foundation
from gateway.ports.calls import TraceLine
from gateway.ports.jobs import JobKind
from gateway.ports.storage import FileCounts
from gateway.runtime.call_runtime import CallRuntime
from gateway.runtime.call_trace import TraceBook

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_COUNT_MAX_S = 2.0


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a running gateway that have figures."""

    runtime: CallRuntime
    trace: TraceBook
    media: MediaSocketEngine
    link: RedisLink
    bus: RedisBus
    nodes: RedisNodes
    stores: Foundation
    keeping: Keeping


class GatewayMetrics:
    """Counts requests to Meta from the start; asks the other parts whenever it is read."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._graph_requests = Counter(
            "callgate_graph_requests_total",
            "Requests to Meta's Graph API by action and outcome.",
            ("action", "outcome"),
            registry=self.registry,
        )
        self._graph_request_s = Histogram(
            "callgate_graph_request_seconds",
            "Time that Meta's Graph API took, by action.",
            ("action",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._inbox_waiting = Gauge(
            "callgate_inbox_waiting",
            "Webhook events not worked off yet; NaN while the database does not tell.",
            registry=self.registry,
        )
        self._inbox: SqlInbox | None = None
        self._jobs: SqlJobs | None = None
        self._recordings: RecordingFigures | None = None
        self._kept: tuple[Keeping, KeepingCollector] | None = None

    def note_request(self, line: TraceLine) -> None:
        """Count a request to Meta; fits as `OnGraphRequest`."""
        action, took_ms = line.step, line.fields.get("ms")
        outcome = str(line.fields.get("outcome", "crashed"))
        self._graph_requests.labels(action, outcome).inc()
        if isinstance(took_ms, int | float):
            self._graph_request_s.labels(action).observe(took_ms / 1000)

    def watch(self, parts: Parts) -> None:
        """Show the figures of these parts from now on. Call it once."""
        self._inbox, self._jobs = parts.stores.inbox, parts.stores.jobs
        self._recordings = RecordingFigures(parts.runtime)
        self.registry.register(_PartsCollector(parts))
        self.registry.register(self._recordings)
        self._kept = parts.keeping, KeepingCollector(parts.keeping.figures)
        self.registry.register(self._kept[1])

    async def measure(self) -> None:
        """Ask for what cannot be told at once; awaited before each reading."""
        if self._inbox is not None:
            await self._measure_inbox(self._inbox)
        if self._recordings is not None and self._jobs is not None:
            self._recordings.waiting = await _waiting(self._jobs)
        if self._kept is not None:
            keeping, collector = self._kept
            collector.files = await _files(keeping)

    async def _measure_inbox(self, inbox: SqlInbox) -> None:
        try:
            async with asyncio.timeout(_COUNT_MAX_S):
                self._inbox_waiting.set(await inbox.waiting_count())
        except (StoreDown, TimeoutError):
            self._inbox_waiting.set(math.nan)


async def _waiting(jobs: SqlJobs) -> Mapping[JobKind, int] | None:
    try:
        async with asyncio.timeout(_COUNT_MAX_S):
            return await jobs.waiting_counts()
    except (StoreDown, TimeoutError):
        return None


async def _files(keeping: Keeping) -> FileCounts | None:
    try:
        async with asyncio.timeout(_COUNT_MAX_S):
            return await keeping.count_files()
    except (StoreDown, TimeoutError):
        return None


class _PartsCollector(Collector):
    """Reads figures where they are kept, so that none is kept twice."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @override
    def collect(self) -> Iterable[Metric]:
        parts = self._parts
        yield from self._calls()
        yield _gauge("agent_legs", "Audio connections of agents.", parts.runtime.leg_count)
        yield _gauge("media_link_up", "A media worker is connected.", parts.media.is_connected)
        yield _gauge("redis_up", "Redis answers.", parts.link.is_up)
        yield _gauge(
            "nodes", "Gateways that live, as Redis tells.", 1 + len(parts.nodes.others())
        )
        yield _counter(
            "redis_messages_dropped", "Messages not told.", parts.link.counts["dropped"]
        )
        yield _counter(
            "redis_messages_unreadable",
            "Messages not understood.",
            parts.link.counts["unreadable"],
        )
        yield _counter(
            "slow_browsers",
            "Browsers too slow for their news.",
            parts.bus.counts["slow_readers"],
        )
        yield _counter(
            "trace_lines_dropped", "Trace lines not stored.", parts.trace.dropped_count
        )
        yield _counter("task_crashes", "Faults of our own.", parts.runtime.crash_count)

    def _calls(self) -> Iterator[Metric]:
        live = GaugeMetricFamily(
            "callgate_calls", "Calls driven here now.", labels=("direction", "state")
        )
        ended = CounterMetricFamily(
            "callgate_calls_ended",
            "Calls that ended here, by what became of them.",
            labels=("direction", "outcome"),
        )
        now, over = self._parts.runtime.live_counts(), self._parts.runtime.ended_counts()
        for direction in Direction:
            for state in State:
                if state is not State.ENDED:
                    live.add_metric((direction.value, state.value), now[direction, state])
            for outcome in Outcome:
                ended.add_metric((direction.value, outcome.value), over[direction, outcome])
        yield live
        yield ended


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(f"callgate_{name}", what, value=value)


def _counter(name: str, what: str, value: float) -> Metric:
    return CounterMetricFamily(f"callgate_{name}", what, value=value)
