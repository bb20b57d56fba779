"""Deleting and holding recordings by hand: all that was chosen, or nothing and a reason."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.core.errors import NotFound, Refused
from gateway.core.ids import AccountId, CallId
from gateway.core.recording.lifecycle import Deletion, Why
from gateway.core.recording.retention import TRASH_S
from gateway.ports.accounts import Person
from gateway.ports.audit import Order
from gateway.ports.library import Shelved
from gateway.ports.recording_life import RecordingLife
from gateway.runtime.library_desk import LibraryDesk

_NAMED_MAX = 3


@dataclass(frozen=True, slots=True)
class DeletedByHand:
    """What a deletion did."""

    call_ids: tuple[CallId, ...]
    returned_ms: int
    gone_after: float
    """Wall clock, seconds."""


class LibraryDeletion:
    """Used by HTTP handlers, concurrently."""

    def __init__(
        self,
        desk: LibraryDesk,
        life: RecordingLife,
        *,
        balance_changed: Callable[[AccountId], None],
    ) -> None:
        """`balance_changed` is told whose minutes have returned."""
        self._desk = desk
        self._life = life
        self._balance_changed = balance_changed

    async def delete(
        self, person: Person, call_ids: Sequence[CallId], *, order: Order
    ) -> DeletedByHand:
        """Make recordings unreachable and return their minutes, at once and for good.

        Raises `NotFound` if one is not there, `Refused("recording_held")` if one is held;
        nothing was deleted then. One that somebody holds or deletes in the same moment is
        left out of what is returned.
        """
        rows = await self._desk.several(person, call_ids)
        _check_free(rows)
        done, returned_ms = [], 0
        for row in rows:
            ended = await self._life.delete(
                person.account_id, row.call_id, why=Why.HAND, order=order
            )
            if ended.outcome is Deletion.DELETED:
                done.append(row.call_id)
                returned_ms += ended.returned_ms
        if done:
            self._balance_changed(person.account_id)
        return DeletedByHand(tuple(done), returned_ms, order.at + TRASH_S)

    async def hold(
        self, person: Person, call_id: CallId, *, reason: str, order: Order
    ) -> Shelved:
        """Let nothing delete a recording until it is released.

        Raises `NotFound`, `BadInput` for no reason.
        """
        await self._desk.available(person, call_id)
        await self._life.hold(person.account_id, call_id, reason=reason, order=order)
        return await self._desk.one(person, call_id)

    async def release(self, person: Person, call_id: CallId, *, order: Order) -> Shelved:
        """End a hold; none is fine. Raises `NotFound`."""
        await self._desk.available(person, call_id)
        await self._life.release(person.account_id, call_id, order=order)
        return await self._desk.one(person, call_id)


def _check_free(rows: Sequence[Shelved]) -> None:
    held = [row.call_id for row in rows if row.hold is not None]
    if not rows:
        raise NotFound("no such recording")
    if held:
        named = ", ".join(held[:_NAMED_MAX]) + (" …" if len(held) > _NAMED_MAX else "")
        raise Refused(
            "recording_held",
            f"Nothing was deleted: a legal hold keeps {named}. An admin can release it.",
        )
