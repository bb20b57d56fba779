"""What the media worker tells, on its way to the calls and the register of agent legs."""

import asyncio
from collections.abc import Iterable
from typing import assert_never

import structlog

from gateway.core.call.call import Call, call_of_leg, legs_of
from gateway.core.call.events import (
    AgentLegClosed,
    AgentLegHeard,
    AgentLegUp,
    AnnouncementOver,
    Event,
    FoundLeg,
    MediaBack,
    WhatsAppLegClosed,
    WhatsAppLegUp,
)
from gateway.core.ids import LegId
from gateway.ports import Json, media
from gateway.ports.calls import TraceLine
from gateway.ports.live import LiveEvent
from gateway.ports.media import (
    CaptureEvent,
    LegClosed,
    LegEvent,
    LegHeard,
    LegKey,
    LegLive,
    LegQuality,
    LegQuiet,
    LegTrace,
    LegUp,
    WorkerBack,
)
from gateway.runtime.agent_legs import AgentLegs, KnownLeg
from gateway.runtime.call_actor import CallActor
from gateway.runtime.call_trace import TraceBook
from gateway.runtime.captures import Captures
from gateway.runtime.live_calls import LiveCalls
from gateway.runtime.tasks import Tasks
from gateway.runtime.world import World

_log = structlog.get_logger(__name__)


class MediaNews:
    """Reads the worker's events in order and hands each to whom it concerns."""

    def __init__(
        self,
        world: World,
        calls: LiveCalls,
        legs: AgentLegs,
        captures: Captures,
        trace: TraceBook,
        tasks: Tasks,
    ) -> None:
        self._captures = captures
        self._world = world
        self._calls = calls
        self._legs = legs
        self._trace = trace
        self._tasks = tasks
        self._snapshot: WorkerBack | None = None
        self._was_seen = asyncio.Event()
        self._may_go_on = asyncio.Event()

    async def run(self) -> None:
        """Read events until cancelled.

        After the first snapshot it waits for `go_on`: until the calls of an earlier life are
        taken up, nobody is there to hear.
        """
        async for event in self._world.media.events():
            if not self._was_seen.is_set() and isinstance(event, WorkerBack):
                self._snapshot = event
                self._legs.adopt(event.legs)
                self._was_seen.set()
                continue
            await self._may_go_on.wait()
            if isinstance(event, WorkerBack):
                self._worker_back(event)
            elif isinstance(event, CaptureEvent):
                self._captures.note(event)
            else:
                self._note(event)

    async def first_snapshot(self, wait_s: float) -> None:
        """Wait until a worker has shown what it has, but not for ever."""
        waited = self._tasks.spawn(
            self._give_up(wait_s), name="wait for worker", on_crash=self._was_seen.set
        )
        await self._was_seen.wait()
        waited()

    async def _give_up(self, wait_s: float) -> None:
        await self._world.clock.sleep(wait_s)
        _log.warning("no media worker so far")
        self._was_seen.set()

    def found_for(self, call: Call) -> MediaBack | None:
        """Return what the first snapshot shows of a call; None if there was none."""
        return None if self._snapshot is None else MediaBack(_found(call, self._snapshot.legs))

    def go_on(self) -> None:
        """The calls are taken up: close what belongs to none of them, and hear on."""
        if self._snapshot is not None:
            self._close_orphans(self._snapshot.legs)
            self._captures.worker_back(self._snapshot)
        self._may_go_on.set()

    # --- a worker is back ----------------------------------------------------------------

    def _worker_back(self, event: WorkerBack) -> None:
        self._snapshot = event
        self._captures.worker_back(event)
        lost = self._legs.adopt(event.legs)
        seen = {leg.leg_id for leg in event.legs}
        for actor in self._calls.actors():
            self._calls.lend_legs(actor)
            unseen = [leg_id for leg_id in legs_of(actor.call) if leg_id not in seen]
            # A leg made after the snapshot was taken is not lost; its deadlines watch it.
            if not any(self._calls.is_young(leg_id) for leg_id in unseen):
                actor.post(MediaBack(_found(actor.call, event.legs)))
        self._tell_owners(lost)
        self._close_orphans(event.legs)

    def _tell_owners(self, lost: Iterable[KnownLeg]) -> None:
        detail = "The media worker was restarted. Your connection has to be made again."
        for leg in lost:
            self._world.bus.publish(
                LiveEvent(
                    leg.account_id,
                    "notice",
                    {"code": "leg_gone", "detail": detail},
                    audience=(leg.user_id,),
                    is_personal=True,
                )
            )

    def _close_orphans(self, legs: Iterable[LegLive]) -> None:
        """Close legs that were made for a call and that no live call knows."""
        for leg in legs:
            call_id = leg.tag.call_id
            if call_id is None or self._calls.is_young(leg.leg_id):
                continue
            actor = self._calls.actor(call_id)
            is_wanted = actor is not None and leg.leg_id in legs_of(actor.call)
            if not is_wanted:
                _log.info("a leg without a call is closed")
                self._tasks.spawn(
                    self._legs.close_quietly(leg.leg_id),
                    name="close orphan",
                    on_crash=lambda: None,
                )

    # --- single events -------------------------------------------------------------------

    def _note(self, event: LegEvent) -> None:
        match event:
            case LegUp():
                self._up(event)
            case LegClosed():
                self._closed(event)
            case LegHeard(leg_id):
                self._heard(leg_id)
            case LegQuiet():
                self._quiet(event)
            case LegKey(leg_id, at):
                self._line(leg_id, at, "key_pressed", {})
            case LegQuality():
                self._quality(event)
            case media.AnnouncementOver(leg_id):
                _post(self._calls.using(leg_id), AnnouncementOver(leg_id))
            case LegTrace(leg_id, at, step, fields):
                self._line(leg_id, at, step, fields)
            case _:
                assert_never(event)

    def _up(self, event: LegUp) -> None:
        actor = self._calls.using(event.leg_id)
        if call_of_leg(event.leg_id) is None:
            self._legs.went_up(event.leg_id)
            _post(actor, AgentLegUp(event.leg_id))
        else:
            _post(actor, WhatsAppLegUp(event.leg_id))

    def _heard(self, leg_id: LegId) -> None:
        if call_of_leg(leg_id) is None:
            self._legs.was_heard(leg_id)
            _post(self._calls.using(leg_id), AgentLegHeard(leg_id))

    def _closed(self, event: LegClosed) -> None:
        self._line(event.leg_id, event.at, "leg_closed", {"reason": event.reason})
        self._calls.qualities.forget_leg(event.leg_id)
        actor = self._calls.using(event.leg_id)
        if call_of_leg(event.leg_id) is None:
            self._legs.was_closed(event.leg_id)
            _post(actor, AgentLegClosed(event.leg_id))
        else:
            _post(actor, WhatsAppLegClosed(event.leg_id, event.reason))

    def _quiet(self, event: LegQuiet) -> None:
        step = "media_quiet" if event.quiet else "media_resumed"
        self._line(event.leg_id, event.at, step, {})
        if event.quiet:
            self._legs.went_quiet(event.leg_id)
        else:
            self._heard(event.leg_id)

    def _quality(self, event: LegQuality) -> None:
        actor = self._calls.using(event.leg_id)
        if actor is None:
            return
        is_whatsapp = call_of_leg(event.leg_id) is not None
        if self._calls.qualities.note(event, actor.call_id, is_whatsapp=is_whatsapp):
            self._calls.publish_quality(actor)

    def _line(self, leg_id: LegId, at: float, step: str, fields: dict[str, Json]) -> None:
        """Add a line to the trace of the call that uses, or used, the leg."""
        actor, whose = self._calls.using(leg_id), call_of_leg(leg_id)
        call_id = whose if actor is None else actor.call_id
        if call_id is not None:
            side = "agent" if whose is None else "whatsapp"
            self._trace.note(TraceLine(call_id, at, "media", step, {"leg": side, **fields}))


def _post(actor: CallActor | None, event: Event) -> None:
    if actor is not None:
        actor.post(event)


def _found(call: Call, legs: Iterable[LegLive]) -> tuple[FoundLeg, ...]:
    wanted = legs_of(call)
    return tuple(
        FoundLeg(
            leg_id=leg.leg_id,
            is_up=leg.is_up,
            is_sending=leg.is_sending,
            is_heard=leg.received_rtp,
            attached_to=leg.attached_to,
            local_sdp=leg.local_sdp,
            is_announced=leg.is_announced,
        )
        for leg in legs
        if leg.leg_id in wanted
    )
