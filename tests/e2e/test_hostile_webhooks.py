"""What arrives as a webhook may be anything; it costs at most itself."""

import asyncio
import contextlib
import json
import re
from collections.abc import Callable, Iterator

import aiohttp
import pytest

from gateway.demo.headless_agent import AgentError, HeadlessAgent, View
from gateway.demo.stack import Stack
from tests.e2e.conftest import SUPERVISOR
from tests.e2e.talks import (
    CUSTOMERS,
    FOURTH,
    SECOND,
    THIRD,
    dial,
    eventually,
    media_ports,
    no_leg_left,
    ring,
    take_call,
)
from tests.e2e.webhook_relay import Webhook, WebhookRelay, calls_in, post_webhook, sign

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="session"),
]
Change = Callable[[str], str]
FINGERPRINT = re.compile(r"(a=fingerprint:sha-256 )(\S+)")


def long(sdp: str) -> str:
    """Hide the description behind a line of 40 kB."""
    return f"a=x:{'y' * 40_000}\r\n{sdp}"


def with_candidate(address: str) -> Change:
    """Replace the address of every candidate and of the connection line."""
    return lambda sdp: re.sub(
        r"(a=candidate:\S+ \d+ udp \d+ )\S+", rf"\g<1>{address}", sdp, flags=re.IGNORECASE
    )


UNREADABLE: dict[str, Change] = {
    "nothing": lambda sdp: "",
    "no fingerprint": lambda sdp: FINGERPRINT.sub("a=x:y", sdp),
    "two different fingerprints": lambda sdp: FINGERPRINT.sub(
        lambda found: f"{found[0]}\r\n{found[1]}{':'.join(['AB'] * 32)}", sdp
    ),
    "a sha-1 fingerprint": lambda sdp: FINGERPRINT.sub(
        f"a=fingerprint:sha-1 {':'.join(['AB'] * 20)}", sdp
    ),
    "a short fingerprint": lambda sdp: FINGERPRINT.sub(r"\g<1>AB:CD", sdp),
    "two megabytes": lambda sdp: sdp + "a=x:" + "y" * (2 << 20) + "\r\n",
    "garbage": lambda sdp: "\x00\x01\x02 v=0 \ud800" * 50,
    "cut in half": lambda sdp: sdp[: len(sdp) // 2],
    "no opus": lambda sdp: sdp.replace("opus", "G729"),
    "no audio": lambda sdp: sdp.replace("m=audio", "m=video"),
    "a port that is no number": lambda sdp: re.sub(r"m=audio \d+", "m=audio x", sdp),
    "no ICE password": lambda sdp: re.sub(r"a=ice-pwd:\S+", "a=ice-pwd:", sdp),
    "a setup that does not exist": lambda sdp: re.sub(r"a=setup:\w+", "a=setup:holdconn", sdp),
}
UNREACHABLE = {
    address: with_candidate(address)
    for address in ("224.0.0.1", "169.254.169.254", "255.255.255.255", "::1")
}


def with_sdp(change: Change, user_id: str) -> Callable[[Webhook], Webhook]:
    """Change the SDP that a webhook brings for one customer's call."""

    def changed(webhook: Webhook) -> Webhook:
        for call in calls_in(webhook):
            is_theirs = user_id in json.dumps(call)
            if is_theirs and "session" in call:
                call["session"]["sdp"] = change(call["session"]["sdp"])
        return webhook

    return changed


@contextlib.contextmanager
def no_mistake_logged(stack: Stack) -> Iterator[None]:
    """Nothing in here makes the gateway or the worker show a traceback or an error."""
    logs = (stack.gateway_log, *stack.folder.glob("data/media/*.log"))
    before = {log: log.stat().st_size for log in logs}
    yield
    for log in logs:
        written = log.read_bytes()[before[log] :].decode()
        assert "Traceback" not in written
        assert '"level": "error"' not in written


async def test_an_agents_offer_that_cannot_be_read_is_refused_in_plain_words(
    stack: Stack, agent: HeadlessAgent
) -> None:
    peer, offer = await agent.make_offer()
    await peer.close()
    ports = media_ports(stack)
    with no_mistake_logged(stack):
        for name, change in UNREADABLE.items():
            # Of more than 256 KiB nothing is read at all.
            hostile = long if name == "two megabytes" else change
            with pytest.raises(AgentError) as caught:
                await agent.request("POST", "/agent-legs", {"offer": hostile(offer)})
            assert caught.value.status in {400, 422}, name
            codes = {"bad_sdp", "bad_value", "bad_json"}
            assert caught.value.problem["code"] in codes, name
    await no_leg_left(stack, ports)


async def newest(boss: HeadlessAgent, user_id: str) -> View:
    """The newest call with a customer."""
    calls = (await boss.request("GET", "/calls?limit=20"))["items"]
    return next(call for call in calls if call["peer"]["user_id"] == user_id)


async def test_an_offer_that_cannot_be_read_costs_its_call_alone(
    stack: Stack, agent: HeadlessAgent
) -> None:
    async with stack.agent(SUPERVISOR) as boss, WebhookRelay(stack) as relay:
        bystander = await take_call(stack, agent)
        ports = media_ports(stack)
        with no_mistake_logged(stack):
            for name, change in UNREADABLE.items():
                relay.change = with_sdp(change, SECOND)
                wacid = (await stack.sandbox.call_business(SECOND))["wacid"]
                report = await stack.sandbox.wait_for(wacid, "call.ended")
                assert report["outcome"]["ended_by"] == "business", name
                assert report["outcome"]["reason"] == "rejected", name
                view = await newest(boss, SECOND)
                assert view["outcome"] == "failed", name
                assert view["problem"]["code"] == "bad_sdp", name
                assert len(view["problem"]["detail"]) < 200, name
            await bystander.heard_both_ways()
            await no_leg_left(stack, ports)
            # The next call of the same customer is as good as any.
            relay.change = lambda webhook: webhook
            talk = await ring(stack, boss, SECOND)
            await stack.sandbox.hang_up(talk.wacid)
            await bystander.hang_up()


async def test_an_offer_that_leads_nowhere_ends_in_time_and_sends_nothing_there(
    stack: Stack, agent: HeadlessAgent
) -> None:
    async with WebhookRelay(stack) as relay:
        bystander = await take_call(stack, agent)
        ports = media_ports(stack)
        users = (SECOND, THIRD, FOURTH, list(CUSTOMERS)[4])
        changes = [
            with_sdp(change, user)
            for user, change in zip(users, UNREACHABLE.values(), strict=True)
        ]

        def change_all(webhook: Webhook) -> Webhook:
            for change in changes:
                webhook = change(webhook)
            return webhook

        relay.change = change_all
        with no_mistake_logged(stack):
            wacids = [(await stack.sandbox.call_business(user))["wacid"] for user in users]
            for wacid in wacids:
                report = await stack.sandbox.wait_for(wacid, "call.ended")
                assert report["outcome"]["ended_by"] == "business"
                assert report["ice"]["checks"] == 0
            await bystander.heard_both_ways()
            await no_leg_left(stack, ports)
            await bystander.hang_up()


async def test_an_answer_that_cannot_be_read_costs_its_call_alone(
    stack: Stack, agent: HeadlessAgent
) -> None:
    async with stack.agent(1) as other, WebhookRelay(stack) as relay:
        await other.go_ready()
        bystander = await take_call(stack, agent)
        ports = media_ports(stack)
        with no_mistake_logged(stack):
            for name in ("no fingerprint", "garbage", "no opus", "two megabytes"):
                relay.change = with_sdp(UNREADABLE[name], SECOND)
                talk = await dial(stack, other, SECOND, answer_after_s=20)
                view = await talk.ended()
                assert (view["outcome"], view["problem"]["code"]) == ("failed", "bad_sdp"), name
                assert (await talk.report())["outcome"]["ended_by"] == "business", name
            await bystander.heard_both_ways()
            await no_leg_left(stack, ports)
            await bystander.hang_up()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'{"entry": 7}',
        b'{"object": "whatsapp_business_account", "entry": [{"changes": [{"value": 1}]}]}',
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b"\xff\xfe\x00",
        b'{"object": "whatsapp_business_account", "entry": [' + b"{}," * 20_000 + b"{}]}",
    ],
    ids=["empty", "null", "list", "number", "value", "deep", "not text", "many"],
)
async def test_a_signed_body_that_makes_no_sense_is_taken_and_forgotten(
    stack: Stack, body: bytes
) -> None:
    with no_mistake_logged(stack):
        delivery = await stack.sandbox.ask(
            "POST", "/webhooks", {"body": body.decode("latin-1")}
        )

        async def is_delivered() -> bool:
            deliveries = (await stack.sandbox.ask("GET", "/webhooks"))["deliveries"]
            return any(
                each["id"] == delivery["id"] and each["is_delivered"] for each in deliveries
            )

        await eventually(is_delivered)


async def test_a_webhook_without_the_right_signature_is_refused_and_leaves_nothing(
    stack: Stack,
) -> None:
    async with stack.agent(SUPERVISOR) as boss, aiohttp.ClientSession() as http:
        talk = await ring(stack, boss)
        await stack.sandbox.hang_up(talk.wacid)
        genuine = await connect_of(stack, talk.wacid)
        forged = genuine.replace(talk.wacid.encode(), b"wacid.FORGED")
        known = len((await boss.request("GET", "/calls?limit=200"))["items"])
        right = sign(stack.app_secret, forged)
        for signature in (
            sign(stack.app_secret, genuine),
            sign("another secret", forged),
            right.replace("sha256=", "sha1="),
            right.upper(),
            right[:-1],
            "sha256=",
            "nonsense",
        ):
            assert await post_webhook(http, stack, forged, signature) == 401
        async with http.post(stack.webhook_url, data=forged) as answer:
            assert answer.status == 401
        assert len((await boss.request("GET", "/calls?limit=200"))["items"]) == known


async def test_a_webhook_that_comes_again_rings_nobody_again(
    stack: Stack, agent: HeadlessAgent
) -> None:
    async with stack.agent(SUPERVISOR) as boss, aiohttp.ClientSession() as http:
        talk = await take_call(stack, agent)
        genuine = await connect_of(stack, talk.wacid)
        known = len((await boss.request("GET", "/calls?limit=200"))["items"])
        again = [post_webhook(http, stack, genuine) for _ in range(20)]
        assert set(await asyncio.gather(*again)) == {200}
        await talk.heard_both_ways()
        await talk.customer_hangs_up()
        again = [post_webhook(http, stack, genuine) for _ in range(20)]
        assert set(await asyncio.gather(*again)) == {200}
        late = await ring(stack, agent, SECOND)
        await stack.sandbox.hang_up(late.wacid)
        assert len((await boss.request("GET", "/calls?limit=200"))["items"]) == known + 1


async def test_a_flood_of_unsigned_webhooks_leaves_calls_alone(
    stack: Stack, agent: HeadlessAgent
) -> None:
    talk = await take_call(stack, agent)
    await talk.heard_both_ways()
    body = b'{"object": "whatsapp_business_account", "entry": []}'
    async with stack.agent(SUPERVISOR) as boss, aiohttp.ClientSession() as http:
        for _ in range(10):
            flood = [post_webhook(http, stack, body, "sha256=0") for _ in range(100)]
            assert set(await asyncio.gather(*flood)) == {401}
        await talk.heard_both_ways()
        late = await ring(stack, boss, SECOND)
        await stack.sandbox.hang_up(late.wacid)
    assert (await talk.hang_up())["outcome"] == "completed"


async def connect_of(stack: Stack, wacid: str) -> bytes:
    """The body of the webhook that announced a call, byte for byte."""
    deliveries = (await stack.sandbox.ask("GET", "/webhooks", wacid=wacid))["deliveries"]
    body: str = next(each["body"] for each in deliveries if each["name"] == "calls.connect")
    return body.encode()
