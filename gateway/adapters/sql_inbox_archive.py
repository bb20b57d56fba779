"""What the operator sees of the webhook inbox, in SQL: lists, and works events off again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select, update

from gateway.adapters.sql_engine import Database, rows_changed
from gateway.adapters.sql_schema import webhook_inbox
from gateway.core.errors import NotFound
from gateway.core.ids import InboxId


class InboxState(StrEnum):
    """What became of an event."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ArchivedEvent:
    """A webhook event without its payload, which holds personal data."""

    inbox_id: InboxId
    kind: str
    state: InboxState
    received_at: float
    tries: int
    note: str


class SqlInboxArchive:
    """All events still kept, whatever became of them. Raises `StoreDown`."""

    def __init__(self, database: Database, wall: Callable[[], float]) -> None:
        """`wall` gives seconds since the epoch."""
        self._database = database
        self._wall = wall

    async def newest(self, *, state: InboxState | None, limit: int) -> Sequence[ArchivedEvent]:
        """Return the newest events, newest first."""
        query = select(webhook_inbox).order_by(webhook_inbox.c.inbox_id.desc()).limit(limit)
        if state is not None:
            query = query.where(webhook_inbox.c.state == state.value)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [
            ArchivedEvent(
                inbox_id=InboxId(row.inbox_id),
                kind=row.kind,
                state=InboxState(row.state),
                received_at=row.received_at,
                tries=row.tries,
                note=row.note,
            )
            for row in rows
        ]

    async def replay(self, inbox_id: InboxId) -> None:
        """Have an event worked off again, as if it had just come. Raises `NotFound`."""
        again = (
            update(webhook_inbox)
            .where(webhook_inbox.c.inbox_id == inbox_id)
            .values(
                state=InboxState.WAITING.value,
                due_at=self._wall(),
                closed_at=None,
                tries=0,
                note="replayed by the operator",
            )
        )
        async with self._database.writing() as connection:
            if rows_changed(await connection.execute(again)) == 0:
                raise NotFound(f"there is no webhook event {inbox_id}")
