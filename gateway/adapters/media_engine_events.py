"""A worker's events in the runtime's words, given to every reader within bounds."""

import asyncio
from collections.abc import Callable
from typing import assert_never

from gateway.adapters import media_engine_recording as recording
from gateway.adapters.media_engine_tags import read_tag
from gateway.core.ids import LegId
from gateway.core.quota.lease import WorkerId
from gateway.ports import Json
from gateway.ports import media as port
from media import protocol as wire
from media.protocol_announcement import AnnouncementEnded
from media.protocol_capture import CaptureEvent


def worker_back(snapshot: wire.Snapshot, boot_id: str) -> port.WorkerBack:
    """Tell what lives in the worker."""
    return port.WorkerBack(
        tuple(
            port.LegLive(
                leg_id=LegId(leg.leg_id),
                tag=read_tag(leg.tag),
                is_up=leg.state is wire.LegState.CONNECTED,
                is_sending=leg.sending,
                attached_to=LegId(leg.attached_to) if leg.attached_to else None,
                received_rtp=leg.received_rtp,
                local_sdp=leg.local_sdp,
                is_announced=leg.is_announced,
            )
            for leg in snapshot.legs
            if leg.state is not wire.LegState.CLOSED
        ),
        worker_id=WorkerId(boot_id),
        captures=recording.captures_of(snapshot),
        budgets=recording.budgets_of(snapshot),
    )


def translated(event: wire.Event) -> port.MediaEvent | None:
    """Return what the runtime should know of an event; None if nothing."""
    if isinstance(event, CaptureEvent | AnnouncementEnded):
        return _of_recording(event)
    told: port.MediaEvent | None = None
    match event:
        case wire.LegChanged(state=wire.LegState.CONNECTED):
            told = port.LegUp(LegId(event.leg_id), event.at)
        case wire.LegChanged(state=wire.LegState.CLOSED):
            reason = event.reason or wire.CloseReason.COMMAND
            told = port.LegClosed(LegId(event.leg_id), event.at, reason.value)
        case wire.LegChanged() | wire.Resync():
            pass
        case wire.FirstRtp():
            told = port.LegHeard(LegId(event.leg_id), event.at)
        case wire.MediaQuiet() | wire.MediaResumed():
            is_quiet = isinstance(event, wire.MediaQuiet)
            told = port.LegQuiet(LegId(event.leg_id), event.at, quiet=is_quiet)
        case wire.KeyPressed():
            told = port.LegKey(LegId(event.leg_id), event.at, event.digit)
        case wire.TraceStep():
            fields = dict[str, Json](event.fields)
            told = port.LegTrace(LegId(event.leg_id), event.at, event.step, fields)
        case wire.LegQuality():
            told = _quality(event)
        case _:
            assert_never(event)
    return told


def _of_recording(
    event: CaptureEvent | AnnouncementEnded,
) -> port.CaptureEvent | port.AnnouncementOver:
    if isinstance(event, AnnouncementEnded):
        return port.AnnouncementOver(LegId(event.leg_id), event.at)
    return recording.translated(event)


def _quality(event: wire.LegQuality) -> port.LegQuality:
    return port.LegQuality(
        leg_id=LegId(event.leg_id),
        at=event.at,
        packets_in=event.packets_in,
        packets_out=event.packets_out,
        lost_in=event.lost_in,
        jitter_ms=event.jitter_ms,
        round_trip_ms=event.round_trip_ms,
        remote_lost=event.remote_lost,
    )


class Mailbox:
    """One reader's events. It starts with a `WorkerBack`, and after an overflow anew."""

    def __init__(self, events_max: int) -> None:
        self._queue: asyncio.Queue[port.MediaEvent] = asyncio.Queue(events_max)
        self.is_primed = False

    async def take(self) -> port.MediaEvent:
        """Wait for the next event."""
        return await self._queue.get()

    def put(self, event: port.MediaEvent) -> bool:
        """Add an event; False if the reader is too slow and must start over."""
        if not self.is_primed and not isinstance(event, port.WorkerBack):
            return True
        if self._queue.full():
            while not self._queue.empty():
                self._queue.get_nowait()
            self.is_primed = False
        is_start = isinstance(event, port.WorkerBack)
        if self.is_primed or is_start:
            self._queue.put_nowait(event)
            self.is_primed = True
        return self.is_primed


class Fanout:
    """All readers of one engine."""

    def __init__(self, *, events_max: int, start_over: Callable[[], None]) -> None:
        """`start_over` is called when a reader needs a fresh snapshot."""
        self._events_max = events_max
        self._start_over = start_over
        self._mailboxes: set[Mailbox] = set()

    def open(self) -> Mailbox:
        """Add a reader; it gets a snapshot first."""
        mailbox = Mailbox(self._events_max)
        self._mailboxes.add(mailbox)
        self._start_over()
        return mailbox

    def close(self, mailbox: Mailbox) -> None:
        """Remove a reader."""
        self._mailboxes.discard(mailbox)

    def tell(self, event: port.MediaEvent) -> None:
        """Give an event to every reader."""
        kept = [mailbox.put(event) for mailbox in self._mailboxes]
        if not all(kept):
            self._start_over()
