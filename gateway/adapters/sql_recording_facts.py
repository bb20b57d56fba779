"""What a recording's row repeats of its call, and the days of its life."""

from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.adapters.sql_recording_schema import recording_rules
from gateway.adapters.sql_schema import accounts, calls
from gateway.core.ids import AccountId, CallId
from gateway.core.recording.retention import KeepingRules, WhenFull, purge_day
from gateway.core.zones import local_day

_REPEATED = ("direction", "agent_id", "peer_phone", "peer_user_id")


async def call_facts(connection: AsyncConnection, call_id: CallId) -> dict[str, Any]:
    """Return the columns that a recording repeats of its call; none for an unknown one."""
    query = select(*(calls.c[name] for name in _REPEATED)).where(calls.c.call_id == call_id)
    row = (await connection.execute(query)).mappings().first()
    return {} if row is None else dict(row)


async def days_of(
    connection: AsyncConnection, account_id: AccountId, made_at: float
) -> dict[str, str]:
    """Return the days on which a recording of an account was made, and will go."""
    query = (
        select(accounts.c.timezone, *recording_rules.c)
        .select_from(
            accounts.outerjoin(
                recording_rules, recording_rules.c.account_id == accounts.c.account_id
            )
        )
        .where(accounts.c.account_id == account_id)
    )
    row = (await connection.execute(query)).one()
    made = local_day(made_at, row.timezone)
    purge = purge_day(made, rules_of(row))
    return {"made_day": made.isoformat(), "purge_day": purge.isoformat()}


def rules_of(row: Row[Any] | None) -> KeepingRules:
    """Read an account's rules, or the defaults where it has none."""
    if row is None or row.version is None:
        return KeepingRules()
    return KeepingRules(WhenFull(row.when_full), row.retention_days, encrypts=row.encrypts)
