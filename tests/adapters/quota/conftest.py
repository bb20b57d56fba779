"""Real databases with one account, on both engines."""

from dataclasses import dataclass

import pytest
from sqlalchemy import insert

from gateway.adapters.plan_file import load_plans
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_quota_books import SqlQuotaBooks
from gateway.adapters.sql_quota_contracts import SqlContracts
from gateway.adapters.sql_quota_minutes import SqlMinutes
from gateway.adapters.sql_quota_rows import apply_due, lock_account, note_next_change
from gateway.adapters.sql_quota_schema import capacity_changes
from gateway.core.ids import AccountId
from gateway.core.quota.lease import LeaseTerms
from tests.adapters.sql.conftest import (
    Wall,
    database,
    database_url,
    migrated_url,
    rivals,
    wall,
)
from tests.adapters.sql.rows import an_account, fresh_id

__all__ = ["database", "database_url", "migrated_url", "rivals", "wall"]

BOOK = load_plans(None)


@dataclass(slots=True)
class Bench:
    """An account in a database, and the stores on it."""

    database: Database
    account_id: AccountId
    minutes: SqlMinutes
    books: SqlQuotaBooks
    contracts: SqlContracts
    wall: Wall

    async def own(self, capacity_ms: int) -> None:
        """Make the account own so much, by an entry."""
        await own(self.database, self.account_id, capacity_ms, self.wall.now)

    async def schedule(self, at: float, amount_ms: int) -> None:
        """Let the capacity change later."""
        async with self.database.writing() as connection:
            locked = await lock_account(connection, self.database, self.account_id)
            await connection.execute(
                insert(capacity_changes).values(
                    account_id=self.account_id,
                    effective_at=at,
                    source="test",
                    kind="top_up",
                    amount_ms=amount_ms,
                    was_scheduled=True,
                    turns=0,
                )
            )
            await note_next_change(connection, locked)


async def own(database: Database, account_id: AccountId, capacity_ms: int, now: float) -> None:
    async with database.writing() as connection:
        locked = await lock_account(connection, database, account_id, now=now)
        await connection.execute(
            insert(capacity_changes).values(
                account_id=account_id,
                effective_at=now,
                source="test",
                kind="capacity_change",
                amount_ms=capacity_ms - locked.balance.capacity_ms,
                was_scheduled=False,
                turns=0,
            )
        )
        await apply_due(connection, locked, now)


def stores(database: Database, account_id: AccountId, wall: Wall) -> Bench:
    return Bench(
        database,
        account_id,
        SqlMinutes(database, LeaseTerms()),
        SqlQuotaBooks(database),
        SqlContracts(database, BOOK, fresh_id),
        wall,
    )


@pytest.fixture
async def bench(database: Database, wall: Wall) -> Bench:
    account = await an_account(database, wall)
    return stores(database, account.account_id, wall)


@pytest.fixture
async def rival_benches(rivals: list[Database], wall: Wall) -> list[Bench]:
    """The same account, opened by four as four processes would."""
    account = await an_account(rivals[0], wall)
    return [stores(each, account.account_id, wall) for each in rivals]
