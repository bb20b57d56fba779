"""One call's driver: take an event, step, commit, carry out, arm the deadlines.

It is the only arbiter of its call. Whoever tells it something waits in its mailbox.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from gateway.core.call.call import Call, Deadline
from gateway.core.call.commands import CloseLeg, Command, Connect, GraphAction, Terminate
from gateway.core.call.events import (
    ActorCrashed,
    ConnectWithheld,
    DeadlinePassed,
    Event,
    MetaUnclear,
)
from gateway.core.call.machine import step
from gateway.core.call.resume import Resumption, resumption
from gateway.core.errors import NotOwner, Refused, VersionConflict
from gateway.core.ids import CallId, CommandId, InboxId
from gateway.core.recording.evidence_of_call import happenings
from gateway.ports.calls import PendingCommand
from gateway.runtime.alarms import Alarms
from gateway.runtime.call_rows import StoredCall, row_of
from gateway.runtime.call_trace import Told, TraceBook, line_of
from gateway.runtime.carry_out import CarryOut
from gateway.runtime.codec import Unreadable, command_of, pending
from gateway.runtime.commits import Commits, Step
from gateway.runtime.lanes import Lanes
from gateway.runtime.mailbox import ActorGone, Letter, Mailbox
from gateway.runtime.tasks import Tasks
from gateway.runtime.world import NodeLife, RuntimeLimits, World

_log = structlog.get_logger(__name__)

Ordered = Sequence[tuple[CommandId, Command]]


@dataclass(frozen=True, slots=True)
class ActorParts:
    """What all actors share. `changed` is called after each commit, `gone` at the end."""

    world: World
    life: NodeLife
    limits: RuntimeLimits
    tasks: Tasks
    carry_out: CarryOut
    trace: TraceBook
    changed: Callable[["CallActor", Call], None]
    gone: Callable[["CallActor"], None]


class CallActor:
    """Drives one call until it has ended and everything ordered is done."""

    def __init__(self, stored: StoredCall, parts: ActorParts) -> None:
        self._stored = stored
        self._parts = parts
        self._mailbox = Mailbox(parts.limits.mailbox_max)
        self._commits = Commits(parts.world.calls, parts.world.clock, parts.limits)
        self._alarms = Alarms(parts.tasks, parts.world.clock, ring=self._deadline_passed)
        self._lanes = Lanes(
            parts.tasks, self._carry_out_one, done=self._command_done, crashed=self.crash
        )
        self._open: set[CommandId] = set()
        self._is_settling = False
        self._lost: VersionConflict | NotOwner | None = None
        self._is_closed = False
        self._is_crashed = False

    @property
    def call(self) -> Call:
        """The call as it was committed last."""
        return self._stored.call

    @property
    def call_id(self) -> CallId:
        """Our key of the call."""
        return self._stored.call.call_id

    @property
    def version(self) -> int:
        """Grows with every change."""
        return self._stored.version

    # --- being told ----------------------------------------------------------------------

    async def tell(self, event: Event, *, inbox_id: InboxId | None = None) -> Call:
        """Hand over an event and wait until it is committed; return the call then.

        Raises `Refused` where a person asks for what cannot be, `ActorGone` if the actor is
        over, `NotOwner` or `VersionConflict` if the call turned out to be somebody else's.
        """
        if self._is_closed:
            raise ActorGone("the call's actor is gone")
        reply: asyncio.Future[Call] = asyncio.get_running_loop().create_future()
        self._mailbox.put(Letter(event, inbox_id, reply=reply))
        return await reply

    def post(self, event: Event) -> None:
        """Hand over a fact without waiting; a retired actor does not want it any more.

        Too many that wait are a fault of ours: the call is ended.
        """
        if self._is_closed:
            return
        try:
            self._mailbox.put(Letter(event))
        except ActorGone:
            _log.error("the mailbox of a call is full", call_id=self.call_id)
            self.crash()

    def crash(self) -> None:
        """End the call because our own program failed it."""
        if not self._is_crashed and not self._is_closed:
            self._is_crashed = True
            self._mailbox.put_own(Letter(ActorCrashed()))

    # --- living --------------------------------------------------------------------------

    def start(self, commands: Ordered = ()) -> None:
        """Begin, with commands that are already committed and not yet carried out."""
        self._submit(commands, is_durable=True)
        self._alarms.set(self.call.deadlines)
        self._spawn(self._run())

    def resume(self, stored: Sequence[PendingCommand], *, first: Event | None) -> None:
        """Begin after a restart: take the fact `first`, then judge what was left undone."""
        self._spawn(self._wake_up(stored, first))

    async def _wake_up(self, stored: Sequence[PendingCommand], first: Event | None) -> None:
        if first is not None:
            await self._work_safely(Letter(first))
        if not self._is_closed:
            self._submit(self._judged(stored), is_durable=True)
            self._alarms.set(self.call.deadlines)
            await self._run()

    def _judged(self, stored: Sequence[PendingCommand]) -> Ordered:
        """Return what is to be repeated; the rest is finished, or unclear."""
        repeated: list[tuple[CommandId, Command]] = []
        for one in stored:
            self._open.add(one.command_id)
            try:
                command = command_of(one)
            except Unreadable:
                _log.error("a pending command is not readable", call_id=self.call_id)
                self._command_done(one.command_id, None)
                continue
            match resumption(self.call, command):
                case Resumption.REPEAT:
                    repeated.append((one.command_id, command))
                case Resumption.DROP:
                    self._command_done(one.command_id, None)
                case Resumption.UNCLEAR:
                    self._command_done(one.command_id, MetaUnclear(GraphAction.CONNECT))
        return repeated

    async def _run(self) -> None:
        self._retire_if_done()
        while not self._is_closed:
            await self._work_safely(await self._mailbox.take())
            self._retire_if_done()

    async def _work_safely(self, letter: Letter) -> None:
        """Work a letter off; leave nobody waiting whatever happens."""
        try:
            await self._work(letter)
        except (VersionConflict, NotOwner) as lost:
            _log.warning("a call has another owner", call_id=self.call_id)
            letter.answer(lost)
            self._close()
        finally:
            letter.answer(ActorGone("the call's actor failed"))

    async def _work(self, letter: Letter) -> None:
        if self._lost is not None:
            raise self._lost
        if letter.finishes is not None:
            # A command stays pending until its result is committed, so both go together.
            self._open.discard(letter.finishes)
            self._commits.finish(letter.finishes)
        if letter.event is not None:
            await self._step(letter.event, letter)
        self._settle_beside()

    async def _step(self, event: Event, letter: Letter) -> None:
        before = self.call
        now = self._parts.world.clock.wall()
        try:
            after, commands = step(before, event, now)
        except Refused as refused:
            letter.answer(refused)
            return
        told = Told(event, before, after, commands)
        if after == before and not commands:
            await self._note_no_news(told, letter, now)
        else:
            await self._commit(told, letter, now)
        letter.answer(self.call)

    async def _note_no_news(self, told: Told, letter: Letter, now: float) -> None:
        line = line_of(told, now)
        if line.source != "media":  # What the worker tells is in the trace already.
            self._parts.trace.note(line)
        if letter.inbox_id is not None:
            # A row that cannot be closed now comes again, and is no news again.
            row_done = self._parts.world.inbox.done(letter.inbox_id, note="no news")
            await self._commits.is_served(row_done)

    async def _commit(self, told: Told, letter: Letter, now: float) -> None:
        parts = self._parts
        stored = StoredCall(told.after, self.version + 1)
        ordered = [(CommandId(parts.world.new_id()), c) for c in told.commands]
        committed = Step(
            row_of(stored, parts.life),
            [pending(command_id, self.call_id, c) for command_id, c in ordered],
            [line_of(told, now)],
            letter.inbox_id,
            happenings(told.before, told.after, told.commands, now),
        )
        is_durable = await self._commits.put(committed)
        self._stored = stored
        self._submit(ordered, is_durable=is_durable)
        self._alarms.set(told.after.deadlines)
        parts.changed(self, told.before)

    # --- commands ------------------------------------------------------------------------

    def _submit(
        self, ordered: Iterable[tuple[CommandId, Command]], *, is_durable: bool
    ) -> None:
        for command_id, command in ordered:
            self._open.add(command_id)
            if isinstance(command, Connect) and not is_durable:
                self._command_done(command_id, ConnectWithheld())
            else:
                self._lanes.submit(command_id, command)

    async def _carry_out_one(self, command: Command) -> Event | None:
        return await self._parts.carry_out(self.call, command)

    def _command_done(self, command_id: CommandId, event: Event | None) -> None:
        if not self._is_closed:
            self._mailbox.put_own(Letter(event, finishes=command_id))

    def _deadline_passed(self, deadline: Deadline) -> None:
        if not self._is_closed:
            self._mailbox.put_own(Letter(DeadlinePassed(deadline)))

    def _settle_beside(self) -> None:
        """Let the store catch up without making anybody wait."""
        if not self._is_settling and not self._commits.is_settled:
            self._is_settling = True
            self._parts.tasks.spawn(self._settle(), name="settle", on_crash=self.crash)

    async def _settle(self) -> None:
        try:
            await self._commits.settle()
        except (VersionConflict, NotOwner) as lost:
            self._lost = lost
        finally:
            self._is_settling = False
        if not self._is_closed:
            self._mailbox.put_own(Letter())

    # --- the end -------------------------------------------------------------------------

    def _retire_if_done(self) -> None:
        is_idle = not (self._open or self._is_settling) and self._commits.is_settled
        if not self._is_closed and self.call.is_ended and is_idle and self._mailbox.is_empty:
            self._close()

    def _spawn(self, loop: Coroutine[Any, Any, None]) -> None:
        self._parts.tasks.spawn(loop, name="call actor", on_crash=self._loop_crashed)

    def _loop_crashed(self) -> None:
        """Go on with the call's end as a further event; if even that crashes, without steps."""
        if self._is_closed:
            return
        if not self._is_crashed:
            self.crash()
            self._spawn(self._run())
            return
        _log.error("a crashed call is ended without its machine", call_id=self.call_id)
        self._close()
        self._parts.tasks.spawn(self._last_resort(), name="last resort", on_crash=lambda: None)

    async def _last_resort(self) -> None:
        call = self.call
        await self._carry_out_one(CloseLeg(call.whatsapp.leg_id))
        if call.wacid is not None:
            await self._carry_out_one(Terminate(call.wacid))

    def _close(self) -> None:
        self._is_closed = True
        self._alarms.set(())
        self._lanes.clear()
        self._mailbox.refuse_all()
        self._parts.gone(self)
