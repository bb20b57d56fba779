"""Migrated SQLite databases: migrated once in a run, copied for each test."""

import asyncio
import atexit
import functools
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gateway.adapters import sql_migrate
from gateway.adapters.sql_engine import Database


def put_migrated(path: Path) -> None:
    """Put an empty database of the newest version there."""
    shutil.copyfile(_template(), path)


@functools.cache
def _template() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="callgate-template-")
    atexit.register(folder.cleanup)
    path = Path(folder.name) / "callgate.db"
    # Whoever asks may be in a loop of their own.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, _make(path)).result()
    return path


async def _make(path: Path) -> None:
    database = Database(f"sqlite:///{path}")
    try:
        await sql_migrate.upgrade(database)
    finally:
        await database.close()
