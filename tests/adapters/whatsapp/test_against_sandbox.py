"""The Graph client and the webhook reader against the stand-in for Meta, as a process."""

import asyncio
import itertools
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from aiohttp import ClientSession, web

from gateway.adapters.system_clock import SystemClock
from gateway.adapters.whatsapp_api import WhatsAppCalls
from gateway.adapters.whatsapp_graph import GraphClient, GraphTimeouts
from gateway.adapters.whatsapp_reader import read_webhook
from gateway.adapters.whatsapp_webhook import split_delivery
from gateway.core.errors import WhatsAppRefused, WhatsAppUnclear
from gateway.core.ids import CallId, Wacid
from gateway.core.whatsapp import (
    BusinessConnect,
    CallStatus,
    Peer,
    StatusChanged,
    Terminated,
    UserConnect,
    WhatsAppEvent,
)
from gateway.http.webhook_signature import WebhookSecrets
from gateway.ports.calls import TraceLine
from tests.adapters.whatsapp.graph_peer import NUMBER

pytestmark = pytest.mark.e2e

CALL = CallId("c" * 26)
_phones = itertools.count(628110000002)
OFFER = "\r\n".join(
    (
        "v=0",
        "o=- 1790000000 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=audio 40000 UDP/TLS/RTP/SAVPF 111 126",
        "c=IN IP4 127.0.0.1",
        "a=rtcp:9 IN IP4 0.0.0.0",
        "a=candidate:1 1 udp 2130706431 127.0.0.1 40000 typ host",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:abcdefghijklmnopqrstuvwx",
        "a=fingerprint:sha-256 " + ":".join(["AB"] * 32),
        "a=setup:actpass",
        "a=mid:0",
        "a=sendrecv",
        "a=rtcp-mux",
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=rtpmap:126 telephone-event/8000",
        "a=ptime:20",
        "a=maxptime:20",
        "a=ssrc:1234 cname:callgate",
        "",
    )
)
ANSWER = (
    OFFER.replace("actpass", "active")
    .replace("a=mid:0", "a=mid:audio")
    .replace("BUNDLE 0", "BUNDLE audio")
)
SECRETS = WebhookSecrets(app_secrets=["sandbox-secret"], verify_token="sandbox-verify")


@dataclass
class Meta:
    """The stand-in, our client for it, and what it told us."""

    calls: WhatsAppCalls
    http: ClientSession
    url: str
    events: "asyncio.Queue[WhatsAppEvent]"
    trace: list[TraceLine]
    phone: str = field(default_factory=lambda: str(next(_phones)))

    async def control(self, method: str, path: str, body: object = None) -> Any:
        async with self.http.request(method, f"{self.url}/sandbox{path}", json=body) as answer:
            text = await answer.text()
            assert answer.status < 400, text
            return json.loads(text) if text else None

    async def event(self, kind: type[Any]) -> Any:
        while not isinstance(event := await self.events.get(), kind):
            pass
        return event

    async def connect(self, **changes: Any) -> Wacid:
        number = replace(NUMBER, **changes)
        return await self.calls.connect(
            number, call_id=CALL, to=Peer(phone=self.phone), offer=OFFER
        )


@pytest.fixture(scope="module")
def sandbox_url() -> Iterator[str]:
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "sandbox", "--port", "0", "--media-host", "127.0.0.1"),
            *("--app-secret", "sandbox-secret", "--verify-token", "sandbox-verify"),
            *("--access-token", NUMBER.token),
        ],
        stdout=subprocess.PIPE,
    )
    assert process.stdout
    with process:
        yield json.loads(process.stdout.readline())["graph_url"]
        process.terminate()


@pytest.fixture
async def meta(sandbox_url: str) -> AsyncIterator[Meta]:
    events: asyncio.Queue[WhatsAppEvent] = asyncio.Queue()

    async def deliver(request: web.Request) -> web.Response:
        body = await request.read()
        if not SECRETS.signed(body, request.headers["X-Hub-Signature-256"]):
            return web.Response(status=401)
        for item in split_delivery(body):
            event = read_webhook(item)
            if event is not None:
                events.put_nowait(event)
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", deliver)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        hook = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        trace: list[TraceLine] = []
        clock = SystemClock()
        graph = GraphClient(
            base_url=sandbox_url,
            version="v25.0",
            clock=clock,
            on_request=trace.append,
            timeouts=GraphTimeouts(connect_s=5, start_call_s=2, action_s=2),
        )
        async with ClientSession() as http, graph:
            meta = Meta(WhatsAppCalls(graph, clock=clock), http, sandbox_url, events, trace)
            await meta.control("DELETE", "/faults")
            await meta.control("PUT", "/webhook", {"url": hook})
            yield meta
            await meta.control("PUT", "/webhook", {"url": None})
    finally:
        await runner.cleanup()


async def a_user(meta: Meta, **changes: Any) -> str:
    spec = {"wa_id": meta.phone, "name": "Siti", "permission": "permanent", **changes}
    user: str = (await meta.control("POST", "/users", spec))["user_id"]
    return user


async def test_our_call_from_connect_to_the_end(meta: Meta) -> None:
    user_id = await a_user(meta, persona={"answers": "never"})
    wacid = await meta.connect()
    ringing = await meta.event(StatusChanged)
    assert (ringing.status, ringing.wacid, ringing.call_id) == (
        CallStatus.RINGING,
        wacid,
        CALL,
    )
    assert (ringing.peer.phone, ringing.peer.user_id) == (meta.phone, user_id)
    answered = await meta.event(BusinessConnect)
    assert answered.call_id == CALL
    assert answered.answer.startswith("v=0\r\n")
    await meta.calls.terminate(NUMBER, call_id=CALL, wacid=wacid)
    over = await meta.event(Terminated)
    assert (over.wacid, over.call_id) == (wacid, CALL)
    # Whoever hangs up second finds the call ended, and that is fine.
    await meta.calls.terminate(NUMBER, call_id=CALL, wacid=wacid)
    assert abs(meta.calls.clock_offset_s()) < 2


async def test_a_users_call_is_answered_with_one_description(meta: Meta) -> None:
    user_id = await a_user(meta)
    await meta.control("POST", "/calls", {"user_id": user_id})
    came = await meta.event(UserConnect)
    assert came.peer == Peer(phone=meta.phone, user_id=user_id, name="Siti")
    answer = ANSWER
    await meta.calls.pre_accept(NUMBER, call_id=CALL, wacid=came.wacid, answer=answer)
    changed = answer.replace("a=ptime:20\r\n", "")
    with pytest.raises(WhatsAppRefused) as caught:
        await meta.calls.accept(NUMBER, call_id=CALL, wacid=came.wacid, answer=changed)
    assert caught.value.fault.details
    await meta.calls.accept(NUMBER, call_id=CALL, wacid=came.wacid, answer=answer)
    # Sent again after a lost answer, it is found accepted.
    await meta.calls.accept(NUMBER, call_id=CALL, wacid=came.wacid, answer=answer)
    await meta.calls.terminate(NUMBER, call_id=CALL, wacid=came.wacid)


async def test_a_users_call_is_rejected(meta: Meta) -> None:
    user_id = await a_user(meta)
    await meta.control("POST", "/calls", {"user_id": user_id})
    came = await meta.event(UserConnect)
    await meta.calls.reject(NUMBER, call_id=CALL, wacid=came.wacid)
    assert (await meta.event(Terminated)).wacid == came.wacid
    await meta.calls.reject(NUMBER, call_id=CALL, wacid=came.wacid)


async def test_refusals_keep_metas_code(meta: Meta) -> None:
    await a_user(meta, permission="no_permission")
    with pytest.raises(WhatsAppRefused) as caught:
        await meta.connect()
    assert caught.value.fault.code == 138006
    with pytest.raises(WhatsAppRefused) as caught:
        await meta.connect(token="EAAexpired")
    assert caught.value.fault.code == 190
    assert len(meta.trace) == 2


@pytest.mark.parametrize("has_effect", [False, True])
@pytest.mark.parametrize("kind", ["graph_time_out", "graph_reset", "graph_html"])
async def test_a_connect_whose_answer_is_lost_is_sent_once_and_told_by_its_webhook(
    meta: Meta, kind: str, has_effect: bool
) -> None:
    user_id = await a_user(meta)
    fault = {"kind": kind, "match": "calls.connect", "after_effect": has_effect, "seconds": 9}
    await meta.control("POST", "/faults", fault)
    with pytest.raises(WhatsAppUnclear):
        await meta.connect()
    assert len(meta.trace) == 1
    calls = (await meta.control("GET", "/calls"))["calls"]
    assert sum(call["user_id"] == user_id for call in calls) == has_effect
    if has_effect:
        assert (await meta.event(BusinessConnect)).call_id == CALL


@pytest.mark.parametrize("has_effect", [False, True])
@pytest.mark.parametrize("kind", ["graph_time_out", "graph_reset", "graph_server_error"])
async def test_an_accept_whose_answer_is_lost_is_repeated_and_counts(
    meta: Meta, kind: str, has_effect: bool
) -> None:
    user_id = await a_user(meta)
    await meta.control("POST", "/calls", {"user_id": user_id})
    came = await meta.event(UserConnect)
    fault = {"kind": kind, "match": "calls.accept", "after_effect": has_effect, "seconds": 9}
    await meta.control("POST", "/faults", fault)
    await meta.calls.accept(NUMBER, call_id=CALL, wacid=came.wacid, answer=ANSWER)
    assert [line.step for line in meta.trace] == ["accept", "accept"]
    await meta.calls.terminate(NUMBER, call_id=CALL, wacid=came.wacid)
    assert (await meta.event(Terminated)).wacid == came.wacid
