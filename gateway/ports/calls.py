"""Calls in SQL: rows, pending commands, trace."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

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
from gateway.core.whatsapp import Direction, Peer
from gateway.ports import Json


@dataclass(frozen=True, slots=True)
class CallRow:
    """A call as SQL keeps it: the machine's snapshot, and the columns people search by."""

    call_id: CallId
    account_id: AccountId
    phone_number_id: PhoneNumberId
    wacid: Wacid | None
    direction: Direction
    state: str
    """Value of the machine's state; `ended` is final."""
    version: int
    """Grows by one with each step."""
    owner_node: NodeId
    owner_epoch: int
    agent_id: UserId | None
    peer: Peer
    created_at: float
    answered_at: float | None
    ended_at: float | None
    outcome: str | None
    snapshot: str
    """The machine's value as JSON; opaque to the store."""


@dataclass(frozen=True, slots=True)
class PendingCommand:
    """An order that was decided and must be carried out or reconciled after a restart."""

    command_id: CommandId
    call_id: CallId
    kind: str
    body: str
    """JSON; opaque to the store."""


@dataclass(frozen=True, slots=True)
class TraceLine:
    """One line of a call's trace. Redacted: no number, id of a person, SDP, address, token."""

    call_id: CallId
    at: float
    """Wall clock, seconds."""
    source: str
    """webhook | graph | machine | media | recording | agent"""
    step: str
    fields: dict[str, Json] = field(default_factory=dict)
    is_evidence: bool = False
    """It belongs into the call's chain of evidence too. Not stored with the line."""


@dataclass(frozen=True, slots=True)
class CallFilter:
    """What of an account's calls to list, newest first."""

    account_id: AccountId
    agent_id: UserId | None = None
    """Only this agent's calls (an agent sees own calls only)."""
    direction: Direction | None = None
    live_only: bool = False
    peer: Peer | None = None
    """Only calls with the user of this phone number or this user id; either is enough."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of calls; `next_cursor` is None on the last."""

    rows: tuple[CallRow, ...]
    next_cursor: str | None


class CallStore(Protocol):
    """Calls, their pending commands and their trace. Every method raises `StoreDown`."""

    async def create(
        self,
        row: CallRow,
        *,
        commands: Sequence[PendingCommand] = (),
        trace: Sequence[TraceLine] = (),
        evidence: Sequence[Happening] = (),
        inbox_id: InboxId | None = None,
    ) -> None:
        """Insert the call with all that goes with it and mark the inbox row done, as one.

        Raises `VersionConflict` if the call id or (number, wacid) is already there.
        """

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
        """Replace the call whose stored version is `row.version - 1`, as `create` does.

        The commands in `finished` are marked carried out in the same transaction.

        Raises `VersionConflict`, or `NotOwner` if node and epoch differ from the stored ones.
        """

    async def load(self, call_id: CallId) -> CallRow | None:
        """Return one call."""

    async def by_wacid(self, phone_number_id: PhoneNumberId, wacid: Wacid) -> CallRow | None:
        """Return the call that Meta knows by this id."""

    async def page(self, wanted: CallFilter, *, cursor: str | None, limit: int) -> Page:
        """List calls, newest first. Raises `BadInput` for a cursor not made here."""

    async def live(self) -> Sequence[CallRow]:
        """Return all calls that have not ended, of all owners."""

    async def unfinished(self) -> Sequence[CallRow]:
        """Return the live calls, and the ended ones that still have pending commands.

        What a restart has to look at: the end of a call is committed before Meta and the
        media worker are told of it.
        """

    async def adopt(
        self, call_id: CallId, *, seen_epoch: int, node: NodeId, epoch: int
    ) -> bool:
        """Make (node, epoch) the owner if the owner's epoch is still `seen_epoch`."""

    async def pending(self, call_id: CallId) -> Sequence[PendingCommand]:
        """Return the commands not yet finished, in the order they were decided."""

    async def finish(self, command_id: CommandId) -> None:
        """Mark a command carried out; finishing twice is fine."""

    async def add_trace(self, lines: Sequence[TraceLine]) -> None:
        """Append lines outside a step (Graph requests, media steps)."""

    async def trace(self, call_id: CallId) -> Sequence[TraceLine]:
        """Return the whole trace in the order of `at`, then of insertion."""

    async def idempotent(self, account_id: AccountId, key: str, call_id: CallId) -> CallId:
        """Bind `key` to `call_id`, or return the call it is already bound to (24 h)."""


class TombstoneStore(Protocol):
    """Calls that ended before we knew them: their late `connect` must ring nobody."""

    async def bury(
        self, phone_number_id: PhoneNumberId, wacid: Wacid, inbox_id: InboxId | None
    ) -> None:
        """Remember the end and mark the inbox row done, as one; twice is fine."""

    async def is_buried(self, phone_number_id: PhoneNumberId, wacid: Wacid) -> bool:
        """Whether the call ended before it came."""
