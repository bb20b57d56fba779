"""The schema: built by migrations, the same as the tables the code names."""

import asyncio

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from gateway.adapters import sql_alembic, sql_migrate
from gateway.adapters.sql_engine import Database
from gateway.core.errors import BadInput

pytestmark = pytest.mark.services


async def test_migrations_build_exactly_the_tables_of_the_schema(database_url: str) -> None:
    database = Database(database_url)
    assert await sql_migrate.current(database) is None
    assert await sql_migrate.upgrade(database) == sql_migrate.newest()
    assert await sql_migrate.current(database) == sql_migrate.newest()
    assert await sql_alembic.drift(database) == []
    await database.close()


def test_migrations_are_numbered_in_the_order_in_which_they_run() -> None:
    script = ScriptDirectory(str(sql_migrate.MIGRATIONS))
    revisions = [each.revision for each in script.walk_revisions()]
    assert revisions == sorted(revisions, reverse=True)
    assert revisions[0] == sql_migrate.newest()
    files = (sql_migrate.MIGRATIONS / "versions").glob("[0-9]*.py")
    assert sorted(path.name[:4] for path in files) == revisions[::-1]


async def test_a_changed_schema_is_seen_as_drift(database: Database) -> None:
    async with database.writing() as connection:
        await connection.exec_driver_sql("ALTER TABLE audit ADD COLUMN more INTEGER")
    assert len(await sql_alembic.drift(database)) == 1


async def test_downgrade_to_nothing_leaves_nothing_and_upgrade_works_again(
    database: Database,
) -> None:
    await sql_migrate.downgrade(database, "base")
    async with database.reading() as connection:
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    assert set(names) <= {"alembic_version"}
    await sql_migrate.upgrade(database)
    assert await sql_alembic.drift(database) == []


async def test_many_starters_migrate_once(database_url: str) -> None:
    databases = [Database(database_url) for _ in range(4)]
    reached = await asyncio.gather(*(sql_migrate.upgrade(each) for each in databases))
    assert reached == [sql_migrate.newest()] * 4
    assert await sql_alembic.drift(databases[0]) == []
    for each in databases:
        await each.close()


async def test_a_schema_of_a_newer_program_is_refused_in_plain_words(
    database: Database,
) -> None:
    async with database.writing() as connection:
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(BadInput, match="9999"):
        await sql_migrate.upgrade(database)
