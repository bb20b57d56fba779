"""The trace of a call: one line per fact, redacted, with the moves and orders it led to."""

import asyncio
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from gateway.core.call.call import Call
from gateway.core.call.commands import Commands, GraphAction
from gateway.core.call.ending import outcome_of
from gateway.core.call.events import (
    Accepted,
    AgentLegClosed,
    AgentLegHeard,
    AgentLegUp,
    AnnouncementOver,
    CaptureFailed,
    Connected,
    ConnectWithheld,
    DeadlinePassed,
    Event,
    MediaBack,
    MediaFailed,
    MetaRefused,
    MetaUnclear,
    MinutesHeld,
    RecordingDone,
    RecordingFact,
    WhatsAppLegClosed,
    WhatsAppLegMade,
    WhatsAppLegUp,
)
from gateway.core.errors import StoreDown
from gateway.core.whatsapp import BusinessConnect, StatusChanged, Terminated
from gateway.ports import Json
from gateway.ports.calls import CallStore, TraceLine
from gateway.ports.clock import Clock

_log = structlog.get_logger(__name__)

BATCH_LINES = 500


@dataclass(frozen=True, slots=True)
class Told:
    """An event and what the machine made of it."""

    event: Event
    before: Call
    after: Call
    commands: Commands


def line_of(told: Told, at: float) -> TraceLine:
    """Describe a step: what came, which state it led to, what was ordered."""
    fields = _facts(told.event)
    if told.after.state is not told.before.state:
        fields["state"] = told.after.state.value
    outcome = outcome_of(told.after)
    if outcome is not None and outcome is not outcome_of(told.before):
        fields["outcome"] = outcome.value
    if told.commands:
        fields["orders"] = [snake(type(command).__name__) for command in told.commands]
    if told.after == told.before:
        fields["news"] = False
    step = snake(type(told.event).__name__)
    return TraceLine(told.after.call_id, at, _source(told.event), step, fields)


def start_line(call: Call, commands: Commands, at: float) -> TraceLine:
    """Describe how a call began."""
    fields: dict[str, Json] = {
        "direction": call.direction.value,
        "state": call.state.value,
        "orders": [snake(type(command).__name__) for command in commands],
    }
    return TraceLine(call.call_id, at, "machine", "started", fields)


def snake(name: str) -> str:
    """Write a class name as the step it stands for."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.replace("WhatsApp", "Whatsapp")).lower()


def _source(event: Event) -> str:
    match event:
        case BusinessConnect() | StatusChanged() | Terminated():
            return "webhook"
        case Connected() | Accepted() | MetaRefused() | MetaUnclear() | ConnectWithheld():
            return "graph"
        case (
            WhatsAppLegMade()
            | WhatsAppLegUp()
            | WhatsAppLegClosed()
            | AgentLegUp()
            | AgentLegHeard()
            | AgentLegClosed()
            | AnnouncementOver()
            | MediaBack()
            | MediaFailed()
        ):
            return "media"
        case DeadlinePassed():
            return "machine"
        case MinutesHeld() | CaptureFailed() | RecordingDone():
            return "recording"
        case _:
            return "agent"


def _facts(event: Event) -> dict[str, Json]:  # noqa: C901, PLR0911 - a table
    """What of an event may be shown: nothing that names a person, an address or a secret."""
    match event:
        case StatusChanged(status=status, at=at):
            return {"status": status.value, "meta_at": at}
        case BusinessConnect(at=at):
            return {"meta_at": at}
        case Terminated():
            codes: list[Json] = [fault.code for fault in event.faults]
            return {
                "meta_at": event.at,
                "failed": event.failed,
                "start_at": event.start_at,
                "duration_s": event.duration_s,
                "codes": codes,
            }
        case MetaRefused(action, fault):
            return _refusal(action, fault.code, fault.fbtrace_id)
        case MetaUnclear(action):
            return {"action": action.value}
        case DeadlinePassed(deadline):
            return {"deadline": deadline.kind.value}
        case WhatsAppLegClosed(reason=reason):
            return {"reason": reason}
        case MediaFailed(command, code):
            return {"order": snake(type(command).__name__), "code": code}
        case MediaBack(found):
            return {"legs": len(found)}
        case MinutesHeld() | CaptureFailed() | RecordingDone():
            return _recording_facts(event)
        case _:
            return {}


def _recording_facts(event: RecordingFact) -> dict[str, Json]:
    match event:
        case MinutesHeld(refusal):
            return {"refusal": None if refusal is None else refusal.value}
        case CaptureFailed(reason):
            return {"reason": reason.value}
        case RecordingDone(duration_ms):
            return {"duration_ms": duration_ms}


def _refusal(action: GraphAction, code: int, fbtrace_id: str) -> dict[str, Json]:
    return {"action": action.value, "code": code, "fbtrace_id": fbtrace_id}


class TraceBook:
    """Lines that belong to no step (Graph requests, media steps) on their way to the store.

    `note` never blocks; when the store is away for long the oldest lines are dropped and
    counted. Written by `run`, which the runtime keeps going.
    """

    def __init__(
        self, store: CallStore, clock: Clock, *, lines_max: int, flush_s: float
    ) -> None:
        self._store = store
        self._clock = clock
        self._lines: deque[TraceLine] = deque(maxlen=lines_max)
        self._flush_s = flush_s
        self.dropped_count = 0

    def note(self, line: TraceLine) -> None:
        """Take a line; fits as `OnGraphRequest`."""
        if len(self._lines) == self._lines.maxlen:
            self.dropped_count += 1
        self._lines.append(line)

    async def run(self) -> None:
        """Write what was noted, now and then, until cancelled."""
        while True:
            await self._clock.sleep(self._flush_s)
            await self.flush()

    async def flush(self) -> None:
        """Write what was noted so far; what the store cannot take now is kept."""
        while self._lines:
            batch = [self._lines.popleft() for _ in range(min(BATCH_LINES, len(self._lines)))]
            try:
                await self._store.add_trace(batch)
            except StoreDown:
                self._put_back(batch)
                return
            except asyncio.CancelledError:
                self._put_back(batch)
                raise

    def _put_back(self, batch: Sequence[TraceLine]) -> None:
        room = (self._lines.maxlen or 0) - len(self._lines)
        kept = batch[max(0, len(batch) - room) :]
        self.dropped_count += len(batch) - len(kept)
        self._lines.extendleft(reversed(kept))
        if len(kept) < len(batch):
            _log.warning("trace lines were dropped", count=len(batch) - len(kept))
