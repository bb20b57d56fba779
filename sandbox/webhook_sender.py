"""Delivers webhooks as Meta does: signed, retried, in no promised order."""

import asyncio
import contextlib
import hashlib
import hmac
import itertools
import json
import time
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass, field

import aiohttp
import structlog

from sandbox.call_record import CallRecord
from sandbox.config import SandboxConfig
from sandbox.faults import FaultKind, Faults, FaultSpec

_log = structlog.get_logger()
_OK = 200
_PENDING_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Attempt:
    """One POST: the status that came, or why none did."""

    at: float
    status: int | None
    error: str | None
    took_ms: float


@dataclass(slots=True)
class Delivery:
    """One webhook on its way."""

    delivery_id: int
    name: str
    wacid: str | None
    body: bytes
    signature: str
    attempts: list[Attempt] = field(default_factory=list)
    is_delivered: bool = False
    is_given_up: bool = False
    finished: asyncio.Event = field(default_factory=asyncio.Event)


def encode_payload(payload: object) -> bytes:
    """Write JSON as Meta does: no spaces, characters outside ASCII and slashes escaped."""
    text = json.dumps(payload, ensure_ascii=True, separators=(",", ":"))
    return text.replace("/", "\\/").encode()


def sign(body: bytes, app_secret: str) -> str:
    """Return the value of `X-Hub-Signature-256` for a raw body."""
    return "sha256=" + hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()


class WebhookSender:
    """The outgoing side; close it to stop all deliveries."""

    def __init__(self, config: SandboxConfig, faults: Faults) -> None:
        self.url = config.webhook_url
        self.app_secret = config.app_secret
        self.deliveries: deque[Delivery] = deque(maxlen=config.limits.deliveries_kept_max)
        self._timings = config.timings
        self._verify_token = config.verify_token
        self._faults = faults
        self._ids = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._client: aiohttp.ClientSession | None = None
        self._attempted = asyncio.Condition()
        self._latest_attempted = 0
        self._passengers: list[tuple[Delivery, asyncio.Future[Delivery]]] = []

    async def open(self) -> None:
        """Prepare the HTTP client."""
        timeout = aiohttp.ClientTimeout(total=self._timings.webhook_timeout_s)
        self._client = aiohttp.ClientSession(timeout=timeout)

    async def close(self) -> None:
        """Abandon what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.close()

    def send(
        self,
        name: str,
        payload: object,
        *,
        delay_s: float = 0.0,
        record: CallRecord | None = None,
        wacid: str | None = None,
    ) -> Delivery:
        """Deliver a payload after a delay; returns at once."""
        return self.send_raw(
            name, encode_payload(payload), delay_s=delay_s, record=record, wacid=wacid
        )

    def send_raw(
        self,
        name: str,
        body: bytes,
        *,
        delay_s: float = 0.0,
        record: CallRecord | None = None,
        wacid: str | None = None,
        app_secret: str | None = None,
    ) -> Delivery:
        """Deliver these exact bytes, signed with `app_secret` or our own; returns at once."""
        signature = sign(body, app_secret or self.app_secret)
        delivery = Delivery(next(self._ids), name, wacid, body, signature)
        self.deliveries.append(delivery)
        if len(self._tasks) >= _PENDING_MAX:
            delivery.is_given_up = True
            return delivery
        fault = self._faults.take("webhook", name)
        self._start(self._deliver(delivery, delay_s, record, fault))
        if fault is not None and fault.kind is FaultKind.WEBHOOK_DUPLICATE:
            again = Delivery(next(self._ids), name, wacid, body, signature)
            self.deliveries.append(again)
            self._start(self._deliver(again, delay_s, record, None))
        return delivery

    async def verify(self) -> tuple[bool, str]:
        """Do the GET handshake with the callback; returns success and what came back."""
        if self.url is None or self._client is None:
            return False, "no webhook_url is set"
        challenge = str(time.time_ns() % 10**10)
        query = {
            "hub.mode": "subscribe",
            "hub.challenge": challenge,
            "hub.verify_token": self._verify_token,
        }
        try:
            async with self._client.get(self.url, params=query) as response:
                text = (await response.content.read(1000)).decode(errors="replace")
                return response.status == _OK and text == challenge, f"{response.status} {text}"
        except (aiohttp.ClientError, TimeoutError) as error:
            return False, type(error).__name__

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(
        self,
        delivery: Delivery,
        delay_s: float,
        record: CallRecord | None,
        fault: FaultSpec | None,
    ) -> None:
        await asyncio.sleep(delay_s)
        is_dropped = fault is not None and fault.kind is FaultKind.WEBHOOK_DROP
        if fault is not None and fault.kind is FaultKind.WEBHOOK_BATCH:
            if await self._travel_with_another(delivery, record, fault.seconds):
                return
        else:
            self._take_passengers(delivery)
        if fault is not None and fault.kind is FaultKind.WEBHOOK_DELAY:
            await asyncio.sleep(fault.seconds)
        if fault is not None and fault.kind is FaultKind.WEBHOOK_REORDER:
            await self._let_a_later_one_pass(delivery, fault.seconds)
        for retry_after_s in (*self._timings.webhook_retry_delays_s, None):
            if is_dropped:
                is_dropped = False
                delivery.attempts.append(Attempt(time.time(), None, "dropped on demand", 0.0))
            elif await self._attempt(delivery, record):
                break
            if retry_after_s is not None:
                await asyncio.sleep(retry_after_s)
        else:
            delivery.is_given_up = True
            _log.warning("webhook given up", name=delivery.name)
        delivery.finished.set()

    async def _travel_with_another(
        self, delivery: Delivery, record: CallRecord | None, seconds_max: float
    ) -> bool:
        """Wait for the next webhook and go in its body; False if none came in time."""
        taken: asyncio.Future[Delivery] = asyncio.get_running_loop().create_future()
        self._passengers.append((delivery, taken))
        try:
            async with asyncio.timeout(seconds_max):
                carrier = await taken
        except TimeoutError:
            self._passengers.remove((delivery, taken))
            return False
        await carrier.finished.wait()
        delivery.attempts.extend(carrier.attempts)
        delivery.is_delivered = carrier.is_delivered
        delivery.is_given_up = carrier.is_given_up
        if record is not None and carrier.is_delivered:
            record.note(f"webhook.acked.{delivery.name}", number=carrier.delivery_id)
        delivery.finished.set()
        return True

    def _take_passengers(self, carrier: Delivery) -> None:
        """Put the waiting webhooks into the body of this one, as Meta batches changes."""
        if not self._passengers:
            return
        waiting, self._passengers = self._passengers, []
        bodies = [json.loads(one.body) for one, _ in waiting] + [json.loads(carrier.body)]
        entries = [entry for body in bodies for entry in body["entry"]]
        carrier.body = encode_payload({"object": bodies[-1]["object"], "entry": entries})
        carrier.signature = sign(carrier.body, self.app_secret)
        for _, taken in waiting:
            taken.set_result(carrier)

    async def _let_a_later_one_pass(self, delivery: Delivery, seconds_max: float) -> None:
        """Wait until a webhook that was sent later has arrived, but not for ever."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds_max), self._attempted:
                await self._attempted.wait_for(
                    lambda: self._latest_attempted > delivery.delivery_id
                )

    async def _attempt(self, delivery: Delivery, record: CallRecord | None) -> bool:
        if self.url is None or self._client is None:
            return False
        if record is not None:
            record.note(f"webhook.sent.{delivery.name}", number=delivery.delivery_id)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "facebookexternalua",
            "X-Hub-Signature-256": delivery.signature,
        }
        began = time.monotonic()
        status: int | None = None
        error: str | None = None
        try:
            async with self._client.post(
                self.url, data=delivery.body, headers=headers
            ) as response:
                status = response.status
                await response.content.read(65536)
        except (aiohttp.ClientError, TimeoutError) as failure:
            error = type(failure).__name__
        took_ms = round((time.monotonic() - began) * 1000, 1)
        delivery.attempts.append(Attempt(time.time(), status, error, took_ms))
        delivery.is_delivered = status == _OK
        if record is not None:
            result = "acked" if delivery.is_delivered else "refused"
            record.note(
                f"webhook.{result}.{delivery.name}",
                number=delivery.delivery_id,
                status=status,
                took_ms=took_ms,
            )
        async with self._attempted:
            self._latest_attempted = max(self._latest_attempted, delivery.delivery_id)
            self._attempted.notify_all()
        return delivery.is_delivered
