"""Tells browsers what became of a call's recording, as soon as that is concluded."""

from gateway.core.errors import StoreDown
from gateway.core.recording.outcome import outcome_of
from gateway.ports.cases import Case
from gateway.ports.live import LiveEvent
from gateway.runtime.call_rows import stored_of
from gateway.runtime.call_view import seen_by, view_of, with_outcome
from gateway.runtime.world import World


async def tell_outcome(world: World, case: Case) -> None:
    """Tell those who see the call, on all nodes; without the store nobody is told.

    It is no new version of the call: whoever reads it later is told the same.
    """
    try:
        row = await world.calls.load(case.opening.call_id)
    except StoreDown:
        return
    if row is None:
        return
    call = stored_of(row).call
    outcome = outcome_of(case.facts, case.conclusion)
    shown = with_outcome(view_of(call, row.version), outcome, has_transcript=False).as_json()
    world.bus.publish(
        LiveEvent(
            row.account_id,
            "recording",
            {"call_id": row.call_id, "recording": shown["recording"]},
            audience=tuple(sorted(seen_by(call))),
        )
    )
