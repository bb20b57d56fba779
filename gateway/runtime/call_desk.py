"""The calls as people act on them: who may do what, with which leg, to which call.

Every method takes the acting person. What is not theirs to see is `NotFound`; what they see but
may not do is `Forbidden`; what the state of the world forbids is `Refused` with a code.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway.core.call.call import AgentLeg, Call, CallAgent, legs_of
from gateway.core.call.events import (
    AgentAnswered,
    AgentDeclined,
    AgentLegClosed,
    AgentReattached,
    Event,
    EveryoneDeclined,
    Held,
    HungUp,
    Muted,
)
from gateway.core.call.start import dial
from gateway.core.errors import (
    BadInput,
    Forbidden,
    NotFound,
    NotOwner,
    Refused,
    VersionConflict,
)
from gateway.core.ids import CallId, LegId, PhoneNumberId
from gateway.core.whatsapp import Direction, Peer
from gateway.ports.accounts import Number, Person, Role
from gateway.ports.calls import CallFilter, TraceLine
from gateway.ports.live import Availability
from gateway.runtime.agent_legs import KnownLeg
from gateway.runtime.call_view import CallView
from gateway.runtime.live_calls import LiveCalls
from gateway.runtime.notices import Notice, Notices
from gateway.runtime.phone_line import Lines
from gateway.runtime.presence_board import PersonState, PresenceBoard
from gateway.runtime.sight import CallPage, Sight
from gateway.runtime.world import World


@dataclass(frozen=True, slots=True)
class LegChoice:
    """The agent's open leg, or an offer for a fresh one; exactly one is set."""

    leg_id: LegId | None = None
    offer: str | None = None


class Joined(NamedTuple):
    """A call somebody got into, and our answer where an offer came."""

    call: CallView
    answer: str | None


class OpenedLeg(NamedTuple):
    """A persistent leg and our answer to the browser's offer."""

    leg_id: LegId
    answer: str


class CallDesk:
    """Constructed by `CallRuntime`; used by HTTP handlers, concurrently."""

    def __init__(
        self,
        world: World,
        calls: LiveCalls,
        board: PresenceBoard,
        *,
        lines: Lines,
        notices: Notices,
    ) -> None:
        self._world = world
        self._calls = calls
        self._legs = calls.legs
        self._board = board
        self._lines = lines
        self._notices = notices
        self._sight = Sight(world, calls)

    # --- getting into calls --------------------------------------------------------------

    async def dial(
        self,
        person: Person,
        to: Peer,
        leg: LegChoice,
        *,
        number_id: PhoneNumberId | None = None,
        idempotency_key: str | None = None,
    ) -> Joined:
        """Call a WhatsApp user. What Meta says about it shows in the call later.

        The same person with the same key within a day gets the same call again. Raises
        `BadInput`, `NotFound` (the number), `Refused` (agent_busy, leg_gone, number_missing),
        `BadSdp`, `MediaRefused`, `MediaAway`, `StoreDown`.
        """
        if not (to.phone or to.user_id):
            raise BadInput("give a phone number or a user id to call")
        number = await self._number(person, number_id)
        call_id = CallId(self._world.new_id())
        if idempotency_key is not None:
            key = hashlib.sha256(f"{person.user_id} {idempotency_key}".encode()).hexdigest()
            call_id = await self._world.calls.idempotent(person.account_id, key, call_id)
            known = await self._dialled_before(call_id)
            if known is not None:
                return known
        with self._calls.reserve(person.user_id, call_id):
            return await self._dial(person, to, leg, number, call_id)

    async def _dial(
        self, person: Person, to: Peer, choice: LegChoice, number: Number, call_id: CallId
    ) -> Joined:
        leg, answer = await self._leg(person, call_id, choice)
        line = await self._lines.of(number)
        now = self._world.clock.wall()
        agent = CallAgent(person.user_id, person.name, leg)
        call, commands = dial(call_id, line, to, agent=agent, now=now)
        try:
            actor = await self._calls.open(call, commands)
        except VersionConflict:
            await self._give_back(leg)
            known = await self._dialled_before(call_id)
            if known is None:
                raise
            return known
        except BaseException:
            await self._give_back(leg)
            raise
        return Joined(self._calls.view(actor), answer)

    async def _dialled_before(self, call_id: CallId) -> Joined | None:
        """Return what an earlier request with the same key began."""
        row = await self._world.calls.load(call_id)
        if row is None:
            return None
        view, call = self._sight.seen(row)
        leg = None if call.agent is None else call.agent.leg
        is_cold = leg is not None and leg.is_cold
        answer = self._legs.answer_of(leg.leg_id) if leg is not None and is_cold else None
        return Joined(view, answer)

    async def _number(self, person: Person, number_id: PhoneNumberId | None) -> Number:
        numbers = await self._world.directory.numbers(person.account_id)
        if not numbers:
            raise Refused("number_missing", "This account has no WhatsApp number yet.")
        if number_id is None:
            return numbers[0]
        for number in numbers:
            if number.phone_number_id == number_id:
                return number
        raise NotFound("no such number")

    async def answer(self, person: Person, call_id: CallId, leg: LegChoice) -> Joined:
        """Take a ringing call; asked again by who has it, the leg replaces the first.

        Raises `NotFound`, `Refused` (call_taken, call_ended, agent_busy, leg_gone), `BadSdp`,
        `MediaRefused`, `MediaAway`, `StoreDown`.
        """
        call = await self._sight.to_act_on(person, call_id)
        if call.agent is not None and call.agent.user_id == person.user_id:
            return await self.reattach(person, call_id, leg)
        _check_may_be_answered(call)
        with self._calls.reserve(person.user_id, call_id):
            taken, answer = await self._leg(person, call_id, leg)
            event = AgentAnswered(person.user_id, person.name, taken)
            return await self._join(person, call_id, event, taken, answer)

    async def reattach(self, person: Person, call_id: CallId, leg: LegChoice) -> Joined:
        """Bring another leg into one's own call; raises as `answer` does."""
        _check_is_agent(person, await self._sight.to_act_on(person, call_id))
        taken, answer = await self._leg(person, call_id, leg)
        return await self._join(person, call_id, AgentReattached(taken), taken, answer)

    async def _join(
        self,
        person: Person,
        call_id: CallId,
        event: AgentAnswered | AgentReattached,
        leg: AgentLeg,
        answer: str | None,
    ) -> Joined:
        try:
            call = await self._deliver(call_id, event)
        except BaseException:
            await self._give_back(leg)
            raise
        agent = call.agent
        in_use = () if agent is None else (agent.leg, agent.coming)
        is_in = any(own is not None and own.leg_id == leg.leg_id for own in in_use)
        if agent is None or agent.user_id != person.user_id or not is_in:
            await self._give_back(leg)
            raise Refused("call_taken", "The call went to another browser or agent.")
        return Joined(await self._sight.one(person, call_id), answer)

    # --- acting on calls -----------------------------------------------------------------

    async def decline(self, person: Person, call_id: CallId, *, everyone: bool = False) -> None:
        """Silence a ringing call for oneself or, as supervisor or admin, refuse it for all.

        An ended call is fine. Raises `NotFound`, `Forbidden`, `Refused("call_taken")`.
        """
        await self._sight.to_act_on(person, call_id)
        if everyone and person.role is Role.AGENT:
            raise Forbidden("only supervisors and admins may decline for everyone")
        event = EveryoneDeclined() if everyone else AgentDeclined(person.user_id)
        await self._deliver(call_id, event)

    async def hang_up(self, person: Person, call_id: CallId) -> None:
        """End a call; an ended one is fine. Raises `NotFound`, `Forbidden`, `StoreDown`."""
        call = await self._sight.to_act_on(person, call_id)
        is_own = call.agent is not None and call.agent.user_id == person.user_id
        if person.role is Role.AGENT and not is_own:
            raise Forbidden("this call is not yours to end")
        if not call.is_ended:
            await self._deliver(call_id, HungUp())

    async def mute(self, person: Person, call_id: CallId, *, muted: bool) -> None:
        """Keep one's voice from the customer, or let it through."""
        _check_is_agent(person, await self._sight.to_act_on(person, call_id))
        await self._deliver(call_id, Muted(muted))

    async def hold(self, person: Person, call_id: CallId, *, held: bool) -> None:
        """Part both directions, or join them again."""
        _check_is_agent(person, await self._sight.to_act_on(person, call_id))
        await self._deliver(call_id, Held(held))

    async def _deliver(self, call_id: CallId, event: Event) -> Call:
        try:
            return await self._calls.deliver(call_id, event)
        except NotOwner:
            raise NotFound("no such call on this node") from None

    # --- agents --------------------------------------------------------------------------

    async def open_agent_leg(self, person: Person, offer: str) -> OpenedLeg:
        """Make a persistent leg. Raises `BadSdp`, `MediaRefused`, `MediaAway`."""
        leg = await self._legs.open(person, offer)
        return OpenedLeg(leg.leg_id, leg.answer)

    async def close_agent_leg(self, person: Person, leg_id: LegId) -> None:
        """Close one's own leg. Raises `NotFound`, `MediaAway`."""
        try:
            leg = self._legs.of_person(person, leg_id)
        except Refused:
            raise NotFound("no such leg") from None
        await self._legs.close(leg_id)
        actor = None if leg.used_by is None else self._calls.actor(leg.used_by)
        if actor is not None:
            actor.post(AgentLegClosed(leg_id))

    async def set_availability(self, person: Person, availability: Availability) -> None:
        """Say whether calls may ring here."""
        await self._world.presence.choose(person.account_id, person.user_id, availability)
        self._board.refresh(person.account_id)

    async def enter(self, person: Person) -> None:
        """A browser connection of the person opened."""
        await self._world.presence.enter(person.account_id, person.user_id)
        self._board.refresh(person.account_id)

    async def leave(self, person: Person) -> None:
        """A browser connection of the person closed, or went silent."""
        await self._world.presence.leave(person.account_id, person.user_id)
        self._board.refresh(person.account_id)

    async def presence(self, person: Person) -> Sequence[PersonState]:
        """Return who of the account is here."""
        return await self._board.states(person.account_id)

    # --- looking -------------------------------------------------------------------------

    def notices(self, person: Person) -> Sequence[Notice]:
        """Return what is wrong with the gateway now, as far as it concerns the person."""
        is_lead = person.role is not Role.AGENT
        return self._notices.standing(person.account_id, is_lead=is_lead)

    async def live_calls(self, person: Person) -> Sequence[CallView]:
        """Return the live calls the person may see, oldest first."""
        return self._sight.live_calls(person)

    async def one(self, person: Person, call_id: CallId) -> CallView:
        """Return one call. Raises `NotFound`, `StoreDown`."""
        return await self._sight.one(person, call_id)

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
        """List calls, newest first; agents see their own. Raises `BadInput`, `StoreDown`.

        With `peer` only those with the user of this phone number or user id.
        """
        wanted = CallFilter(
            person.account_id,
            agent_id=person.user_id if person.role is Role.AGENT else None,
            direction=direction,
            live_only=live_only,
            peer=peer,
        )
        return await self._sight.page(wanted, cursor=cursor, limit=limit)

    async def trace(self, person: Person, call_id: CallId) -> Sequence[TraceLine]:
        """Return a call's trace; agents see their own calls'. Raises `NotFound`."""
        await self._sight.one(person, call_id)
        return await self._world.calls.trace(call_id)

    # --- legs ----------------------------------------------------------------------------

    async def _leg(
        self, person: Person, call_id: CallId, choice: LegChoice
    ) -> tuple[AgentLeg, str | None]:
        """Return the chosen leg, lent to the call, and our answer to a fresh offer."""
        if choice.leg_id is not None and choice.offer is None:
            known = self._legs.of_person(person, choice.leg_id)
            return self._lent(known, call_id), None
        if choice.offer is None or choice.leg_id is not None:
            raise BadInput("give either leg_id or offer")
        known = await self._legs.open_cold(person, call_id, choice.offer)
        return self._lent(known, call_id), known.answer

    def _lent(self, known: KnownLeg, call_id: CallId) -> AgentLeg:
        leg = self._legs.lend(known.leg_id, call_id)
        if leg is None:
            raise Refused("leg_gone", "This connection is gone. Make a new one.")
        return leg

    async def _give_back(self, leg: AgentLeg) -> None:
        """Undo `_leg` for a call that was not got into."""
        known = self._legs.get(leg.leg_id)
        actor = (
            None if known is None or known.used_by is None else self._calls.actor(known.used_by)
        )
        if actor is not None and leg.leg_id in legs_of(actor.call):
            return  # It was that call's leg before.
        if leg.is_cold:
            await self._legs.close_quietly(leg.leg_id)
        else:
            self._legs.unlend(leg.leg_id)


def _check_may_be_answered(call: Call) -> None:
    """Refuse early, before a leg is made; the call itself decides in the end."""
    if call.direction is Direction.OUTBOUND:
        raise Forbidden("an outgoing call is not answered by us")
    if call.is_ended:
        raise Refused("call_ended", "This call is over.")
    if call.agent is not None:
        raise Refused("call_taken", "Somebody else has answered this call.")


def _check_is_agent(person: Person, call: Call) -> None:
    if call.is_ended:
        raise Refused("call_ended", "This call is over.")
    if call.agent is None or call.agent.user_id != person.user_id:
        raise Forbidden("this call is another agent's")
