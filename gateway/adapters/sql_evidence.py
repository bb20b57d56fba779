"""Chains of evidence in SQL: written in the transaction that makes a thing so."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.adapters.sql_evidence_schema import evidence_chains, evidence_events
from gateway.adapters.sql_schema import calls
from gateway.core.ids import AccountId, CallId
from gateway.core.recording.evidence import Happening, Link, extended, next_line


async def append(
    connection: AsyncConnection,
    account_id: AccountId,
    call_id: CallId,
    happenings: Sequence[Happening],
) -> None:
    """Add to a call's chain inside the caller's transaction, as its last act.

    Its last act, because the chain's end is locked from here on: two who held one call's chain
    and waited for each other's would wait for ever.
    """
    if not happenings:
        return
    row = await _locked(connection, account_id, call_id)
    link = Link(row.seq, row.head)
    values: list[dict[str, Any]] = []
    for happening in happenings:
        line = next_line(link, call_id, row.account_id, happening)
        link = extended(link, line)
        values.append({"call_id": call_id, "seq": link.seq, "line": line})
    await connection.execute(insert(evidence_events), values)
    await connection.execute(
        update(evidence_chains)
        .where(evidence_chains.c.call_id == call_id)
        .values(seq=link.seq, head=link.head)
    )


async def append_to_known(
    connection: AsyncConnection, call_id: CallId, happenings: Sequence[Happening]
) -> None:
    """Add as `append` does, where the account is not at hand; unknown calls are left alone."""
    query = select(calls.c.account_id).where(calls.c.call_id == call_id)
    account_id = await connection.scalar(query)
    if account_id is not None:
        await append(connection, account_id, call_id, happenings)


async def _locked(
    connection: AsyncConnection, account_id: AccountId, call_id: CallId
) -> Row[Any]:
    """Return where the chain ends, kept from others until the caller commits."""
    build = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    link = Link()
    first = build(evidence_chains).values(
        call_id=call_id, account_id=account_id, seq=link.seq, head=link.head, rooted_seq=0
    )
    of_call = select(evidence_chains).where(evidence_chains.c.call_id == call_id)
    row = (await connection.execute(of_call.with_for_update())).first()
    if row is not None:
        return row
    await connection.execute(first.on_conflict_do_nothing())
    return (await connection.execute(of_call.with_for_update())).one()
