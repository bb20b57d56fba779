"""Somebody without any right shouts at the media ports while calls are set up."""

import asyncio
import socket
from collections import Counter
from types import TracebackType
from typing import Self

import pytest

from gateway.demo.stack import Stack
from media.dtls import DtlsEndpoint, make_certificate
from tests.conftest import Rounds
from tests.e2e.talks import (
    CUSTOMER,
    CUSTOMERS,
    TONE,
    Talk,
    eventually,
    media_ports,
    no_leg_left,
    ring,
)

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.soak,
    pytest.mark.timeout(900),
    pytest.mark.asyncio(loop_scope="session"),
]
HELLOS_PER_S = 20


class Stranger:
    """Sends a ClientHello at every media port there is, twenty times a second each."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.sent: Counter[tuple[str, int]] = Counter()

    async def __aenter__(self) -> Self:
        certificate = make_certificate()
        endpoint = DtlsEndpoint(certificate, "client", certificate.fingerprint)
        endpoint.start()
        self._hello = endpoint.datagrams_to_send()[0]
        self._task = asyncio.create_task(self._shout())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _shout(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            while True:
                for address in media_ports(self._stack):
                    sock.sendto(self._hello, address)
                    self.sent[address] += 1
                await asyncio.sleep(1 / HELLOS_PER_S)


async def test_every_call_connects_while_a_stranger_sends_client_hellos(
    stack: Stack, rounds: Rounds
) -> None:
    async with stack.agent() as agent, Stranger(stack) as stranger:
        await agent.request("PUT", "/me/availability", {"availability": "available"})
        ports = media_ports(stack)
        for index in range(rounds(quick=10, soak=50)):
            # Every call comes with a leg of its own, so that both legs are set up under fire.
            if index % 2 == 0:
                talk = await ring(stack, agent)
                await agent.answer_afresh(talk.call_id)
            else:
                await stack.sandbox.behave(CUSTOMER, answer_after_s=0.2, says=TONE)
                known = len(await stack.sandbox.calls())
                view = await agent.dial_afresh(CUSTOMERS[CUSTOMER])
                wacid = (await stack.sandbox.calls(count=known + 1))[-1]["wacid"]
                talk = Talk(stack, agent, view["id"], wacid)
            await agent.wait_state(talk.call_id, "talking")
            await talk.heard_both_ways()
            assert (await talk.hang_up())["outcome"] == "completed"
            assert (await talk.report())["faults"] == {}
            await agent.drop_leg()
        await no_leg_left(stack, ports)

        async def is_closed() -> bool:
            return not media_ports(stack)

        await eventually(is_closed)
    calls = rounds(quick=10, soak=50)
    assert len(stranger.sent) >= 2 * calls, "both legs of each call were found"
    assert sum(stranger.sent.values()) > HELLOS_PER_S * calls
