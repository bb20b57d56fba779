"""The control API over HTTP, and the program that serves it."""

import asyncio
import io
import json
import signal
import sys
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sandbox.sandbox import Sandbox
from tests.sandbox.business import ANN, Business


class Control:
    """A client of the control API."""

    def __init__(self, url: str, client: aiohttp.ClientSession) -> None:
        self._url, self._client = url, client

    async def __call__(
        self, method: str, path: str, body: object = None, expect: int = 200, **query: str
    ) -> Any:
        async with self._client.request(
            method, f"{self._url}{path}", json=body, params=query
        ) as response:
            assert response.status == expect, await response.text()
            if response.content_type == "application/json":
                return await response.json()
            return await response.read()


@pytest.fixture
async def sandbox(business: Business) -> AsyncIterator[Sandbox]:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        yield sandbox


@pytest.fixture
async def control(sandbox: Sandbox) -> AsyncIterator[Control]:
    async with aiohttp.ClientSession() as client:
        yield Control(sandbox.control_url, client)


async def test_a_whole_call_can_be_driven_and_read(
    business: Business, control: Control
) -> None:
    call = await control("POST", "/calls", {"user_id": "14085551234"}, expect=201)
    path = f"/calls/{call['wacid']}"
    peer = business.peer()
    await business.pick_up(peer)
    await control("GET", path, wait_for="rtp.first_heard")
    await peer.heard_enough.wait()
    await control("POST", f"{path}/press", {"digits": "1"})
    await control("POST", f"{path}/mute", {"is_muted": True})
    await control("POST", f"{path}/hang_up")
    report = await control("GET", path, wait_for="webhook.acked.calls.terminate")
    assert report["state"] == "ended"
    assert report["outcome"]["ended_by"] == "user"
    assert report["outcome"]["reason"] == "hung_up"
    events = [moment["event"] for moment in report["timeline"]]
    order = [
        "user.dialled",
        "webhook.sent.calls.connect",
        "webhook.acked.calls.connect",
        "graph.accept",
        "call.accepted",
        "ice.nominated",
        "dtls.connected",
        "rtp.first_heard",
        "call.ended",
        "webhook.sent.calls.terminate",
    ]
    assert sorted(order, key=events.index) == order
    offsets = [moment["at_ms"] for moment in report["timeline"]]
    assert offsets == sorted(offsets)
    assert report["faults"] == {}
    assert report["received"]["packets"] > 50
    assert report["sent"]["packets"] > 50
    assert report["dtls"] == {"state": "closed", "role": "server"}
    assert abs(report["heard"]["dominant_hz"] - 700) < 5
    assert report["heard"]["first_packet_at_ms"] > 0
    heard = await control("GET", f"{path}/heard", from_s="0.5", to_s="1.0")
    assert len(heard["levels_dbfs"]) == 25
    with wave.open(io.BytesIO(await control("GET", f"{path}/heard.wav"))) as reader:
        assert (reader.getframerate(), reader.getnchannels()) == (48_000, 1)
        assert reader.getnframes() >= 48_000


async def test_users_can_be_added_and_changed(control: Control) -> None:
    spec = {"user_id": "ID.77", "name": "Budi", "permission": "no_permission"}
    added = await control("POST", "/users", spec, expect=201)
    assert added["persona"]["answers"] == "yes"
    changed = await control("PATCH", "/users/ID.77", {"wa_id": "628111222333"})
    assert (changed["name"], changed["wa_id"]) == ("Budi", "628111222333")
    persona = {"answers": "rejects", "says": {"kind": "tone", "frequency_hz": 600}}
    changed = await control("PUT", "/users/628111222333/persona", persona)
    assert changed["persona"]["says"]["frequency_hz"] == 600
    found = await control("PUT", "/users/ID.77/permission", {"status": "temporary"})
    assert found["permission"]["status"] == "temporary"
    assert len((await control("GET", "/users"))["users"]) == 2


async def test_calls_of_the_business_can_be_waited_for_and_answered(
    business: Business, sandbox: Sandbox, control: Control
) -> None:
    await control("PUT", "/users/US.1/persona", {"answers": "never"})
    waiting = asyncio.create_task(control("GET", "/calls", wait_for_count="1"))
    await business.dial(sandbox, business.peer())
    (call,) = (await waiting)["calls"]
    assert call["direction"] == "BUSINESS_INITIATED"
    answered = await control("POST", f"/calls/{call['wacid']}/answer")
    assert answered["state"] == "accepted"
    await business.wait("statuses", "ACCEPTED")
    assert await control("GET", "/calls", user_id="US.9") == {"calls": []}


async def test_faults_can_be_ordered_listed_and_withdrawn(control: Control) -> None:
    fault = await control("POST", "/faults", {"kind": "graph_reset"}, expect=201)
    assert (fault["fired"], fault["times"], fault["match"]) == (0, 1, "*")
    assert (await control("GET", "/faults"))["faults"] == [fault]
    await control("DELETE", f"/faults/{fault['id']}", expect=204)
    await control("DELETE", f"/faults/{fault['id']}", expect=404)
    await control("POST", "/faults", {"kind": "graph_reset"}, expect=201)
    await control("DELETE", "/faults", expect=204)
    assert (await control("GET", "/faults"))["faults"] == []


async def test_any_bytes_can_be_injected_as_a_webhook(
    business: Business, control: Control
) -> None:
    body = '{"object" : "whatsapp_business_account","entry":[{"changes":[{"value":{}}]}]}'
    delivery = await control("POST", "/webhooks", {"body": body, "name": "odd"}, expect=201)
    await business.wait_for_bodies(1)
    assert business.raw[0][0] == body.encode()
    (listed,) = (await control("GET", "/webhooks"))["deliveries"]
    assert listed["id"] == delivery["id"]
    assert listed["name"] == "odd"


async def test_the_callback_can_be_set_and_verified(
    business: Business, control: Control
) -> None:
    assert (await control("POST", "/webhook/verify"))["is_verified"] is True
    await control("PUT", "/webhook", {"url": None})
    answer = await control("POST", "/webhook/verify")
    assert answer == {"is_verified": False, "answer": "no webhook_url is set"}
    assert (await control("GET", ""))["webhook_url"] is None


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/users/nobody", None, 404),
        ("GET", "/calls/wacid.none", None, 404),
        ("POST", "/calls", {"user_id": "nobody"}, 404),
        ("POST", "/calls", {"user_id": "US.1", "phone_number_id": "9"}, 404),
        ("POST", "/calls", {}, 422),
        ("POST", "/calls", {"user_id": "US.1", "surprise": 1}, 422),
        ("POST", "/users", {"user_id": "small letters"}, 422),
        ("PUT", "/users/US.1/persona", {"says": {"kind": "song"}}, 422),
        ("POST", "/faults", {"kind": "flood"}, 422),
        ("POST", "/faults", {"kind": "graph_reset", "probability": 2}, 422),
    ],
)
async def test_mistakes_are_told(
    control: Control, method: str, path: str, body: object, status: int
) -> None:
    assert "error" in await control(method, path, body, expect=status)


async def test_waiting_for_what_does_not_come_ends_with_the_report(control: Control) -> None:
    call = await control("POST", "/calls", {"user_id": "US.1"}, expect=201)
    path = f"/calls/{call['wacid']}"
    report = await control("GET", path, expect=408, wait_for="call.accepted", timeout_s="0.1")
    assert report["state"] == "ringing"


async def test_keys_before_there_is_sound_are_refused(control: Control) -> None:
    call = await control("POST", "/calls", {"user_id": "US.1"}, expect=201)
    path = f"/calls/{call['wacid']}"
    await control("POST", f"{path}/press", {"digits": "1"}, expect=409)
    await control("POST", f"{path}/mute", {"is_muted": True}, expect=409)


async def test_the_program_refuses_bad_settings_in_plain_words(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.json"
    path.write_text('{"prot": 80}')
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sandbox", "--config", str(path)),
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 2
    assert b"prot" in said
    assert b"Traceback" not in said


async def test_the_program_tells_its_addresses_and_stops_when_told(
    tmp_path: Path, business: Business
) -> None:
    config = {"app_secret": "s", "users": [{"user_id": "US.5", "name": "Five"}]}
    path = tmp_path / "sandbox.json"
    path.write_text(json.dumps(config))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sandbox", "--config", str(path)),
        *("--webhook-url", business.url, "--access-token", "t"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    ready = json.loads(await process.stdout.readline())
    assert set(ready) == {"graph_url", "control_url", "phone_url"}
    async with aiohttp.ClientSession() as client:
        control = Control(ready["control_url"], client)
        assert (await control("GET", "/users/US.5"))["name"] == "Five"
        assert (await control("GET", ""))["webhook_url"] == business.url
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0
