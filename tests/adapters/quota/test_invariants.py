"""The databases against the pure rules: the same steps, the same numbers, all invariants."""

import asyncio
from typing import Any, ClassVar

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from typing_extensions import override

from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_quota_books import SqlQuotaBooks
from gateway.adapters.sql_quota_minutes import SqlMinutes
from gateway.core.ids import CallId
from gateway.core.quota.lease import LeaseTerms
from gateway.core.quota.ledger import ExplainedEntry
from tests.adapters.quota.conftest import own
from tests.adapters.sql.conftest import Wall
from tests.adapters.sql.rows import an_account
from tests.conftest import Rounds
from tests.core.quota.machine import MinutesMachine

pytestmark = [pytest.mark.services, pytest.mark.soak, pytest.mark.timeout(3600)]


class SqlMachine(MinutesMachine):
    """Does every step on the model and on the database and compares."""

    runner: ClassVar[asyncio.Runner]
    database: ClassVar[Database]

    def __init__(self) -> None:
        super().__init__()
        account = self.runner.run(an_account(self.database, Wall()))
        self.account = account.account_id
        self.sql = SqlMinutes(self.database, LeaseTerms())

    @override
    def act(self, operation: str, *arguments: Any, **named: Any) -> Any:
        expected = super().act(operation, *arguments, **named)
        found = self.runner.run(getattr(self.sql, operation)(*arguments, **named))
        if isinstance(expected, list):
            assert sorted(map(repr, found)) == sorted(map(repr, expected))
        else:
            assert found == expected
        self.compare()
        return expected

    @override
    def own(self, capacity_ms: int) -> None:
        super().own(capacity_ms)
        self.runner.run(own(self.database, self.account, capacity_ms, self.now))
        self.compare()

    @override
    def call(self, name: CallId) -> CallId:
        return CallId(f"{self.account[-12:]}-{name}")

    def compare(self) -> None:
        model = super().act("view", self.account, now=self.now)
        stored = self.runner.run(self.sql.view(self.account, now=self.now))
        assert stored.balance == model.balance
        assert sorted(map(repr, stored.budgets)) == sorted(map(repr, model.budgets))

    @override
    def teardown(self) -> None:
        super().teardown()
        books = SqlQuotaBooks(self.database)
        assert self.runner.run(books.verify(self.account)) == []
        lines: list[ExplainedEntry] = []
        cursor = None
        while True:
            page = self.runner.run(books.ledger(self.account, cursor=cursor, limit=7))
            lines += page.lines
            cursor = page.next_cursor
            if cursor is None:
                break
        written = [
            (line.entry.kind, line.entry.amount_ms, line.entry.call_id)
            for line in reversed(lines)
        ]
        assert written == [(e.kind, e.amount_ms, e.call_id) for e in self.book.entries]
        if lines:
            assert lines[0].totals.used_ms == self.book.balances[self.account].used_ms


def test_a_database_counts_as_the_rules_do(migrated_url: str, rounds: Rounds) -> None:
    with asyncio.Runner() as runner:
        database = Database(migrated_url)
        SqlMachine.runner, SqlMachine.database = runner, database
        try:
            run_state_machine_as_test(
                SqlMachine,
                settings=settings(
                    max_examples=rounds(quick=3, soak=50),
                    stateful_step_count=30,
                    # Shrinking against a database takes minutes; the model shrinks faster.
                    phases=[Phase.explicit, Phase.reuse, Phase.generate],
                    report_multiple_bugs=False,
                ),
            )
        finally:
            runner.run(database.close())
