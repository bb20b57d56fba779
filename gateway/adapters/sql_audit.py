"""The audit in SQL (port `AuditLog`)."""

from collections.abc import Sequence

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_schema import audit
from gateway.core.ids import AccountId
from gateway.ports.audit import AuditEntry, AuditLog


async def append(connection: AsyncConnection, entry: AuditEntry) -> None:
    """Record a deed inside the caller's transaction: with the deed or not at all."""
    await connection.execute(
        insert(audit).values(
            account_id=entry.account_id,
            actor=entry.actor,
            action=entry.action,
            subject=entry.subject,
            at=entry.at,
            fields=entry.fields,
        )
    )


class SqlAudit(AuditLog):
    """Who did what; append-only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @override
    async def record(self, entry: AuditEntry) -> None:
        async with self._database.writing() as connection:
            await append(connection, entry)

    @override
    async def recent(
        self, account_id: AccountId, *, limit: int, before: float | None = None
    ) -> Sequence[AuditEntry]:
        query = (
            select(audit)
            .where(audit.c.account_id == account_id)
            .order_by(audit.c.at.desc(), audit.c.position.desc())
            .limit(limit)
        )
        if before is not None:
            query = query.where(audit.c.at < before)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [
            AuditEntry(
                account_id=row.account_id,
                actor=row.actor,
                action=row.action,
                subject=row.subject,
                at=row.at,
                fields=dict(row.fields),
            )
            for row in rows
        ]
