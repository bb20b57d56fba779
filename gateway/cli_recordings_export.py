"""`callgate recording export`: everything that is kept of one customer, in one archive."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import BinaryIO

from gateway.adapters.system_clock import SystemClock
from gateway.app_keeping import open_keeping
from gateway.app_library import make_subject_export
from gateway.cli_quota_desk import Desk, run
from gateway.cli_terminal import say, settings
from gateway.core.errors import BadInput
from gateway.core.ids import AccountId, CallId
from gateway.core.whatsapp import Peer
from gateway.ports.audit import AuditEntry, Deed


def export_to(cid: str, peer: Peer, output: Path) -> None:
    """Write the archive of a customer of an account. Raises `BadInput`, `NotFound`."""
    if output.exists():
        raise BadInput(f"{output} is there already")

    async def work(desk: Desk) -> None:
        account, loaded, clock = await desk.account(cid), settings(), SystemClock()
        vault = open_keeping(loaded, desk.stores, clock).vault
        export = make_subject_export(loaded, desk.stores, vault, clock)
        size = await export.measured(account, peer)

        async def note(deed: Deed, subject: AccountId | CallId, **fields: int | str) -> None:
            await desk.stores.audit.record(
                AuditEntry(account.account_id, None, deed, subject, desk.now, dict(fields))
            )

        async def note_file(call_id: CallId) -> None:
            await note(Deed.RECORDING_DOWNLOADED, call_id, format="customer")

        await note(
            Deed.CUSTOMER_EXPORTED, account.account_id, calls=size.calls, files=size.files
        )
        async with aclosing(export.packed(account, peer, note=note_file)) as archive:
            written = await _write(output, archive)
        say(f"{output}: {size.calls:,} calls, {size.files:,} recordings, {written:,} bytes")
        say("Its manifest.csv names what is missing, if anything is.")

    run(work)


async def _write(output: Path, chunks: AsyncIterator[bytes]) -> int:
    """Write a file that others cannot read, whole or not at all."""
    unfinished, written = output.with_name(f"{output.name}.part"), 0
    try:
        with await asyncio.to_thread(_open_closed, unfinished) as file:
            async for chunk in chunks:
                written += await asyncio.to_thread(file.write, chunk)
        await asyncio.to_thread(unfinished.replace, output)
    except OSError as error:
        raise BadInput(f"cannot write {output}: {error.strerror}") from None
    finally:
        await asyncio.to_thread(unfinished.unlink, missing_ok=True)
    return written


def _open_closed(path: Path) -> BinaryIO:
    path.touch(mode=0o600)
    return path.open("wb")
