"""By which indexes both databases read pages of many recordings, and of many calls."""

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from gateway.adapters.sql_calls import SqlCalls
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_library import SqlLibrary
from gateway.adapters.sql_subjects import SqlSubjects
from gateway.core.ids import UserId
from gateway.core.recording.lifecycle import Life
from gateway.core.whatsapp import Direction, Peer
from gateway.ports.calls import CallFilter
from gateway.ports.library import LibraryFilter
from tests.adapters.quota.conftest import Bench
from tests.adapters.sql.rows import NUMBER

pytestmark = pytest.mark.services

MANY = 6_000
# Per 1,000: 100 over, 900 available, of those 50 with a note and 2 held; 25 agents, the verdict
# mostly the same, customers with six recordings each. One word stands in three notes.
ROWS = """
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {many})
INSERT INTO recordings (
    call_id, account_id, state, file, duration_ms, bytes, sha256, began_at, finished_at,
    segments, direction, agent_id, peer_phone, peer_user_id, verdict, cut_by_quota,
    note, note_folded, held_at
)
SELECT 'call' || i, '{account}', CASE WHEN i % 10 = 9 THEN 'purged' ELSE 'available' END,
    'f' || i, 1000 * (i % 300), 1, '0', 60.0 * i, 60.0 * i + 50,
    '{{}}', CASE WHEN i % 3 = 0 THEN 'outbound' ELSE 'inbound' END, 'agent' || (i % 25),
    '62' || (i % 1000), 'ID.' || (i % 1000),
    CASE WHEN i % 500 = 7 THEN 'corrupt' ELSE 'matched' END, {false},
    CASE WHEN i % 2000 = 0 THEN 'Chargeback' WHEN i % 20 = 0 THEN 'refund' END,
    CASE WHEN i % 2000 = 0 THEN 'chargeback' WHEN i % 20 = 0 THEN 'refund' END,
    CASE WHEN i % 500 = 3 THEN 1.0 END
FROM n
"""
CALLS = """
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {many})
INSERT INTO calls (
    call_id, account_id, phone_number_id, wacid, direction, state, version, owner_node,
    owner_epoch, agent_id, peer_phone, peer_user_id, created_at, ended_at, snapshot
)
SELECT 'call' || i, '{account}', '{number}', 'wacid' || i, 'inbound', 'ended', 1, 'node',
    1, 'agent' || (i % 25), '62' || (i % 1000), 'ID.' || (i % 1000), 60.0 * i, 60.0 * i, '{{}}'
FROM n
"""
ANA, BUDI = UserId("agent5"), Peer(phone="62120", user_id="ID.120")
BOTH = {"ix_recordings_by_peer_phone", "ix_recordings_by_peer_user_id"}
NOTED, BY_AGENT = {"ix_recordings_noted"}, {"ix_recordings_by_agent_id"}
PAGES: tuple[tuple[dict[str, Any], set[str]], ...] = (
    ({"direction": Direction.INBOUND, "longest_ms": 60_000}, {"ix_recordings_library"}),
    ({"peer": BUDI}, BOTH),
    ({"peer": BUDI, "agent_id": ANA, "verdict": "matched"}, BOTH),
    ({"peer": BUDI, "noted": "refund", "longest_ms": 10}, BOTH),
    ({"peer": Peer(phone="62120")}, {"ix_recordings_by_peer_phone"}),
    ({"peer": Peer(user_id="ID.120")}, {"ix_recordings_by_peer_user_id"}),
    ({"noted": "Chargeback"}, NOTED),
    ({"noted": "Chargeback", "verdict": "matched"}, NOTED),
    ({"noted": "Chargeback", "direction": Direction.INBOUND, "shortest_ms": 1000}, NOTED),
    ({"is_held": True}, {"ix_recordings_held"}),
    ({"is_held": True, "agent_id": ANA, "verdict": "matched"}, {"ix_recordings_held"}),
    ({"agent_id": ANA}, BY_AGENT),
    ({"agent_id": ANA, "verdict": "matched", "longest_ms": 10}, BY_AGENT),
    ({"verdict": "corrupt"}, {"ix_recordings_by_verdict"}),
    ({"state": Life.PURGED}, {"ix_recordings_over"}),
    ({"state": Life.PURGED, "agent_id": ANA}, {"ix_recordings_over"}),
)


async def fill(bench: Bench, table: str, rows: str) -> None:
    is_sqlite = bench.database.is_sqlite
    values = {"many": MANY, "account": bench.account_id, "number": NUMBER}
    async with bench.database.writing() as connection:
        await connection.exec_driver_sql(
            rows.format(**values, false="0" if is_sqlite else "false")
        )
        if not is_sqlite:
            # As autovacuum would, a minute later.
            await connection.exec_driver_sql(f"ANALYZE {table}")


@contextmanager
def asked(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """Collect what the database is asked."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, sql: str, values: Any, *_: Any) -> None:
        seen.append((sql, values))

    engine = database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


async def plan_of(database: Database, read: Awaitable[object]) -> str:
    """Return how the database answers what is read."""
    with asked(database) as seen:
        await read
    [(sql, values)] = [each for each in seen if each[0].startswith("SELECT")]
    explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
    async with database.reading() as connection:
        plan = (await connection.exec_driver_sql(explain + sql, values)).all()
    return "\n".join(str(line[-1]) for line in plan)


def indexes_in(plan: str) -> set[str]:
    words = plan.replace("(", " ").split()
    return {word for word in words if word.startswith(("ix_recordings_", "ix_calls_"))}


async def test_a_page_is_read_by_the_index_that_leaves_the_fewest_rows(bench: Bench) -> None:
    await fill(bench, "recordings", ROWS)
    library = SqlLibrary(bench.database)
    every = LibraryFilter(bench.account_id)
    deep = (await library.page(every, cursor=None, limit=500)).next_cursor
    for named, expected in PAGES:
        wanted = LibraryFilter(bench.account_id, **named)
        for cursor in (None, deep):
            page = library.page(wanted, cursor=cursor, limit=50)
            plan = await plan_of(bench.database, page)
            assert indexes_in(plan) == expected, (named, cursor, plan)
            assert "Seq Scan on recordings" not in plan, (named, cursor, plan)


async def test_calls_of_a_customer_are_read_by_number_and_by_id(bench: Bench) -> None:
    await fill(bench, "calls", CALLS)
    calls = SqlCalls(bench.database, bench.wall)
    both = {"ix_calls_peer_phone_newest", "ix_calls_peer_user_id_newest"}
    for wanted in (
        CallFilter(bench.account_id, peer=BUDI),
        CallFilter(
            bench.account_id, peer=BUDI, agent_id=UserId("agent20"), direction=Direction.INBOUND
        ),
    ):
        first = await calls.page(wanted, cursor=None, limit=2)
        assert [row.call_id for row in first.rows] == ["call5120", "call4120"]
        page = calls.page(wanted, cursor=first.next_cursor, limit=50)
        plan = await plan_of(bench.database, page)
        assert indexes_in(plan) == both, plan
        assert "Seq Scan on calls" not in plan
    subjects = SqlSubjects(bench.database)
    read = subjects.calls(bench.account_id, BUDI, after=None, limit=50)
    plan = await plan_of(bench.database, read)
    assert indexes_in(plan) == both, plan
    assert "Seq Scan on calls" not in plan
