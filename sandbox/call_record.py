"""What happened in a call: a bounded timeline with ms offsets, and counted rule breaks."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

Detail = str | int | float | bool | None

_MOMENTS_MAX = 2000
_EXAMPLES_MAX = 5


class MediaFault(StrEnum):
    """Breaks of Meta's media rules, and packets that no correct peer sends."""

    MEDIA_BEFORE_ACCEPT = "media_before_accept"
    MEDIA_TIMEOUT = "media_timeout"
    SECOND_SSRC = "second_ssrc"
    SEQUENCE_BREAK = "sequence_break"
    TIMESTAMP_BREAK = "timestamp_break"
    WRONG_PAYLOAD_TYPE = "wrong_payload_type"
    WRONG_PACKET_DURATION = "wrong_packet_duration"
    UNDECODABLE = "undecodable"
    MALFORMED_PACKET = "malformed_packet"
    NOT_AUTHENTIC = "not_authentic"
    AGGRESSIVE_NOMINATION = "aggressive_nomination"
    CANDIDATE_CHANGED = "candidate_changed"
    DTLS_FAILED = "dtls_failed"


@dataclass(frozen=True, slots=True)
class Moment:
    """One entry of the timeline."""

    at_ms: float
    event: str
    detail: dict[str, Detail]


@dataclass(slots=True)
class FaultCount:
    """How often a rule was broken, when first and last, with a few examples."""

    count: int = 0
    first_at_ms: float = 0.0
    last_at_ms: float = 0.0
    examples: list[str] = field(default_factory=list)


@dataclass(slots=True)
class CallRecord:
    """The log of one call; each of `listeners` is called after each entry."""

    started_at: float = field(default_factory=time.monotonic)
    timeline: list[Moment] = field(default_factory=list)
    faults: dict[MediaFault, FaultCount] = field(default_factory=dict)
    moments_dropped: int = 0
    _waiting: list[tuple[str, asyncio.Future[Moment]]] = field(default_factory=list)
    listeners: list[Callable[[], None]] = field(default_factory=list)

    def now_ms(self) -> float:
        """Milliseconds since the call began, on the monotonic clock."""
        return round((time.monotonic() - self.started_at) * 1000, 1)

    def note(self, event: str, **detail: Detail) -> None:
        """Append an entry and wake those who wait for it."""
        moment = Moment(self.now_ms(), event, detail)
        if len(self.timeline) < _MOMENTS_MAX:
            self.timeline.append(moment)
        else:
            self.moments_dropped += 1
        for waited_for, future in self._waiting:
            if waited_for == event and not future.done():
                future.set_result(moment)
        for listener in list(self.listeners):
            listener()

    def fault(self, kind: MediaFault, example: str = "") -> None:
        """Count a broken rule; its first occurrence also goes into the timeline."""
        counted = self.faults.setdefault(kind, FaultCount(first_at_ms=self.now_ms()))
        counted.count += 1
        counted.last_at_ms = self.now_ms()
        if example and len(counted.examples) < _EXAMPLES_MAX:
            counted.examples.append(example)
        if counted.count == 1:
            self.note(f"fault.{kind}", example=example)

    def first(self, event: str) -> Moment | None:
        """Return the first entry with this event, if there is one."""
        return next((moment for moment in self.timeline if moment.event == event), None)

    async def wait_for(self, event: str, timeout_s: float) -> Moment:
        """Return the first entry with this event, past or to come; else `TimeoutError`."""
        found = self.first(event)
        if found is not None:
            return found
        future: asyncio.Future[Moment] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, future))
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        finally:
            self._waiting.remove((event, future))

    @property
    def fault_count(self) -> int:
        """How many faults were counted, of all kinds together."""
        return sum(counted.count for counted in self.faults.values())
