"""What the Graph API does wrong when told to."""

import asyncio
from typing import Any

import aiohttp
import pytest

from sandbox.call_state import CallState
from sandbox.faults import FaultKind, Faults, FaultSpec
from sandbox.sandbox import Sandbox
from tests.sandbox.business import ANN, PNID, Business, answer_session
from tests.sandbox.sdp_samples import ANSWER

TERMINATE = {"messaging_product": "whatsapp", "action": "terminate"}


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        (FaultKind.GRAPH_SERVER_ERROR, 503, 2),
        (FaultKind.GRAPH_RATE_LIMITED, 429, 138005),
        (FaultKind.GRAPH_EXPIRED_TOKEN, 401, 190),
    ],
)
async def test_an_ordered_error_hits_once(
    business: Business, kind: FaultKind, status: int, code: int
) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        sandbox.exchange.faults.add(FaultSpec(kind=kind, retry_after_s=7))
        call = await sandbox.exchange.call_business("US.1")
        body = TERMINATE | {"call_id": call.wacid}
        async with business.post_raw(f"/v23.0/{PNID}/calls", body) as response:
            assert response.status == status
            assert (await response.json())["error"]["code"] == code
            if status == 429:
                assert response.headers["Retry-After"] == "7"
        assert call.state is CallState.RINGING
        await business.act_ok("terminate", call_id=call.wacid)


async def test_an_error_page_is_html(business: Business) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        sandbox.exchange.faults.add(FaultSpec(kind=FaultKind.GRAPH_HTML))
        async with business.post_raw(f"/v23.0/{PNID}/calls", TERMINATE) as response:
            assert response.status == 502
            assert response.content_type == "text/html"


@pytest.mark.parametrize("kind", [FaultKind.GRAPH_TIME_OUT, FaultKind.GRAPH_RESET])
@pytest.mark.parametrize("after_effect", [False, True])
async def test_no_answer_comes_before_or_after_the_effect(
    business: Business, kind: FaultKind, *, after_effect: bool
) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        call = await sandbox.exchange.call_business("US.1")
        spec = FaultSpec(
            kind=kind, match="calls.accept", seconds=0.2, after_effect=after_effect
        )
        sandbox.exchange.faults.add(spec)
        with pytest.raises(aiohttp.ClientError):
            await business.act("accept", call_id=call.wacid, session=answer_session(ANSWER))
        expected = CallState.ACCEPTED if after_effect else CallState.RINGING
        assert call.state is expected
        status, answer = await business.act(
            "accept", call_id=call.wacid, session=answer_session(ANSWER)
        )
        if after_effect:
            assert "already in progress" in answer["error"]["error_data"]["details"]
        else:
            assert status == 200


async def test_a_slow_body_is_the_true_answer(business: Business) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        call = await sandbox.exchange.call_business("US.1")
        sandbox.exchange.faults.add(FaultSpec(kind=FaultKind.GRAPH_SLOW_BODY, seconds=0.5))
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert await business.act_ok("terminate", call_id=call.wacid) == {
            "messaging_product": "whatsapp",
            "success": True,
        }
        assert loop.time() - began >= 0.5


async def test_who_does_not_wait_for_a_slow_body_is_no_mistake_of_ours(
    business: Business, caplog: pytest.LogCaptureFixture
) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        call = await sandbox.exchange.call_business("US.1")
        sandbox.exchange.faults.add(FaultSpec(kind=FaultKind.GRAPH_SLOW_BODY, seconds=0.5))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await business.act_ok("terminate", call_id=call.wacid)
        await call.record.wait_for("call.ended", timeout_s=10)
        await asyncio.sleep(0.5)
    assert "Traceback" not in caplog.text


async def test_only_what_matches_is_hit(business: Business) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        call = await sandbox.exchange.call_business("US.1")
        fault = sandbox.exchange.faults.add(
            FaultSpec(kind=FaultKind.GRAPH_SERVER_ERROR, match="calls.accept", times=None)
        )
        await business.act_ok("pre_accept", call_id=call.wacid, session=answer_session(ANSWER))
        for _ in range(3):
            status, _answer = await business.act(
                "accept", call_id=call.wacid, session=answer_session(ANSWER)
            )
            assert status == 503
        assert fault.fired == 3
        assert sandbox.exchange.faults.remove(fault.fault_id)
        await business.act_ok("accept", call_id=call.wacid, session=answer_session(ANSWER))


def test_a_probability_hits_about_that_often() -> None:
    faults = Faults(seed=1)
    faults.add(FaultSpec(kind=FaultKind.GRAPH_RESET, times=None, probability=0.25))
    hits = sum(faults.take("graph", "messages") is not None for _ in range(2000))
    assert 400 < hits < 600


def test_orders_are_bounded() -> None:
    faults = Faults()
    added: list[Any] = [faults.add(FaultSpec(kind=FaultKind.GRAPH_RESET)) for _ in range(300)]
    assert len(faults.all()) == 200
    assert faults.all()[-1] is added[-1]
