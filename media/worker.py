"""The worker: constructs and wires every part, serves, and ends cleanly."""

import asyncio
import platform
import signal
import time
import uuid
from collections.abc import Callable
from typing import Any

import structlog

from media.addresses import LocalAddresses, host_addresses
from media.announcement_desk import AnnouncementDesk
from media.capture_desk import CaptureDesk
from media.commands import CommandDesk
from media.endpoints import EndpointFactory, PortPoller
from media.event_log import EventLog
from media.gateway_server import GatewayServer
from media.hold_tune import load_hold_tune
from media.prompts import ComfortNoise
from media.protocol import CloseReason
from media.python_relay import PythonRelay
from media.recorder import Recorder
from media.selftest import run_selftest
from media.settings import WorkerSettings
from media.srtp import PacketBuffer
from media.switchboard import Switchboard
from media.worker_context import WorkerContext, take_snapshot

log = structlog.get_logger()


async def serve(settings: WorkerSettings, *, token: str, comfort: ComfortNoise) -> None:
    """Serve until SIGTERM or SIGINT, or until no gateway came for too long.

    Raises `SelfTestFailed` or `ValueError` (no address to bind)
    or `UnsafeFile` instead of starting.
    """
    await run_selftest()
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[CloseReason] = loop.create_future()

    def stop(reason: CloseReason) -> None:
        if not stopped.done():
            stopped.set_result(reason)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, CloseReason.WORKER_STOPPED)
    buffer = PacketBuffer()
    poller = PortPoller(loop, settings.poll)
    relay = PythonRelay(
        loop, buffer=buffer, comfort=comfort, tune=load_hold_tune(), bounds=settings.leg
    )
    context = _context(settings, poller, relay, buffer)
    server = GatewayServer(context, settings.socket_path, token)
    await server.start()
    log.info("media worker ready", addresses=len(context.switchboard.endpoints.addresses.bound))
    chores = [asyncio.create_task(_housekeep(context, server, stop))]
    if context.recorder is not None:
        chores.append(asyncio.create_task(context.recorder.run()))
    try:
        waited: set[asyncio.Future[Any]] = {stopped, *chores}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    finally:
        failed = [chore for chore in chores if chore.done()]
        for chore in chores:
            chore.cancel()
        reason = stopped.result() if stopped.done() else CloseReason.INTERNAL
        await _end(context, server, reason)
        relay.close()
        poller.close()
        log.info("media worker stopped", reason=reason.value)
    for chore in failed:
        chore.result()


async def _end(context: WorkerContext, server: GatewayServer, reason: CloseReason) -> None:
    """Finish recordings, close legs, and let the gateway hear of all of it."""
    if context.recorder is not None:
        # Before the legs close, which would pass for the reason.
        context.recorder.end()
    await context.switchboard.close_all(reason)
    if context.recorder is not None:
        await context.recorder.close()
    await server.close()


def _context(
    settings: WorkerSettings, poller: PortPoller, relay: PythonRelay, buffer: PacketBuffer
) -> WorkerContext:
    path = settings.socket_path.absolute()
    events = EventLog(settings.events_max)
    recorder, captures = None, None
    if settings.captures_path is not None:
        recorder = Recorder(settings.captures_path, events.publish, settings.capture)
        captures = recorder.captures

    def leg_silent(leg_id: str) -> None:
        if captures is not None:
            captures.end_of_leg(time.monotonic(), leg_id)

    switchboard = Switchboard(
        endpoints=EndpointFactory(
            network=settings.network,
            addresses=LocalAddresses.from_settings(settings.network, host_addresses()),
            poller=poller,
            buffer=buffer,
            packets_per_second_max=settings.leg.packets_per_second_max,
        ),
        relay=relay,
        leg_settings=settings.leg,
        publish=events.publish,
        on_silent=leg_silent,
    )
    desk = CommandDesk(
        switchboard,
        CaptureDesk(captures, switchboard),
        announcements=AnnouncementDesk(switchboard, kept_max=settings.announcements_max),
        snapshot=lambda: take_snapshot(switchboard, captures, events),
        legs_max=settings.legs_max,
        answers_max=settings.answers_max,
    )
    return WorkerContext(
        settings=settings,
        worker_id=uuid.uuid5(uuid.NAMESPACE_URL, f"{platform.node()}{path}").hex,
        boot_id=uuid.uuid4().hex,
        switchboard=switchboard,
        recorder=recorder,
        events=events,
        desk=desk,
    )


async def _housekeep(
    context: WorkerContext,
    server: GatewayServer,
    stop: Callable[[CloseReason], None],
) -> None:
    """Look after all legs several times a second, and after the gateway's absence."""
    while True:
        await asyncio.sleep(context.settings.housekeeping_s)
        context.switchboard.housekeep()
        if server.alone_s > context.settings.gateway_timeout_s:
            log.warning("no gateway came; closing all legs")
            stop(CloseReason.GATEWAY_GONE)
