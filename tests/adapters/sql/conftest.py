"""A migrated database of either engine, fresh for each test."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from gateway.adapters import sql_migrate
from gateway.adapters.sql_engine import Database
from tests.services.postgres import PostgresServer, fresh_database
from tests.services.sqlite import put_migrated

_count = itertools.count()


@dataclass(slots=True)
class Wall:
    """A wall clock that stands until it is moved."""

    now: float = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture(params=["sqlite", "postgresql"])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """URL of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'callgate.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    async with fresh_database(server, f"empty_{next(_count)}", "template0") as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
async def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """URL of a migrated database."""
    if request.param == "sqlite":
        put_migrated(tmp_path / "callgate.db")
        yield f"sqlite:///{tmp_path / 'callgate.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    await _ensure_template(server)
    async with fresh_database(server, f"test_{next(_count)}", "callgate_template") as url:
        yield url


@pytest.fixture
async def database(migrated_url: str) -> AsyncIterator[Database]:
    opened = Database(migrated_url)
    yield opened
    await opened.close()


@pytest.fixture
async def rivals(migrated_url: str) -> AsyncIterator[list[Database]]:
    """Four openings of one database, as four processes would have them."""
    opened = [Database(migrated_url) for _ in range(4)]
    yield opened
    for each in opened:
        await each.close()


async def _ensure_template(server: PostgresServer) -> None:
    admin = await asyncpg.connect(server.url())
    try:
        if await admin.fetchval("SELECT 1 FROM pg_database WHERE datname='callgate_template'"):
            return
        await admin.execute("CREATE DATABASE callgate_template")
    finally:
        await admin.close()
    opened = Database(server.url("callgate_template"))
    await sql_migrate.upgrade(opened)
    await opened.close()
