"""`callgate recording list|show|download`: the library as the operator reads it."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gateway.adapters.system_clock import SystemClock
from gateway.app_keeping import open_keeping
from gateway.app_library import make_library
from gateway.cli_desk import Desk, run
from gateway.cli_files import expect_new, write_whole
from gateway.cli_quota_tables import in_minutes
from gateway.cli_terminal import say, settings, show
from gateway.cli_where import Where, read_where
from gateway.core.errors import BadInput, NotFound
from gateway.core.ids import AccountId, CallId
from gateway.core.recording.lifecycle import Life
from gateway.core.zones import local_time
from gateway.http.library_schemas import RecordingsFilter
from gateway.http.library_views import detail_of, filter_of, item_of
from gateway.ports.audit import Deed
from gateway.ports.library import (
    PAGE_ROWS_MAX,
    AudioKind,
    LibraryFilter,
    NotTranscoded,
    Shelved,
)
from gateway.runtime.library_tables import list_as_csv

app = typer.Typer()

Cid = Annotated[str, typer.Argument(help="The customer's id.")]


class Form(StrEnum):
    """How a list is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    IDS = "ids"


class Format(StrEnum):
    """What one recording is written as."""

    OGG = "ogg"
    WAV = "wav"
    MP3 = "mp3"


@app.command("list")
def list_recordings(
    cid: Cid,
    where: Where = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="How many; default: 50 in a table, else all.")
    ] = None,
    form: Annotated[
        Form, typer.Option("--as", help="For people, for programs, or the ids alone.")
    ] = Form.TABLE,
) -> None:
    """List recordings, newest first.

    Filters are those of `GET /api/v1/recordings`: since, until (days), agent_id, direction,
    phone, user_id, min_duration_ms, max_duration_ms, verdict, cut_by_quota, held, note, state.
    """
    asked = read_where(RecordingsFilter, where)

    async def work(desk: Desk) -> None:
        account = await desk.account(cid)
        wanted = filter_of(asked, account.account_id, account.timezone)
        count = limit or (_TABLE_ROWS if form is Form.TABLE else None)
        async with aclosing(_pages(desk, wanted, count)) as pages:
            await _print(pages, account.timezone, form)

    run(work)


_TABLE_ROWS = 50


async def _pages(
    desk: Desk, wanted: LibraryFilter, count: int | None
) -> AsyncGenerator[Sequence[Shelved]]:
    cursor = None
    while count is None or count > 0:
        rows = PAGE_ROWS_MAX if count is None else min(count, PAGE_ROWS_MAX)
        page = await desk.stores.library.page(wanted, cursor=cursor, limit=rows)
        yield page.rows
        cursor = page.next_cursor
        if cursor is None:
            return
        count = None if count is None else count - len(page.rows)


async def _print(pages: AsyncGenerator[Sequence[Shelved]], zone: str, form: Form) -> None:
    if form is Form.CSV:
        async for lines in list_as_csv(pages, zone):
            typer.echo(lines.decode(), nl=False)
    elif form is Form.TABLE:
        header = ("RECORDING", f"BEGAN ({zone})", "LENGTH", "DIRECTION", "CUSTOMER", "AGENT")
        rows = [_cells(row, zone) async for page in pages for row in page]
        show((*header, "VERDICT", "GOES ON"), rows)
    else:
        async for page in pages:
            for row in page:
                say(row.call_id if form is Form.IDS else item_of(row).model_dump_json())


def _cells(row: Shelved, zone: str) -> tuple[str, ...]:
    return (
        row.call_id,
        local_time(row.began_at, zone).strftime("%Y-%m-%d %H:%M:%S"),
        in_minutes(row.duration_ms),
        row.direction or "",
        row.peer.name or row.peer.phone or row.peer.user_id or "",
        row.agent_name or "",
        row.verdict or "",
        row.purge_day if row.hold is None else "held",
    )


@app.command("show")
def show_recording(
    cid: Cid,
    call_id: Annotated[str, typer.Argument(help="Id of the recorded call.")],
) -> None:
    """Print everything that is known of a recording, as JSON."""

    async def work(desk: Desk) -> None:
        row = await _find(desk, (await desk.account(cid)).account_id, call_id)
        trace = await desk.stores.calls.trace(row.call_id)
        say(detail_of(row, trace).model_dump_json(indent=2))

    run(work)


@app.command("download")
def download(
    cid: Cid,
    call_ids: Annotated[list[str], typer.Argument(help="Ids of the recorded calls.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")],
    form: Annotated[
        Format, typer.Option("--as", help="What one recording is written as.")
    ] = Format.OGG,
) -> None:
    """Write a recording to a file, or several to a ZIP with a manifest of their digests."""
    expect_new(output)
    ids = list(dict.fromkeys(call_ids))
    if len(ids) > 1 and form is not Format.OGG:
        raise BadInput("several recordings are packed as they are: leave out --as")

    async def work(desk: Desk) -> None:
        account = await desk.account(cid)
        rows = [await _available(desk, account.account_id, each) for each in ids]
        loaded, clock = settings(), SystemClock()
        vault = open_keeping(loaded, desk.stores, clock).vault
        library = make_library(loaded, desk.stores, vault, clock)
        library.check_fits(rows)
        packing = "zip" if len(rows) > 1 else form.value
        for row in rows:
            await desk.note(account, Deed.RECORDING_DOWNLOADED, row.call_id, format=packing)
        if len(rows) > 1:
            async with aclosing(library.packed(rows, account.timezone)) as archive:
                size = await write_whole(output, archive)
        elif form is Format.OGG:
            content = await library.audio(rows[0])
            async with aclosing(library.part(content, 0, content.size)) as chunks:
                size = await write_whole(output, chunks)
        else:
            try:
                async with library.converted(rows[0], AudioKind(form)) as chunks:
                    size = await write_whole(output, chunks)
            except NotTranscoded as error:
                raise BadInput(f"{rows[0].call_id} cannot be converted: {error}") from None
        say(f"{output}: {size:,} bytes")
        if len(rows) > 1:
            say("Its manifest.csv names what is missing, if anything is.")

    run(work)


async def _find(desk: Desk, account_id: AccountId, call_id: str) -> Shelved:
    row = await desk.stores.library.find(account_id, CallId(call_id))
    if row is None:
        raise NotFound(f"{call_id}: no such recording")
    return row


async def _available(desk: Desk, account_id: AccountId, call_id: str) -> Shelved:
    row = await _find(desk, account_id, call_id)
    if row.state is not Life.AVAILABLE:
        raise NotFound(f"{call_id}: it was deleted")
    return row
