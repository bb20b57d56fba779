"""Port `WhatsAppApi`: the `/calls` actions, and which of them may be repeated when.

Calling API, "API and webhook reference". Bodies hold documented fields only: Graph answers
unknown parameters with code 100.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from gateway.adapters.whatsapp_breaker import GraphBreaker
from gateway.adapters.whatsapp_errors import says_in_progress, says_over
from gateway.adapters.whatsapp_graph import (
    Denied,
    Exchange,
    GraphClient,
    Taken,
    Unclear,
    Unsent,
)
from gateway.core.errors import MetaFault, WhatsAppRefused, WhatsAppUnclear
from gateway.core.ids import CallId, Wacid
from gateway.core.recording.wish import NOTHING_ASKED, Asked
from gateway.core.whatsapp import Peer
from gateway.ports import Json
from gateway.ports.accounts import Number
from gateway.ports.clock import Clock
from gateway.ports.whatsapp import WhatsAppApi

NOT_ASKED = 0
"""`MetaFault.code` of a request that was never sent: no code of Meta's has this value."""
WACID_CHARS_MAX = 512


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Bounds of repetition; durations in seconds."""

    answer_tries_max: int = 2
    """pre_accept and accept: once more with the identical body."""
    end_tries_max: int = 5
    """reject and terminate: repeating them is harmless."""
    backoff_first_s: float = 0.25
    backoff_max_s: float = 4.0
    retry_after_max_s: float = 5.0
    """Waits that Meta asks for are obeyed up to this; longer ones are the caller's."""


class WhatsAppCalls(WhatsAppApi):
    """Graph's call actions. Refusals carry Meta's code; a request that was not sent, code 0."""

    def __init__(
        self,
        graph: GraphClient,
        *,
        clock: Clock,
        retries: RetryPolicy | None = None,
        breaker: GraphBreaker | None = None,
        chance: Callable[[], float] | None = None,
    ) -> None:
        """`chance` yields numbers in [0, 1) for the jitter."""
        self._graph = graph
        self._clock = clock
        self._retries = retries or RetryPolicy()
        self._breaker = breaker or GraphBreaker()
        self._chance = chance or random.SystemRandom().random

    def clock_offset_s(self) -> float:
        """See the port."""
        return self._graph.clock_offset_s()

    async def connect(
        self,
        number: Number,
        *,
        call_id: CallId,
        to: Peer,
        offer: str,
        asked: Asked = NOTHING_ASKED,
    ) -> Wacid:
        """See the port. Sent at most once; refused at once while Graph does not answer."""
        wait_s = self._breaker.wait_s(number.phone_number_id, self._clock.monotonic())
        if wait_s > 0:
            raise _not_asked("Graph has not been answering", retry_after_s=wait_s)
        body: dict[str, Json] = {"messaging_product": "whatsapp"}
        if to.phone:
            body["to"] = to.phone
        if to.user_id:
            body["recipient"] = to.user_id
        body["action"] = "connect"
        body["session"] = {"sdp_type": "offer", "sdp": offer}
        body["biz_opaque_callback_data"] = call_id
        body.update(_asked_of_meta(asked))
        outcome = await self._exchange(number, call_id, body, attempt=1)
        if isinstance(outcome, Taken):
            return _wacid(outcome)
        raise _failure(outcome)

    async def pre_accept(
        self, number: Number, *, call_id: CallId, wacid: Wacid, answer: str
    ) -> None:
        """See the port."""
        body = _answer_body("pre_accept", wacid, answer)
        await self._answer(number, call_id, body)

    async def accept(
        self,
        number: Number,
        *,
        call_id: CallId,
        wacid: Wacid,
        answer: str,
        asked: Asked = NOTHING_ASKED,
    ) -> None:
        """See the port."""
        body = _answer_body("accept", wacid, answer)
        body["biz_opaque_callback_data"] = call_id
        body.update(_asked_of_meta(asked))
        await self._answer(number, call_id, body)

    async def reject(self, number: Number, *, call_id: CallId, wacid: Wacid) -> None:
        """See the port."""
        await self._end(number, call_id, _end_body("reject", wacid))

    async def terminate(self, number: Number, *, call_id: CallId, wacid: Wacid) -> None:
        """See the port."""
        await self._end(number, call_id, _end_body("terminate", wacid))

    async def _answer(self, number: Number, call_id: CallId, body: dict[str, Json]) -> None:
        outcome = await self._repeat(
            number, call_id, body, tries_max=self._retries.answer_tries_max
        )
        if isinstance(outcome, Taken):
            return
        if isinstance(outcome, Denied) and says_in_progress(outcome.refusal.fault):
            return
        raise _failure(outcome)

    async def _end(self, number: Number, call_id: CallId, body: dict[str, Json]) -> None:
        outcome = await self._repeat(
            number, call_id, body, tries_max=self._retries.end_tries_max
        )
        if isinstance(outcome, Taken):
            return
        if isinstance(outcome, Denied) and says_over(outcome.refusal.fault):
            return
        raise _failure(outcome)

    async def _repeat(
        self, number: Number, call_id: CallId, body: dict[str, Json], *, tries_max: int
    ) -> Exchange:
        """Send the same body until Graph decides, `tries_max` times at most."""
        for attempt in range(1, tries_max):
            outcome = await self._exchange(number, call_id, body, attempt=attempt)
            pause_s = self._pause_s(outcome, attempt)
            if pause_s is None:
                return outcome
            await self._clock.sleep(pause_s)
        return await self._exchange(number, call_id, body, attempt=tries_max)

    def _pause_s(self, outcome: Exchange, attempt: int) -> float | None:
        """How long to wait before the next try; None if there should be none."""
        match outcome:
            case Taken():
                return None
            case Denied(refusal=refusal) if not refusal.is_rate_limit:
                return None
            case Denied(retry_after_s=asked_s) | Unclear(retry_after_s=asked_s):
                if asked_s is not None:
                    return asked_s if asked_s <= self._retries.retry_after_max_s else None
            case Unsent():
                pass
        # Full jitter: many calls that fail together must not come back together.
        ceiling_s = self._retries.backoff_first_s * 2.0 ** (attempt - 1)
        return self._chance() * min(self._retries.backoff_max_s, ceiling_s)

    async def _exchange(
        self, number: Number, call_id: CallId, body: dict[str, Json], *, attempt: int
    ) -> Exchange:
        outcome = await self._graph.post_call_action(number, call_id, body, attempt=attempt)
        if isinstance(outcome, Taken) and outcome.body.get("success") is False:
            outcome = Unclear("Graph answered without success and without a reason")
        if isinstance(outcome, Taken | Denied):
            self._breaker.answered(number.phone_number_id)
        else:
            self._breaker.unanswered(number.phone_number_id, self._clock.monotonic())
        return outcome


def _asked_of_meta(asked: Asked) -> dict[str, Json]:
    """Write what shall be announced; what is left out is not recorded."""
    wanted = {"recording": asked.recording, "transcription": asked.transcription}
    return {
        name: {
            "status": "ENABLED",
            "purpose": announcement.purpose,
            "announcement_language": announcement.language,
        }
        for name, announcement in wanted.items()
        if announcement is not None
    }


def _answer_body(action: str, wacid: Wacid, answer: str) -> dict[str, Json]:
    # The parameter tables say "offer" here; every sample and every working client "answer".
    return {
        "messaging_product": "whatsapp",
        "call_id": wacid,
        "action": action,
        "session": {"sdp_type": "answer", "sdp": answer},
    }


def _end_body(action: str, wacid: Wacid) -> dict[str, Json]:
    return {"messaging_product": "whatsapp", "call_id": wacid, "action": action}


def _wacid(outcome: Taken) -> Wacid:
    """The call's id at Meta; without it we cannot even hang up, so its lack is unclear."""
    calls = outcome.body.get("calls")
    first = calls[0] if isinstance(calls, list) and calls else None
    wacid = first.get("id") if isinstance(first, dict) else None
    if isinstance(wacid, str) and 0 < len(wacid) <= WACID_CHARS_MAX:
        return Wacid(wacid)
    raise WhatsAppUnclear("Graph took the call but did not name it")


def _not_asked(reason: str, *, retry_after_s: float | None = None) -> WhatsAppRefused:
    fault = MetaFault(code=NOT_ASKED, message="The request was not sent", details=reason)
    return WhatsAppRefused(fault, retry_after_s=retry_after_s)


def _failure(outcome: Denied | Unsent | Unclear) -> WhatsAppRefused | WhatsAppUnclear:
    match outcome:
        case Denied(refusal=refusal, retry_after_s=retry_after_s):
            return WhatsAppRefused(refusal.fault, retry_after_s=retry_after_s)
        case Unsent(reason=reason):
            return _not_asked(reason)
        case Unclear(reason=reason):
            return WhatsAppUnclear(reason)
