"""Gateways in this process, as `serve` runs them, each in a private folder."""

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway import app
from gateway.app import Running
from gateway.demo.processes import end_listener
from gateway.settings import Settings
from tests.settings.conftest import _no_settings_from_outside

__all__ = ["_no_settings_from_outside"]

SECRETS = {"whatsapp_app_secret": "app-secret", "whatsapp_verify_token": "verify-token"}
CHEAP = {"argon2_memory_kib": 64, "argon2_passes": 1, "argon2_lanes": 1}


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's own folder: its long names do not fit into the path of a Unix socket.
    with tempfile.TemporaryDirectory(prefix="callgate-test-") as name:
        yield Path(name)


def settings_in(folder: Path, **changes: object) -> Settings:
    """Everything on this machine, and no worker that stays for long."""
    given: dict[str, object] = {
        **SECRETS,
        **CHEAP,
        "data_dir": folder,
        "http_port": 0,
        "internal_port": free_port(),
        "media_bind": "127.0.0.1",
        "media_alone_max_s": 5.0,
        "whatsapp_graph_url": "http://127.0.0.1:9",
    }
    return Settings(**given | changes)  # type: ignore[arg-type]  # checked by the model


@asynccontextmanager
async def gateway(settings: Settings) -> AsyncIterator[Running]:
    """Run a gateway, and end what would outlive it."""
    try:
        async with app.running(settings) as where:
            yield where
    finally:
        await end_listener(settings.media_socket)


async def until(holds: Callable[[], Awaitable[bool]], *, within_s: float = 60.0) -> None:
    """Wait for what other processes do, which tell nobody."""
    async with asyncio.timeout(within_s):
        while not await holds():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
