"""Who is here (port `Presence`): this node's people from memory, the others' through Redis."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from typing_extensions import override

from gateway.adapters.redis_link import Kept, Message, RedisLink
from gateway.core.ids import AccountId, NodeId, UserId
from gateway.ports import Json
from gateway.ports.live import AgentPresence, Availability, Presence

Person = tuple[AccountId, UserId]

_CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class _Here:
    connections: int
    availability: Availability


class RedisPresence(Presence):
    """Answers from memory alone; Redis is told and listened to in the background."""

    def __init__(
        self, link: RedisLink, *, on_change: Callable[[AccountId, UserId], None] | None = None
    ) -> None:
        """`on_change` hears of everybody who comes, goes or chooses, here and elsewhere."""
        self._link = link
        self._on_change = on_change
        self._here: dict[Person, _Here] = {}
        self._elsewhere: dict[NodeId, dict[Person, Availability]] = {}
        link.keep(Kept("presence", self._written, self._read))
        link.on_message(_CHOICE, self._hear_choice)

    @override
    async def enter(self, account_id: AccountId, user_id: UserId) -> None:
        here = self._here.get((account_id, user_id), _Here(0, Availability.AWAY))
        self._note((account_id, user_id), replace(here, connections=here.connections + 1))

    @override
    async def leave(self, account_id: AccountId, user_id: UserId) -> None:
        here = self._here.get((account_id, user_id))
        if here is None:
            return
        is_last = here.connections == 1
        self._note(
            (account_id, user_id),
            None if is_last else replace(here, connections=here.connections - 1),
        )

    @override
    async def choose(
        self, account_id: AccountId, user_id: UserId, availability: Availability
    ) -> None:
        # A person with browsers on two nodes chooses for both.
        self._link.send(
            _CHOICE,
            {"account_id": account_id, "user_id": user_id, "availability": availability.value},
        )
        self._choose((account_id, user_id), availability)

    @override
    async def of_account(self, account_id: AccountId) -> Sequence[AgentPresence]:
        found = [
            AgentPresence(user, account, self._link.node_id, here.availability)
            for (account, user), here in self._here.items()
            if account == account_id
        ]
        for node, people in self._elsewhere.items():
            found += [
                AgentPresence(user, account, node, availability)
                for (account, user), availability in people.items()
                if account == account_id
            ]
        return found

    def _choose(self, person: Person, availability: Availability) -> None:
        here = self._here.get(person)
        if here is not None:
            self._note(person, replace(here, availability=availability))

    def _note(self, person: Person, here: _Here | None) -> None:
        before = self._here.get(person)
        if here is None:
            self._here.pop(person, None)
        else:
            self._here[person] = here
        if (before and before.availability) != (here and here.availability):
            self._link.beat_soon()
            self._tell(person)

    def _tell(self, person: Person) -> None:
        if self._on_change is not None:
            self._on_change(*person)

    def _written(self) -> Json:
        return [
            [account, user, here.availability.value]
            for (account, user), here in self._here.items()
        ]

    def _read(self, peers: Mapping[NodeId, Json]) -> None:
        before, self._elsewhere = (
            self._elsewhere,
            {node: _people_of(kept) for node, kept in peers.items()},
        )
        if before == self._elsewhere:
            return
        for node in before.keys() | self._elsewhere.keys():
            old, new = before.get(node, {}), self._elsewhere.get(node, {})
            for person in old.keys() | new.keys():
                if old.get(person) != new.get(person):
                    self._tell(person)

    def _hear_choice(self, _node: NodeId, message: Message) -> None:
        person = AccountId(str(message["account_id"])), UserId(str(message["user_id"]))
        self._choose(person, Availability(str(message["availability"])))


def _people_of(kept: Json) -> dict[Person, Availability]:
    """Read what another node keeps; what cannot be read is nobody."""
    people: dict[Person, Availability] = {}
    for entry in kept if isinstance(kept, list) else []:
        match entry:
            case [str(account), str(user), ("available" | "away") as availability]:
                people[AccountId(account), UserId(user)] = Availability(availability)
            case _:
                continue
    return people
