"""Stands between WhatsApp and the gateway: sees, changes and times what is delivered."""

import hashlib
import hmac
import json
from collections.abc import Callable
from io import BytesIO
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web

from gateway.demo.stack import Stack

Webhook = dict[str, Any]


class WebhookRelay:
    """Use as an async context manager; while it is open every delivery comes through here."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.change: Callable[[Webhook], Webhook] = lambda webhook: webhook
        """Returns what is delivered instead."""
        self.taken: Callable[[Webhook], None] = lambda webhook: None
        """Called the moment the gateway has answered 200, before anybody else knows."""

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession()
        app = web.Application(client_max_size=8 << 20)
        app.router.add_get("/", self._shake_hands)
        app.router.add_post("/", self._pass_on)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        await self._stack.sandbox.send_webhooks_to(f"http://127.0.0.1:{port}/")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.sandbox.send_webhooks_to(self._stack.webhook_url)
        await self._runner.cleanup()
        await self._http.close()

    async def _shake_hands(self, request: web.Request) -> web.Response:
        async with self._http.get(self._stack.webhook_url, params=request.query) as answer:
            return web.Response(status=answer.status, text=await answer.text())

    async def _pass_on(self, request: web.Request) -> web.Response:
        webhook = json.loads(await request.read())
        try:
            status = await post_webhook(
                self._http, self._stack, json.dumps(self.change(webhook)).encode()
            )
        except aiohttp.ClientError:
            return web.Response(status=502)
        if status == 200:
            self.taken(webhook)
        return web.Response(status=status)


async def post_webhook(
    http: aiohttp.ClientSession, stack: Stack, body: bytes, signature: str | None = None
) -> int:
    """Deliver bytes to the gateway, rightly signed if no signature is given."""
    headers = {
        "Content-Type": "application/json",
        "X-Hub-Signature-256": signature or sign(stack.app_secret, body),
    }
    async with http.post(stack.webhook_url, data=BytesIO(body), headers=headers) as answer:
        return answer.status


def sign(secret: str, body: bytes) -> str:
    """Sign a body as Meta does."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


def calls_in(webhook: Webhook) -> list[dict[str, Any]]:
    """The call events of a webhook."""
    return [
        call
        for entry in webhook["entry"]
        for change in entry["changes"]
        for call in change["value"].get("calls", [])
    ]
