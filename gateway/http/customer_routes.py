"""What a customer may ask for as a person: a copy of everything, and to be forgotten."""

from aiohttp import web

from gateway.core.ids import CallId
from gateway.http.archives import send_archive
from gateway.http.customer_schemas import (
    Customer,
    CustomerErased,
    CustomerFound,
    CustomerToErase,
)
from gateway.http.library_faults import faults_told
from gateway.http.routing import Ask, Route, RouteTable
from gateway.http.shapes import Nothing
from gateway.ports.audit import Deed
from gateway.runtime.call_view import moment

routes = RouteTable()


@routes.serve(
    Route("POST", "/customers/find", "customers.find", body=Customer, out=CustomerFound)
)
async def find_customer(ask: Ask[Customer, Nothing]) -> CustomerFound:
    """Tell how much is kept of a customer, before it is exported or forgotten."""
    export = ask.deps.subject_export
    size = await export.measured(ask.who.account, ask.body.peer)
    return CustomerFound(
        names=list(size.names),
        calls=size.calls,
        recordings=size.recordings,
        bytes=size.bytes,
        held=size.held,
        not_over=size.not_over,
        first_at=None if size.first_at is None else moment(size.first_at),
        last_at=None if size.last_at is None else moment(size.last_at),
        fits=export.fits(size),
    )


@routes.serve(
    Route(
        "POST",
        "/customers/export",
        "customers.export",
        body=Customer,
        content="application/zip",
        refusals=(409,),
    )
)
async def export_customer(ask: Ask[Customer, Nothing]) -> web.StreamResponse:
    """Send everything that is kept of a customer as one ZIP archive with a manifest."""
    export, account, peer = ask.deps.subject_export, ask.who.account, ask.body.peer

    async def note(call_id: CallId) -> None:
        await ask.note(Deed.RECORDING_DOWNLOADED, call_id, format="customer")

    with faults_told(), ask.deps.library.exporting():
        size = await export.measured(account, peer)
        export.check_fits(size)
        await ask.note(
            Deed.CUSTOMER_EXPORTED, account.account_id, calls=size.calls, files=size.files
        )
        return await send_archive(ask, export.packed(account, peer, note=note), "customer")


@routes.serve(
    Route(
        "POST",
        "/customers/erase",
        "customers.erase",
        body=CustomerToErase,
        out=CustomerErased,
    )
)
async def erase_customer(ask: Ask[CustomerToErase, Nothing]) -> CustomerErased:
    """Forget a customer for good, but for what a legal hold keeps; asking again is harmless."""
    done = await ask.deps.subject_erasure.erase(
        ask.person.account_id, ask.body.peer, order=ask.order
    )
    return CustomerErased(
        complete=done.is_complete,
        calls=done.calls,
        recordings=done.recordings,
        webhooks=done.webhooks,
        held=list(done.held),
        not_over=list(done.not_over),
    )
