"""What has served its time is forgotten, and nothing else."""

import pytest

from gateway.adapters.sql_calls import IDEMPOTENCY_S, SqlCalls
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_inbox import SqlInbox, SqlTombstones
from gateway.adapters.sql_purge import Retention, SqlPurge
from gateway.core.ids import AccountId, CallId, PhoneNumberId, Wacid
from gateway.ports.calls import TraceLine
from tests.adapters.sql.conftest import Wall
from tests.adapters.sql.rows import NUMBER, an_item

pytestmark = pytest.mark.services

DAY = 24 * 3600.0


async def test_only_what_is_over_goes(database: Database, wall: Wall) -> None:
    inbox, calls = SqlInbox(database, wall), SqlCalls(database, wall)
    tombstones = SqlTombstones(database, wall)
    purge = SqlPurge(database, Retention(inbox_s=9 * DAY, trace_s=90 * DAY))
    await inbox.add([an_item(f"{n}") for n in range(1200)], received_at=wall())
    rows = await inbox.waiting(limit=1200)
    async with database.writing() as connection:
        await connection.exec_driver_sql(
            f"UPDATE webhook_inbox SET state = 'done', closed_at = {wall()} "
            f"WHERE inbox_id <> {rows[0].inbox_id}"
        )
    await tombstones.bury(NUMBER, Wacid("old"), None)
    await calls.idempotent(AccountId("a"), "key", CallId("one"))
    await calls.add_trace([TraceLine(CallId("one"), wall(), "machine", "began")])

    wall.now += IDEMPOTENCY_S + 1
    assert await purge.run(now=wall()) == 1
    await tombstones.bury(PhoneNumberId("another"), Wacid("old"), None)
    wall.now += 8 * DAY
    assert await purge.run(now=wall()) == 1199 + 1
    assert not await tombstones.is_buried(NUMBER, Wacid("old"))
    assert await tombstones.is_buried(PhoneNumberId("another"), Wacid("old"))
    assert [row.inbox_id for row in await inbox.waiting(limit=9)] == [rows[0].inbox_id]
    wall.now += 90 * DAY
    assert await purge.run(now=wall()) == 1 + 1
    assert await calls.trace(CallId("one")) == []
