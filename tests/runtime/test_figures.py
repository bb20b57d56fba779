"""What the runtime counts for its operator."""

import asyncio

from gateway.core.call.call import Outcome, State
from gateway.core.ids import CallId
from gateway.core.whatsapp import Direction
from gateway.ports.live import AgentPresence, Availability
from tests.runtime.fakes import ACCOUNT, NODE
from tests.runtime.office import ANI, BUDI, Office
from tests.runtime.virtual_time import in_virtual_time


@in_virtual_time
async def test_calls_are_counted_while_they_live_and_by_how_they_ended() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        assert gateway.leg_count == 1
        call_id = await office.talk(gateway.desk)
        assert gateway.live_counts()[Direction.INBOUND, State.TALKING] == 1
        assert gateway.ended_counts().total() == 0
        await gateway.desk.hang_up(ANI, call_id)
        await office.until(call_id, "ended")
        call, _ = await office.dial(gateway.desk)
        await gateway.desk.hang_up(ANI, CallId(call.id))
        await office.until(CallId(call.id), "ended")
        await asyncio.sleep(30)
        assert gateway.ended_counts() == {
            (Direction.INBOUND, Outcome.COMPLETED): 1,
            (Direction.OUTBOUND, Outcome.CANCELLED): 1,
        }
        assert gateway.live_counts().total() == 0


@in_virtual_time
async def test_a_call_that_was_over_before_it_began_is_counted_as_missed() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.call(late_s=120.0)
        assert gateway.ended_counts() == {(Direction.INBOUND, Outcome.MISSED): 1}


@in_virtual_time
async def test_who_comes_on_another_node_is_shown_here() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        office.presence.here[BUDI.user_id] = AgentPresence(
            BUDI.user_id, ACCOUNT, NODE, Availability.AVAILABLE
        )
        gateway.presence_changed(ACCOUNT)
        await asyncio.sleep(0.1)
    shown = [(e.body["user_id"], e.body["state"]) for e in office.bus.of_kind("presence")]
    assert (BUDI.user_id, "available") in shown
