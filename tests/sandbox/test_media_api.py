"""Recordings as Meta hands them out: announced, looked up, downloaded, deleted."""

import base64
import hashlib

import aiohttp

from sandbox.config import Limits
from sandbox.faults import FaultKind, FaultSpec
from sandbox.sandbox import Sandbox
from tests.sandbox.business import ANN, TOKEN, Business

CONTENT = bytes(range(256)) * 40
BEARER = {"Authorization": f"Bearer {TOKEN}"}
OGG = "audio/ogg; codecs=opus"


async def put(client: aiohttp.ClientSession, sandbox: Sandbox) -> dict[str, str]:
    async with client.post(
        f"{sandbox.control_url}/media", data=CONTENT, headers={"Content-Type": OGG}
    ) as response:
        assert response.status == 201
        stored: dict[str, str] = await response.json()
        return stored


async def test_an_announced_recording_can_be_fetched_and_checked(business: Business) -> None:
    async with (
        Sandbox(business.config(users=[ANN])) as sandbox,
        aiohttp.ClientSession() as client,
    ):
        call = await sandbox.exchange.call_business("US.1")
        stored = await put(client, sandbox)
        body = {"event": "call_recording_available", "media_id": stored["id"]}
        url = f"{sandbox.control_url}/calls/{call.wacid}/announce"
        async with client.post(url, json=body) as response:
            assert response.status == 200
        event = await business.wait("calls", "call_recording_available")
        assert event["id"] == call.wacid
        assert event["from_user_id"] == "US.1"
        assert "direction" not in event
        assert "contacts" not in event["_value"]
        audio = event["call_recording"]["audio"]
        assert audio["mime_type"] == OGG
        digest = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
        assert audio["sha256"] == digest
        async with client.get(audio["url"], headers=BEARER) as response:
            assert response.status == 200
            assert response.content_type == "audio/ogg"
            assert await response.read() == CONTENT


async def test_a_transcript_is_announced_as_a_document(business: Business) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        exchange = sandbox.exchange
        call = await exchange.call_business("US.1")
        stored = exchange.media.put(b"{}", "application/json")
        exchange.announce(call, "call_transcription_available", stored, "http://127.0.0.1/x")
        event = await business.wait("calls", "call_transcription_available")
        assert event["call_transcript"]["document"]["id"] == stored.media_id


async def test_a_file_is_looked_up_and_deleted_by_its_id(business: Business) -> None:
    async with (
        Sandbox(business.config()) as sandbox,
        aiohttp.ClientSession(headers=BEARER) as client,
    ):
        stored = await put(client, sandbox)
        url = f"{sandbox.graph_url}/v23.0/{stored['id']}"
        async with client.get(url, params={"phone_number_id": "1"}) as response:
            found = await response.json()
        assert found["sha256"] == stored["sha256"]
        assert found["file_size"] == str(len(CONTENT))
        async with client.get(found["url"]) as response:
            assert await response.read() == CONTENT
        async with client.delete(url) as response:
            assert await response.json() == {"success": True}
        async with client.get(url) as response:
            assert response.status == 400
            assert (await response.json())["error"]["error_subcode"] == 33
        async with client.get(found["url"]) as response:
            assert response.status == 404


async def test_links_need_the_token_and_run_out(business: Business) -> None:
    config = business.config(limits=Limits(media_link_s=0.000001))
    async with Sandbox(config) as sandbox, aiohttp.ClientSession() as client:
        stored = await put(client, sandbox)
        async with client.get(stored["url"]) as response:
            assert response.status == 401
        async with client.get(stored["url"], headers=BEARER) as response:
            assert response.status == 404


async def test_files_are_not_kept_for_ever(business: Business) -> None:
    config = business.config(limits=Limits(media_kept_s=0.000001))
    async with Sandbox(config) as sandbox, aiohttp.ClientSession() as client:
        stored = await put(client, sandbox)
        async with client.get(stored["url"], headers=BEARER) as response:
            assert response.status == 404


async def test_a_download_can_be_slow_or_fail(business: Business) -> None:
    async with Sandbox(business.config()) as sandbox, aiohttp.ClientSession() as client:
        stored = await put(client, sandbox)
        faults = sandbox.exchange.faults
        faults.add(FaultSpec(kind=FaultKind.GRAPH_SERVER_ERROR, match="download"))
        faults.add(FaultSpec(kind=FaultKind.GRAPH_SLOW_BODY, match="download", seconds=0.2))
        async with client.get(stored["url"], headers=BEARER) as response:
            assert response.status == 503
        async with client.get(stored["url"], headers=BEARER) as response:
            assert await response.read() == CONTENT
