"""Who is here and who is free: kept in step with presence and calls, told to both.

Presence says who is connected and what they chose; calls say who is rung and who is busy. Each
change of either offers the ringing calls anew and tells browsers what changed for them.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.core.call.call import State
from gateway.core.call.events import AgentsFree
from gateway.core.errors import StoreDown
from gateway.core.ids import AccountId, UserId
from gateway.core.routing import Candidate, free_agents
from gateway.core.whatsapp import Direction
from gateway.ports.live import AgentPresence, Availability, LiveEvent
from gateway.runtime.live_calls import LiveCalls
from gateway.runtime.tasks import Tasks
from gateway.runtime.world import World

PRESENCE_WAIT_S = 1.0
"""How long a new call waits to learn who is here."""


@dataclass(frozen=True, slots=True)
class PersonState:
    """What others see of a person: offline, available, away, ringing or busy."""

    user_id: UserId
    name: str
    state: str


class PresenceBoard:
    """One look at a time per account; what changes meanwhile causes one more."""

    def __init__(self, world: World, calls: LiveCalls, tasks: Tasks, *, poll_s: float) -> None:
        self._world = world
        self._calls = calls
        self._tasks = tasks
        self._poll_s = poll_s
        self._stale: dict[AccountId, bool] = {}
        """Accounts being looked at; True: look once more."""
        self._shown: dict[AccountId, dict[UserId, PersonState]] = {}
        self._names: dict[UserId, str] = {}
        calls.watch(self.refresh)

    def refresh(self, account_id: AccountId) -> None:
        """Look at an account soon, because something about its people or calls changed."""
        if account_id in self._stale:
            self._stale[account_id] = True
            return
        self._stale[account_id] = False
        self._tasks.spawn(
            self._look(account_id),
            name="presence",
            on_crash=lambda: self._forget(account_id),
        )

    async def run(self) -> None:
        """Look again and again while something rings, until cancelled.

        An agent may become free, or unreachable, on another node without anybody telling.
        """
        while True:
            await self._world.clock.sleep(self._poll_s)
            for account_id in {
                actor.call.identity.account_id
                for actor in self._calls.actors()
                if actor.call.state is State.RINGING
            }:
                self.refresh(account_id)

    async def free(self, account_id: AccountId) -> tuple[UserId, ...]:
        """Return who could take a call now; nobody if presence does not answer in time.

        No call waits for Redis: who is missed here is found by the next look.
        """
        try:
            async with asyncio.timeout(PRESENCE_WAIT_S):
                present = await self._world.presence.of_account(account_id)
        except TimeoutError:
            return ()
        return self._free(present)

    async def states(self, account_id: AccountId) -> Sequence[PersonState]:
        """Return everybody who is here, by name."""
        present = await self._world.presence.of_account(account_id)
        states = await self._states(account_id, present)
        return sorted(states.values(), key=lambda person: (person.name, person.user_id))

    def _forget(self, account_id: AccountId) -> None:
        self._stale.pop(account_id, None)

    async def _look(self, account_id: AccountId) -> None:
        is_stale = True
        while is_stale:
            self._stale[account_id] = False
            present = await self._world.presence.of_account(account_id)
            self._offer(account_id, self._free(present))
            self._show(account_id, await self._states(account_id, present))
            is_stale = self._stale[account_id]
        self._forget(account_id)

    def _free(self, present: Iterable[AgentPresence]) -> tuple[UserId, ...]:
        return free_agents(
            Candidate(
                agent.user_id,
                is_available=agent.availability is Availability.AVAILABLE,
                is_busy=self._calls.busy_with(agent.user_id) is not None,
            )
            for agent in present
        )

    def _offer(self, account_id: AccountId, free: tuple[UserId, ...]) -> None:
        for actor in self._calls.of_account(account_id):
            call = actor.call
            is_offered = call.state in {State.RINGING, State.CONNECTING}
            if is_offered and call.direction is Direction.INBOUND and call.ringing.free != free:
                actor.post(AgentsFree(free))

    async def _states(
        self, account_id: AccountId, present: Iterable[AgentPresence]
    ) -> dict[UserId, PersonState]:
        rung = {u for actor in self._calls.of_account(account_id) for u in actor.call.offered}
        chosen = {agent.user_id: agent.availability for agent in present}
        for actor in self._calls.of_account(account_id):
            if actor.call.agent is not None:  # In a call, whatever became of the browser.
                chosen.setdefault(actor.call.agent.user_id, Availability.AWAY)
        states = {}
        for user_id, availability in chosen.items():
            if self._calls.busy_with(user_id) is not None:
                state = "busy"
            elif user_id in rung:
                state = "ringing"
            else:
                state = availability.value
            states[user_id] = PersonState(user_id, await self._name(user_id), state)
        return states

    async def _name(self, user_id: UserId) -> str:
        """Return a person's name; while the store is down the last one known."""
        if user_id not in self._names:
            try:
                person = await self._world.directory.person(user_id)
            except StoreDown:
                return ""
            self._names[user_id] = "" if person is None else person.name
        return self._names[user_id]

    def _show(self, account_id: AccountId, now: dict[UserId, PersonState]) -> None:
        """Tell browsers whose state is another than they were told."""
        before = self._shown.get(account_id, {})
        gone = [person for user_id, person in before.items() if user_id not in now]
        offline = [PersonState(person.user_id, person.name, "offline") for person in gone]
        for person in (*now.values(), *offline):
            if before.get(person.user_id) != person:
                self._world.bus.publish(
                    LiveEvent(
                        account_id,
                        "presence",
                        {
                            "user_id": person.user_id,
                            "name": person.name,
                            "state": person.state,
                        },
                    )
                )
        self._shown[account_id] = now
