"""The public and the internal web application, from what the composition root hands in."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from gateway.http import (
    access_routes,
    after_call_routes,
    announcement_routes,
    audit_routes,
    call_routes,
    customer_routes,
    evidence_routes,
    keeping_routes,
    library_audio_routes,
    library_life_routes,
    library_routes,
    policy,
    quota_routes,
    session_routes,
    settings_routes,
    token_routes,
    webhook_endpoint,
)
from gateway.http.deps import DEPS, RATES, TASKS, Check, PublicDeps
from gateway.http.events_socket import PATH as EVENTS_PATH
from gateway.http.events_socket import EventSockets
from gateway.http.health import Readiness, live
from gateway.http.openapi import openapi_text
from gateway.http.request_rates import RequestRates
from gateway.http.routing import API_PREFIX
from gateway.http.security_headers import security_headers
from gateway.http.socket_register import SocketRegister
from gateway.http.typed import AiohttpHandler, answer_with_problems, mount
from gateway.http.web_app import PAGE_PATH, WebFiles
from gateway.http.webhook_endpoint import WebhookEndpoint
from gateway.http.webhook_writer import InboxWriter
from gateway.runtime.tasks import Tasks

HEAD_TOO = frozenset({"health.live", "health.ready", "openapi.read", "web.read"})
"""Rows whose answers monitors and browsers may ask for without the body."""
TABLES = (
    session_routes.routes,
    call_routes.routes,
    after_call_routes.routes,
    library_routes.routes,
    library_audio_routes.routes,
    library_life_routes.routes,
    customer_routes.routes,
    quota_routes.routes,
    settings_routes.routes,
    keeping_routes.routes,
    announcement_routes.routes,
    access_routes.routes,
    token_routes.routes,
    audit_routes.routes,
    evidence_routes.routes,
)


def build_public_app(deps: PublicDeps) -> web.Application:
    """What browsers and Meta talk to. Serve it with `serving.serve`, which keeps bodies raw.

    Raises `LookupError` if a route has no row in the policy table.
    """
    app = web.Application(
        middlewares=[answer_with_problems],
        client_max_size=deps.limits.webhook_body_bytes_max,
    )
    app[DEPS] = deps
    app[TASKS] = Tasks(deps.clock)
    app[RATES] = RequestRates(deps.limits.token_requests_max)
    app.on_response_prepare.append(security_headers(deps.peers))
    mount(app, TABLES)
    _add_plain_routes(app, deps)
    return app


def build_internal_app(
    registries: Sequence[CollectorRegistry],
    checks: Mapping[str, Check],
    *,
    measure: Callable[[], Awaitable[None]] | None = None,
) -> web.Application:
    """What the operator's own tools talk to: `/metrics` and health. Keep it off the network.

    `measure` is awaited before the metrics are read.
    """

    async def metrics(_request: web.Request) -> web.Response:
        if measure is not None:
            await measure()
        text = b"".join(generate_latest(registry) for registry in registries)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/healthz", live)
    app.router.add_get("/readyz", Readiness(checks).ready)
    return app


def _add_plain_routes(app: web.Application, deps: PublicDeps) -> None:
    """Add what is no typed route; each still names its row of the policy table."""
    register = SocketRegister(
        deps.sessions, deps.clock, deps.metrics, alive_within_s=deps.limits.alive_within_s
    )
    webhooks = WebhookEndpoint(
        secrets=deps.webhook_secrets,
        split=deps.split_delivery,
        writer=InboxWriter(deps.inbox, deps.clock, deps.metrics),
        wake=deps.wake_inbox,
        metrics=deps.metrics,
        body_bytes_max=deps.limits.webhook_body_bytes_max,
    )
    plain: list[tuple[str, str, str, AiohttpHandler]] = [
        ("webhooks.handshake", "GET", webhook_endpoint.PATH, webhooks.handshake),
        ("webhooks.deliver", "POST", webhook_endpoint.PATH, webhooks.deliver),
        ("events.watch", "GET", API_PREFIX + EVENTS_PATH, EventSockets(deps, register).serve),
        ("openapi.read", "GET", f"{API_PREFIX}/openapi.json", _openapi()),
        ("health.live", "GET", "/healthz", live),
        ("health.ready", "GET", "/readyz", Readiness(deps.checks).ready),
        ("web.read", "GET", PAGE_PATH, WebFiles.under(deps.web_root).serve),
    ]
    policy.check([row for row, *_ in plain])
    for row, method, path, handler in plain:
        app.router.add_route(method, path, handler)
        if row in HEAD_TOO:
            app.router.add_route("HEAD", path, handler)
    app.cleanup_ctx.append(_watched(register))
    app.on_shutdown.append(register.close_all)


def _watched(register: SocketRegister) -> Callable[[web.Application], AsyncIterator[None]]:
    """Watch the browsers' sockets while the application serves."""

    async def watch(app: web.Application) -> AsyncIterator[None]:
        _ = app[TASKS].keep_running(register.watch, name="socket watch")
        yield
        await app[TASKS].close()

    return watch


def _openapi() -> AiohttpHandler:
    text = openapi_text(TABLES)

    async def serve(_request: web.Request) -> web.Response:
        """Show the OpenAPI document."""
        return web.Response(text=text, content_type="application/json")

    return serve
