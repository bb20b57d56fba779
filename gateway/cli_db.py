"""`callgate db …`: the version of the database."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from gateway.adapters import sql_migrate
from gateway.adapters.sql_engine import Database
from gateway.cli_terminal import say, settings
from gateway.foundation import open_database, prepare_data_directory

app = typer.Typer(no_args_is_help=True, help="The version of the database.")


@app.command("upgrade")
def upgrade(
    revision: Annotated[str, typer.Argument(help="Version to reach.")] = "head",
) -> None:
    """Bring the database up to date; safe to run on several nodes at once."""

    async def work(database: Database) -> None:
        say(f"the database is at version {await sql_migrate.upgrade(database, revision)}")

    _with_database(work)


@app.command("downgrade")
def downgrade(
    revision: Annotated[str, typer.Argument(help="Version to go back to, or `base`.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Go back to an older version, losing what it has no place for."""
    if not yes:
        typer.confirm(
            "Data that the older version has no place for is lost. Go on?", abort=True
        )

    async def work(database: Database) -> None:
        reached = await sql_migrate.downgrade(database, revision)
        say(f"the database is at version {reached or '(empty)'}")

    _with_database(work)


@app.command("current")
def current() -> None:
    """Show the version of the database and the one this program needs."""

    async def work(database: Database) -> None:
        found = await sql_migrate.current(database)
        say(f"database: {found or '(empty)'}\nneeded:   {sql_migrate.newest()}")

    _with_database(work)


def _with_database(work: Callable[[Database], Awaitable[None]]) -> None:
    async def run() -> None:
        loaded = settings()
        prepare_data_directory(loaded.data_path)
        database = open_database(loaded)
        try:
            await work(database)
        finally:
            await database.close()

    asyncio.run(run())
