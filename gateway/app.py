"""The composition root: the only place that constructs the parts and joins them."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.adapters.announcement_files import AnnouncementFiles
from gateway.adapters.capture_assembly import AssemblyPlaces, CaptureAssembly
from gateway.adapters.media_engine import MediaSocketEngine
from gateway.adapters.redis_link import RedisLink
from gateway.adapters.system_clock import SystemClock
from gateway.adapters.system_ids import random_id
from gateway.adapters.whatsapp_reader import read_webhook
from gateway.adapters.whatsapp_webhook import split_delivery
from gateway.app_evidence import make_evidence_desk
from gateway.app_keeping import Keeping, open_keeping
from gateway.app_later import RuntimeLater
from gateway.app_library import (
    make_deletion,
    make_library,
    make_subject_erasure,
    make_subject_export,
)
from gateway.app_link import open_shared
from gateway.app_media import open_media
from gateway.app_metrics import GatewayMetrics, Parts
from gateway.app_official import after_calls, open_official, patience_of
from gateway.app_whatsapp import open_whatsapp, webhook_secrets
from gateway.core.call.call import CallTiming
from gateway.core.errors import BadInput, MediaAway
from gateway.foundation import Foundation, keeper_bounds, open_foundation
from gateway.http.app import build_internal_app, build_public_app
from gateway.http.deps import Check, HttpLimits, PublicDeps
from gateway.http.metrics import HttpMetrics
from gateway.http.peers import Peers
from gateway.http.serving import serving
from gateway.ports.calls import TraceLine
from gateway.runtime.call_runtime import CallRuntime
from gateway.runtime.call_trace import TraceBook
from gateway.runtime.daily_roots import DailyRoots
from gateway.runtime.recording_upkeep import Retention
from gateway.runtime.tasks import Tasks
from gateway.runtime.upkeep import Upkeep
from gateway.runtime.world import (
    AlarmBounds,
    JobBounds,
    NodeLife,
    RuntimeLimits,
    RuntimeSettings,
    World,
)
from gateway.settings import Settings

WEB_ROOT = Path(__file__).parent.parent / "web" / "dist"
_PURGE_MAX_S = 600.0


@dataclass(frozen=True, slots=True)
class Running:
    """Where a started gateway listens."""

    port: int
    internal_port: int | None


@dataclass(frozen=True, slots=True)
class _Opened:
    """A gateway that works but for its doors."""

    stores: Foundation
    keeping: Keeping
    world: World
    runtime: CallRuntime
    metrics: GatewayMetrics
    checks: dict[str, Check]


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """Serve while the context is open.

    Raises `BadInput` for settings that cannot serve, `StoreDown`, and `OSError` for an address
    that is taken.
    """
    missing = settings.missing_to_serve()
    if missing:
        names = ", ".join(f"CALLGATE_{name.upper()}" for name in missing)
        raise BadInput(f"set {names} first: webhooks cannot be verified without")
    async with AsyncExitStack() as stack:
        opened = await _open(stack, settings)
        yield await _serve(stack, settings, opened)


async def _open(stack: AsyncExitStack, settings: Settings) -> _Opened:
    clock = SystemClock()
    stores = await stack.enter_async_context(open_foundation(settings, clock))
    await stores.migrate()
    life = NodeLife(stores.node_id, await stores.nodes.next_epoch(stores.node_id))
    later, metrics, limits = RuntimeLater(), GatewayMetrics(), RuntimeLimits()
    shared = await open_shared(stack, settings, life, later)
    trace = TraceBook(
        stores.calls, clock, lines_max=limits.trace_lines_max, flush_s=limits.trace_flush_s
    )

    def on_request(line: TraceLine) -> None:
        trace.note(line)
        metrics.note_request(line)

    media = await open_media(stack, settings, life, later.media_link_changed)
    keeping = open_keeping(settings, stores, clock)
    world = World(
        calls=stores.calls,
        tombstones=stores.tombstones,
        inbox=stores.inbox,
        read_webhook=read_webhook,
        directory=stores.directory,
        presence=shared.presence,
        bus=shared.bus,
        media=media,
        minutes=stores.minutes,
        budgets=media.budgets,
        recordings=stores.recordings,
        assembler=_assembler(settings),
        whatsapp=await open_whatsapp(stack, settings, clock, on_request),
        clock=clock,
        new_id=random_id,
        official=await open_official(stack, settings, stores, clock, keeping.vault),
    )
    runtime = await stack.enter_async_context(
        CallRuntime(world, life, _runtime_settings(settings, limits), trace)
    )
    later.is_there(runtime, media_up=media.is_connected, redis_up=shared.link.is_up)
    metrics.watch(
        Parts(runtime, trace, media, shared.link, shared.bus, shared.nodes, stores, keeping)
    )
    _keep_up(stack, settings, _Kept(stores, keeping, runtime), clock)
    checks = _checks(stores, media, shared.link)
    return _Opened(stores, keeping, world, runtime, metrics, checks)


def _runtime_settings(settings: Settings, limits: RuntimeLimits) -> RuntimeSettings:
    jobs = JobBounds(at_once_max=settings.official_fetches_max)
    alarm = AlarmBounds(settings.official_alarm_every_s, patience_of(settings))
    return RuntimeSettings(_timing(settings), limits, keeper_bounds(settings), jobs, alarm)


def _assembler(settings: Settings) -> CaptureAssembly:
    return CaptureAssembly(AssemblyPlaces(settings.captures_path, settings.recordings_path))


@dataclass(frozen=True, slots=True)
class _Kept:
    """What has to be kept in order."""

    stores: Foundation
    keeping: Keeping
    runtime: CallRuntime


def _keep_up(
    stack: AsyncExitStack, settings: Settings, kept: _Kept, clock: SystemClock
) -> None:
    tasks = Tasks(clock)
    stack.push_async_callback(tasks.close)
    stores = kept.stores
    kept.keeping.keep_going(settings, stores, clock, tasks)
    balance_changed = kept.runtime.quota.balance_changed
    upkeep = Upkeep(
        {
            "webhooks, tombstones, traces, keys, the audit": stores.purge.run,
            "tokens": stores.tokens.purge,
            "daily roots": DailyRoots(stores.evidence),
            "sessions": stores.sessions.purge,
            "replaced announcements": stores.announcements.purge,
            "log-in tries": stores.login_limit.purge,
            "recordings kept for their time": Retention(
                stores.recording_life, balance_changed, kept.keeping.figures
            ),
            "faults of recordings' files": kept.keeping.recheck,
        },
        clock,
        every_s=settings.purge_every_s,
        max_s=_PURGE_MAX_S,
    )
    tasks.keep_running(upkeep.run, name="upkeep")


def _checks(stores: Foundation, media: MediaSocketEngine, link: RedisLink) -> dict[str, Check]:
    """Name what `/readyz` asks: calls need the database and a media worker, not Redis."""

    async def media_works() -> None:
        if not media.is_connected:
            raise MediaAway("no media worker is connected")

    async def redis_works() -> None:
        if not link.is_up:
            raise ConnectionError("Redis does not answer")

    return {
        "database": Check(stores.database.ping),
        "media": Check(media_works),
        "redis": Check(redis_works, is_needed=False),
    }


def _timing(settings: Settings) -> CallTiming:
    return CallTiming(
        ring_s=settings.ring_inbound_max_s,
        outbound_ring_s=settings.ring_outbound_max_s,
        claim_s=settings.claim_max_s,
        connect_s=settings.leg_connect_max_s,
        reattach_s=settings.reattach_max_s,
        stale_s=settings.connect_age_max_s,
    )


async def _serve(stack: AsyncExitStack, settings: Settings, opened: _Opened) -> Running:
    metrics = HttpMetrics()
    internal_port = await _serve_metrics(stack, settings, opened, metrics)
    port = await stack.enter_async_context(
        serving(
            build_public_app(_deps(settings, opened, metrics)),
            host=settings.http_host,
            port=settings.http_port,
            tls=_tls(settings),
            grace_s=settings.shutdown_grace_s,
        )
    )
    return Running(port, internal_port)


def _deps(settings: Settings, opened: _Opened, metrics: HttpMetrics) -> PublicDeps:
    stores, world = opened.stores, opened.world
    library = make_library(settings, stores, opened.keeping.vault, world.clock)
    return PublicDeps(
        desk=opened.runtime.desk,
        directory=stores.directory,
        sessions=stores.sessions,
        passwords=stores.passwords,
        login_limit=stores.login_limit,
        tokens=stores.tokens,
        people=stores.accounts,
        audit=stores.audit,
        evidence=make_evidence_desk(settings, stores, opened.keeping.vault, world.clock),
        presence=world.presence,
        bus=world.bus,
        inbox=stores.inbox,
        minutes_now=opened.runtime.quota.picture,
        after_calls=after_calls(settings, stores, opened.runtime.desk, world.clock),
        quota_books=stores.quota_books,
        wishes=stores.wishes,
        announcements=stores.announcements,
        announcement_maker=AnnouncementFiles(longest_s=settings.announcement_max_s),
        library=library,
        recording_life=stores.recording_life,
        deletion=make_deletion(library, stores, opened.runtime.quota.balance_changed),
        subject_export=make_subject_export(settings, stores, opened.keeping.vault, world.clock),
        subject_erasure=make_subject_erasure(stores, opened.runtime.quota.balance_changed),
        trace_of=stores.calls.trace,
        split_delivery=split_delivery,
        wake_inbox=opened.runtime.wake_inbox,
        webhook_secrets=webhook_secrets(settings),
        clock=world.clock,
        metrics=metrics,
        checks=opened.checks,
        web_root=WEB_ROOT,
        peers=Peers.of(proxies=settings.trusted_proxies, origins=settings.public_origins),
        limits=HttpLimits(
            body_bytes_max=settings.http_body_bytes_max,
            webhook_body_bytes_max=settings.webhook_body_bytes_max,
            announcement_bytes_max=settings.announcement_bytes_max,
            announcement_max_s=settings.announcement_max_s,
            alive_within_s=settings.browser_silent_max_s,
            token_requests_max=settings.api_token_requests_max,
            token_age_max_s=settings.api_token_age_max_s,
            reader_stall_max_s=settings.library_stall_max_s,
        ),
        ice_servers=settings.ice_servers_for_browsers(),
        reattach_s=round(settings.reattach_max_s),
    )


async def _serve_metrics(
    stack: AsyncExitStack, settings: Settings, opened: _Opened, metrics: HttpMetrics
) -> int | None:
    if not settings.internal_port:
        return None
    registries = [metrics.registry, opened.metrics.registry]
    return await stack.enter_async_context(
        serving(
            build_internal_app(registries, opened.checks, measure=opened.metrics.measure),
            host=settings.internal_host,
            port=settings.internal_port,
            grace_s=settings.shutdown_grace_s,
        )
    )


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(settings.tls_cert, settings.tls_key)
    return context


async def serve_until(
    settings: Settings, stop: asyncio.Event, say: Callable[[str], None]
) -> None:
    """Serve until `stop` is set; say where on start."""
    async with running(settings) as where:
        scheme = "https" if settings.tls_cert else "http"
        say(f"callgate serves at {scheme}://{settings.http_host}:{where.port}")
        await stop.wait()
