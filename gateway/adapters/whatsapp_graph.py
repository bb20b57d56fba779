"""One exchange with the Graph API: time-outs, capped answer, trace line, Meta's clock."""

import asyncio
import json
import statistics
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from gateway.adapters.whatsapp_errors import Refusal, read_refusal
from gateway.core.ids import CallId
from gateway.ports import Json
from gateway.ports.accounts import Number
from gateway.ports.calls import TraceLine
from gateway.ports.clock import Clock
from gateway.ports.whatsapp import OnGraphRequest

ANSWER_BYTES_MAX = 64 * 1024
CLOCK_SAMPLES_MAX = 15
_OK = range(200, 300)


@dataclass(frozen=True, slots=True)
class GraphTimeouts:
    """How long one try may take, in seconds."""

    connect_s: float = 3.0
    """TCP and TLS."""
    start_call_s: float = 10.0
    """The whole of a `connect`, which is never repeated and so gets more patience."""
    action_s: float = 5.0
    """The whole of one try of any other action."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Graph said yes; `body` is its JSON object."""

    body: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Denied:
    """Graph said no, and nothing happened."""

    refusal: Refusal
    retry_after_s: float | None


@dataclass(frozen=True, slots=True)
class Unsent:
    """No connection came about: nothing happened."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """The request may have had its effect."""

    reason: str
    retry_after_s: float | None = None


Exchange = Taken | Denied | Unsent | Unclear


class GraphClient:
    """HTTP towards Graph; one per process, used as a context.

    Redirects are not followed and proxies of the environment not used: the token goes to the
    configured host and nowhere else.
    """

    def __init__(
        self,
        *,
        base_url: str,
        version: str,
        clock: Clock,
        on_request: OnGraphRequest,
        timeouts: GraphTimeouts | None = None,
    ) -> None:
        self._root = URL(base_url) / version
        self._clock = clock
        self._on_request = on_request
        self._timeouts = timeouts or GraphTimeouts()
        self._offsets: deque[float] = deque(maxlen=CLOCK_SAMPLES_MAX)
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=200, limit_per_host=200),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "callgate"},
            trust_env=False,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._http is not None:
            await self._http.close()

    def clock_offset_s(self) -> float:
        """Meta's clock minus ours: the median of recent answers, 0 before the first."""
        return statistics.median(self._offsets) if self._offsets else 0.0

    async def post_call_action(
        self, number: Number, call_id: CallId, body: Mapping[str, Json], *, attempt: int
    ) -> Exchange:
        """POST one `/calls` action and report it to the call's trace."""
        action = str(body["action"])
        started = self._clock.monotonic()
        at = self._clock.wall()
        facts: dict[str, Json] = {"method": "POST", "action": action, "try": attempt}
        try:
            outcome = await self._post(number, body, facts)
        except asyncio.CancelledError:
            facts["outcome"] = "cancelled"
            raise
        else:
            facts.update(_told(outcome))
            return outcome
        finally:
            facts["ms"] = round((self._clock.monotonic() - started) * 1000, 1)
            self._on_request(TraceLine(call_id, at, "graph", action, facts))

    async def _post(
        self, number: Number, body: Mapping[str, Json], facts: dict[str, Json]
    ) -> Exchange:
        assert self._http is not None, "enter the context first"
        timeouts = self._timeouts
        total_s = timeouts.start_call_s if body["action"] == "connect" else timeouts.action_s
        asked_at = self._clock.wall()
        try:
            async with self._http.post(
                self._root / number.phone_number_id / "calls",
                data=json.dumps(body).encode(),
                headers={
                    "Authorization": f"Bearer {number.token}",
                    "Content-Type": "application/json",
                },
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=total_s, connect=timeouts.connect_s),
            ) as response:
                self._learn_clock(response.headers.get("Date"), asked_at)
                facts["status"] = response.status
                facts["fbtrace_id"] = response.headers.get("x-fb-trace-id", "")[:128]
                answer = await read_capped(response)
                return _judge(response, answer)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            return Unsent("no connection to Graph")
        except TimeoutError:
            return Unclear("no answer from Graph in time")
        except aiohttp.ClientError:
            return Unclear("the connection to Graph broke")

    def _learn_clock(self, date: str | None, asked_at: float) -> None:
        """Take one sample; `Date` is cut to whole seconds, so half a second is added."""
        told = _http_date(date)
        if told is not None:
            middle = (asked_at + self._clock.wall()) / 2
            self._offsets.append(told + 0.5 - middle)


async def read_capped(response: aiohttp.ClientResponse) -> bytes | None:
    """Return the body, or None if it is longer than any answer of Graph should be."""
    chunks = bytearray()
    async for chunk in response.content.iter_any():
        chunks += chunk
        if len(chunks) > ANSWER_BYTES_MAX:
            return None
    return bytes(chunks)


def _judge(response: aiohttp.ClientResponse, answer: bytes | None) -> Exchange:
    """Tell yes, no and unknown apart."""
    retry_after_s = retry_after(response.headers)
    if answer is None:
        return Unclear("the answer of Graph is too long", retry_after_s)
    refusal = read_refusal(answer, http_status=response.status)
    if refusal is not None:
        if refusal.is_definite:
            return Denied(refusal, retry_after_s)
        return Unclear(f"temporary failure {refusal.fault.code} of Graph", retry_after_s)
    if response.status not in _OK:
        return Unclear(f"status {response.status} without a reason", retry_after_s)
    try:
        body = json.loads(answer)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        return Unclear("the answer of Graph is not readable", retry_after_s)
    return Taken(body)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of `Retry-After` (RFC 9110 section 10.2.3); a date counts from `Date`."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    until, now = _http_date(value), _http_date(headers.get("Date"))
    return None if until is None or now is None else max(0.0, until - now)


def _http_date(value: str | None) -> float | None:
    try:
        told = parsedate_to_datetime(value or "")
    except ValueError:
        return None
    return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()


def _told(outcome: Exchange) -> dict[str, Json]:
    """What of an outcome belongs in the trace: codes, never Meta's free text."""
    match outcome:
        case Taken():
            return {"outcome": "ok"}
        case Denied(refusal=refusal):
            told: dict[str, Json] = {"outcome": "refused", "code": refusal.fault.code}
            if refusal.fault.subcode is not None:
                told["subcode"] = refusal.fault.subcode
            if refusal.fault.fbtrace_id:
                told["fbtrace_id"] = refusal.fault.fbtrace_id
            return told
        case Unsent(reason=reason):
            return {"outcome": "unsent", "reason": reason}
        case Unclear(reason=reason):
            return {"outcome": "unclear", "reason": reason}
