"""Fixtures of the media tests."""

from collections.abc import AsyncIterator

import aioice.ice
import pytest

from tests.media.gateway_client import GatewayClient
from tests.media.worker_process import WorkerProcess, running_worker


@pytest.fixture(autouse=True)
def _peers_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """The peers' ICE library leaves 127.0.0.1 out; here it is the only address."""
    monkeypatch.setattr(
        aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"]
    )


@pytest.fixture
async def worker() -> AsyncIterator[WorkerProcess]:
    """A worker that must end without an error in its log."""
    async with running_worker() as process:
        yield process
        assert await process.terminate() == 0, process.log()
        log = process.log()
        assert "Traceback" not in log, log
        assert '"level": "error"' not in log, log


@pytest.fixture
async def gateway(worker: WorkerProcess) -> AsyncIterator[GatewayClient]:
    """A gateway connected to `worker`."""
    client = await worker.connect()
    yield client
    await client.close()
