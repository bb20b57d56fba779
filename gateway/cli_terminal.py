"""What all commands share: opening the stores, running, tables, secrets, times."""

import asyncio
import os
import secrets
import sys
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import typer

from gateway import log
from gateway.adapters import sql_migrate
from gateway.adapters.system_clock import SystemClock
from gateway.core.errors import BadInput
from gateway.foundation import Foundation, open_foundation
from gateway.settings import Settings, load

T = TypeVar("T")

_SECRET_CHARS_MAX = 64 * 1024


def settings() -> Settings:
    """Load the settings and set the logs up for a command: quiet unless asked otherwise."""
    loaded = load()
    log.set_up(
        level="debug" if loaded.log_level == "debug" else "error", style=loaded.log_format
    )
    return loaded


def with_stores(work: Callable[[Foundation], Coroutine[None, None, T]]) -> T:
    """Open the stores, do the work on them, and close them.

    An empty database is set up first; one of another version is left alone.
    """

    async def run() -> T:
        async with open_foundation(settings(), SystemClock()) as foundation:
            await _expect_schema(foundation)
            return await work(foundation)

    return asyncio.run(run())


def say(text: str) -> None:
    """Print a line of output."""
    typer.echo(text)


def show(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns under a header; nothing but the header if there are none."""
    table = [tuple(header), *(tuple(row) for row in rows)]
    widths = [max(len(row[place]) for row in table) for place in range(len(header))]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        say("  ".join(cells).rstrip())


def moment(at: float | None) -> str:
    """Write a time for people: UTC, to the second; a dash for None."""
    if at is None:
        return "-"
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def secret(what: str, *, file: Path | None, variable: str | None, confirmed: bool) -> str:
    """Get a secret from a file (`-`: standard input), a variable, or by asking.

    Never from the command line, which other users of the machine can read.
    """
    if file is not None and variable is not None:
        raise BadInput("give the file or the variable, not both")
    if variable is not None:
        text = os.environ.get(variable, "")
    elif file is not None:
        text = _read(file)
    elif sys.stdin.isatty():
        text = typer.prompt(what, hide_input=True, confirmation_prompt=confirmed)
    else:
        raise BadInput(f"{what} is asked for on a terminal only; elsewhere give a file")
    text = text.strip()
    if not text:
        raise BadInput(f"{what} is empty")
    return text


def fresh_password() -> str:
    """Return a random password that can be read out on the phone."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(5)) for _ in range(4))


def _read(file: Path) -> str:
    if str(file) == "-":
        return sys.stdin.read(_SECRET_CHARS_MAX)
    try:
        with file.open() as opened:
            return opened.read(_SECRET_CHARS_MAX)
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read {file}: {error}") from None


async def _expect_schema(foundation: Foundation) -> None:
    revision = await sql_migrate.current(foundation.database)
    if revision is None:
        await foundation.migrate()
    elif revision != sql_migrate.newest():
        raise BadInput(
            f"the database is at version {revision}, this program needs "
            f"{sql_migrate.newest()}: run `callgate db upgrade` (or a newer program)"
        )
