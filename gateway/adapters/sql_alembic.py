"""Brings the schema up to date, one starter at a time; `sql_migrate` says when."""

from collections.abc import Callable
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection, text

from gateway.adapters import (
    sql_access_schema,  # noqa: F401 (its table joins the metadata)
    sql_announcement_schema,  # noqa: F401 (so does this)
    sql_evidence_schema,  # noqa: F401 (so do these)
    sql_job_schema,  # noqa: F401 (its tables join the metadata)
    sql_official_schema,  # noqa: F401 (so do these)
    sql_quota_schema,  # noqa: F401 (so do these)
    sql_recording_schema,  # noqa: F401 (so do these)
)
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_migrate import MIGRATIONS, revision_in
from gateway.adapters.sql_schema import metadata
from gateway.core.errors import BadInput

# Any fixed number: it only has to be the same in every starting gateway.
_ADVISORY_LOCK = 0x43414C4C


async def upgrade(database: Database, revision: str) -> str:
    """See `sql_migrate`."""
    return await _run(database, lambda config: command.upgrade(config, revision))


async def downgrade(database: Database, revision: str) -> str:
    """See `sql_migrate`."""
    return await _run(database, lambda config: command.downgrade(config, revision))


async def drift(database: Database) -> list[Any]:
    """Return what differs between the database and `sql_schema`: empty when they agree."""

    def compare(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    async with database.reading() as connection:
        return await connection.run_sync(compare)


async def _run(database: Database, act: Callable[[Config], None]) -> str:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))

    def migrate(connection: Connection) -> str:
        config.attributes["connection"] = connection
        try:
            act(config)
        except CommandError as error:
            raise BadInput(f"cannot migrate the database: {error}") from error
        return revision_in(connection) or ""

    patient = database.patient()
    try:
        # On SQLite the write transaction itself is the lock.
        async with patient.writing() as connection:
            if not patient.is_sqlite:
                await connection.execute(
                    text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
                )
            return await connection.run_sync(migrate)
    finally:
        await patient.close()
