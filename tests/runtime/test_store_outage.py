"""The database goes away: new calls wait, living ones do not suffer."""

import asyncio

import pytest

from gateway.core.call.events import HungUp
from gateway.core.errors import NotOwner, StoreDown
from gateway.core.ids import CallId, NodeId
from gateway.runtime.call_desk import LegChoice
from tests.runtime.fake_meta import SITI
from tests.runtime.office import ANI, BUDI, Office
from tests.runtime.virtual_time import in_virtual_time


@in_virtual_time
async def test_a_short_outage_is_waited_out() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        call_id = await office.talk(gateway.desk)
        office.store.is_down = True
        asyncio.get_running_loop().call_later(1, setattr, office.store, "is_down", False)
        await gateway.desk.mute(ANI, call_id, muted=True)
        assert not office.store.is_down, "what is told as done is durable"
        await asyncio.sleep(0.1)
        [whatsapp] = office.worker.whatsapp_legs()
        assert whatsapp.is_muted


@in_virtual_time
async def test_people_can_hang_up_during_a_long_outage() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        call_id = await office.talk(gateway.desk)
        office.store.is_down = True
        await gateway.desk.mute(ANI, call_id, muted=True)
        await gateway.desk.hang_up(ANI, call_id)
        await asyncio.sleep(2)
        assert office.meta.requests[-1] == "terminate"
        assert office.worker.whatsapp_legs() == []
        assert office.store.rows[call_id].state == "talking"
        await asyncio.sleep(60)
        office.store.is_down = False
        await asyncio.sleep(3)
    assert office.outcome(call_id) == "completed"
    versions = [line for line in office.store.lines if line.call_id == call_id]
    assert {"muted", "hung_up"} <= {line.step for line in versions}
    assert office.is_clean() == []


@in_virtual_time
async def test_a_store_that_hangs_holds_nobody_for_long() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        call_id = await office.talk(gateway.desk)
        office.store.hangs = office.directory.hangs = True
        async with asyncio.timeout(5):
            await gateway.desk.mute(ANI, call_id, muted=True)
        async with asyncio.timeout(0.1):
            await gateway.desk.hang_up(ANI, call_id)
        await office.when(lambda: office.meta.requests[-1] == "terminate", within_s=2)
        await asyncio.sleep(60)
        office.store.hangs = office.directory.hangs = False
        await asyncio.sleep(5)
    assert office.outcome(call_id) == "completed"
    assert office.is_clean() == []


@in_virtual_time
async def test_an_agents_answer_goes_through_during_an_outage() -> None:
    office = Office()
    async with office.open() as gateway:
        [leg] = await office.ready(gateway.desk, ANI)
        call_id = await office.call()
        await asyncio.sleep(1)
        office.store.is_down = True
        office.directory.is_down = True
        await gateway.desk.answer(ANI, call_id, LegChoice(leg_id=leg))
        await office.when(lambda: "start_sending" in office.worker.log)
        office.store.is_down = False
        await asyncio.sleep(3)
        assert office.store.rows[call_id].state == "talking"


@in_virtual_time
async def test_nobody_is_called_while_the_store_cannot_note_it() -> None:
    """The row is there, but that `connect` is about to go out could not be written."""
    office = Office()
    async with office.open() as gateway:
        call, _ = await gateway.desk.dial(ANI, SITI, LegChoice(offer="offer"))
        office.store.is_down = True
        await asyncio.sleep(10)
        view = await gateway.desk.one(ANI, CallId(call.id))
        assert view.problem is not None
        assert view.problem.code == "store_down"
        office.store.is_down = False
        await asyncio.sleep(5)
    assert office.meta.requests == []
    assert office.outcome(CallId(call.id)) == "failed"
    assert office.is_clean() == []


@in_virtual_time
async def test_a_call_that_is_not_live_cannot_be_looked_up_without_the_store() -> None:
    office = Office()
    async with office.open() as gateway:
        office.store.is_down = True
        with pytest.raises(StoreDown):
            await gateway.desk.one(ANI, CallId("x" * 26))


@in_virtual_time
async def test_an_actor_stops_when_its_call_has_another_owner() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI, BUDI)
        call_id = await office.talk(gateway.desk)
        row = office.store.rows[call_id]
        await office.store.adopt(
            call_id, seen_epoch=row.owner_epoch, node=NodeId("other"), epoch=99
        )
        with pytest.raises(NotOwner):
            await gateway._calls.deliver(call_id, HungUp())
        await asyncio.sleep(1)
        assert gateway.live_count == 0
    assert office.meta.requests == ["pre_accept", "accept"]
    assert office.store.rows[call_id].state == "talking"


@in_virtual_time
async def test_a_write_whose_answer_was_lost_is_not_a_conflict() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        call_id = await office.talk(gateway.desk)
        office.store.loses_next_answer = True
        await gateway.desk.mute(ANI, call_id, muted=True)
        await gateway.desk.hang_up(ANI, call_id)
        await asyncio.sleep(1)
    assert office.outcome(call_id) == "completed"
    assert office.is_clean() == []
