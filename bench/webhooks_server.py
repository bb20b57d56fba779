"""The two servers that `bench.webhooks` loads, each as a process of its own.

`gateway`: the public application on SQLite with the call runtime working off the inbox, a real
media worker, and a Graph API that takes requests and never answers. `bare`: an aiohttp handler
that verifies the signature and answers.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from bench.webhooks_load import APP_SECRET, NUMBER_ID, PATH
from gateway import log
from gateway.adapters.capture_assembly import AssemblyPlaces, CaptureAssembly
from gateway.adapters.media_engine import MediaSocketEngine, WorkerAddress
from gateway.adapters.media_process import MediaProcess, WorkerCommand
from gateway.adapters.system_clock import SystemClock
from gateway.adapters.system_ids import random_id
from gateway.adapters.whatsapp_api import WhatsAppCalls
from gateway.adapters.whatsapp_graph import GraphClient
from gateway.adapters.whatsapp_reader import read_webhook
from gateway.adapters.whatsapp_webhook import split_delivery
from gateway.core.ids import AccountId, NodeId, PhoneNumberId, UserId
from gateway.foundation import Foundation, open_foundation
from gateway.http.app import build_public_app
from gateway.http.deps import PublicDeps
from gateway.http.metrics import HttpMetrics
from gateway.http.serving import serving
from gateway.http.webhook_signature import WebhookSecrets
from gateway.ports.accounts import Number
from gateway.ports.live import AgentPresence, Availability, LiveEvent
from gateway.runtime.call_runtime import CallRuntime
from gateway.runtime.call_trace import TraceBook
from gateway.runtime.world import NodeLife, RuntimeLimits, RuntimeSettings, World
from gateway.settings import load

VERIFY_TOKEN = "bench"  # noqa: S105 - of servers that live for seconds


class NobodyHere:
    """Presence and bus of a gateway without browsers: what they cost is not the question."""

    async def enter(self, account_id: AccountId, user_id: UserId) -> None:
        """Nobody comes."""

    async def leave(self, account_id: AccountId, user_id: UserId) -> None:
        """Nobody goes."""

    async def choose(
        self, account_id: AccountId, user_id: UserId, availability: Availability
    ) -> None:
        """Nobody chooses."""

    async def of_account(self, account_id: AccountId) -> Sequence[AgentPresence]:
        """One agent who is always free, so that calls ring."""
        return [
            AgentPresence(UserId("u" * 26), account_id, NodeId("n"), Availability.AVAILABLE)
        ]

    def publish(self, event: LiveEvent) -> None:
        """Nobody listens."""

    @asynccontextmanager
    async def subscribe(self, _: AccountId) -> AsyncIterator[AsyncIterator[LiveEvent]]:
        """Nothing ever comes."""
        yield _silence()


async def _silence() -> AsyncIterator[LiveEvent]:
    await asyncio.Event().wait()
    yield LiveEvent(AccountId(""), "", {})


async def serve_gateway(folder: Path, graph_url: str) -> None:
    """Serve until standard input closes; say the port on standard output."""
    clock = SystemClock()
    settings = load(data_dir=folder)
    limits = RuntimeLimits()
    log.set_up(level="error")
    async with AsyncExitStack() as stack:
        foundation = await stack.enter_async_context(open_foundation(settings, clock))
        await foundation.migrate()
        await add_number(foundation)
        trace = TraceBook(
            foundation.calls,
            clock,
            lines_max=limits.trace_lines_max,
            flush_s=limits.trace_flush_s,
        )
        graph = await stack.enter_async_context(
            GraphClient(base_url=graph_url, version="v25.0", clock=clock, on_request=trace.note)
        )
        address = WorkerAddress(folder / "media.sock", folder / "media.token")
        worker = MediaProcess(
            address, WorkerCommand(("--bind", "127.0.0.1"), folder / "media.log")
        )
        stack.callback(worker.terminate)
        engine = await stack.enter_async_context(
            MediaSocketEngine(
                address, gateway_epoch=1, new_id=random_id, ensure_worker=worker.ensure
            )
        )
        nobody = NobodyHere()
        world = World(
            calls=foundation.calls,
            tombstones=foundation.tombstones,
            inbox=foundation.inbox,
            read_webhook=read_webhook,
            directory=foundation.directory,
            presence=nobody,
            bus=nobody,
            media=engine,
            minutes=foundation.minutes,
            budgets=engine.budgets,
            recordings=foundation.recordings,
            assembler=CaptureAssembly(AssemblyPlaces(folder, folder)),
            whatsapp=WhatsAppCalls(graph, clock=clock),
            clock=clock,
            new_id=random_id,
        )
        life = NodeLife(NodeId("bench"), 1)
        runtime = await stack.enter_async_context(
            CallRuntime(world, life, RuntimeSettings(), trace)
        )
        deps = deps_of(foundation, world, runtime, folder)
        await serve_until_told(stack, build_public_app(deps))


UNUSED: Any = None


def deps_of(
    foundation: Foundation, world: World, runtime: CallRuntime, folder: Path
) -> PublicDeps:
    """Hand the HTTP edge what it needs."""
    return PublicDeps(
        desk=runtime.desk,
        directory=foundation.directory,
        sessions=foundation.sessions,
        passwords=foundation.passwords,
        login_limit=foundation.login_limit,
        tokens=foundation.tokens,
        people=foundation.accounts,
        audit=foundation.audit,
        presence=world.presence,
        bus=world.bus,
        inbox=foundation.inbox,
        minutes_now=runtime.quota.picture,
        quota_books=foundation.quota_books,
        wishes=foundation.wishes,
        # Nobody asks for anything but webhooks here.
        after_calls=UNUSED,
        evidence=UNUSED,
        announcements=UNUSED,
        announcement_maker=UNUSED,
        library=UNUSED,
        deletion=UNUSED,
        recording_life=UNUSED,
        subject_export=UNUSED,
        subject_erasure=UNUSED,
        trace_of=foundation.calls.trace,
        split_delivery=split_delivery,
        wake_inbox=runtime.wake_inbox,
        webhook_secrets=WebhookSecrets(app_secrets=[APP_SECRET], verify_token=VERIFY_TOKEN),
        clock=world.clock,
        metrics=HttpMetrics(),
        checks={},
        web_root=folder / "dist",
    )


async def add_number(foundation: Foundation) -> None:
    """Give the gateway the number that the load is for."""
    account = await foundation.accounts.add_account(
        cid="bench", name="Bench", timezone="Asia/Jakarta"
    )
    await foundation.accounts.add_number(
        Number(
            phone_number_id=PhoneNumberId(NUMBER_ID),
            account_id=account.account_id,
            waba_id="1",
            display="+62 21 0",
            token="bench",  # noqa: S106 - of a Graph API that never answers
        )
    )


async def serve_bare() -> None:
    """Serve the rival until standard input closes."""
    secrets = WebhookSecrets(app_secrets=[APP_SECRET], verify_token=VERIFY_TOKEN)

    async def deliver(request: web.Request) -> web.Response:
        body = await request.read()
        is_genuine = secrets.signed(body, request.headers.get("X-Hub-Signature-256", ""))
        return web.Response(status=200 if is_genuine else 401)

    app = web.Application()
    app.router.add_post(PATH, deliver)
    async with AsyncExitStack() as stack:
        await serve_until_told(stack, app)


async def serve_until_told(stack: AsyncExitStack, app: web.Application) -> None:
    """Serve, say where, and wait for the end of standard input."""
    port = await stack.enter_async_context(serving(app, host="127.0.0.1", port=0, grace_s=1.0))
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    if sys.argv[1] == "bare":
        asyncio.run(serve_bare())
    else:
        asyncio.run(serve_gateway(Path(sys.argv[2]), sys.argv[3]))
