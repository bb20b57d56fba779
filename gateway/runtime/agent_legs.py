"""The agents' legs in the media worker: whose they are, how they do, which call uses them.

A persistent leg belongs to its agent and outlives calls; a cold one was made from an offer for
one call and goes with it. Kept in memory: after a restart the worker's snapshot tells all.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from gateway.core.call.call import AgentLeg
from gateway.core.errors import MediaError, Refused
from gateway.core.ids import AccountId, CallId, LegId, UserId
from gateway.ports.accounts import Person
from gateway.ports.media import LegLive, LegTag
from gateway.runtime.world import NodeLife, World

SNAPSHOT_AGE_S = 1.0
"""Older than this no snapshot of a worker is when it reaches us."""


@dataclass(frozen=True, slots=True)
class KnownLeg:
    """One agent's leg as events have described it so far."""

    leg_id: LegId
    user_id: UserId
    account_id: AccountId
    answer: str
    """Our description, given again to a browser that asks twice."""
    is_cold: bool
    is_up: bool = False
    is_heard: bool = False
    is_quiet: bool = False
    used_by: CallId | None = None
    made_at: float = 0.0
    """Monotonic; a snapshot taken just before does not know the leg."""

    def for_call(self) -> AgentLeg:
        """Return what a call has to know."""
        return AgentLeg(
            leg_id=self.leg_id,
            is_up=self.is_up,
            is_heard=self.is_heard and not self.is_quiet,
            is_cold=self.is_cold,
        )


class AgentLegs:
    """The register of this node's agent legs."""

    def __init__(self, world: World, life: NodeLife, *, legs_max: int) -> None:
        self._world = world
        self._epoch = life.epoch
        self._legs_max = legs_max
        self._legs: dict[LegId, KnownLeg] = {}

    def __len__(self) -> int:
        return len(self._legs)

    # --- making and ending ---------------------------------------------------------------

    async def open(self, person: Person, offer: str) -> KnownLeg:
        """Make a persistent leg from a browser's offer.

        Of too many legs of one agent the oldest unused makes room. Raises `BadSdp`,
        `MediaRefused`, `MediaAway`.
        """
        await self._make_room(person)
        return await self._open(person, offer, call_id=None)

    async def open_cold(self, person: Person, call_id: CallId, offer: str) -> KnownLeg:
        """Make a leg for one call, which then closes it; raises as `open` does."""
        return await self._open(person, offer, call_id=call_id)

    async def _open(self, person: Person, offer: str, *, call_id: CallId | None) -> KnownLeg:
        leg_id = LegId(self._world.new_id())
        tag = LegTag(call_id=call_id, user_id=person.user_id, account_id=person.account_id)
        # Known before it is asked for: its first event may overtake the worker's answer.
        leg = KnownLeg(
            leg_id,
            person.user_id,
            person.account_id,
            answer="",
            is_cold=call_id is not None,
            used_by=call_id,
            made_at=self._world.clock.monotonic(),
        )
        self._legs[leg_id] = leg
        try:
            answer = await self._world.media.answer_agent(
                leg_id, tag, epoch=self._epoch, offer=offer
            )
        except BaseException:
            self._legs.pop(leg_id, None)
            raise
        return self._change(leg_id, lambda known: replace(known, answer=answer)) or leg

    async def _make_room(self, person: Person) -> None:
        own = [leg for leg in self._legs.values() if leg.user_id == person.user_id]
        unused = [leg for leg in own if leg.used_by is None]
        for leg in unused[: max(0, len(own) - self._legs_max + 1)]:
            await self.close_quietly(leg.leg_id)

    async def close(self, leg_id: LegId) -> None:
        """Close a leg; an unknown one is fine."""
        self._legs.pop(leg_id, None)
        await self._world.media.close_leg(leg_id, epoch=self._epoch)

    async def close_quietly(self, leg_id: LegId) -> None:
        """Close a leg that nobody needs; a worker that is away has lost it anyway."""
        try:
            await self.close(leg_id)
        except MediaError:
            return

    # --- lending -------------------------------------------------------------------------

    def of_person(self, person: Person, leg_id: LegId) -> KnownLeg:
        """Return a person's own leg. Raises `Refused("leg_gone")`."""
        leg = self._legs.get(leg_id)
        if leg is None or leg.user_id != person.user_id:
            raise Refused("leg_gone", "This connection is gone. Make a new one.")
        return leg

    def lend(self, leg_id: LegId, call_id: CallId) -> AgentLeg | None:
        """Let a call have the leg's news from now on; None if the leg has gone meanwhile."""
        leg = self._change(leg_id, lambda known: replace(known, used_by=call_id))
        return None if leg is None else leg.for_call()

    def unlend(self, leg_id: LegId) -> None:
        """The leg's news concerns no call."""
        self._change(leg_id, lambda known: replace(known, used_by=None))

    def take_back(self, call_id: CallId) -> None:
        """A call is over: its legs are free again."""
        for leg in [leg for leg in self._legs.values() if leg.used_by == call_id]:
            self._legs[leg.leg_id] = replace(leg, used_by=None)

    def answer_of(self, leg_id: LegId) -> str | None:
        """Return our description of a leg that still lives."""
        leg = self._legs.get(leg_id)
        return None if leg is None else leg.answer or None

    # --- what the worker tells -----------------------------------------------------------

    def went_up(self, leg_id: LegId) -> KnownLeg | None:
        """ICE and DTLS are done."""
        return self._change(leg_id, lambda leg: replace(leg, is_up=True))

    def was_heard(self, leg_id: LegId) -> KnownLeg | None:
        """RTP comes."""
        return self._change(
            leg_id, lambda leg: replace(leg, is_up=True, is_heard=True, is_quiet=False)
        )

    def went_quiet(self, leg_id: LegId) -> KnownLeg | None:
        """RTP stopped."""
        return self._change(leg_id, lambda leg: replace(leg, is_quiet=True))

    def was_closed(self, leg_id: LegId) -> KnownLeg | None:
        """The leg is gone; returns what was known of it."""
        return self._legs.pop(leg_id, None)

    def get(self, leg_id: LegId) -> KnownLeg | None:
        """Return what is known of a leg."""
        return self._legs.get(leg_id)

    def is_young(self, leg_id: LegId) -> bool:
        """Whether a snapshot may have been taken before the leg was made."""
        leg = self._legs.get(leg_id)
        age_s = SNAPSHOT_AGE_S if leg is None else self._world.clock.monotonic() - leg.made_at
        return age_s < SNAPSHOT_AGE_S

    def adopt(self, found: Iterable[LegLive]) -> list[KnownLeg]:
        """Compare with a worker's snapshot; returns the legs that are gone."""
        seen = {leg.leg_id: leg for leg in found if leg.tag.user_id is not None}
        missing = [leg for leg in self._legs.values() if leg.leg_id not in seen]
        lost = [leg for leg in missing if not self.is_young(leg.leg_id)]
        for leg in lost:
            del self._legs[leg.leg_id]
        for live in seen.values():
            self._legs[live.leg_id] = self._adopted(live)
        return lost

    def _adopted(self, live: LegLive) -> KnownLeg:
        known = self._legs.get(live.leg_id)
        if known is None:
            user_id, account_id = live.tag.user_id, live.tag.account_id
            assert user_id is not None
            known = KnownLeg(
                live.leg_id,
                user_id,
                account_id or AccountId(""),
                answer=live.local_sdp,
                is_cold=live.tag.call_id is not None,
                used_by=live.tag.call_id,
            )
        return replace(known, is_up=live.is_up, is_heard=live.received_rtp)

    def _change(self, leg_id: LegId, change: Callable[[KnownLeg], KnownLeg]) -> KnownLeg | None:
        leg = self._legs.get(leg_id)
        if leg is None:
            return None
        self._legs[leg_id] = changed = change(leg)
        return changed
