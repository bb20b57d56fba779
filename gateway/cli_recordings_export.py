"""`callgate recording export`: everything that is kept of one customer, in one archive."""

from contextlib import aclosing
from pathlib import Path

from gateway.adapters.system_clock import SystemClock
from gateway.app_keeping import open_keeping
from gateway.app_library import make_subject_export
from gateway.cli_desk import Desk, run
from gateway.cli_files import expect_new, write_whole
from gateway.cli_terminal import say, settings
from gateway.core.ids import CallId
from gateway.core.whatsapp import Peer
from gateway.ports.audit import Deed


def export_to(cid: str, peer: Peer, output: Path) -> None:
    """Write the archive of a customer of an account. Raises `BadInput`, `NotFound`."""
    expect_new(output)

    async def work(desk: Desk) -> None:
        account, loaded, clock = await desk.account(cid), settings(), SystemClock()
        vault = open_keeping(loaded, desk.stores, clock).vault
        export = make_subject_export(loaded, desk.stores, vault, clock)
        size = await export.measured(account, peer)

        async def note_file(call_id: CallId) -> None:
            await desk.note(account, Deed.RECORDING_DOWNLOADED, call_id, format="customer")

        await desk.note(
            account,
            Deed.CUSTOMER_EXPORTED,
            account.account_id,
            calls=size.calls,
            files=size.files,
        )
        async with aclosing(export.packed(account, peer, note=note_file)) as archive:
            written = await write_whole(output, archive)
        say(f"{output}: {size.calls:,} calls, {size.files:,} recordings, {written:,} bytes")
        say("Its manifest.csv names what is missing, if anything is.")

    run(work)
