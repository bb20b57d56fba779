"""Fresh databases of both engines, with an account that has recorded calls."""

from dataclasses import dataclass, replace

import pytest

from gateway.adapters.sql_calls import SqlCalls
from gateway.adapters.sql_case_books import SqlCaseBooks
from gateway.adapters.sql_cases import SqlCases
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_transcripts import SqlTranscripts
from gateway.core.ids import AccountId, CallId, Wacid
from gateway.core.quota.charge import Stamp
from gateway.core.recording.facts import Fact, Mode
from gateway.core.recording.reconcile import reconcile
from gateway.ports.cases import Opening
from tests.adapters.quota.conftest import own
from tests.adapters.sql.conftest import (
    Wall,
    database,
    database_url,
    migrated_url,
    rivals,
    wall,
)
from tests.adapters.sql.rows import a_call, an_account, fresh_id

__all__ = ["database", "database_url", "migrated_url", "rivals", "wall"]


@dataclass(slots=True)
class Archive:
    """An account's cases, written and read."""

    database: Database
    account_id: AccountId
    cases: SqlCases
    books: SqlCaseBooks
    transcripts: SqlTranscripts
    wall: Wall

    async def call(
        self, *facts: Fact, ended_at: float | None = None, mode: Mode = Mode.OFFICIAL
    ) -> CallId:
        """A recorded call has ended; what is told of it is concluded from at once."""
        at = self.wall.now if ended_at is None else ended_at
        row = a_call(
            self.account_id,
            call_id=CallId(fresh_id()),
            wacid=Wacid(f"wacid.{fresh_id()}"),
            state="ended",
            created_at=at - 60,
            ended_at=at,
        )
        await SqlCalls(self.database, self.wall).create(row)
        await self.cases.open(Opening(row.call_id, self.account_id, mode, at))
        await self.tell(row.call_id, *facts)
        return row.call_id

    async def tell(self, call_id: CallId, *facts: Fact) -> None:
        for fact in facts:
            assert await self.cases.tell(call_id, fact, now=self.wall.now)
        if facts:
            await self.conclude(call_id)

    async def conclude(self, call_id: CallId) -> None:
        """Do as the reconciler does, but for the files."""
        case = await self.cases.load(call_id)
        assert case is not None
        now = self.wall.now
        before = case.conclusion
        conclusion = reconcile(case.facts, now=now, free_ms=10**6, before=before)
        concluded = replace(case, conclusion=conclusion)
        assert await self.cases.conclude(concluded, look_at=None, stamp=Stamp(now))


@pytest.fixture
async def archive(database: Database, wall: Wall) -> Archive:
    account = await an_account(database, wall)
    await own(database, account.account_id, 10**9, wall.now)
    return Archive(
        database,
        account.account_id,
        SqlCases(database),
        SqlCaseBooks(database),
        SqlTranscripts(database),
        wall,
    )
