"""Accounts' own announcements in SQL (port `Announcements`): every node can play them."""

from typing import Final

from sqlalchemy import delete, exists, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from gateway.adapters import sql_audit
from gateway.adapters.sql_announcement_schema import announcements
from gateway.adapters.sql_engine import Database, rows_changed
from gateway.adapters.sql_official_schema import recording_wishes
from gateway.adapters.sql_schema import accounts, numbers
from gateway.core.errors import NotFound, Refused
from gateway.core.ids import AccountId, UserId
from gateway.core.recording.facts import Mode
from gateway.core.recording.own_announcement import AnnouncementId, OwnAnnouncement
from gateway.core.recording.policy import Records
from gateway.ports import Json
from gateway.ports.announcements import Announcements, MadeAnnouncement, StoredAnnouncement
from gateway.ports.audit import AuditEntry, Deed

RETIRED_KEPT_S: Final = 24 * 3600.0
"""Longer than any call that may still have to play it."""


class SqlAnnouncements(Announcements):
    """An account has at most one that new calls are given."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @override
    async def current(self, account_id: AccountId) -> StoredAnnouncement | None:
        async with self._database.reading() as connection:
            return await _current(connection, account_id)

    @override
    async def sound(self, account_id: AccountId, announcement_id: AnnouncementId) -> bytes:
        query = select(announcements.c.ogg).where(
            announcements.c.account_id == account_id,
            announcements.c.announcement_id == announcement_id,
        )
        async with self._database.reading() as connection:
            ogg = (await connection.execute(query)).scalar()
        if ogg is None:
            raise NotFound("there is no such announcement")
        return bytes(ogg)

    @override
    async def replace(
        self, account_id: AccountId, made: MadeAnnouncement, *, actor: UserId, now: float
    ) -> StoredAnnouncement:
        own = made.own
        async with self._database.writing() as connection:
            await _in_turn(connection, account_id)
            await _retire(connection, account_id, now)
            values = {
                "duration_ms": own.duration_ms,
                "ogg": made.ogg,
                "uploaded_at": now,
                "retired_at": None,
            }
            known = update(announcements).where(
                announcements.c.account_id == account_id,
                announcements.c.announcement_id == own.announcement_id,
            )
            if not rows_changed(await connection.execute(known.values(**values))):
                key = {"account_id": account_id, "announcement_id": own.announcement_id}
                await connection.execute(insert(announcements).values(**key, **values))
            fields: dict[str, Json] = {
                "duration_ms": own.duration_ms,
                "source_sha256": made.source_sha256,
            }
            await sql_audit.append(
                connection,
                AuditEntry(
                    account_id=account_id,
                    actor=actor,
                    action=Deed.ANNOUNCEMENT_CHANGED,
                    subject=own.announcement_id,
                    at=now,
                    fields=fields,
                ),
            )
        return StoredAnnouncement(own, now)

    @override
    async def remove(self, account_id: AccountId, *, actor: UserId, now: float) -> None:
        async with self._database.writing() as connection:
            await _in_turn(connection, account_id)
            stored = await _current(connection, account_id)
            if stored is None:
                return
            if await _is_needed(connection, account_id):
                raise Refused(
                    "announcement_in_use",
                    "Calls are recorded after this announcement. Record no calls, or let "
                    "WhatsApp record them, before you delete it.",
                )
            await _retire(connection, account_id, now)
            await sql_audit.append(
                connection,
                AuditEntry(
                    account_id=account_id,
                    actor=actor,
                    action=Deed.ANNOUNCEMENT_DELETED,
                    subject=stored.own.announcement_id,
                    at=now,
                ),
            )

    async def purge(self, *, now: float) -> int:
        """Delete what went a day ago; return how many. Raises `StoreDown`."""
        over = announcements.c.retired_at < now - RETIRED_KEPT_S
        async with self._database.writing() as connection:
            return rows_changed(await connection.execute(delete(announcements).where(over)))


async def _in_turn(connection: AsyncConnection, account_id: AccountId) -> None:
    """Take the account's row, which orders those who change its settings at once."""
    same = update(accounts).where(accounts.c.account_id == account_id)
    await connection.execute(same.values(records=accounts.c.records))


async def _retire(connection: AsyncConnection, account_id: AccountId, now: float) -> None:
    current = announcements.c.retired_at.is_(None)
    retire = update(announcements).where(announcements.c.account_id == account_id, current)
    await connection.execute(retire.values(retired_at=now))


async def _current(
    connection: AsyncConnection, account_id: AccountId
) -> StoredAnnouncement | None:
    query = select(
        announcements.c.announcement_id,
        announcements.c.duration_ms,
        announcements.c.uploaded_at,
    ).where(announcements.c.account_id == account_id, announcements.c.retired_at.is_(None))
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    own = OwnAnnouncement(AnnouncementId(row.announcement_id), row.duration_ms)
    return StoredAnnouncement(own, row.uploaded_at)


async def _is_needed(connection: AsyncConnection, account_id: AccountId) -> bool:
    """Whether calls of the account, or of a number of it, are recorded after it."""
    silent = Records.NONE.value
    of_number = exists().where(numbers.c.account_id == account_id, numbers.c.records != silent)
    query = (
        select(accounts.c.account_id)
        .join(recording_wishes, recording_wishes.c.account_id == accounts.c.account_id)
        .where(
            accounts.c.account_id == account_id,
            recording_wishes.c.mode == Mode.LOCAL.value,
            or_(accounts.c.records != silent, of_number),
        )
    )
    return (await connection.execute(query)).first() is not None
