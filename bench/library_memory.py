"""A part of `bench.library`: one export in a process of its own, and how far its memory grows.

`python -m bench.library_memory csv|zip URL FOLDER SINCE`: exports what was begun since, and
prints one JSON object. Growth counts from before the first row is read.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.library_rows import ACCOUNT
from gateway.adapters.aes_sealing import AesSealing
from gateway.adapters.audio_transcoding import AudioTranscoding
from gateway.adapters.folder_storage import FolderStorage
from gateway.adapters.secrets_key_ring import KeyRing, new_key
from gateway.adapters.sql_data_keys import SqlDataKeys
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_library import SqlLibrary
from gateway.adapters.sql_stored_files import SqlStoredFiles
from gateway.adapters.system_clock import SystemClock
from gateway.adapters.system_ids import random_id
from gateway.core.ids import NodeId, UserId
from gateway.ports.accounts import Person, Role
from gateway.ports.library import LibraryFilter, Shelved
from gateway.runtime.library_desk import LibraryDesk
from gateway.runtime.library_tables import list_as_csv
from gateway.runtime.recording_vault import Places, RecordingVault

NODE = NodeId("bench")


@dataclass(frozen=True, slots=True)
class Export:
    """What came of one export."""

    rows: int
    megabytes: float
    seconds: float
    grown_mb: float


def _memory_mb(name: str) -> float:
    """Return what this process holds, or at most held, by the kernel's name of it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"the kernel does not tell {name}")


def _desk(database: Database, folder: Path) -> LibraryDesk:
    vault = RecordingVault(
        SqlStoredFiles(database, NODE),
        SqlDataKeys(database, KeyRing.parse(new_key()), random_id),
        AesSealing(),
        Places(NODE, FolderStorage(folder)),
        folder,
    )
    return LibraryDesk(SqlLibrary(database), vault, AudioTranscoding(), SystemClock())


async def export(kind: str, url: str, folder: Path, since: float) -> Export:
    """Make it and throw it away."""
    database = Database(url)
    await database.ping()
    desk = _desk(database, folder)
    person = Person(UserId("bench"), ACCOUNT, "bench@example.com", "bench", Role.ADMIN)
    wanted = LibraryFilter(ACCOUNT, since=since)
    before = _memory_mb("VmRSS")
    began = time.perf_counter()
    row_count = size = 0

    async def counted() -> AsyncIterator[list[Shelved]]:
        nonlocal row_count
        async with aclosing(desk.pages(person, wanted)) as pages:
            async for page in pages:
                row_count += len(page)
                yield list(page)

    if kind == "csv":
        stream = list_as_csv(counted(), "Asia/Jakarta")
    else:
        stream = desk.packed([row async for page in counted() for row in page], "Asia/Jakarta")
    last = b""
    async for piece in stream:
        size += len(piece)
        last = piece or last
    assert kind == "csv" or last.count(b",whole,") == row_count, "all of it was there"
    took = time.perf_counter() - began
    await database.close()
    grown = _memory_mb("VmHWM") - before
    return Export(row_count, round(size / 1e6, 1), round(took, 2), round(grown, 1))


def main() -> None:
    """Print the JSON."""
    kind, url, folder, since = sys.argv[1:]
    found = asyncio.run(export(kind, url, Path(folder), float(since)))
    print(json.dumps(asdict(found)))


if __name__ == "__main__":
    main()
