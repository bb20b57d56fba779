"""A browser that comes to a gateway without its parts is told what is missing."""

from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar

from gateway.adapters.system_clock import SystemClock
from gateway.foundation import open_foundation
from gateway.ports.accounts import Role
from gateway.settings import Settings
from tests.app.conftest import gateway, settings_in

PASSWORD = "correct horse battery"


async def add_agent(settings: Settings) -> None:
    async with open_foundation(settings, SystemClock()) as stores:
        await stores.migrate()
        account = await stores.accounts.add_account(
            cid="C-1", name="Toko Maju", timezone="Asia/Jakarta"
        )
        await stores.accounts.add_person(
            account.account_id,
            email="ana@example.com",
            name="Ana",
            role=Role.AGENT,
            password=PASSWORD,
        )


@pytest.mark.timeout(180)
async def test_what_is_missing_from_the_start_is_told_after_the_snapshot(folder: Path) -> None:
    settings = settings_in(
        folder, media_start_worker=False, redis_url="unix:///nowhere/redis.sock"
    )
    await add_agent(settings)
    async with (
        gateway(settings) as where,
        ClientSession(
            f"http://127.0.0.1:{where.port}",
            cookie_jar=CookieJar(unsafe=True),
            headers={"Origin": f"http://127.0.0.1:{where.port}"},
        ) as http,
    ):
        credentials = {"email": "ana@example.com", "password": PASSWORD}
        async with http.post("/api/v1/login", json=credentials) as answer:
            assert answer.status == 200
        async with http.ws_connect("/api/v1/events") as socket:
            told = [await socket.receive_json(timeout=30) for _ in range(3)]
    assert [message["type"] for message in told] == ["snapshot", "notice", "notice"]
    assert {message.get("code") for message in told[1:]} == {"media_away", "redis_down"}
