"""Recordings: the list, one of them, what is written beside it, and the list as CSV."""

import json
from contextlib import aclosing

from aiohttp import web

from gateway.http.library_faults import faults_told
from gateway.http.library_schemas import (
    NoteChange,
    PeaksView,
    RecordingDetail,
    RecordingItem,
    RecordingPage,
    RecordingsQuery,
    RecordingsTable,
)
from gateway.http.library_views import detail_of, filter_of, item_of
from gateway.http.routing import Ask, Route, RouteTable
from gateway.http.shapes import Nothing
from gateway.http.streaming import attachment, stream
from gateway.ports.audit import Deed
from gateway.runtime.library_tables import list_as_csv

routes = RouteTable()


@routes.serve(
    Route("GET", "/recordings", "recordings.list", query=RecordingsQuery, out=RecordingPage)
)
async def list_recordings(ask: Ask[Nothing, RecordingsQuery]) -> RecordingPage:
    """List recordings, newest first; agents see those of their own calls."""
    query, account = ask.query, ask.who.account
    wanted = filter_of(query, account.account_id, account.timezone)
    page = await ask.deps.library.page(
        ask.person, wanted, cursor=query.cursor, limit=query.limit
    )
    return RecordingPage(
        items=[item_of(row) for row in page.rows], next_cursor=page.next_cursor
    )


@routes.serve(
    Route(
        "GET",
        "/recordings.csv",
        "recordings.export",
        query=RecordingsTable,
        content="text/csv",
    )
)
async def export_recordings(ask: Ask[Nothing, RecordingsTable]) -> web.StreamResponse:
    """Send the list as CSV, with the same filters; no cell is taken for a formula."""
    query, account, library = ask.query, ask.who.account, ask.deps.library
    wanted = filter_of(query, account.account_id, account.timezone)
    with faults_told(), library.exporting():
        await ask.note(Deed.RECORDINGS_EXPORTED, ask.person.account_id, format="csv")
        async with aclosing(library.pages(ask.person, wanted)) as pages:
            return await stream(
                ask.request,
                list_as_csv(pages, account.timezone, marked=query.bom),
                headers={
                    "Content-Type": "text/csv; charset=utf-8",
                    "Content-Disposition": attachment("recordings.csv"),
                },
                stall_max_s=ask.deps.limits.reader_stall_max_s,
            )


@routes.serve(Route("GET", "/recordings/{call_id}", "recordings.read", out=RecordingDetail))
async def read_recording(ask: Ask[Nothing, Nothing]) -> RecordingDetail:
    """Show one recording: what it is made of, what happened to it, how long it stays."""
    row = await ask.deps.library.one(ask.person, ask.call_id)
    return detail_of(row, await ask.deps.trace_of(ask.call_id))


@routes.serve(
    Route(
        "PATCH",
        "/recordings/{call_id}",
        "recordings.note",
        body=NoteChange,
        out=RecordingItem,
        refusals=(409,),
    )
)
async def change_note(ask: Ask[NoteChange, Nothing]) -> RecordingItem:
    """Write beside a recording, or take away what was written."""
    note = (ask.body.note or "").strip() or None
    await ask.deps.library.set_note(
        ask.person,
        ask.call_id,
        note,
        seen=ask.body.version,
        deed=ask.entry(Deed.RECORDING_NOTED, ask.call_id),
    )
    return item_of(await ask.deps.library.one(ask.person, ask.call_id))


@routes.serve(Route("GET", "/recordings/{call_id}/peaks", "recordings.peaks", out=PeaksView))
async def read_peaks(ask: Ask[Nothing, Nothing]) -> PeaksView:
    """Tell what a player draws of a recording."""
    library = ask.deps.library
    row = await library.available(ask.person, ask.call_id)
    with faults_told():
        drawn = json.loads(await library.peaks(row))
    return PeaksView(
        per_second=drawn["per_second"],
        full=drawn["full"],
        agent=drawn.get("agent", []),
        customer=drawn.get("customer", []),
        mixed=drawn.get("mixed", []),
    )
