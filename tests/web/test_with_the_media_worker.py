"""The browser's leg against the real media worker instead of a peer of the tests."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page
from typing_extensions import override

from media.protocol import LegKind
from tests.media.gateway_client import GatewayClient
from tests.media.worker_process import running_worker
from tests.web import softphone
from tests.web.agent_legs import AgentLeg
from tests.web.fake_gateway import FakeGateway
from tests.web.scenes import PAUSE_S, TRIES, until

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


class WorkerLeg(AgentLeg):
    """A leg that the worker answers."""

    def __init__(self, worker: GatewayClient) -> None:
        super().__init__()
        self.worker = worker

    @override
    async def answer(self, offer: str, *, blocked: bool) -> str:
        return await self.worker.answer_offer(self.leg_id, LegKind.AGENT, offer)

    @override
    async def close(self) -> None:
        await self.worker.close_leg(self.leg_id)
        await super().close()


@pytest_asyncio.fixture(loop_scope="session")
async def worker(gateway: FakeGateway) -> AsyncIterator[GatewayClient]:
    with running_worker() as process:
        client = await process.connect()
        gateway.make_leg = lambda: WorkerLeg(client)
        yield client
        await client.close()


async def hears(worker: GatewayClient, leg_id: str, packets: int) -> None:
    """Return once the worker got so many more packets on a leg."""
    first: int | None = None
    for _ in range(TRIES):
        legs = {leg.leg_id: leg.packets_in for leg in (await worker.snapshot()).legs}
        first = legs[leg_id] if first is None else first
        if legs[leg_id] >= first + packets:
            return
        await asyncio.sleep(PAUSE_S)
    raise AssertionError("the stream stands still")


async def test_the_worker_gets_a_steady_stream_and_its_loss_is_noticed_at_once(
    page: Page, gateway: FakeGateway, worker: GatewayClient
) -> None:
    await softphone.go_ready(page)
    (leg_id,) = gateway.legs
    await hears(worker, leg_id, packets=100)  # outside a call: silence, but packets

    await worker.close_leg(leg_id)
    await until(lambda: bool(set(gateway.legs) - {leg_id}), "another leg is made")
    await softphone.expect_status(page, "Ready")
    (other,) = set(gateway.legs) - {leg_id}
    await hears(worker, other, packets=20)
    await softphone.go_away(page)
    await until(lambda: gateway.legs == {}, "both are given back")
