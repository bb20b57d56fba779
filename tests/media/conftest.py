"""Fixtures of the media tests."""

from collections.abc import AsyncIterator, Iterator

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


@pytest.fixture(scope="module")
def worker() -> Iterator[WorkerProcess]:
    """One worker for the tests of a module, which each leave no leg behind."""
    with running_worker() as process:
        yield process


@pytest.fixture
async def gateway(worker: WorkerProcess) -> AsyncIterator[GatewayClient]:
    """A gateway newer than that of the test before; closes what legs are left."""
    client = await worker.connect()
    assert client.welcome.snapshot.legs == ()
    yield client
    for leg in (await client.snapshot()).legs:
        client.epoch = max(client.epoch, leg.epoch)
        await client.close_leg(leg.leg_id)
    await client.close()
