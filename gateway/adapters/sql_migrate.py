"""Which version the schema has and which one this program needs, and the way from one to other.

Alembic is loaded only when there is something to migrate: a start has better things to do.
"""

import re
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from gateway.adapters.sql_engine import Database

MIGRATIONS = Path(__file__).parent / "migrations"
_NUMBERED = re.compile(r"(\d{4})_\w+\.py")


async def upgrade(database: Database, revision: str = "head") -> str:
    """Migrate up and return the revision reached.

    Starters of several nodes queue on a lock in the database; the late ones find nothing left
    to do. Raises `StoreDown`, or `BadInput` if the schema is newer than this program.
    """
    if revision == "head" and await current(database) == newest():
        return newest()
    from gateway.adapters import sql_alembic  # noqa: PLC0415

    return await sql_alembic.upgrade(database, revision)


async def downgrade(database: Database, revision: str) -> str:
    """Migrate down, losing what the older schema has no place for; return the revision."""
    from gateway.adapters import sql_alembic  # noqa: PLC0415

    return await sql_alembic.downgrade(database, revision)


async def current(database: Database) -> str | None:
    """Return the schema's revision, None before the first migration. Raises `StoreDown`."""
    async with database.reading() as connection:
        return await connection.run_sync(revision_in)


def newest() -> str:
    """Return the revision this program needs: migrations are numbered in their order."""
    names = (path.name for path in (MIGRATIONS / "versions").iterdir())
    return max(found[1] for name in names if (found := _NUMBERED.fullmatch(name)))


def revision_in(connection: Connection) -> str | None:
    """Return the revision that Alembic has noted."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
