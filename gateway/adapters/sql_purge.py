"""Forgets what has served its time: worked webhooks, tombstones, traces, keys, the audit."""

from dataclasses import dataclass

from sqlalchemy import Column, ColumnElement, Table, delete, select

from gateway.adapters.sql_calls import IDEMPOTENCY_S
from gateway.adapters.sql_engine import Database, rows_changed
from gateway.adapters.sql_schema import (
    audit,
    call_trace,
    idempotency_keys,
    tombstones,
    webhook_inbox,
)

# Small enough that a live write never waits long for the purge.
_ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what is kept, in seconds. Meta repeats webhooks for 7 days."""

    inbox_s: float = 9 * 24 * 3600.0
    trace_s: float = 90 * 24 * 3600.0
    audit_s: float = 730 * 24 * 3600.0


class SqlPurge:
    """Deletes in small transactions; run it every hour or so, on any node."""

    def __init__(self, database: Database, retention: Retention) -> None:
        self._database = database
        self._retention = retention

    async def run(self, *, now: float) -> int:
        """Delete what is over and return how many rows. Raises `StoreDown`."""
        seen = now - self._retention.inbox_s
        return (
            await self._delete(
                webhook_inbox, webhook_inbox.c.inbox_id, webhook_inbox.c.closed_at < seen
            )
            + await self._delete(tombstones, tombstones.c.wacid, tombstones.c.buried_at < seen)
            + await self._delete(
                idempotency_keys,
                idempotency_keys.c.key,
                idempotency_keys.c.bound_at < now - IDEMPOTENCY_S,
            )
            + await self._delete(
                call_trace,
                call_trace.c.position,
                call_trace.c.at < now - self._retention.trace_s,
            )
            + await self._delete(
                audit, audit.c.position, audit.c.at < now - self._retention.audit_s
            )
        )

    async def _delete(
        self, table: Table, key: Column[int] | Column[str], is_over: ColumnElement[bool]
    ) -> int:
        some = select(key).where(is_over).limit(_ROWS_AT_ONCE)
        # Both conditions: a key may also name a younger row, of another account or number.
        statement = delete(table).where(key.in_(some), is_over)
        total = 0
        while True:
            async with self._database.writing() as connection:
                deleted = rows_changed(await connection.execute(statement))
            total += deleted
            if deleted < _ROWS_AT_ONCE:
                return total
