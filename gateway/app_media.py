"""The media worker as the settings want it: where it listens, how it starts, the link to it."""

from collections.abc import Callable
from contextlib import AsyncExitStack

from gateway.adapters.media_engine import EngineSettings, MediaSocketEngine, WorkerAddress
from gateway.adapters.media_process import MediaProcess, WorkerCommand
from gateway.adapters.system_ids import random_id
from gateway.runtime.world import NodeLife
from gateway.settings import Settings


def worker_address(settings: Settings) -> WorkerAddress:
    """Return where a worker listens; its folder is made if it is missing."""
    folder = settings.media_socket.parent
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return WorkerAddress(settings.media_socket, folder / "worker.token")


def worker_arguments(settings: Settings) -> tuple[str, ...]:
    """Return the command line of a media worker, without its socket and token."""
    arguments = ["--captures", str(settings.captures_path)]
    for address in settings.media_bind:
        arguments += ["--bind", str(address)]
    for address in settings.media_public_addresses:
        arguments += ["--public-address", str(address)]
    if settings.media_port_range:
        arguments += ["--port-range", settings.media_port_range]
    arguments += ["--gateway-timeout", str(settings.media_alone_max_s)]
    return tuple(arguments)


async def open_media(
    stack: AsyncExitStack, settings: Settings, life: NodeLife, on_link: Callable[[bool], None]
) -> MediaSocketEngine:
    """Keep a worker connected while `stack` is open, and start one where none answers."""
    address = worker_address(settings)
    log_file = address.socket.with_name("worker.log")
    process = MediaProcess(address, WorkerCommand(worker_arguments(settings), log_file))
    return await stack.enter_async_context(
        MediaSocketEngine(
            address,
            gateway_epoch=life.epoch,
            new_id=random_id,
            ensure_worker=process.ensure if settings.media_start_worker else None,
            on_link=on_link,
            settings=EngineSettings(actpass_role=settings.whatsapp_actpass_role),
        )
    )
