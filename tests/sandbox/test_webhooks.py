"""Webhooks: signed over the exact bytes, retried, and wrong on demand."""

import asyncio
import hashlib
import hmac

from sandbox.config import BusinessNumber, PermissionStatus, Timings, UserSpec
from sandbox.faults import FaultKind, FaultSpec
from sandbox.personas import PermissionReply, Persona
from sandbox.sandbox import Sandbox
from sandbox.webhook_sender import encode_payload
from tests.sandbox.business import ANN, PNID, Business, answer_session
from tests.sandbox.sdp_samples import ANSWER

RETRIES = Timings(speed=20, webhook_retry_delays_s=(0.05, 0.05))


def test_text_outside_ascii_and_slashes_are_escaped_as_meta_does() -> None:
    assert encode_payload({"name": "Zoë", "type": "audio/ogg"}) == (
        b'{"name":"Zo\\u00eb","type":"audio\\/ogg"}'
    )


async def test_the_signature_covers_the_raw_bytes(business: Business) -> None:
    ann = ANN.model_copy(update={"name": "Zoë Ångström"})
    async with Sandbox(business.config(users=[ann])) as sandbox:
        await sandbox.exchange.call_business("US.1")
        connect = await business.wait("calls", "connect")
        assert connect["_value"]["contacts"][0]["profile"]["name"] == "Zoë Ångström"
        body, signature = business.raw[0]
        expected = hmac.new(b"sandbox-app-secret", body, hashlib.sha256).hexdigest()
        assert signature == f"sha256={expected}"
        assert b"Zo\\u00eb" in body


async def test_the_callback_is_verified_by_its_token(business: Business) -> None:
    async with Sandbox(business.config()) as sandbox:
        assert (await sandbox.exchange.webhooks.verify())[0]
        business.verify_token = "another"
        is_verified, answer = await sandbox.exchange.webhooks.verify()
        assert not is_verified
        assert answer.startswith("403")


async def test_a_refused_webhook_is_sent_again(business: Business) -> None:
    business.answer_status = lambda count: 503 if count < 3 else 200
    async with Sandbox(business.config(users=[ANN], timings=RETRIES)) as sandbox:
        call = await sandbox.exchange.call_business("US.1")
        await call.record.wait_for("webhook.acked.calls.connect", 20)
        delivery = sandbox.exchange.webhooks.deliveries[0]
        assert [attempt.status for attempt in delivery.attempts] == [503, 503, 200]
        assert len({body for body, _ in business.raw}) == 1


async def test_retries_come_to_an_end(business: Business) -> None:
    business.answer_status = lambda _count: 500
    async with Sandbox(business.config(users=[ANN], timings=RETRIES)) as sandbox:
        await sandbox.exchange.call_business("US.1")
        delivery = sandbox.exchange.webhooks.deliveries[0]
        async with asyncio.timeout(20):
            await delivery.finished.wait()
        assert delivery.is_given_up
        assert len(delivery.attempts) == 3


async def test_a_business_that_is_down_gets_the_webhook_later(business: Business) -> None:
    url = business.url
    config = business.config(users=[ANN], timings=RETRIES)
    async with Sandbox(config) as sandbox:
        sandbox.exchange.webhooks.url = "http://127.0.0.1:1/hook"
        call = await sandbox.exchange.call_business("US.1")
        refused = await call.record.wait_for("webhook.refused.calls.connect", 20)
        assert refused.detail["status"] is None
        sandbox.exchange.webhooks.url = url
        await business.wait("calls", "connect")


async def test_a_webhook_can_be_delivered_twice(business: Business) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        sandbox.exchange.faults.add(FaultSpec(kind=FaultKind.WEBHOOK_DUPLICATE))
        await sandbox.exchange.call_business("US.1")
        first, second = sandbox.exchange.webhooks.deliveries
        async with asyncio.timeout(20):
            await first.finished.wait()
            await second.finished.wait()
        assert business.raw[0] == business.raw[1]


async def test_a_webhook_can_be_overtaken_by_the_next(business: Business) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        spec = FaultSpec(kind=FaultKind.WEBHOOK_REORDER, match="calls.connect", seconds=20)
        sandbox.exchange.faults.add(spec)
        call = await sandbox.exchange.call_business("US.1")
        call.hang_up()
        await business.wait("calls", "connect")
        events = [
            body["entry"][0]["changes"][0]["value"]["calls"][0]["event"]
            for body in business.received
        ]
        assert events == ["terminate", "connect"]


async def test_a_webhook_can_be_lost_at_first(business: Business) -> None:
    async with Sandbox(business.config(users=[ANN], timings=RETRIES)) as sandbox:
        sandbox.exchange.faults.add(FaultSpec(kind=FaultKind.WEBHOOK_DROP))
        await sandbox.exchange.call_business("US.1")
        await business.wait("calls", "connect")
        async with asyncio.timeout(20):
            await sandbox.exchange.webhooks.deliveries[0].finished.wait()
        attempts = sandbox.exchange.webhooks.deliveries[0].attempts
        assert [attempt.status for attempt in attempts] == [None, 200]


async def test_webhooks_can_come_in_one_body(business: Business) -> None:
    timings = Timings(uic_connect_webhook_s=0, terminate_webhook_s=0.3)
    async with Sandbox(business.config(users=[ANN], timings=timings)) as sandbox:
        spec = FaultSpec(kind=FaultKind.WEBHOOK_BATCH, match="calls.connect", seconds=20)
        sandbox.exchange.faults.add(spec)
        call = await sandbox.exchange.call_business("US.1")
        call.hang_up()
        await call.record.wait_for("webhook.acked.calls.connect", 20)
        events = [
            entry["changes"][0]["value"]["calls"][0]["event"]
            for entry in business.received[-1]["entry"]
        ]
        assert events == ["connect", "terminate"]
        assert all(one.is_delivered for one in sandbox.exchange.webhooks.deliveries)


async def test_a_webhook_that_waits_for_another_in_vain_goes_alone(business: Business) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        sandbox.exchange.faults.add(FaultSpec(kind=FaultKind.WEBHOOK_BATCH, seconds=0.1))
        await sandbox.exchange.call_business("US.1")
        await business.wait("calls", "connect")


async def test_a_delayed_webhook_keeps_its_time_stamp(business: Business) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        spec = FaultSpec(kind=FaultKind.WEBHOOK_DELAY, match="calls.connect", seconds=1.2)
        sandbox.exchange.faults.add(spec)
        call = await sandbox.exchange.call_business("US.1")
        connect = await business.wait("calls", "connect")
        assert connect["timestamp"] == str(int(call.began_at))
        sent = call.record.first("webhook.sent.calls.connect")
        assert sent is not None
        assert sent.at_ms > 1200


async def test_a_permission_request_is_answered_by_the_persona(business: Business) -> None:
    persona = Persona(permission_reply=PermissionReply.TEMPORARY)
    ann = ANN.model_copy(update={"persona": persona, "permission": PermissionStatus.NONE})
    async with Sandbox(business.config(users=[ann])) as sandbox:
        business.graph_url = sandbox.graph_url
        body = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": "+14085551234",
            "type": "interactive",
            "interactive": {
                "type": "call_permission_request",
                "action": {"name": "call_permission_request"},
                "body": {"text": "May we call you?"},
            },
        }
        status, answer = await business.post(f"/v23.0/{PNID}/messages", body)
        assert status == 200
        assert answer["contacts"][0]["user_id"] == "US.1"
        message = await business.wait("messages", "interactive")
        reply = message["interactive"]["call_permission_reply"]
        assert reply["response"] == "accept"
        assert reply["is_permanent"] is False
        assert int(reply["expiration_timestamp"]) > int(message["timestamp"])
        assert message["context"]["id"] == answer["messages"][0]["id"]
        permissions = await business.get_ok(
            f"/v23.0/{PNID}/call_permissions", user_wa_id="14085551234"
        )
        assert permissions["permission"]["status"] == "temporary"
        start_call = permissions["actions"][1]
        assert start_call["action_name"] == "start_call"
        assert start_call["can_perform_action"] is True


async def test_calling_grants_a_callback_where_the_business_asked_for_it(
    business: Business,
) -> None:
    ann = ANN.model_copy(update={"permission": PermissionStatus.NONE})
    async with Sandbox(business.config(users=[ann])) as sandbox:
        business.graph_url = sandbox.graph_url
        settings = {"calling": {"callback_permission_status": "ENABLED"}}
        await business.post(f"/v23.0/{PNID}/settings", settings)
        call = await sandbox.exchange.call_business("US.1")
        message = await business.wait("messages", "interactive")
        reply = message["interactive"]["call_permission_reply"]
        assert reply["response_source"] == "automatic"
        assert message["context"]["id"] == call.wacid
        found = await business.get_ok(f"/v23.0/{PNID}/settings")
        assert found["calling"]["callback_permission_status"] == "ENABLED"


async def test_time_stamps_and_date_headers_show_a_skewed_clock(business: Business) -> None:
    timings = Timings(speed=20, clock_skew_s=3600)
    async with Sandbox(business.config(users=[ANN], timings=timings)) as sandbox:
        business.graph_url = sandbox.graph_url
        call = await sandbox.exchange.call_business("US.1")
        await business.act_ok("accept", call_id=call.wacid, session=answer_session(ANSWER))
        connect = await business.wait("calls", "connect")
        assert abs(int(connect["timestamp"]) - sandbox.exchange.wall_time()) < 60


async def test_each_number_has_its_own_account_in_the_envelope(business: Business) -> None:
    numbers = [
        BusinessNumber(phone_number_id="1", waba_id="10", display_phone_number="111"),
        BusinessNumber(phone_number_id="2", waba_id="20", display_phone_number="222"),
    ]
    users = [ANN, UserSpec(user_id="US.2")]
    async with Sandbox(business.config(users=users, numbers=numbers)) as sandbox:
        await sandbox.exchange.call_business("US.2", "2")
        connect = await business.wait("calls", "connect")
        assert connect["_value"]["metadata"]["phone_number_id"] == "2"
        assert connect["to"] == "222"
        assert business.received[0]["entry"][0]["id"] == "20"
