"""Recordings of a site: rows in its database, files in its folder."""

import asyncio
import hashlib
import json
from typing import Any

from gateway.adapters.sql_stored_files import FileOwner, MadeFile, keep_files
from gateway.core.ids import CallId
from gateway.core.recording.files import FileRole
from gateway.ports.accounts import Role
from tests.adapters.recordings.library_rows import LibraryRows
from tests.http.site import Site


async def put(site: Site, content: bytes = b"OggS and more", **columns: Any) -> CallId:
    """Put a recording of the agent there; `columns` are those of `LibraryRows.add`."""
    shelf = LibraryRows(site.database, site.account.account_id, at=site.clock.wall() - 3_600)
    agent = site.people[Role.AGENT].user_id
    settled: dict[str, Any] = {
        "agent_id": agent,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        **columns,
    }
    call_id = await shelf.add(**settled)
    await write(site, f"{site.account.account_id}/{call_id}.ogg", content)
    await note_file(site, f"{site.account.account_id}/{call_id}.ogg", FileRole.LOCAL)
    return call_id


async def note_file(site: Site, key: str, role: FileRole) -> None:
    """Note a file of a recording as kept in the site's folder."""
    call_id = CallId(key.rpartition("/")[2].partition(".")[0])
    owner = FileOwner(call_id, site.account.account_id, None)
    async with site.database.writing() as connection:
        made = MadeFile(key, role, None, None)
        await keep_files(connection, site.database, owner, [made], at=site.clock.wall())


async def write(site: Site, key: str, content: bytes) -> None:
    """Write a file of a recording."""
    path = site.folder / key

    def store() -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    await asyncio.to_thread(store)


async def put_for_all(site: Site, call_id: CallId) -> None:
    """Put one there that every request can be about, whoever has asked before.

    It is held, so nobody deletes it, and too long to be converted.
    """
    key = f"{site.account.account_id}/{call_id}.peaks"
    drawn = {"per_second": 10, "full": 255, "agent": [1], "customer": [2]}
    await write(site, key, json.dumps(drawn).encode())
    await note_file(site, key, FileRole.PEAKS)
    await put(site, call_id=call_id, peaks=key, held_at=1.0, duration_ms=10**9)
