"""Doubles at the ports, small enough to be read aloud. They live longer than a gateway."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace

from gateway.core.errors import BadInput, NotOwner, StoreDown, VersionConflict
from gateway.core.ids import (
    AccountId,
    CallId,
    CommandId,
    InboxId,
    NodeId,
    PhoneNumberId,
    UserId,
    Wacid,
)
from gateway.core.recording.evidence import Happening
from gateway.core.whatsapp import Peer, WhatsAppEvent
from gateway.ports.accounts import Account, Number, Person, Role
from gateway.ports.calls import CallFilter, CallRow, Page, PendingCommand, TraceLine
from gateway.ports.clock import Clock
from gateway.ports.live import AgentPresence, Availability, LiveEvent
from gateway.ports.webhooks import InboxItem, InboxRow

ACCOUNT = AccountId("a" * 26)
OTHER_ACCOUNT = AccountId("b" * 26)
NUMBER_ID = PhoneNumberId("106540352242922")
NODE = NodeId("node")


def person(name: str, role: Role = Role.AGENT, account: AccountId = ACCOUNT) -> Person:
    return Person(UserId(name.lower()), account, f"{name.lower()}@example.com", name, role)


class FakeStore:
    """Ports `CallStore`, `TombstoneStore` and `Inbox` in memory.

    `is_down` fails everything, `hangs` answers nothing, `loses_next_answer` writes and then
    fails once, `has_bug` makes every save raise what nobody expects.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.is_down = False
        self.hangs = False
        self.loses_next_answer = False
        self.has_bug = False
        self.rows: dict[CallId, CallRow] = {}
        self.commands: dict[CommandId, PendingCommand] = {}
        self.lines: list[TraceLine] = []
        self.evidence: list[tuple[CallId, Happening]] = []
        self.keys: dict[tuple[AccountId, str], CallId] = {}
        self.buried: set[tuple[PhoneNumberId, Wacid]] = set()
        self.inbox: dict[InboxId, InboxRow] = {}
        self.due: dict[InboxId, float] = {}
        self.closed: dict[InboxId, str] = {}
        self.parked: dict[InboxId, str] = {}
        self.dedup: set[str] = set()
        self._ids = itertools.count(1)

    async def _reach(self) -> None:
        await asyncio.sleep(0.001)
        while self.hangs:  # noqa: ASYNC110 - a store that hangs has nothing to wake for
            await asyncio.sleep(0.5)
        if self.is_down:
            raise StoreDown("the fake store is down")

    def _write(
        self,
        row: CallRow,
        commands: Sequence[PendingCommand],
        trace: Sequence[TraceLine],
        inbox_id: InboxId | None,
    ) -> None:
        self.rows[row.call_id] = row
        self.commands |= {command.command_id: command for command in commands}
        self.lines += trace
        if inbox_id is not None:
            self._close(inbox_id, "")

    async def create(
        self,
        row: CallRow,
        *,
        commands: Sequence[PendingCommand] = (),
        trace: Sequence[TraceLine] = (),
        evidence: Sequence[Happening] = (),
        inbox_id: InboxId | None = None,
    ) -> None:
        await self._reach()
        same = [r for r in self.rows.values() if r.wacid is not None and r.wacid == row.wacid]
        if row.call_id in self.rows or same:
            raise VersionConflict("already there")
        self._write(row, commands, trace, inbox_id)
        self.evidence += [(row.call_id, each) for each in evidence]

    async def save(
        self,
        row: CallRow,
        *,
        commands: Sequence[PendingCommand] = (),
        trace: Sequence[TraceLine] = (),
        evidence: Sequence[Happening] = (),
        inbox_id: InboxId | None = None,
        finished: Sequence[CommandId] = (),
    ) -> None:
        await self._reach()
        if self.has_bug:
            raise ZeroDivisionError("a bug in the store")
        stored = self.rows[row.call_id]
        if (stored.owner_node, stored.owner_epoch) != (row.owner_node, row.owner_epoch):
            raise NotOwner("another owner")
        if stored.version != row.version - 1:
            raise VersionConflict("changed in between")
        self._write(row, commands, trace, inbox_id)
        self.evidence += [(row.call_id, each) for each in evidence]
        for command_id in finished:
            self.commands.pop(command_id, None)
        if self.loses_next_answer:
            self.loses_next_answer = False
            raise StoreDown("the answer was lost")

    async def load(self, call_id: CallId) -> CallRow | None:
        await self._reach()
        return self.rows.get(call_id)

    async def by_wacid(self, phone_number_id: PhoneNumberId, wacid: Wacid) -> CallRow | None:
        await self._reach()
        wanted = (phone_number_id, wacid)
        return next(
            (r for r in self.rows.values() if (r.phone_number_id, r.wacid) == wanted), None
        )

    async def page(self, wanted: CallFilter, *, cursor: str | None, limit: int) -> Page:
        await self._reach()
        rows = [
            row
            for row in self.rows.values()
            if row.account_id == wanted.account_id
            and wanted.agent_id in {None, row.agent_id}
            and wanted.direction in {None, row.direction}
            and (not wanted.live_only or row.state != "ended")
            and (wanted.peer is None or is_with(row.peer, wanted.peer))
        ]
        rows.sort(key=lambda row: (row.created_at, row.call_id), reverse=True)
        start = int(cursor or 0)
        more = str(start + limit) if len(rows) > start + limit else None
        return Page(tuple(rows[start : start + limit]), more)

    async def live(self) -> Sequence[CallRow]:
        await self._reach()
        return [row for row in self.rows.values() if row.state != "ended"]

    async def unfinished(self) -> Sequence[CallRow]:
        await self._reach()
        owing = {command.call_id for command in self.commands.values()}
        return [r for r in self.rows.values() if r.state != "ended" or r.call_id in owing]

    async def adopt(
        self, call_id: CallId, *, seen_epoch: int, node: NodeId, epoch: int
    ) -> bool:
        await self._reach()
        row = self.rows[call_id]
        if row.owner_epoch != seen_epoch:
            return False
        self.rows[call_id] = replace(row, owner_node=node, owner_epoch=epoch)
        return True

    async def pending(self, call_id: CallId) -> Sequence[PendingCommand]:
        await self._reach()
        return [command for command in self.commands.values() if command.call_id == call_id]

    async def finish(self, command_id: CommandId) -> None:
        await self._reach()
        self.commands.pop(command_id, None)

    async def add_trace(self, lines: Sequence[TraceLine]) -> None:
        await self._reach()
        self.lines += lines

    async def trace(self, call_id: CallId) -> Sequence[TraceLine]:
        await self._reach()
        own = [line for line in self.lines if line.call_id == call_id]
        return sorted(own, key=lambda line: line.at)

    async def idempotent(self, account_id: AccountId, key: str, call_id: CallId) -> CallId:
        await self._reach()
        return self.keys.setdefault((account_id, key), call_id)

    # --- tombstones and inbox --------------------------------------------------------------

    async def bury(
        self, phone_number_id: PhoneNumberId, wacid: Wacid, inbox_id: InboxId | None
    ) -> None:
        await self._reach()
        self.buried.add((phone_number_id, wacid))
        if inbox_id is not None:
            self._close(inbox_id, "")

    async def is_buried(self, phone_number_id: PhoneNumberId, wacid: Wacid) -> bool:
        await self._reach()
        return (phone_number_id, wacid) in self.buried

    async def add(self, items: Sequence[InboxItem], *, received_at: float) -> int:
        await self._reach()
        new = [item for item in items if item.dedup_key not in self.dedup]
        for item in new:
            self.dedup.add(item.dedup_key)
            inbox_id = InboxId(next(self._ids))
            self.inbox[inbox_id] = InboxRow(inbox_id, received_at, item, 0)
            self.due[inbox_id] = received_at
        return len(new)

    async def waiting(self, *, limit: int) -> Sequence[InboxRow]:
        await self._reach()
        now = self._clock.wall()
        return [row for i, row in sorted(self.inbox.items()) if self.due[i] <= now][:limit]

    async def done(self, inbox_id: InboxId, *, note: str = "") -> None:
        await self._reach()
        self._close(inbox_id, note)

    async def failed(self, inbox_id: InboxId, *, error: str, retry_at: float | None) -> None:
        await self._reach()
        row = self.inbox.get(inbox_id)
        if row is None:
            return
        if retry_at is None:
            self.parked[inbox_id] = error
            del self.inbox[inbox_id]
            return
        self.inbox[inbox_id] = replace(row, tries=row.tries + 1)
        self.due[inbox_id] = retry_at

    def _close(self, inbox_id: InboxId, note: str) -> None:
        if self.inbox.pop(inbox_id, None) is not None:
            self.closed[inbox_id] = note


class FakeDirectory:
    """Port `Directory`: two accounts, one number each, and whoever was added."""

    def __init__(self) -> None:
        self.people: dict[UserId, Person] = {}
        self.by_id = {
            NUMBER_ID: Number(NUMBER_ID, ACCOUNT, "waba", "+62 21 5000", "token"),
            PhoneNumberId("2"): Number(PhoneNumberId("2"), OTHER_ACCOUNT, "w", "+1", "token"),
        }
        self.is_down = False
        self.hangs = False

    def add(self, *people: Person) -> None:
        self.people |= {one.user_id: one for one in people}

    async def account(self, account_id: AccountId) -> Account | None:
        return Account(account_id, "cid", "name", "Asia/Jakarta")

    async def number(self, phone_number_id: PhoneNumberId) -> Number | None:
        await asyncio.sleep(0)
        if self.is_down:
            raise StoreDown("the fake store is down")
        if self.hangs:
            await asyncio.sleep(10)
        return self.by_id.get(phone_number_id)

    async def numbers(self, account_id: AccountId) -> Sequence[Number]:
        return [number for number in self.by_id.values() if number.account_id == account_id]

    async def person(self, user_id: UserId) -> Person | None:
        return self.people.get(user_id)


class FakePresence:
    """Port `Presence`."""

    def __init__(self) -> None:
        self.here: dict[UserId, AgentPresence] = {}

    async def enter(self, account_id: AccountId, user_id: UserId) -> None:
        away = AgentPresence(user_id, account_id, NODE, Availability.AWAY)
        self.here.setdefault(user_id, away)

    async def leave(self, account_id: AccountId, user_id: UserId) -> None:
        self.here.pop(user_id, None)

    async def choose(
        self, account_id: AccountId, user_id: UserId, availability: Availability
    ) -> None:
        self.here[user_id] = AgentPresence(user_id, account_id, NODE, availability)

    async def of_account(self, account_id: AccountId) -> Sequence[AgentPresence]:
        await asyncio.sleep(0)
        return [one for one in self.here.values() if one.account_id == account_id]


def is_with(peer: Peer, wanted: Peer) -> bool:
    is_phone = wanted.phone is not None and peer.phone == wanted.phone
    return is_phone or (wanted.user_id is not None and peer.user_id == wanted.user_id)


@dataclass
class FakeBus:
    """Port `LiveBus`; keeps everything that was told."""

    told: list[LiveEvent] = field(default_factory=list)
    readers: dict["asyncio.Queue[LiveEvent]", AccountId] = field(default_factory=dict)

    def publish(self, event: LiveEvent) -> None:
        self.told.append(event)
        for reader, account_id in self.readers.items():
            if account_id == event.account_id:
                reader.put_nowait(event)

    def subscribe(
        self, account_id: AccountId
    ) -> AbstractAsyncContextManager[AsyncIterator[LiveEvent]]:
        return self._subscribed(account_id)

    @asynccontextmanager
    async def _subscribed(
        self, account_id: AccountId
    ) -> AsyncIterator[AsyncIterator[LiveEvent]]:
        reader: asyncio.Queue[LiveEvent] = asyncio.Queue()
        self.readers[reader] = account_id
        try:
            yield self._read(reader)
        finally:
            del self.readers[reader]

    async def _read(self, reader: "asyncio.Queue[LiveEvent]") -> AsyncIterator[LiveEvent]:
        while True:
            yield await reader.get()

    def of_kind(self, kind: str) -> list[LiveEvent]:
        return [event for event in self.told if event.kind == kind]


class FakeReader:
    """Port `ReadWebhook`: the payload is the key of an event that was put here before."""

    def __init__(self) -> None:
        self.events: dict[str, WhatsAppEvent | Exception | None] = {}

    def __call__(self, item: InboxItem) -> WhatsAppEvent | None:
        event = self.events.get(item.payload, BadInput("not readable"))
        if isinstance(event, Exception):
            raise event
        return event

    def item(self, event: WhatsAppEvent, key: str) -> InboxItem:
        """Make an inbox item that reads as `event`."""
        self.events[key] = event
        return InboxItem(
            key, type(event).__name__, event.phone_number_id, event.wacid, payload=key
        )
