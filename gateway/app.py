"""The composition root: the only place that constructs the parts and joins them."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.adapters.capture_assembly import AssemblyPlaces, CaptureAssembly
from gateway.adapters.media_engine import EngineSettings, MediaSocketEngine, WorkerAddress
from gateway.adapters.media_process import MediaProcess, WorkerCommand
from gateway.adapters.official_files import OfficialFiles
from gateway.adapters.redis_bus import RedisBus
from gateway.adapters.redis_link import RedisLink
from gateway.adapters.redis_presence import RedisPresence
from gateway.adapters.system_clock import SystemClock
from gateway.adapters.system_ids import random_id
from gateway.adapters.valkey_server import ValkeyServer
from gateway.adapters.whatsapp_api import RetryPolicy, WhatsAppCalls
from gateway.adapters.whatsapp_breaker import GraphBreaker
from gateway.adapters.whatsapp_graph import GraphClient, GraphTimeouts
from gateway.adapters.whatsapp_media import FetchBounds, WhatsAppMedia
from gateway.adapters.whatsapp_reader import read_webhook
from gateway.adapters.whatsapp_webhook import split_delivery
from gateway.core.call.call import CallTiming
from gateway.core.errors import BadInput
from gateway.foundation import Foundation, keeper_bounds, open_foundation
from gateway.http.app import build_internal_app, build_public_app
from gateway.http.deps import Check, HttpLimits, PublicDeps
from gateway.http.metrics import HttpMetrics
from gateway.http.peers import Peers
from gateway.http.serving import serving
from gateway.http.webhook_signature import WebhookSecrets
from gateway.runtime.call_runtime import CallRuntime
from gateway.runtime.call_trace import TraceBook
from gateway.runtime.world import (
    JobBounds,
    NodeLife,
    Official,
    RuntimeLimits,
    RuntimeSettings,
    World,
)
from gateway.settings import Settings

WEB_ROOT = Path(__file__).parent.parent / "web" / "dist"


@dataclass(frozen=True, slots=True)
class Running:
    """Where a started gateway listens."""

    port: int
    internal_port: int | None


class _LateLink:
    """Tells the runtime of the media link, which exists before the runtime does."""

    def __init__(self) -> None:
        self.tell: Callable[[bool], None] | None = None

    def __call__(self, is_up: bool) -> None:
        if self.tell is not None:
            self.tell(is_up)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """Serve while the context is open.

    Raises `BadInput` for settings that cannot serve, `StoreDown`, `MediaAway`, and `OSError`
    for an address that is taken.
    """
    missing = settings.missing_to_serve()
    if missing:
        names = ", ".join(f"CALLGATE_{name.upper()}" for name in missing)
        raise BadInput(f"set {names} first: webhooks cannot be verified without")
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(open_foundation(settings, clock))
        await stores.migrate()
        life = NodeLife(stores.node_id, await stores.nodes.next_epoch(stores.node_id))
        link = await _open_link(stack, settings, stores)
        presence, bus = RedisPresence(link), RedisBus(link)
        await link.start()
        stack.push_async_callback(link.close)
        limits = RuntimeLimits()
        trace = TraceBook(
            stores.calls, clock, lines_max=limits.trace_lines_max, flush_s=limits.trace_flush_s
        )
        late = _LateLink()
        media = await _open_media(stack, settings, life, late)
        world = World(
            calls=stores.calls,
            tombstones=stores.tombstones,
            inbox=stores.inbox,
            read_webhook=read_webhook,
            directory=stores.directory,
            presence=presence,
            bus=bus,
            media=media,
            minutes=stores.minutes,
            budgets=media.budgets,
            recordings=stores.recordings,
            assembler=_assembler(settings),
            whatsapp=await _open_whatsapp(stack, settings, clock, trace),
            clock=clock,
            new_id=random_id,
            official=await _open_official(stack, settings, stores, clock),
        )
        bounds = RuntimeSettings(
            timing=_timing(settings),
            keeper=keeper_bounds(settings),
            jobs=JobBounds(at_once_max=settings.official_fetches_max),
        )
        runtime = await stack.enter_async_context(CallRuntime(world, life, bounds, trace))
        late.tell = runtime.media_link_changed
        yield await _serve(stack, settings, stores, world, runtime)


def _assembler(settings: Settings) -> CaptureAssembly:
    return CaptureAssembly(AssemblyPlaces(settings.captures_path, settings.recordings_path))


async def _open_official(
    stack: AsyncExitStack, settings: Settings, stores: Foundation, clock: SystemClock
) -> Official:
    media = WhatsAppMedia(
        graph_url=settings.whatsapp_graph_url,
        version=settings.whatsapp_graph_version,
        hosts=settings.whatsapp_media_hosts,
        folder=settings.recordings_path,
        clock=clock,
        bounds=FetchBounds(
            file_bytes_max=settings.official_file_bytes_max,
            download_s=settings.official_fetch_max_s,
        ),
    )
    return Official(
        wishes=stores.wishes,
        cases=stores.cases,
        jobs=stores.jobs,
        transcripts=stores.transcripts,
        media=await stack.enter_async_context(media),
        files=OfficialFiles(settings.recordings_path),
    )


async def _open_link(
    stack: AsyncExitStack, settings: Settings, stores: Foundation
) -> RedisLink:
    if settings.redis_url is not None:
        return RedisLink(settings.redis_url.get_secret_value(), stores.node_id)
    server = ValkeyServer(settings.redis_directory)
    await server.start()
    stack.push_async_callback(server.close)
    return RedisLink(server.url, stores.node_id)


async def _open_media(
    stack: AsyncExitStack, settings: Settings, life: NodeLife, on_link: Callable[[bool], None]
) -> MediaSocketEngine:
    folder = settings.media_socket.parent
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    address = WorkerAddress(settings.media_socket, folder / "worker.token")
    worker = MediaProcess(
        address, WorkerCommand(worker_arguments(settings), folder / "worker.log")
    )
    return await stack.enter_async_context(
        MediaSocketEngine(
            address,
            gateway_epoch=life.epoch,
            new_id=random_id,
            ensure_worker=worker.ensure,
            on_link=on_link,
            settings=EngineSettings(actpass_role=settings.whatsapp_actpass_role),
        )
    )


def worker_arguments(settings: Settings) -> tuple[str, ...]:
    """Return the command line of a media worker, without its socket and token."""
    arguments = ["--captures", str(settings.captures_path)]
    for address in settings.media_bind:
        arguments += ["--bind", str(address)]
    for address in settings.media_public_addresses:
        arguments += ["--public-address", str(address)]
    if settings.media_port_range:
        arguments += ["--port-range", settings.media_port_range]
    return tuple(arguments)


async def _open_whatsapp(
    stack: AsyncExitStack, settings: Settings, clock: SystemClock, trace: TraceBook
) -> WhatsAppCalls:
    graph = await stack.enter_async_context(
        GraphClient(
            base_url=settings.whatsapp_graph_url,
            version=settings.whatsapp_graph_version,
            clock=clock,
            on_request=trace.note,
            timeouts=GraphTimeouts(
                connect_s=settings.graph_connect_max_s,
                start_call_s=settings.graph_start_call_max_s,
                action_s=settings.graph_action_max_s,
            ),
        )
    )
    return WhatsAppCalls(
        graph,
        clock=clock,
        retries=RetryPolicy(
            answer_tries_max=settings.graph_answer_tries_max,
            end_tries_max=settings.graph_end_tries_max,
            backoff_first_s=settings.graph_backoff_first_s,
            backoff_max_s=settings.graph_backoff_max_s,
            retry_after_max_s=settings.graph_retry_after_max_s,
        ),
        breaker=GraphBreaker(
            failures_max=settings.graph_breaker_failures_max,
            pause_s=settings.graph_breaker_pause_s,
        ),
    )


def _timing(settings: Settings) -> CallTiming:
    return CallTiming(
        ring_s=settings.ring_inbound_max_s,
        outbound_ring_s=settings.ring_outbound_max_s,
        claim_s=settings.claim_max_s,
        connect_s=settings.leg_connect_max_s,
        reattach_s=settings.reattach_max_s,
        stale_s=settings.connect_age_max_s,
    )


async def _serve(
    stack: AsyncExitStack,
    settings: Settings,
    stores: Foundation,
    world: World,
    runtime: CallRuntime,
) -> Running:
    checks: dict[str, Check] = {"database": stores.database.ping}
    metrics = HttpMetrics()
    deps = PublicDeps(
        desk=runtime.desk,
        directory=stores.directory,
        sessions=stores.sessions,
        passwords=stores.passwords,
        login_limit=stores.login_limit,
        audit=stores.audit,
        presence=world.presence,
        bus=world.bus,
        inbox=stores.inbox,
        minutes_now=runtime.quota.picture,
        quota_books=stores.quota_books,
        wishes=stores.wishes,
        split_delivery=split_delivery,
        wake_inbox=runtime.wake_inbox,
        webhook_secrets=_webhook_secrets(settings),
        clock=world.clock,
        metrics=metrics,
        checks=checks,
        web_root=WEB_ROOT,
        peers=Peers.of(proxies=settings.trusted_proxies, origins=settings.public_origins),
        limits=HttpLimits(
            body_bytes_max=settings.http_body_bytes_max,
            webhook_body_bytes_max=settings.webhook_body_bytes_max,
            alive_within_s=settings.browser_silent_max_s,
        ),
        ice_servers=settings.ice_servers_for_browsers(),
        reattach_s=round(settings.reattach_max_s),
    )
    internal_port = await _serve_metrics(stack, settings, metrics, checks)
    port = await stack.enter_async_context(
        serving(
            build_public_app(deps),
            host=settings.http_host,
            port=settings.http_port,
            tls=_tls(settings),
            grace_s=settings.shutdown_grace_s,
        )
    )
    return Running(port, internal_port)


async def _serve_metrics(
    stack: AsyncExitStack,
    settings: Settings,
    metrics: HttpMetrics,
    checks: dict[str, Check],
) -> int | None:
    if not settings.internal_port:
        return None
    return await stack.enter_async_context(
        serving(
            build_internal_app([metrics.registry], checks),
            host=settings.internal_host,
            port=settings.internal_port,
            grace_s=settings.shutdown_grace_s,
        )
    )


def _webhook_secrets(settings: Settings) -> WebhookSecrets:
    assert settings.whatsapp_app_secret is not None
    assert settings.whatsapp_verify_token is not None
    secrets = [settings.whatsapp_app_secret.get_secret_value()]
    if settings.whatsapp_app_secret_old is not None:
        secrets.append(settings.whatsapp_app_secret_old.get_secret_value())
    return WebhookSecrets(
        app_secrets=secrets, verify_token=settings.whatsapp_verify_token.get_secret_value()
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
