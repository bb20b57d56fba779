"""How fast pages of a large library are, and what exports of all of it take of memory.

`python -m bench.library [--quick]`: a table for people, then one JSON object as the last line.
100,000 recordings of one account in SQLite and in PostgreSQL, as `bench.leases` runs them.
Pages are those of the library's port, 50 rows each, one after another. The rival reads the
same page by OFFSET instead of by cursor. Each export runs in a process of its own.
"""

import argparse
import asyncio
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import select

from bench.leases import durable_postgres
from bench.library_rows import (
    ACCOUNT,
    AGENTS,
    BEGAN,
    CUSTOMERS,
    RARE_WORD,
    TWO_YEARS_S,
    Shelf,
    agent_id,
    customer,
    fill,
)
from gateway.adapters import sql_library, sql_library_search, sql_migrate
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_library import SqlLibrary
from gateway.adapters.sql_pages import cursor_of
from gateway.adapters.sql_recording_schema import recordings
from gateway.core.whatsapp import Direction
from gateway.ports.library import LibraryFilter

GOAL_MS = 200.0
PAGE_ROWS = 50
WIDEST_PAGE_ROWS = 200
"""The most that a browser may ask for."""
FILE_BYTES = 100_000
DAY_S = 86_400.0

Ask = Callable[[], Awaitable[int]]
"""Reads one page; returns how many rows it has."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    recordings: int
    files: int
    repetitions: int


FULL, QUICK = Size(100_000, 3_000, 30), Size(10_000, 300, 5)


@dataclass(frozen=True, slots=True)
class PageTime:
    """One page of one database."""

    database: str
    page: str
    rows: int
    p50_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True)
class ExportGrowth:
    """One export, a tenth and all of it."""

    database: str
    export: str
    rows: int
    megabytes: float
    seconds: float
    tenth_grown_mb: float
    grown_mb: float


def filters() -> dict[str, LibraryFilter]:
    """Name what is asked for; in brackets, how little of it there is."""
    every = LibraryFilter(ACCOUNT)
    middle = BEGAN + TWO_YEARS_S / 2
    month = replace(every, since=middle, until=middle + 30 * DAY_S)
    rare = replace(every, agent_id=agent_id(AGENTS - 1))
    hour = 3_600_000
    return {
        "one month": month,
        "agent with most calls": replace(every, agent_id=agent_id(0)),
        "agent with fewest calls": rare,
        "direction": replace(every, direction=Direction.OUTBOUND),
        "customer with many calls": replace(every, peer=customer(0)),
        "customer with few calls": replace(every, peer=customer(CUSTOMERS - 1)),
        "customer without calls": replace(every, peer=customer(CUSTOMERS)),
        "duration, common": replace(every, shortest_ms=60_000, longest_ms=120_000),
        "duration, rare": replace(every, shortest_ms=hour),
        "duration, none": replace(every, shortest_ms=24 * hour),
        "verdict, common": replace(every, verdict="matched"),
        "verdict, rare": replace(every, verdict="corrupt"),
        "cut by quota": replace(every, cut_by_quota=True),
        "not cut by quota": replace(every, cut_by_quota=False),
        "note, common": replace(every, noted="refund"),
        "note, three": replace(every, noted=RARE_WORD.upper()),
        "note, none": replace(every, noted="no such words"),
        "held": replace(every, is_held=True),
        "month, agent, direction": replace(
            month, agent_id=agent_id(0), direction=Direction.INBOUND
        ),
        "agent, verdict, duration (rare)": replace(
            every, agent_id=agent_id(0), verdict="corrupt", shortest_ms=300_000
        ),
        "direction, cut, long (rare)": replace(
            every, direction=Direction.OUTBOUND, cut_by_quota=True, shortest_ms=hour
        ),
        "fewest-calls agent, common verdict, short (none)": replace(
            every, agent_id=agent_id(AGENTS - 1), verdict="matched", longest_ms=10
        ),
        "common agent and verdict, note (rare)": replace(
            every, agent_id=agent_id(0), verdict="matched", noted=RARE_WORD
        ),
        "customer, short, not held (none)": replace(
            every, peer=customer(0), longest_ms=10, is_held=False
        ),
        "common verdict, not held, short (none)": replace(
            every, verdict="matched", longest_ms=10, is_held=False
        ),
    }


def pages(database: Database, shelf: Shelf) -> dict[str, Ask]:
    """Name every page that is timed."""
    library = SqlLibrary(database)
    every = LibraryFilter(ACCOUNT)
    depth = len(shelf.call_ids) * 9 // 10
    deep = cursor_of(shelf.began_at[-depth], shelf.call_ids[-depth])

    def ask(wanted: LibraryFilter, cursor: str | None = None, limit: int = PAGE_ROWS) -> Ask:
        async def page() -> int:
            return len((await library.page(wanted, cursor=cursor, limit=limit)).rows)

        return page

    found = {
        "first": ask(every),
        f"first, {WIDEST_PAGE_ROWS} rows": ask(every, limit=WIDEST_PAGE_ROWS),
        f"by cursor, {depth:,} rows down": ask(every, deep),
        "deep, direction": ask(replace(every, direction=Direction.OUTBOUND), deep),
        "deep, verdict": ask(replace(every, verdict="matched"), deep),
        "deep, note": ask(replace(every, noted="refund"), deep),
    }
    found |= {name: ask(wanted) for name, wanted in filters().items()}
    found[f"rival: OFFSET {depth:,}"] = by_offset(database, every, depth)
    return found


def by_offset(database: Database, wanted: LibraryFilter, depth: int) -> Ask:
    """Read the page so many rows down as one would without a cursor."""

    async def page() -> int:
        conditions = sql_library_search._conditions(wanted, is_sqlite=database.is_sqlite)
        found = (
            select(*sql_library_search.SHOWN)
            .where(*conditions)
            .order_by(recordings.c.began_at.desc(), recordings.c.call_id.desc())
            .limit(PAGE_ROWS + 1)
            .offset(depth)
            .subquery()
        )
        query = sql_library._with_names(found).order_by(
            found.c.began_at.desc(), found.c.call_id.desc()
        )
        async with database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return len([sql_library._shelved(row) for row in rows[:PAGE_ROWS]])

    return page


async def time_pages(name: str, database: Database, shelf: Shelf, size: Size) -> list[PageTime]:
    """Read each page often, after once for the caches."""
    found = []
    for page, ask in pages(database, shelf).items():
        row_count = await ask()
        took = []
        for _ in range(size.repetitions):
            began = time.perf_counter()
            await ask()
            took.append((time.perf_counter() - began) * 1000)
        took.sort()
        middle = round(took[len(took) // 2], 1)
        found.append(PageTime(name, page, row_count, middle, round(took[-1], 1)))
    return found


def measure_export(
    name: str, kind: str, url: str, folder: Path, shelf: Shelf, rows: int
) -> ExportGrowth:
    """Export a tenth and all, each in a process that did nothing before."""
    tenth, whole = (
        _in_process(kind, url, folder, shelf.since_newest(count))
        for count in (rows // 10, rows)
    )
    assert (tenth["rows"], whole["rows"]) == (rows // 10, rows), "every row was exported"
    return ExportGrowth(
        database=name,
        export=kind,
        rows=rows,
        megabytes=whole["megabytes"],
        seconds=whole["seconds"],
        tenth_grown_mb=tenth["grown_mb"],
        grown_mb=whole["grown_mb"],
    )


def _in_process(kind: str, url: str, folder: Path, since: float) -> dict[str, Any]:
    ran = subprocess.run(  # noqa: S603 (our own module)
        [sys.executable, "-m", "bench.library_memory", kind, url, str(folder), repr(since)],
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def measure(
    name: str, url: str, folder: Path, size: Size
) -> tuple[list[PageTime], list[ExportGrowth]]:
    """Measure all of it on one database; the files go into `folder`."""
    content = random.Random(1).randbytes(FILE_BYTES)
    digest = hashlib.sha256(content).hexdigest()

    async def timed() -> tuple[Shelf, list[PageTime]]:
        database = Database(url)
        await sql_migrate.upgrade(database)
        shelf = await fill(
            database, size.recordings, sha256=digest, size=FILE_BYTES, files=size.files
        )
        times = await time_pages(name, database, shelf, size)
        await database.close()
        return shelf, times

    shelf, times = asyncio.run(timed())
    (folder / ACCOUNT).mkdir(parents=True, exist_ok=True)
    for call_id in shelf.call_ids[-size.files :]:
        (folder / ACCOUNT / f"{call_id}.ogg").write_bytes(content)
    return times, [
        measure_export(name, "csv", url, folder, shelf, size.recordings),
        measure_export(name, "zip", url, folder, shelf, size.files),
    ]


def show(times: list[PageTime], exports: list[ExportGrowth]) -> None:
    """Print the tables."""
    print(f"{'database':<12}{'page':<40}{'rows':>5}{'p50 ms':>9}{'max ms':>9}")
    for t in times:
        missed = "  missed" if t.max_ms >= GOAL_MS and not t.page.startswith("rival") else ""
        print(f"{t.database:<12}{t.page:<40}{t.rows:>5}{t.p50_ms:>9}{t.max_ms:>9}{missed}")
    print(f"\n{'database':<12}{'export':<8}{'rows':>8}{'MB':>8}{'s':>8}"
          f"{'grown MB, a tenth':>19}{'all':>7}")  # fmt: skip
    for e in exports:
        print(f"{e.database:<12}{e.export:<8}{e.rows:>8,}{e.megabytes:>8}{e.seconds:>8}"
              f"{e.tenth_grown_mb:>19}{e.grown_mb:>7}")  # fmt: skip


def main() -> None:
    """Print the tables and the JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a tenth of all, 5 repetitions")
    size = QUICK if parser.parse_args().quick else FULL
    load = os.getloadavg()[0]
    directory = Path(tempfile.mkdtemp(prefix="callgate-bench-"))
    try:
        files = directory / "files"
        times, exports = measure("sqlite", f"sqlite:///{directory / 'bench.db'}", files, size)
        cluster = directory / "cluster"
        cluster.mkdir(mode=0o700)
        directory.chmod(0o755)
        with durable_postgres(cluster) as url:
            more_times, more_exports = measure("postgresql", url, files, size)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    times, exports = times + more_times, exports + more_exports
    show(times, exports)
    slowest = max(t.max_ms for t in times if not t.page.startswith("rival"))
    result = {
        "bench": "library",
        "recordings": size.recordings,
        "load_before": round(load, 1),
        "load_after": round(os.getloadavg()[0], 1),
        "slowest_page_ms": slowest,
        "goal_ms": GOAL_MS,
        "pages": [asdict(t) for t in times],
        "exports": [asdict(e) for e in exports],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
