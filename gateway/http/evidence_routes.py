"""The evidence of one call, as an archive that stands for itself."""

from contextlib import aclosing

from aiohttp import web

from gateway.core.errors import Refused
from gateway.core.recording.evidence import EvidenceBroken
from gateway.http.problems import refuse
from gateway.http.routing import Ask, Route, RouteTable
from gateway.http.shapes import Nothing
from gateway.http.streaming import stream
from gateway.ports.audit import Deed
from gateway.ports.storage import NotStored, StorageDown, Unsealable

routes = RouteTable()


@routes.serve(
    Route("GET", "/recordings/{call_id}/evidence", "recordings.evidence", refusals=(409, 503))
)
async def download_evidence(ask: Ask[Nothing, Nothing]) -> web.StreamResponse:
    """Download what proves a call's recording: files, events, signatures, as a TAR archive."""
    desk, account, call_id = ask.deps.evidence, ask.who.account, ask.call_id
    # Once without anything, so that only what is there is noted as downloaded.
    await desk.expect(account, call_id)
    await ask.note(Deed.EVIDENCE_DOWNLOADED, call_id)
    try:
        async with (
            desk.package(account, call_id) as package,
            aclosing(package.stream()) as archive,
        ):
            return await stream(
                ask.request,
                archive,
                headers={
                    "Content-Type": "application/x-tar",
                    "Content-Disposition": f'attachment; filename="{package.name}"',
                },
                stall_max_s=ask.deps.limits.reader_stall_max_s,
                length=package.size,
            )
    except EvidenceBroken as error:
        text = f"The events of this call are damaged in the database: {error}."
        raise Refused("evidence_damaged", text) from None
    except (NotStored, Unsealable):
        text = "A file of this recording cannot be read; have the storage checked."
        raise Refused("recording_missing", text) from None
    except StorageDown:
        detail = "The storage of recordings cannot be reached; try again in a moment."
        raise refuse(503, "storage_down", detail) from None
