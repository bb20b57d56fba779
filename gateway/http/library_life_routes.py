"""Recordings deleted by hand, held and released."""

from gateway.http.library_schemas import Deleted, DeleteIds, HoldChange, RecordingItem
from gateway.http.library_views import item_of
from gateway.http.routing import Ask, Route, RouteTable
from gateway.http.shapes import Nothing
from gateway.runtime.call_view import moment
from gateway.runtime.library_deletion import DeletedByHand

routes = RouteTable()


@routes.serve(
    Route(
        "DELETE",
        "/recordings/{call_id}",
        "recordings.delete",
        out=Deleted,
        refusals=(409,),
    )
)
async def delete_one(ask: Ask[Nothing, Nothing]) -> Deleted:
    """Delete a recording for good: its minutes are back at once, its bytes go after 24 h."""
    done = await ask.deps.deletion.delete(ask.person, [ask.call_id], order=ask.order)
    return _deleted(done)


@routes.serve(
    Route(
        "POST",
        "/recordings/delete",
        "recordings.delete_many",
        body=DeleteIds,
        out=Deleted,
        refusals=(404, 409),
    )
)
async def delete_many(ask: Ask[DeleteIds, Nothing]) -> Deleted:
    """Delete several recordings for good; if one is held or not there, none is deleted."""
    done = await ask.deps.deletion.delete(ask.person, ask.body.call_ids, order=ask.order)
    return _deleted(done)


@routes.serve(
    Route(
        "PUT",
        "/recordings/{call_id}/hold",
        "recordings.hold",
        body=HoldChange,
        out=RecordingItem,
        refusals=(409,),
    )
)
async def hold(ask: Ask[HoldChange, Nothing]) -> RecordingItem:
    """Hold a recording: nothing deletes it, not even its time, until it is released."""
    row = await ask.deps.deletion.hold(
        ask.person,
        ask.call_id,
        reason=ask.body.why,
        order=ask.order,
    )
    return item_of(row)


@routes.serve(
    Route("DELETE", "/recordings/{call_id}/hold", "recordings.release", out=RecordingItem)
)
async def release(ask: Ask[Nothing, Nothing]) -> RecordingItem:
    """Release a recording that is held; one that is not is fine."""
    row = await ask.deps.deletion.release(ask.person, ask.call_id, order=ask.order)
    return item_of(row)


def _deleted(done: DeletedByHand) -> Deleted:
    return Deleted(
        ids=list(done.call_ids),
        returned_ms=done.returned_ms,
        gone_after=moment(done.gone_after),
    )
