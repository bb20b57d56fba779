"""`/webhooks/whatsapp`: verify, store, answer, and only then let anybody work on it."""

import asyncio
from collections.abc import Callable

import structlog
from aiohttp import web

from gateway.core.errors import StoreDown
from gateway.http.bodies import read_capped
from gateway.http.deps import SplitDelivery
from gateway.http.metrics import HttpMetrics
from gateway.http.problems import Refusal, problem_of_error, refuse
from gateway.http.webhook_signature import WebhookSecrets
from gateway.http.webhook_writer import InboxWriter

PATH = "/webhooks/whatsapp"
INLINE_BYTES_MAX = 64 * 1024
"""Longer bodies are taken apart in a thread, so that nobody else waits for it."""
CHALLENGE_CHARS_MAX = 1_024

_log = structlog.get_logger(__name__)


class WebhookEndpoint:
    """Handlers of the handshake and of deliveries."""

    def __init__(
        self,
        *,
        secrets: WebhookSecrets | None,
        split: SplitDelivery,
        writer: InboxWriter,
        wake: Callable[[], None],
        metrics: HttpMetrics,
        body_bytes_max: int,
    ) -> None:
        """`wake` tells the runtime that the inbox has new rows; it must not block.

        Without `secrets` every delivery is refused with 503, so that Meta keeps it.
        """
        self._secrets = secrets
        self._split = split
        self._writer = writer
        self._wake = wake
        self._metrics = metrics
        self._body_bytes_max = body_bytes_max

    async def handshake(self, request: web.Request) -> web.Response:
        """Echo Meta's challenge if the token is the agreed one (Graph webhooks, "Verify")."""
        query = request.query
        is_ours = self._known().knows(query.get("hub.verify_token", ""))
        challenge = query.get("hub.challenge", "")[:CHALLENGE_CHARS_MAX]
        if query.get("hub.mode") != "subscribe" or not is_ours or not challenge:
            raise refuse(403, "forbidden", "The verify token is not the agreed one.")
        return web.Response(text=challenge, content_type="text/plain")

    async def deliver(self, request: web.Request) -> web.Response:
        """Store a signed delivery and answer 200; 503 makes Meta send it again."""
        try:
            secrets = self._known()
            body = await read_capped(request, self._body_bytes_max)
            _check_signature(secrets, request, body)
        except Refusal as refusal:
            self._metrics.deliveries.labels(refusal.problem.code).inc()
            raise
        if len(body) > INLINE_BYTES_MAX:
            items = await asyncio.to_thread(self._split, body)
        else:
            items = self._split(body)
        try:
            await self._writer.add(items)
        except StoreDown as error:
            self._metrics.deliveries.labels("store_down").inc()
            _log.warning("webhook delivery refused: the store is down", items=len(items))
            raise Refusal(problem_of_error(error)) from error
        self._metrics.deliveries.labels("stored").inc()
        self._wake()
        return web.Response(text="")

    def _known(self) -> WebhookSecrets:
        if self._secrets is None:
            raise refuse(503, "webhooks_off", "The webhook secrets are not configured.")
        return self._secrets


def _check_signature(secrets: WebhookSecrets, request: web.Request, body: bytes) -> None:
    headers = request.headers.getall("X-Hub-Signature-256", [])
    if len(headers) != 1 or not secrets.signed(body, headers[0]):
        raise refuse(401, "bad_signature", "The signature does not fit the body.")
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise refuse(415, "unsupported_media_type", "Send the body uncompressed.")
