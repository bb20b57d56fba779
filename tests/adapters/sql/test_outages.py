"""A database that is locked, stopped, frozen, full or absent: `StoreDown`, and back again."""

import asyncio
import os
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text

from gateway.adapters import sql_migrate
from gateway.adapters.sql_engine import Database, DatabaseBounds
from gateway.adapters.sql_inbox import SqlInbox
from gateway.core.errors import BadInput, StoreDown
from tests.adapters.sql.conftest import Wall
from tests.adapters.sql.rows import an_item
from tests.services.postgres import PostgresServer, private_postgres
from tests.services.sqlite import put_migrated

pytestmark = pytest.mark.services

QUICK = DatabaseBounds(
    connections_max=4, connect_max_s=0.5, statement_max_s=0.5, operation_max_s=1.5
)
# What "bounded" means below: far above the bounds (the machine may be busy), far under a hang.
SOON_S = 20.0


@contextmanager
def ends_soon() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < SOON_S


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    put_migrated(tmp_path / "callgate.db")
    database = Database(f"sqlite:///{tmp_path / 'callgate.db'}", QUICK)
    yield database
    await database.close()


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    with private_postgres() as server:
        yield server


@pytest.fixture
async def postgres(own_postgres: PostgresServer) -> AsyncIterator[Database]:
    database = Database(own_postgres.url(), QUICK)
    await sql_migrate.upgrade(database)
    yield database
    await database.close()


async def test_sqlite_locked_by_another_process_is_down_for_writers_only(
    sqlite: Database, tmp_path: Path, wall: Wall
) -> None:
    inbox = SqlInbox(sqlite, wall)
    await inbox.add([an_item("before")], received_at=wall())
    blocker = sqlite3.connect(tmp_path / "callgate.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with ends_soon():
        results = await asyncio.gather(
            *(inbox.add([an_item(f"{n}")], received_at=wall()) for n in range(5)),
            return_exceptions=True,
        )
    assert [type(each) for each in results] == [StoreDown] * 5
    assert len(await inbox.waiting(limit=10)) == 1
    blocker.execute("ROLLBACK")
    blocker.close()
    assert await inbox.add([an_item("0"), an_item("after")], received_at=wall()) == 2


async def test_whoever_meets_a_new_file_that_another_is_writing_waits(tmp_path: Path) -> None:
    """SQLite itself does not, where the journal mode is set for the first time."""
    path = tmp_path / "new.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    hurried = Database(f"sqlite:///{path}", QUICK)
    with ends_soon(), pytest.raises(StoreDown):
        await hurried.ping()
    await hurried.close()
    database = Database(f"sqlite:///{path}")
    pings = [asyncio.create_task(database.ping()) for _ in range(4)]
    await asyncio.sleep(0.05)
    other.execute("ROLLBACK")
    other.close()
    await asyncio.gather(*pings)
    async with database.reading() as connection:
        assert await connection.scalar(text("PRAGMA journal_mode")) == "wal"
    await database.close()


async def test_a_full_disk_is_an_outage_and_loses_nothing_stored(
    sqlite: Database, wall: Wall
) -> None:
    inbox = SqlInbox(sqlite, wall)
    await inbox.add([an_item("before")], received_at=wall())
    async with sqlite.reading() as connection:
        pages = await connection.scalar(text("PRAGMA page_count"))
        await connection.execute(text(f"PRAGMA max_page_count = {pages}"))
    with pytest.raises(StoreDown):
        await inbox.add([an_item("big", payload="x" * 1_000_000)], received_at=wall())
    async with sqlite.reading() as connection:
        await connection.execute(text("PRAGMA max_page_count = 1000000"))
    assert [row.item.dedup_key for row in await inbox.waiting(limit=9)] == ["before"]
    assert await inbox.add([an_item("big")], received_at=wall()) == 1


async def test_a_postgres_that_was_stopped_is_used_again_at_once(
    postgres: Database, own_postgres: PostgresServer, wall: Wall
) -> None:
    inbox = SqlInbox(postgres, wall)
    for number in range(2):
        await inbox.add([an_item(f"before {number}")], received_at=wall())
        own_postgres.stop()
        with ends_soon(), pytest.raises(StoreDown):
            await inbox.add([an_item("lost")], received_at=wall())
        with ends_soon(), pytest.raises(StoreDown):
            await postgres.ping()
        own_postgres.start()
        assert await inbox.add([an_item(f"after {number}")], received_at=wall()) == 1
    assert len(await inbox.waiting(limit=10)) == 4


async def test_a_frozen_postgres_makes_nobody_wait_for_long(
    postgres: Database, own_postgres: PostgresServer, wall: Wall
) -> None:
    inbox = SqlInbox(postgres, wall)
    await inbox.add([an_item("before")], received_at=wall())
    master = psutil.Process(own_postgres.pid)
    frozen = [master, *master.children(recursive=True)]
    for process in frozen:
        process.suspend()
    try:
        with ends_soon():
            results = await asyncio.gather(
                *(inbox.add([an_item(f"{n}")], received_at=wall()) for n in range(8)),
                return_exceptions=True,
            )
        assert {type(each) for each in results} == {StoreDown}
    finally:
        for process in frozen:
            process.resume()
    with ends_soon():
        assert await _once_back(inbox, wall) == 1


async def test_a_backend_that_crashes_in_a_transaction_leaves_nothing_of_it(
    postgres: Database, own_postgres: PostgresServer, wall: Wall
) -> None:
    inbox = SqlInbox(postgres, wall)
    with pytest.raises(StoreDown):
        await _crash_halfway(postgres)
    with ends_soon():
        assert await _once_back(inbox, wall) == 1
    async with postgres.reading() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM tombstones")) == 0


async def _crash_halfway(postgres: Database) -> None:
    async with postgres.writing() as connection:
        await connection.execute(text("INSERT INTO tombstones VALUES ('1', 'half', 1.0)"))
        backend = await connection.scalar(text("SELECT pg_backend_pid()"))
        assert backend is not None
        os.kill(backend, signal.SIGKILL)
        await connection.execute(text("SELECT pg_sleep(1)"))


async def test_a_lock_held_by_another_ends_the_wait(postgres: Database, wall: Wall) -> None:
    inbox = SqlInbox(postgres, wall)
    async with postgres.reading() as connection:
        await connection.execute(text("LOCK TABLE webhook_inbox"))
        with ends_soon(), pytest.raises(StoreDown):
            await inbox.add([an_item("a")], received_at=wall())
    assert await inbox.add([an_item("a")], received_at=wall()) == 1


async def test_a_server_that_accepts_and_says_nothing_is_down() -> None:
    accepted: list[asyncio.StreamWriter] = []

    async def swallow(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(writer)

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    database = Database(f"postgresql://u:secret-word@127.0.0.1:{port}/x", QUICK)
    with ends_soon(), pytest.raises(StoreDown) as caught:
        await database.ping()
    assert "secret-word" not in str(caught.value)
    assert accepted
    await database.close()
    for writer in accepted:
        writer.close()
    server.close()
    await server.wait_closed()


async def test_nobody_there_is_down() -> None:
    database = Database("postgresql://u:secret-word@127.0.0.1:1/x", QUICK)
    with ends_soon(), pytest.raises(StoreDown):
        await database.ping()
    await database.close()


async def test_when_all_connections_are_taken_the_next_asker_is_told(
    migrated_url: str,
) -> None:
    bounds = DatabaseBounds(connections_max=3, connect_max_s=0.5)
    database = Database(migrated_url, bounds)
    release = asyncio.Event()
    taken = asyncio.Semaphore(0)

    async def occupy() -> None:
        async with database.reading() as connection:
            await connection.execute(text("SELECT 1"))
            taken.release()
            await release.wait()

    async with asyncio.TaskGroup() as group:
        for _ in range(bounds.connections_max):
            group.create_task(occupy())
            await taken.acquire()
        with ends_soon(), pytest.raises(StoreDown):
            await database.ping()
        release.set()
    await database.ping()
    await database.close()


async def test_cancelled_work_gives_its_connection_back(migrated_url: str, wall: Wall) -> None:
    database = Database(migrated_url, QUICK)
    inbox = SqlInbox(database, wall)
    for number in range(12):
        task = asyncio.create_task(inbox.add([an_item(f"{number}")], received_at=wall()))
        for _ in range(number):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await inbox.add([an_item("after")], received_at=wall()) == 1
    await database.close()


@pytest.mark.parametrize(
    "url", ["", "mysql://x/y", "sqlite://", "sqlite:///:memory:", "no url", "sqlite"]
)
def test_a_url_that_cannot_work_is_refused_in_plain_words(url: str) -> None:
    with pytest.raises(BadInput, match="URL"):
        Database(url)


async def _once_back(inbox: SqlInbox, wall: Wall) -> int:
    """Add a row as soon as the database takes it (PostgreSQL recovers for a moment)."""
    while True:
        try:
            return await inbox.add([an_item("back")], received_at=wall())
        except StoreDown:
            await asyncio.sleep(0.05)
