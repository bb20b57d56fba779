"""What accounts want recorded, in SQL (port `Wishes`)."""

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from gateway.adapters import sql_audit
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_official_schema import recording_wishes
from gateway.adapters.sql_schema import accounts
from gateway.core.errors import NotFound, Refused
from gateway.core.ids import AccountId, UserId
from gateway.core.recording.facts import Mode
from gateway.core.recording.policy import Records
from gateway.core.recording.wish import Wish
from gateway.ports import Json
from gateway.ports.audit import AuditEntry, Deed
from gateway.ports.wishes import StoredWish, Wishes


class SqlWishes(Wishes):
    """Which calls are recorded stands with the account, all else in a table of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @override
    async def of_account(self, account_id: AccountId) -> StoredWish:
        async with self._database.reading() as connection:
            return await _read(connection, account_id)

    @override
    async def save(
        self,
        account_id: AccountId,
        wish: Wish,
        *,
        seen: int,
        actor: UserId | None,
        now: float,
    ) -> StoredWish:
        own: dict[str, Json] = {
            "mode": wish.mode.value,
            "purpose": wish.purpose,
            "language": wish.language,
            "transcribes": wish.transcribes,
            "transcribes_alone": wish.transcribes_alone,
        }
        of_account = accounts.c.account_id == account_id
        async with self._database.writing() as connection:
            # The account's row orders those who change it at once.
            await connection.execute(
                update(accounts).where(of_account).values(records=wish.records.value)
            )
            before = await _read(connection, account_id)
            if before.version != seen:
                raise Refused("settings_changed", "Somebody else has changed these settings.")
            values = own | {
                "account_id": account_id,
                "version": seen + 1,
                "changed_at": now,
                "changed_by": actor,
            }
            if seen:
                change = update(recording_wishes).where(
                    recording_wishes.c.account_id == account_id
                )
                await connection.execute(change.values(**values))
            else:
                await connection.execute(insert(recording_wishes).values(**values))
            await sql_audit.append(
                connection,
                AuditEntry(
                    account_id=account_id,
                    actor=actor,
                    action=Deed.SETTINGS_CALLS_CHANGED,
                    subject=account_id,
                    at=now,
                    fields=own | {"records": wish.records.value},
                ),
            )
        return StoredWish(wish, seen + 1)


async def _read(connection: AsyncConnection, account_id: AccountId) -> StoredWish:
    query = (
        select(recording_wishes, accounts.c.records)
        .select_from(accounts)
        .outerjoin(recording_wishes, recording_wishes.c.account_id == accounts.c.account_id)
        .where(accounts.c.account_id == account_id)
    )
    row = (await connection.execute(query)).first()
    if row is None:
        raise NotFound("there is no such account")
    records = Records(row.records)
    if row.version is None:
        return StoredWish(Wish(records=records), 0)
    wish = Wish(
        records=records,
        mode=Mode(row.mode),
        purpose=row.purpose,
        language=row.language,
        transcribes=row.transcribes,
        transcribes_alone=row.transcribes_alone,
    )
    return StoredWish(wish, row.version)
