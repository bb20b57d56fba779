"""Deliveries that are genuine are stored before the 200; nothing else leaves a trace."""

import asyncio
import gzip
import hmac
import io
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from sqlalchemy import func, select

from gateway.adapters.sql_schema import webhook_inbox
from gateway.core.errors import StoreDown
from gateway.http.webhook_endpoint import PATH
from gateway.http.webhook_signature import WebhookSecrets
from gateway.ports.webhooks import InboxItem
from tests.conftest import Rounds
from tests.http.site import (
    APP_SECRET,
    OLD_SECRET,
    VERIFY_TOKEN,
    Site,
    Template,
    signed,
    site_from,
)

BODY = json.dumps(
    {
        "object": "whatsapp_business_account",
        "entry": [
            {
                "id": "300300300300300",
                "changes": [
                    {
                        "field": "calls",
                        "value": {
                            "metadata": {"phone_number_id": "200200200200200"},
                            "calls": [
                                {
                                    "id": "wacid.A",
                                    "event": "terminate",
                                    "timestamp": "1790000000",
                                    "name": "\U0001f469\u200d\U0001f4bb é",
                                }
                            ],
                        },
                    }
                ],
            }
        ],
    }
).encode()


async def rows(site: Site) -> int:
    async with site.database.reading() as connection:
        return int(
            await connection.scalar(select(func.count()).select_from(webhook_inbox)) or 0
        )


async def deliver(
    site: Site, body: Any, headers: dict[str, str] | Sequence[tuple[str, str]]
) -> int:
    content = io.BytesIO(body) if isinstance(body, bytes) else body
    async with (
        ClientSession(auto_decompress=False) as http,
        http.post(site.url(PATH), data=content, headers=headers) as response,
    ):
        await response.read()
        return response.status


@pytest.mark.parametrize("secret", [APP_SECRET, OLD_SECRET])
async def test_a_signed_delivery_is_stored_before_the_answer(site: Site, secret: str) -> None:
    assert await deliver(site, BODY, signed(BODY, secret)) == 200
    assert await rows(site) == 1
    assert site.woken == [None]


async def test_what_nobody_works_on_is_kept_closed(site: Site) -> None:
    receipt = BODY.replace(b'"calls", "value"', b'"messages", "value"')
    assert receipt != BODY
    assert await deliver(site, receipt, signed(receipt)) == 200
    assert await rows(site) == 1
    assert await site.deps.inbox.waiting(limit=10) == []
    assert await deliver(site, BODY, signed(BODY)) == 200
    assert len(await site.deps.inbox.waiting(limit=10)) == 1


async def test_a_delivery_that_comes_twice_is_stored_once(site: Site) -> None:
    for _ in range(3):
        assert await deliver(site, BODY, signed(BODY)) == 200
    assert await rows(site) == 1


@pytest.mark.parametrize("emoji", ["escaped", "raw"])
async def test_the_bytes_are_signed_not_their_meaning(site: Site, emoji: str) -> None:
    tree = json.loads(BODY)
    body = json.dumps(tree, ensure_ascii=emoji == "escaped").encode()
    other = json.dumps(tree, ensure_ascii=emoji != "escaped").encode()
    assert await deliver(site, body, signed(other)) == 401
    assert await deliver(site, body, signed(body)) == 200


async def test_chunked_bodies_are_as_good_as_others(site: Site) -> None:
    async def pieces() -> Any:
        for start in range(0, len(BODY), 40):
            yield BODY[start : start + 40]

    assert await deliver(site, pieces(), signed(BODY)) == 200
    assert await rows(site) == 1


def mutations(chance: random.Random) -> dict[str, tuple[bytes, Any]]:
    """Requests that are each wrong in one way."""
    good = signed(BODY)["X-Hub-Signature-256"]
    digest = good.removeprefix("sha256=")
    flipped = bytearray(BODY)
    flipped[chance.randrange(len(BODY))] ^= 1 << chance.randrange(8)
    wrong_hex = list(digest)
    where = chance.randrange(64)
    wrong_hex[where] = "0" if wrong_hex[where] != "0" else "1"
    sha1 = hmac.new(APP_SECRET.encode(), BODY, "sha1").hexdigest()
    name = "X-Hub-Signature-256"
    return {
        "bit flipped": (bytes(flipped), {name: good}),
        "digit changed": (BODY, {name: "sha256=" + "".join(wrong_hex)}),
        "missing": (BODY, {}),
        "empty": (BODY, {name: ""}),
        "scheme alone": (BODY, {name: "sha256="}),
        "no scheme": (BODY, {name: digest}),
        "cut short": (BODY, {name: good[: chance.randrange(8, len(good))]}),
        "too long": (BODY, {name: good + "0"}),
        "upper case": (BODY, {name: "sha256=" + digest.upper()}),
        "spaced": (BODY, {name: "sha256= " + digest}),
        "sha1": (BODY, {name: "sha1=" + sha1}),
        "sha1 as sha256": (BODY, {name: "sha256=" + sha1}),
        "old header": (BODY, {"X-Hub-Signature": "sha1=" + sha1}),
        "other secret": (BODY, signed(BODY, "another")),
        "verify token as secret": (BODY, signed(BODY, VERIFY_TOKEN)),
        "given twice": (BODY, [(name, good), (name, good)]),
        "not ascii": (BODY, {name: "sha256=é" + digest[1:]}),
        "serialised again": (json.dumps(json.loads(BODY), indent=1).encode(), {name: good}),
        "line appended": (BODY + b"\n", {name: good}),
        "cut body": (BODY[:-1], {name: good}),
        "empty body": (b"", {name: good}),
        "gzip": (gzip.compress(BODY), {name: good, "Content-Encoding": "gzip"}),
    }


@pytest.mark.soak
async def test_no_mutation_passes_and_none_is_stored(
    site: Site, seed: int, rounds: Rounds
) -> None:
    chance = random.Random(seed)
    for _ in range(rounds(quick=5, soak=900)):
        for name, (body, headers) in mutations(chance).items():
            assert await deliver(site, body, headers) == 401, name
    assert await rows(site) == 0
    assert site.woken == []
    assert await deliver(site, BODY, signed(BODY)) == 200


async def test_a_compressed_body_is_refused_even_if_its_bytes_are_signed(site: Site) -> None:
    packed = gzip.compress(BODY)
    headers = {**signed(packed), "Content-Encoding": "gzip"}
    assert await deliver(site, packed, headers) == 415
    assert await rows(site) == 0


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_more_than_four_mebibytes_are_refused(site: Site, is_chunked: bool) -> None:
    body = b" " * (4 * 1024 * 1024 + 1)

    async def pieces() -> Any:
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    assert await deliver(site, pieces() if is_chunked else body, signed(body)) == 413
    assert await rows(site) == 0


async def test_three_megabytes_and_a_thousand_changes_are_taken(site: Site) -> None:
    change = json.loads(BODY)["entry"][0]["changes"][0]
    tree = json.loads(BODY)
    tree["entry"][0]["changes"] = []
    for number in range(1000):
        copied = json.loads(json.dumps(change))
        copied["value"]["calls"][0].update(id=f"wacid.{number}", padding="x" * 2_800)
        tree["entry"][0]["changes"].append(copied)
    body = json.dumps(tree).encode()
    assert len(body) > 2_900_000
    assert await deliver(site, body, signed(body)) == 200
    assert await rows(site) == 1000


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"\xff", b"[" * 100_000, b"{}"])
async def test_a_signed_delivery_we_cannot_read_is_kept_and_acknowledged(
    site: Site, body: bytes
) -> None:
    assert await deliver(site, body, signed(body)) == 200
    assert await rows(site) == 1


class BrokenInbox:
    """A store that is down, until told otherwise."""

    def __init__(self) -> None:
        self.is_down = True
        self.poison = ""
        self.stored: list[InboxItem] = []

    async def add(self, items: Sequence[InboxItem], *, received_at: float) -> int:
        await asyncio.sleep(0)
        if self.is_down:
            raise StoreDown("no route to the database")
        if any(self.poison and self.poison in item.payload for item in items):
            raise ValueError("a character the database will not take")
        self.stored += items
        return len(items)


async def test_while_the_store_is_down_meta_is_asked_to_come_again(
    template: Template, tmp_path: Path
) -> None:
    inbox = BrokenInbox()
    async with site_from(template, tmp_path, inbox=inbox) as site:
        assert set(
            await asyncio.gather(*(deliver(site, BODY, signed(BODY)) for _ in range(20)))
        ) == {503}
        assert site.woken == []
        inbox.is_down = False
        assert await deliver(site, BODY, signed(BODY)) == 200
        assert len(inbox.stored) == 1
        counted = site.deps.metrics.deliveries
        assert counted.labels("store_down")._value.get() == 20
        assert counted.labels("stored")._value.get() == 1


async def test_while_the_store_hangs_nobody_at_meta_waits_for_it(
    template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.http.webhook_writer.ANSWER_MAX_S", 0.05)
    inbox = HangingInbox()
    async with site_from(template, tmp_path, inbox=inbox) as site:
        first = asyncio.create_task(deliver(site, BODY, signed(BODY)))
        await inbox.was_asked.wait()
        # One hangs in the store, the others in the queue behind it.
        later = [deliver(site, BODY, signed(BODY)) for _ in range(5)]
        assert await asyncio.gather(first, *later) == [503] * 6
        inbox.goes_on.set()
        assert await deliver(site, BODY, signed(BODY)) == 200
        assert inbox.batches == [1, 1], "who was refused is not stored behind their back"


class HangingInbox:
    """A store that answers nothing until told to."""

    def __init__(self) -> None:
        self.was_asked = asyncio.Event()
        self.goes_on = asyncio.Event()
        self.batches: list[int] = []

    async def add(self, items: Sequence[InboxItem], *, received_at: float) -> int:
        self.was_asked.set()
        await self.goes_on.wait()
        if items:
            self.batches.append(len(items))
        return len(items)


async def test_one_delivery_that_cannot_be_stored_fails_no_other(
    template: Template, tmp_path: Path
) -> None:
    inbox = BrokenInbox()
    inbox.is_down = False
    inbox.poison = "poison"
    async with site_from(template, tmp_path, inbox=inbox) as site:
        bodies = [b'{"n":%d}' % number for number in range(30)]
        bodies[7] = b'{"poison":1}'
        statuses = await asyncio.gather(*(deliver(site, body, signed(body)) for body in bodies))
        assert statuses == [500 if index == 7 else 200 for index in range(30)]
        assert len(inbox.stored) == 29


async def test_the_handshake_echoes_the_bare_challenge(site: Site) -> None:
    query = {
        "hub.mode": "subscribe",
        "hub.challenge": "1158201444<b>",
        "hub.verify_token": VERIFY_TOKEN,
    }
    async with ClientSession() as http, http.get(site.url(PATH), params=query) as response:
        assert response.status == 200
        assert response.content_type == "text/plain"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert await response.text() == "1158201444<b>"


@pytest.mark.parametrize(
    "change",
    [
        {"hub.verify_token": "wrong"},
        {"hub.verify_token": ""},
        {"hub.verify_token": "é"},
        {"hub.mode": "unsubscribe"},
        {"hub.challenge": ""},
    ],
)
async def test_a_handshake_that_is_not_ours_is_refused(
    site: Site, change: dict[str, str]
) -> None:
    query = {"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": VERIFY_TOKEN}
    async with (
        ClientSession() as http,
        http.get(site.url(PATH), params={**query, **change}) as response,
    ):
        assert response.status == 403
        assert "hub" not in await response.text()


async def test_a_sender_that_never_finishes_gets_no_row(site: Site) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", site.port)
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BODY)}\r\n"
        f"X-Hub-Signature-256: {signed(BODY)['X-Hub-Signature-256']}\r\n\r\n"
    )
    writer.write(head.encode() + BODY[:50])
    await writer.drain()
    writer.transport.abort()
    assert await deliver(site, BODY, signed(BODY)) == 200
    assert await rows(site) == 1


async def test_until_the_secrets_are_set_meta_is_asked_to_come_again(
    template: Template, tmp_path: Path
) -> None:
    async with site_from(template, tmp_path, webhook_secrets=None) as site:
        assert await deliver(site, BODY, signed(BODY)) == 503
        assert await rows(site) == 0


def test_a_missing_secret_is_no_secret() -> None:
    for secrets, token in ([], "t"), ([""], "t"), (["s"], ""):
        with pytest.raises(ValueError, match="secret"):
            WebhookSecrets(app_secrets=secrets, verify_token=token)
    assert "s3cret" not in repr(WebhookSecrets(app_secrets=["s3cret"], verify_token="t0ken"))
