"""Small readable stand-ins for what the HTTP edge needs and these tests do not examine."""

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from gateway.core.errors import NotFound, Refused
from gateway.core.ids import AccountId, CallId, LegId, NodeId, PhoneNumberId, UserId
from gateway.core.whatsapp import Direction, Peer
from gateway.ports.accounts import Person, Role
from gateway.ports.calls import TraceLine
from gateway.ports.live import AgentPresence, Availability, LiveEvent
from gateway.runtime.call_desk import Joined, LegChoice, OpenedLeg
from gateway.runtime.call_view import AgentView, CallView, NumberView, PeerView
from gateway.runtime.notices import Notice
from gateway.runtime.presence_board import PersonState
from gateway.runtime.sight import CallPage

BUFFER_MAX = 100


class ShiftedClock:
    """The machine's clock, plus what a test has let pass; short sleeps pass at once."""

    def __init__(self) -> None:
        self.shift_s = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.shift_s

    def wall(self) -> float:
        return time.time() + self.shift_s

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.02))


class LocalPresence:
    """Presence of one process."""

    def __init__(self) -> None:
        self.here: dict[tuple[AccountId, UserId], int] = {}
        self.chosen: dict[UserId, Availability] = {}

    async def enter(self, account_id: AccountId, user_id: UserId) -> None:
        self.here[account_id, user_id] = self.here.get((account_id, user_id), 0) + 1

    async def leave(self, account_id: AccountId, user_id: UserId) -> None:
        self.here[account_id, user_id] -= 1
        if not self.here[account_id, user_id]:
            del self.here[account_id, user_id]

    async def choose(
        self, account_id: AccountId, user_id: UserId, availability: Availability
    ) -> None:
        self.chosen[user_id] = availability

    async def of_account(self, account_id: AccountId) -> Sequence[AgentPresence]:
        return [
            AgentPresence(user, account, NodeId("n"), self.chosen.get(user, Availability.AWAY))
            for account, user in self.here
            if account == account_id
        ]


class LocalBus:
    """The event bus of one process; a reader more than `BUFFER_MAX` behind is dropped."""

    def __init__(self) -> None:
        self.queues: dict[asyncio.Queue[LiveEvent | None], AccountId] = {}

    def publish(self, event: LiveEvent) -> None:
        for queue, account_id in self.queues.items():
            if account_id != event.account_id or queue.qsize() > BUFFER_MAX:
                continue
            queue.put_nowait(event if queue.qsize() < BUFFER_MAX else None)

    @asynccontextmanager
    async def subscribe(self, account_id: AccountId) -> AsyncIterator[AsyncIterator[LiveEvent]]:
        queue: asyncio.Queue[LiveEvent | None] = asyncio.Queue()
        self.queues[queue] = account_id
        try:
            yield self._read(queue)
        finally:
            del self.queues[queue]

    async def _read(self, queue: asyncio.Queue[LiveEvent | None]) -> AsyncIterator[LiveEvent]:
        while (event := await queue.get()) is not None:
            yield event


def a_view(call_id: str, **changes: object) -> CallView:
    view = CallView(
        id=call_id,
        version=1,
        direction="inbound",
        state="ringing",
        peer=PeerView("Siti", "628110000002", "ID.77", None),
        number=NumberView("200200200200200", "+62 21 5090 0001"),
        agent=None,
        offered_to=(),
        created_at="2026-11-21T04:00:00.000Z",
        answered_at=None,
        ended_at=None,
        muted=False,
        held=False,
        agent_away=False,
        reattach_until=None,
        outcome=None,
        problem=None,
        quality=None,
        recording=None,
    )
    return dataclasses.replace(view, **changes)  # type: ignore[arg-type]  # any field


class TinyDesk:
    """Calls in a dictionary, with the rules of seeing and taking and nothing else."""

    def __init__(self, presence: LocalPresence) -> None:
        self.views: dict[CallId, tuple[AccountId, CallView]] = {}
        self.board = presence
        self.done: list[tuple[object, ...]] = []
        self.raises: Exception | None = None
        self.dialled: dict[str, CallView] = {}
        self.standing: list[Notice] = []
        self.legs: dict[LegId, set[UserId]] = {}

    def add(self, account_id: AccountId, view: CallView) -> None:
        self.views[CallId(view.id)] = (account_id, view)

    async def dial(
        self,
        person: Person,
        to: Peer,
        leg: LegChoice,
        *,
        number_id: PhoneNumberId | None = None,
        idempotency_key: str | None = None,
    ) -> Joined:
        self._act("dial", to, number_id, leg, idempotency_key)
        known = self.dialled.get(idempotency_key or "")
        view = known or a_view(
            f"{len(self.views):026d}",
            direction="outbound",
            state="dialling",
            agent=AgentView(person.user_id, person.name),
            peer=PeerView(None, to.phone, to.user_id, None),
        )
        self.add(person.account_id, view)
        if idempotency_key:
            self.dialled[idempotency_key] = view
        return Joined(view, "v=0 answer" if leg.offer else None)

    async def answer(self, person: Person, call_id: CallId, leg: LegChoice) -> Joined:
        view = self._seen(person, call_id)
        self._act("answer", call_id, leg)
        if view.agent is not None:
            raise Refused("call_taken", f"{view.agent.name} has taken it.")
        view = dataclasses.replace(
            view, state="connecting", agent=AgentView(person.user_id, person.name), version=2
        )
        self.add(person.account_id, view)
        return Joined(view, "v=0 answer" if leg.offer else None)

    async def reattach(self, person: Person, call_id: CallId, leg: LegChoice) -> Joined:
        view = self._seen(person, call_id)
        self._act("reattach", call_id, leg)
        return Joined(view, "v=0 answer" if leg.offer else None)

    async def decline(self, person: Person, call_id: CallId, *, everyone: bool = False) -> None:
        self._seen(person, call_id)
        self._act("decline", call_id, everyone)

    async def hang_up(self, person: Person, call_id: CallId) -> None:
        self._seen(person, call_id)
        self._act("hang_up", call_id)

    async def mute(self, person: Person, call_id: CallId, *, muted: bool) -> None:
        self._seen(person, call_id)
        self._act("mute", call_id, muted)

    async def hold(self, person: Person, call_id: CallId, *, held: bool) -> None:
        self._seen(person, call_id)
        self._act("hold", call_id, held)

    async def open_agent_leg(self, person: Person, offer: str) -> OpenedLeg:
        self._act("open_agent_leg", offer)
        return OpenedLeg(LegId("l" * 26), "v=0 answer")

    async def close_agent_leg(self, person: Person, leg_id: LegId) -> None:
        if self.legs and person.user_id not in self.legs.get(leg_id, ()):
            raise NotFound("no such leg")
        self._act("close_agent_leg", leg_id)

    async def set_availability(self, person: Person, availability: Availability) -> None:
        await self.board.choose(person.account_id, person.user_id, availability)

    def notices(self, person: Person) -> Sequence[Notice]:
        return self.standing

    async def live_calls(self, person: Person) -> Sequence[CallView]:
        self._act("live_calls")
        return [view for view in self._all(person) if view.state != "ended"]

    async def one(self, person: Person, call_id: CallId) -> CallView:
        self._act("one", call_id)
        return self._seen(person, call_id)

    async def page(
        self,
        person: Person,
        *,
        cursor: str | None = None,
        limit: int = 50,
        direction: Direction | None = None,
        live_only: bool = False,
        peer: Peer | None = None,
    ) -> CallPage:
        self._act("page", cursor, limit, direction, live_only, peer)
        return CallPage(tuple(self._all(person)[:limit]), None)

    async def trace(self, person: Person, call_id: CallId) -> Sequence[TraceLine]:
        self._seen(person, call_id)
        return [
            TraceLine(call_id, 1_790_000_000.25, "webhook", "connect", {"age_ms": 12}),
            TraceLine(call_id, 1_790_000_000.5, "graph", "accept", {"status": 200}),
        ]

    async def enter(self, person: Person) -> None:
        await self.board.enter(person.account_id, person.user_id)

    async def leave(self, person: Person) -> None:
        await self.board.leave(person.account_id, person.user_id)

    async def presence(self, person: Person) -> Sequence[PersonState]:
        here = await self.board.of_account(person.account_id)
        return [PersonState(one.user_id, "Ayu", one.availability.value) for one in here]

    def _act(self, *what: object) -> None:
        if self.raises is not None:
            raise self.raises
        self.done.append(what)

    def _all(self, person: Person) -> list[CallView]:
        return [
            view
            for account_id, view in self.views.values()
            if account_id == person.account_id and self._may_see(person, view)
        ]

    def _seen(self, person: Person, call_id: CallId) -> CallView:
        account_id, view = self.views.get(call_id, (None, None))
        if view is None or account_id != person.account_id or not self._may_see(person, view):
            raise NotFound("no such call")
        return view

    def _may_see(self, person: Person, view: CallView) -> bool:
        is_own = view.agent is not None and view.agent.id == person.user_id
        return person.role is not Role.AGENT or is_own or person.user_id in view.offered_to
