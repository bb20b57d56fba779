"""The webhook inbox and the tombstones in SQL (ports `Inbox` and `TombstoneStore`)."""

from collections.abc import Callable, Sequence

import structlog
from sqlalchemy import Integer, func, literal_column, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_schema import tombstones, webhook_inbox
from gateway.core.errors import StoreDown
from gateway.core.ids import InboxId, PhoneNumberId, Wacid
from gateway.ports.calls import TombstoneStore
from gateway.ports.webhooks import Inbox, InboxItem, InboxRow

_log = structlog.get_logger(__name__)

# A literal, not a parameter: only then do both databases use the partial index.
_is_waiting = webhook_inbox.c.state == literal_column("'waiting'")


async def mark_done(
    connection: AsyncConnection, inbox_id: InboxId, *, at: float, note: str = ""
) -> None:
    """Close an inbox row inside the caller's transaction; a closed one stays as it is."""
    await connection.execute(
        update(webhook_inbox)
        .where(webhook_inbox.c.inbox_id == inbox_id, webhook_inbox.c.state != "done")
        .values(state="done", closed_at=at, note=note)
    )


class SqlInbox(Inbox):
    """Webhook events between Meta's POST and our work on them."""

    def __init__(
        self, database: Database, wall: Callable[[], float], *, waiting_max: int = 100_000
    ) -> None:
        """`wall` gives seconds since the epoch.

        With `waiting_max` rows unworked the inbox refuses more (Meta then retries), so that a
        stalled gateway does not fill the disk.
        """
        self._database = database
        self._wall = wall
        self._waiting_max = waiting_max
        self._count_every = max(1, min(100, waiting_max // 100))
        self._added_uncounted = self._count_every

    @override
    async def add(self, items: Sequence[InboxItem], *, received_at: float) -> int:
        if not items:
            return 0
        insert = self._database.insert_new(webhook_inbox).on_conflict_do_nothing(
            index_elements=["dedup_key"]
        )
        # In the order of the keys: two deliveries of the same events that meet in PostgreSQL
        # then wait for each other instead of deadlocking.
        rows = [
            _as_row(item, received_at) for item in sorted(items, key=lambda one: one.dedup_key)
        ]
        async with self._database.writing(hurried=True) as connection:
            await self._refuse_when_full(connection)
            # With RETURNING many rows go in one statement: a burst costs few round trips.
            result = await connection.execute(insert.returning(webhook_inbox.c.inbox_id), rows)
            return len(result.all())

    @override
    async def waiting(self, *, limit: int) -> Sequence[InboxRow]:
        wanted = (
            select(webhook_inbox)
            .where(_is_waiting, webhook_inbox.c.due_at <= self._wall())
            .order_by(webhook_inbox.c.inbox_id)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(wanted)).all()
        return [
            InboxRow(
                inbox_id=InboxId(row.inbox_id),
                received_at=row.received_at,
                item=InboxItem(
                    dedup_key=row.dedup_key,
                    kind=row.kind,
                    phone_number_id=row.phone_number_id,
                    wacid=row.wacid,
                    payload=row.payload,
                ),
                tries=row.tries,
            )
            for row in rows
        ]

    @override
    async def done(self, inbox_id: InboxId, *, note: str = "") -> None:
        async with self._database.writing() as connection:
            await mark_done(connection, inbox_id, at=self._wall(), note=note)

    @override
    async def failed(self, inbox_id: InboxId, *, error: str, retry_at: float | None) -> None:
        values = (
            {"state": "failed", "closed_at": self._wall()}
            if retry_at is None
            else {"due_at": retry_at}
        )
        async with self._database.writing() as connection:
            await connection.execute(
                update(webhook_inbox)
                .where(webhook_inbox.c.inbox_id == inbox_id, _is_waiting)
                .values(tries=webhook_inbox.c.tries + 1, note=error, **values)
            )

    async def waiting_count(self) -> int:
        """Return how many rows are unworked, counting up to `waiting_max`."""
        async with self._database.reading() as connection:
            return await self._count_waiting(connection)

    async def _refuse_when_full(self, connection: AsyncConnection) -> None:
        # Counted now and then only: while the work is behind, counting is what grows.
        self._added_uncounted += 1
        if self._added_uncounted < self._count_every:
            return
        if await self._count_waiting(connection) >= self._waiting_max:
            _log.error("the webhook inbox is full", waiting_max=self._waiting_max)
            raise StoreDown("the webhook inbox is full")
        self._added_uncounted = 0

    async def _count_waiting(self, connection: AsyncConnection) -> int:
        few = select(literal_column("1", Integer)).where(_is_waiting).limit(self._waiting_max)
        count = await connection.scalar(select(func.count()).select_from(few.subquery()))
        return count or 0


def _as_row(item: InboxItem, at: float) -> dict[str, object]:
    """Return the columns; what is no news is closed from the start."""
    return {
        "dedup_key": item.dedup_key,
        "kind": item.kind,
        "phone_number_id": item.phone_number_id,
        "wacid": item.wacid,
        "payload": item.payload,
        "received_at": at,
        "due_at": at,
        "tries": 0,
        "state": "waiting" if item.is_news else "done",
        "closed_at": None if item.is_news else at,
        "note": "" if item.is_news else "no news of a call",
    }


class SqlTombstones(TombstoneStore):
    """Calls that ended before we knew them."""

    def __init__(self, database: Database, wall: Callable[[], float]) -> None:
        self._database = database
        self._wall = wall

    @override
    async def bury(
        self, phone_number_id: PhoneNumberId, wacid: Wacid, inbox_id: InboxId | None
    ) -> None:
        now = self._wall()
        insert = self._database.insert_new(tombstones).on_conflict_do_nothing()
        async with self._database.writing() as connection:
            await connection.execute(
                insert.values(phone_number_id=phone_number_id, wacid=wacid, buried_at=now)
            )
            if inbox_id is not None:
                await mark_done(connection, inbox_id, at=now)

    @override
    async def is_buried(self, phone_number_id: PhoneNumberId, wacid: Wacid) -> bool:
        wanted = select(tombstones.c.wacid).where(
            tombstones.c.phone_number_id == phone_number_id, tombstones.c.wacid == wacid
        )
        async with self._database.reading() as connection:
            return (await connection.execute(wanted)).first() is not None
