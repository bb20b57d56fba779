"""The database behind every store: SQLite or PostgreSQL, one way to read and one to write."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, cast

import aiosqlite
import asyncpg
import structlog
from sqlalchemy import Table, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.adapters.sql_turns import Turns
from gateway.core.errors import BadInput, StoreDown

_log = structlog.get_logger(__name__)

_MIGRATION_MAX_S = 600.0
_BUSY_PAUSE_S = 0.01


@dataclass(frozen=True, slots=True)
class DatabaseBounds:
    """How much the database may take of us."""

    connections_max: int = 10
    """Open connections of this process."""
    connect_max_s: float = 3.0
    """Waiting for a connection, from the pool or from the server."""
    statement_max_s: float = 5.0
    """One statement; also how long to wait for another's lock."""
    operation_max_s: float = 10.0
    """One `reading` or `writing` block in all."""


class Database:
    """Connections, transactions, and every outage as `StoreDown`.

    Owns its connections: whoever constructs it awaits `close`.
    """

    def __init__(
        self,
        url: str,
        bounds: DatabaseBounds | None = None,
        *,
        sqlite_foreign_keys: Literal["ON", "OFF"] = "ON",
    ) -> None:
        self._bounds = bounds or DatabaseBounds()
        self._url = _driver_url(url)
        self.is_sqlite = self._url.get_backend_name() == "sqlite"
        self._engine = (
            _sqlite_engine(self._url, self._bounds, sqlite_foreign_keys)
            if self.is_sqlite
            else _postgresql_engine(self._url, self._bounds)
        )
        # SQLite has one writer: queue here in order instead of polling its lock.
        self._turns = Turns()
        self._is_down = False

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Read in one transaction. Raises `StoreDown`."""
        async with self._bounded(), self._engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def writing(self, *, hurried: bool = False) -> AsyncIterator[AsyncConnection]:
        """Write in one transaction: committed at the end, rolled back if the block raises.

        `hurried` goes first where only one can write: for what somebody outside waits for.
        Raises `StoreDown`; then nothing was written, unless the connection broke or the time
        ran out during the commit itself, which nobody can tell.
        """
        async with self._bounded():
            if not self.is_sqlite:
                async with self._engine.begin() as connection:
                    yield connection
                return
            async with self._turns.turn(hurried=hurried), self._engine.connect() as connection:
                writer = await connection.execution_options(sqlite_begin="IMMEDIATE")
                async with writer.begin():
                    yield writer

    async def ping(self) -> None:
        """Return if the database answers; raises `StoreDown`."""
        async with self.reading() as connection:
            await connection.execute(text("SELECT 1"))

    def patient(self) -> "Database":
        """Return another `Database` on the same data for migrations; the caller closes it.

        It waits long, and SQLite's foreign keys are off: a table that others refer to can
        then be rebuilt, the only way to alter it there.
        """
        return Database(
            self._url.render_as_string(hide_password=False),
            DatabaseBounds(
                connections_max=1,
                connect_max_s=self._bounds.connect_max_s,
                statement_max_s=_MIGRATION_MAX_S,
                operation_max_s=_MIGRATION_MAX_S,
            ),
            sqlite_foreign_keys="OFF",
        )

    def insert_new(self, table: Table) -> postgresql.Insert | sqlite.Insert:
        """Start an INSERT that may be given `on_conflict_do_nothing` or `…_do_update`."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()

    @asynccontextmanager
    async def _bounded(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._bounds.operation_max_s):
                yield
        except DBAPIError as error:
            if _is_our_fault(error):
                raise
            raise self._down(error.orig or error) from error
        except (
            PoolTimeout,
            OSError,  # TimeoutError among them
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
        ) as error:
            raise self._down(error) from error
        if self._is_down:
            self._is_down = False
            _log.info("the database answers again")

    def _down(self, error: BaseException) -> StoreDown:
        # The kind alone: driver messages quote addresses, names and values.
        kind = type(error).__name__
        if not self._is_down:
            # Once per outage: every webhook and every browser would say it otherwise.
            self._is_down = True
            _log.warning("the database does not answer", error_kind=kind)
        return StoreDown(f"the database does not answer ({kind})")


def _is_our_fault(error: DBAPIError) -> bool:
    """A wrong statement or value, as against an outage, a lock or a full disk."""
    return isinstance(error, IntegrityError | DataError | ProgrammingError | NotSupportedError)


def _driver_url(url: str) -> URL:
    drivers = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
    try:
        parsed = make_url(url)
        parsed = parsed.set(drivername=drivers[parsed.get_backend_name()])
    except (ArgumentError, KeyError):
        raise BadInput("the database URL must begin with sqlite:/// or postgresql://") from None
    if parsed.get_backend_name() == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise BadInput("the SQLite URL must name a file: several connections share it")
    return parsed


def _sqlite_engine(
    url: URL, bounds: DatabaseBounds, foreign_keys: Literal["ON", "OFF"]
) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=bounds.connections_max,
        max_overflow=0,
        pool_timeout=bounds.connect_max_s,
        connect_args={"timeout": bounds.statement_max_s},
    )

    def prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 (the driver's)
        # Off, so that the driver does not begin transactions of its own.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            "synchronous = FULL",
            f"foreign_keys = {foreign_keys}",
            f"busy_timeout = {int(bounds.statement_max_s * 1000)}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
        connection.run_async(lambda driver: _enter_wal(driver, bounds.statement_max_s))

    def begin(connection: Any) -> None:  # noqa: ANN401 (sqlalchemy.Connection, untyped event)
        # A deferred transaction that turns writer later fails at once when another wrote
        # in between; IMMEDIATE waits its turn.
        kind = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {kind}")

    event.listen(engine.sync_engine, "connect", prepare)
    event.listen(engine.sync_engine, "begin", begin)
    return engine


async def _enter_wal(driver: aiosqlite.Connection, wait_max_s: float) -> None:
    """Set the journal mode, which the file keeps.

    The very first time this turns a reader into a writer, and there SQLite does not wait as
    `busy_timeout` says: of several processes that meet a new file, all but one would fail.
    """
    async with asyncio.timeout(wait_max_s):
        while True:
            try:
                async with driver.execute("PRAGMA journal_mode = WAL"):
                    return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                    raise
                await asyncio.sleep(_BUSY_PAUSE_S)


def _postgresql_engine(url: URL, bounds: DatabaseBounds) -> AsyncEngine:
    statement_ms = str(int(bounds.statement_max_s * 1000))
    return create_async_engine(
        url,
        pool_size=bounds.connections_max,
        max_overflow=0,
        pool_timeout=bounds.connect_max_s,
        # One round trip per checkout: the first use after a restart of the server works.
        pool_pre_ping=True,
        connect_args={
            "timeout": bounds.connect_max_s,
            # Last resort for a server that holds the connection and says nothing.
            "command_timeout": bounds.statement_max_s + 1,
            "server_settings": {
                "application_name": "callgate",
                "statement_timeout": statement_ms,
                "lock_timeout": statement_ms,
                "idle_in_transaction_session_timeout": str(int(bounds.operation_max_s * 1000)),
            },
        },
    )


def rows_changed(result: object) -> int:
    """Return how many rows an INSERT, UPDATE or DELETE changed."""
    return int(cast("Any", result).rowcount)
