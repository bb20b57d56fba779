"""How many lease transactions a database carries, beside charging every frame under a lock.

`python -m bench.leases [--quick]`: a table for people, then one JSON object as the last line.
Both sides use the same engine, pool and durability (SQLite: WAL, synchronous FULL; PostgreSQL:
fsync and synchronous_commit on). The rival reads the row under its lock, adds one frame of
20 ms and commits, as a recorder without leases would have to.
"""

import argparse
import asyncio
import itertools
import json
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import BigInteger, Column, MetaData, String, Table, insert, select, update

from gateway.adapters import sql_migrate
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_quota_minutes import SqlMinutes
from gateway.adapters.sql_quota_rows import change_balance, lock_account
from gateway.adapters.sql_schema import accounts
from gateway.adapters.system_ids import random_id
from gateway.core.ids import AccountId, CallId
from gateway.core.quota.balance import FRAME_MS
from gateway.core.quota.lease import Ask, BudgetId, LeaseTerms, WorkerId
from tests.services.postgres import binary

WORKERS = 8
PLENTY_MS = 10**15
TERMS = LeaseTerms()
START_MAX_S = 60.0

rival_balances = Table(
    "rival_balances",
    MetaData(),
    Column("account_id", String(26), primary_key=True),
    Column("capacity_ms", BigInteger, nullable=False),
    Column("used_ms", BigInteger, nullable=False),
)

Transaction = Callable[[int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Figures:
    """One side on one database."""

    database: str
    side: str
    accounts: int
    transactions_per_s: float
    p50_ms: float
    p99_ms: float
    captures_carried: float
    """Captures in real time that this rate of transactions could pay for."""


async def measure(transaction: Transaction, seconds: float) -> tuple[float, list[float]]:
    """Run `WORKERS` loops for so long; return transactions per second and their times."""
    took: list[float] = []
    end = time.perf_counter() + seconds

    async def loop(worker: int) -> None:
        while (began := time.perf_counter()) < end:
            await transaction(worker)
            took.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(loop(worker) for worker in range(WORKERS)))
    return len(took) / (time.perf_counter() - began), sorted(took)


async def new_accounts(database: Database, count: int) -> list[AccountId]:
    """Make accounts that own more than can be taken."""
    made = []
    for _ in range(count):
        account_id = AccountId(random_id())
        async with database.writing() as connection:
            await connection.execute(
                insert(accounts).values(
                    account_id=account_id,
                    cid=account_id,
                    name="bench",
                    timezone="UTC",
                    created_at=0.0,
                )
            )
            locked = await lock_account(connection, database, account_id)
            owned = locked.balance.moved(capacity_ms=PLENTY_MS)
            await change_balance(connection, locked, owned)
            await connection.execute(
                insert(rival_balances).values(
                    account_id=account_id, capacity_ms=PLENTY_MS, used_ms=0
                )
            )
        made.append(account_id)
    return made


async def leases(database: Database, owners: list[AccountId]) -> Transaction:
    """Every transaction is one renewal of a worker's budget for one capture."""
    minutes = SqlMinutes(database, TERMS)
    budgets = [
        await minutes.open_capture(
            CallId(random_id()),
            owners[worker % len(owners)],
            WorkerId(random_id()),
            fresh=BudgetId(random_id()),
        )
        for worker in range(WORKERS)
    ]
    numbers = [itertools.count(1) for _ in budgets]

    async def renew(worker: int) -> None:
        budget = budgets[worker]
        ask = Ask(budget.account_id, budget.budget_id, next(numbers[worker]), 1, 0)
        answer = await minutes.renew(ask, now=0.0)
        assert answer.refusal is None

    return renew


async def frames(database: Database, owners: list[AccountId]) -> Transaction:
    """Every transaction charges one frame: read under the row's lock, add, write."""
    column = rival_balances.c

    async def charge(worker: int) -> None:
        is_mine = column.account_id == owners[worker % len(owners)]
        async with database.writing() as connection:
            query = select(column.capacity_ms, column.used_ms).where(is_mine)
            row = (await connection.execute(query.with_for_update())).one()
            assert row.used_ms + FRAME_MS <= row.capacity_ms
            await connection.execute(
                update(rival_balances).where(is_mine).values(used_ms=row.used_ms + FRAME_MS)
            )

    return charge


async def compare(name: str, url: str, seconds: float) -> list[Figures]:
    """Measure both sides on one database, all workers on one account and on one each."""
    database = Database(url)
    await sql_migrate.upgrade(database)
    async with database.writing() as connection:
        await connection.run_sync(rival_balances.create)
    found = []
    for count in (1, WORKERS):
        owners = await new_accounts(database, count)
        for side, make, paid_s in (
            ("leases", leases, TERMS.per_capture_ms / 1000),
            ("every frame", frames, FRAME_MS / 1000),
        ):
            rate, took = await measure(await make(database, owners), seconds)
            found.append(
                Figures(
                    database=name,
                    side=side,
                    accounts=count,
                    transactions_per_s=round(rate, 1),
                    p50_ms=round(took[len(took) // 2] * 1000, 2),
                    p99_ms=round(took[int(len(took) * 0.99)] * 1000, 2),
                    captures_carried=round(rate * paid_s, 1),
                )
            )
    await database.close()
    return found


@contextmanager
def durable_postgres(directory: Path) -> Iterator[str]:
    """Run a private cluster as it would run in earnest, with fsync; yield its URL."""
    owner = "postgres" if os.getuid() == 0 else None
    if owner is not None:
        os.chown(directory, pwd.getpwnam(owner).pw_uid, -1)
    place = str(directory / "data")
    subprocess.run(  # noqa: S603 (our own arguments)
        [binary("initdb"), "-D", place, "-U", "postgres", "-A", "trust", "-E", "UTF8"],
        check=True, capture_output=True, user=owner, cwd="/",
    )  # fmt: skip
    with (directory / "log").open("wb") as log:
        server = subprocess.Popen(  # noqa: S603 (our own arguments)
            [binary("postgres"), "-D", place, "-k", str(directory), "-c", "listen_addresses="],
            stdout=log, stderr=log, user=owner, cwd="/",
        )  # fmt: skip
    try:
        deadline = time.monotonic() + START_MAX_S
        ready = [str(binary("pg_isready")), "-q", "-h", str(directory)]
        while subprocess.run(ready, check=False).returncode:  # noqa: S603 (our own arguments)
            if time.monotonic() > deadline:
                raise SystemExit((directory / "log").read_text())
            time.sleep(0.1)
        yield f"postgresql://postgres@/postgres?host={directory}"
    finally:
        server.terminate()
        server.wait(START_MAX_S)


def main() -> None:
    """Print the table and the JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="1 s a measurement instead of 10")
    seconds = 1.0 if parser.parse_args().quick else 10.0
    directory = Path(tempfile.mkdtemp(prefix="callgate-bench-"))
    try:
        found = asyncio.run(compare("sqlite", f"sqlite:///{directory / 'bench.db'}", seconds))
        cluster = directory / "cluster"
        cluster.mkdir(mode=0o700)
        directory.chmod(0o755)
        with durable_postgres(cluster) as url:
            found += asyncio.run(compare("postgresql", url, seconds))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(f"{'database':<12}{'side':<13}{'accounts':>8}{'tx/s':>9}{'p50 ms':>8}"
          f"{'p99 ms':>8}{'captures carried':>18}")  # fmt: skip
    for f in found:
        print(f"{f.database:<12}{f.side:<13}{f.accounts:>8}{f.transactions_per_s:>9,.0f}"
              f"{f.p50_ms:>8}{f.p99_ms:>8}{f.captures_carried:>18,.0f}")  # fmt: skip
    print(
        json.dumps(
            {"bench": "leases", "workers": WORKERS, "figures": [asdict(f) for f in found]}
        )
    )


if __name__ == "__main__":
    main()
