"""All calls that this node drives: who finds them, who is in them, who is told of them."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import structlog

from gateway.core.call.call import Call, LegStage, Outcome, State, call_of_leg
from gateway.core.call.commands import Commands
from gateway.core.call.ending import outcome_of
from gateway.core.call.events import Event
from gateway.core.errors import NotOwner, Refused, StoreDown
from gateway.core.ids import (
    AccountId,
    CallId,
    CommandId,
    InboxId,
    LegId,
    PhoneNumberId,
    UserId,
    Wacid,
)
from gateway.core.recording.evidence_of_call import happenings
from gateway.core.whatsapp import Direction, Terminated
from gateway.ports.calls import CallRow, PendingCommand
from gateway.ports.live import LiveEvent
from gateway.runtime.agent_legs import SNAPSHOT_AGE_S, AgentLegs
from gateway.runtime.call_actor import ActorParts, CallActor
from gateway.runtime.call_recorder import CallRecorder
from gateway.runtime.call_rows import StoredCall, row_of, stored_of
from gateway.runtime.call_trace import TraceBook, start_line
from gateway.runtime.call_view import CallView, seen_by, view_of
from gateway.runtime.capture_board import CaptureBoard
from gateway.runtime.carry_out import CarryOut
from gateway.runtime.codec import pending
from gateway.runtime.mailbox import ActorGone
from gateway.runtime.notices import Notices
from gateway.runtime.qualities import Qualities
from gateway.runtime.tasks import Tasks
from gateway.runtime.world import NodeLife, RuntimeLimits, World

_log = structlog.get_logger(__name__)

LOOKUPS_MAX = 3
"""Tries to reach a call whose actor retires at that moment."""
TOMBSTONE_PAUSES_S = (0.1, 0.5, 2.0)


class LiveCalls:
    """The register of actors."""

    def __init__(  # noqa: PLR0913 (each is a part it joins)
        self,
        world: World,
        life: NodeLife,
        limits: RuntimeLimits,
        *,
        tasks: Tasks,
        trace: TraceBook,
        notices: Notices,
        recorder: CallRecorder,
        board: CaptureBoard,
    ) -> None:
        self._world = world
        self._life = life
        self._tasks = tasks
        self._board = board
        self.legs = AgentLegs(world, life, legs_max=limits.agent_legs_max)
        self.qualities = Qualities(world.clock, every_s=limits.quality_s)
        self._parts = ActorParts(
            world=world,
            life=life,
            limits=limits,
            tasks=tasks,
            carry_out=CarryOut(world, life, notices, recorder),
            trace=trace,
            changed=self._changed,
            gone=self._gone,
        )
        self._actors: dict[CallId, CallActor] = {}
        self._by_wacid: dict[tuple[PhoneNumberId, Wacid], CallId] = {}
        self._reserved: dict[UserId, CallId] = {}
        self._made_at: dict[LegId, float] = {}
        self._taking_up = asyncio.Lock()
        self._watchers: list[Callable[[AccountId], None]] = []
        self.ended: Counter[tuple[Direction, Outcome]] = Counter()
        """What became of the calls that ended here."""

    # --- finding -------------------------------------------------------------------------

    def watch(self, watcher: Callable[[AccountId], None]) -> None:
        """Call `watcher` when who is in, or rung by, an account's calls may have changed."""
        self._watchers.append(watcher)

    def actor(self, call_id: CallId) -> CallActor | None:
        """Return the driver of a call, if this node drives it now."""
        return self._actors.get(call_id)

    def using(self, leg_id: LegId) -> CallActor | None:
        """Return the driver of the call that uses a leg, or is about to."""
        whose = call_of_leg(leg_id)
        if whose is None:
            leg = self.legs.get(leg_id)
            whose = None if leg is None else leg.used_by
        return None if whose is None else self._actors.get(whose)

    def actors(self) -> Sequence[CallActor]:
        """Return all drivers."""
        return tuple(self._actors.values())

    def of_account(self, account_id: AccountId) -> Sequence[CallActor]:
        """Return an account's live calls."""
        return tuple(
            actor
            for actor in self._actors.values()
            if actor.call.identity.account_id == account_id and not actor.call.is_ended
        )

    async def find(self, phone_number_id: PhoneNumberId, wacid: Wacid) -> CallId | None:
        """Return the call that Meta knows by this id. Raises `StoreDown`."""
        known = self._by_wacid.get((phone_number_id, wacid))
        if known is not None:
            return known
        row = await self._world.calls.by_wacid(phone_number_id, wacid)
        return None if row is None else row.call_id

    def view(self, actor: CallActor) -> CallView:
        """Show a call with what is known of its quality and of its capture."""
        call_id = actor.call_id
        return view_of(
            actor.call, actor.version, self.qualities.of(call_id), self._board.of(call_id)
        )

    # --- who is in a call ----------------------------------------------------------------

    def busy_with(self, user_id: UserId) -> CallId | None:
        """Return the call an agent is in, or about to be in."""
        reserved = self._reserved.get(user_id)
        if reserved is not None:
            return reserved
        for actor in self._actors.values():
            agent = actor.call.agent
            if agent is not None and agent.user_id == user_id and not actor.call.is_ended:
                return actor.call_id
        return None

    def busy_users(self) -> frozenset[UserId]:
        """Return everybody for whom `busy_with` names a call."""
        live = (actor.call for actor in self._actors.values() if not actor.call.is_ended)
        talking = (call.agent.user_id for call in live if call.agent is not None)
        return frozenset((*self._reserved, *talking))

    @contextmanager
    def reserve(self, user_id: UserId, call_id: CallId) -> Iterator[None]:
        """Keep an agent for one call while they get into it. Raises `Refused("agent_busy")`.

        A call arbitrates who gets it; this arbitrates which call gets the agent.
        """
        if self.busy_with(user_id) not in {None, call_id}:
            raise Refused("agent_busy", "You are in another call.")
        self._reserved[user_id] = call_id
        try:
            yield
        finally:
            self._reserved.pop(user_id, None)

    # --- beginning -----------------------------------------------------------------------

    async def open(
        self, call: Call, commands: Commands, *, inbox_id: InboxId | None = None
    ) -> CallActor:
        """Store a new call and begin to drive it. Raises `StoreDown`, `VersionConflict`.

        A new call never goes on credit: without its row a restart could not find it.
        """
        ordered = [(CommandId(self._world.new_id()), command) for command in commands]
        stored = StoredCall(call, version=1)
        now = self._world.clock.wall()
        await self._world.calls.create(
            row_of(stored, self._life),
            commands=[pending(i, call.call_id, command) for i, command in ordered],
            trace=[start_line(call, commands, now)],
            evidence=happenings(None, call, commands, now),
            inbox_id=inbox_id,
        )
        actor = self._add(stored)
        self._count_end(call)
        actor.start(ordered)
        self._publish(actor, before=None)
        self._poke(actor)
        return actor

    async def take_up(
        self, row: CallRow, undone: Sequence[PendingCommand], *, first: Event | None
    ) -> CallActor | None:
        """Drive a stored call from now on; None if somebody else was faster.

        Raises `StoreDown`, and `Unreadable` for what this version cannot read.
        """
        stored = stored_of(row)
        is_adopted = await self._world.calls.adopt(
            row.call_id,
            seen_epoch=row.owner_epoch,
            node=self._life.node_id,
            epoch=self._life.epoch,
        )
        if not is_adopted:
            return None
        actor = self._add(stored)
        self.lend_legs(actor)
        actor.resume(undone, first=first)
        self._poke(actor)
        return actor

    def lend_legs(self, actor: CallActor) -> None:
        """Note whose the legs of a call are, where no tag in the worker tells it."""
        agent = actor.call.agent
        for leg in () if agent is None else (agent.leg, agent.coming):
            if leg is not None:
                self.legs.lend(leg.leg_id, actor.call_id)

    def _add(self, stored: StoredCall) -> CallActor:
        actor = CallActor(stored, self._parts)
        call = stored.call
        self._actors[call.call_id] = actor
        if call.wacid is not None:
            self._by_wacid[call.identity.phone_number_id, call.wacid] = call.call_id
        return actor

    # --- telling -------------------------------------------------------------------------

    async def deliver(
        self, call_id: CallId, event: Event, *, inbox_id: InboxId | None = None
    ) -> Call:
        """Tell a call something, waking it if it had ended or was another life's.

        Raises `Refused`, `NotOwner` (another node's), `StoreDown`, `VersionConflict`.
        """
        for _ in range(LOOKUPS_MAX):
            actor = self._actors.get(call_id) or await self._wake(call_id)
            try:
                return await actor.tell(event, inbox_id=inbox_id)
            except ActorGone:
                continue
        raise StoreDown("the call cannot be changed at the moment")

    async def _wake(self, call_id: CallId) -> CallActor:
        async with self._taking_up:
            actor = self._actors.get(call_id)
            if actor is not None:
                return actor
            row = await self._world.calls.load(call_id)
            if row is None or self._is_elsewhere(row):
                raise NotOwner("the call is not this node's")
            undone = await self._world.calls.pending(call_id)
            taken = await self.take_up(row, undone, first=None)
            if taken is None:
                raise NotOwner("the call was taken up elsewhere")
            return taken

    def _is_elsewhere(self, row: CallRow) -> bool:
        return row.owner_node != self._life.node_id and row.ended_at is None

    # --- what actors report --------------------------------------------------------------

    def _changed(self, actor: CallActor, before: Call) -> None:
        call = actor.call
        leg = call.whatsapp
        if leg.stage is LegStage.MADE and before.whatsapp.stage is not LegStage.MADE:
            self._made_at[leg.leg_id] = self._world.clock.monotonic()
        if call.wacid is not None and before.wacid is None:
            self._learned(actor, call.wacid)
        if call.is_ended and not before.is_ended:
            self._count_end(call)
        self._publish(actor, before)
        if _people_in(call) != _people_in(before):
            self._poke(actor)

    def _count_end(self, call: Call) -> None:
        outcome = outcome_of(call)
        if outcome is not None:
            self.ended[call.direction, outcome] += 1

    def _learned(self, actor: CallActor, wacid: Wacid) -> None:
        """Meta's id became known; its end may have come earlier and left a tombstone."""
        number = actor.call.identity.phone_number_id
        self._by_wacid[number, wacid] = actor.call_id
        self._tasks.spawn(
            self._look_for_tombstone(actor, number, wacid),
            name="tombstone",
            on_crash=actor.crash,
        )

    async def _look_for_tombstone(
        self, actor: CallActor, number: PhoneNumberId, wacid: Wacid
    ) -> None:
        for pause_s in (*TOMBSTONE_PAUSES_S, None):
            try:
                is_over = await self._world.tombstones.is_buried(number, wacid)
            except StoreDown:
                if pause_s is not None:
                    await self._world.clock.sleep(pause_s)
                continue
            if is_over:
                now = self._world.clock.wall()
                actor.post(Terminated(number, wacid, now, failed=False))
            return

    def is_young(self, leg_id: LegId) -> bool:
        """Whether a snapshot may have been taken before this leg was made."""
        made_at = self._made_at.get(leg_id)
        if made_at is None:
            return self.legs.is_young(leg_id)
        return self._world.clock.monotonic() - made_at < SNAPSHOT_AGE_S

    def _gone(self, actor: CallActor) -> None:
        call = actor.call
        self._actors.pop(call.call_id, None)
        if call.wacid is not None:
            self._by_wacid.pop((call.identity.phone_number_id, call.wacid), None)
        for attempt in [leg for leg in self._made_at if leg.startswith(call.call_id)]:
            del self._made_at[attempt]
        self.legs.take_back(call.call_id)
        self.qualities.forget_call(call.call_id)
        self._poke(actor)

    def _poke(self, actor: CallActor) -> None:
        for watcher in self._watchers:
            watcher(actor.call.identity.account_id)

    # --- news to browsers ----------------------------------------------------------------

    def _publish(self, actor: CallActor, before: Call | None) -> None:
        """Tell those who see the call, and once more those who no longer do."""
        seen = seen_by(actor.call) | (seen_by(before) if before is not None else frozenset())
        self._world.bus.publish(
            LiveEvent(
                actor.call.identity.account_id,
                "call",
                self.view(actor).as_json(),
                audience=tuple(sorted(seen)),
            )
        )

    def publish_recording(self, call_id: CallId) -> None:
        """Tell what a call's capture does; not a new version of it."""
        actor = self._actors.get(call_id)
        if actor is None:
            return
        body = self.view(actor).as_json()
        self._world.bus.publish(
            LiveEvent(
                actor.call.identity.account_id,
                "recording",
                {"call_id": call_id, "recording": body["recording"]},
                audience=tuple(sorted(seen_by(actor.call))),
            )
        )

    def publish_quality(self, actor: CallActor) -> None:
        """Tell how a call fares; not a new version of it."""
        view = self.view(actor).as_json()
        self._world.bus.publish(
            LiveEvent(
                actor.call.identity.account_id,
                "quality",
                {"call_id": actor.call_id, "quality": view["quality"]},
                audience=tuple(sorted(seen_by(actor.call))),
            )
        )


def _people_in(call: Call) -> tuple[State, frozenset[UserId]]:
    """Return what presence and routing have to know of a call."""
    return call.state, seen_by(call)
