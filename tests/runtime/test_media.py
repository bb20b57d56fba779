"""Legs come and go, workers too; the WhatsApp leg is the call."""

import asyncio

import pytest

from gateway.core.errors import Refused
from gateway.core.ids import CallId, LegId
from gateway.core.whatsapp import CallStatus
from gateway.runtime.call_desk import LegChoice
from tests.runtime.fake_meta import SITI, MetaCall
from tests.runtime.office import ANI, BUDI, Office
from tests.runtime.virtual_time import in_virtual_time


@in_virtual_time
async def test_an_agent_who_reloads_comes_back_with_a_fresh_leg() -> None:
    office = Office()
    async with office.open() as gateway:
        desk = gateway.desk
        [leg] = await office.ready(desk, ANI)
        call_id = await office.talk(desk)
        office.worker.drop(leg, "peer_closed")
        await asyncio.sleep(0.5)
        view = await desk.one(ANI, call_id)
        assert view.agent_away
        assert view.reattach_until is not None
        [whatsapp] = office.worker.whatsapp_legs()
        assert (whatsapp.attached_to, whatsapp.is_sending) == (None, True)
        joined = await desk.reattach(ANI, call_id, LegChoice(offer="offer"))
        assert joined.answer is not None
        await asyncio.sleep(0.5)
        assert not (await desk.one(ANI, call_id)).agent_away
        assert whatsapp.attached_to == office.leg_of(ANI)
        await asyncio.sleep(60)
        assert office.store.rows[call_id].state == "talking"
        await desk.hang_up(ANI, call_id)
        await asyncio.sleep(1)
    assert office.is_clean() == []


@in_virtual_time
async def test_an_agent_who_stays_away_ends_the_call() -> None:
    office = Office()
    async with office.open() as gateway:
        [leg] = await office.ready(gateway.desk, ANI)
        call_id = await office.talk(gateway.desk)
        office.worker.drop(leg, "consent_lost")
        await asyncio.sleep(44)
        assert office.store.rows[call_id].state == "talking"
        await asyncio.sleep(3)
    assert office.store.rows[call_id].state == "ended"
    assert office.is_clean() == []


@in_virtual_time
async def test_another_leg_replaces_a_living_one_without_a_gap() -> None:
    office = Office()
    async with office.open() as gateway:
        desk = gateway.desk
        [old] = await office.ready(desk, ANI)
        call_id = await office.talk(desk)
        [whatsapp] = office.worker.whatsapp_legs()
        await desk.reattach(ANI, call_id, LegChoice(offer="offer"))
        assert whatsapp.attached_to == old
        await asyncio.sleep(0.5)
        assert whatsapp.attached_to not in {None, old}
        assert old in office.worker.legs, "a persistent leg stays its agent's"
        assert office.worker.log.count("detach") == 0


@in_virtual_time
async def test_coming_back_needs_no_proof_that_the_old_leg_is_gone_and_may_be_repeated() -> (
    None
):
    office = Office()
    async with office.open() as gateway:
        desk = gateway.desk
        [old] = await office.ready(desk, ANI)
        call_id = await office.talk(desk)
        [whatsapp] = office.worker.whatsapp_legs()
        fresh = (await desk.open_agent_leg(ANI, "offer")).leg_id
        for _ in range(3):
            await desk.reattach(ANI, call_id, LegChoice(leg_id=fresh))
            await asyncio.sleep(0.3)
            assert whatsapp.attached_to == fresh
        office.worker.drop(old, "consent_lost")
        await asyncio.sleep(1)
        view = await desk.one(ANI, call_id)
        assert (view.state, view.agent_away) == ("talking", False)
        assert whatsapp.attached_to == fresh
        assert office.worker.log.count("detach") == 0


@in_virtual_time
async def test_nobody_else_can_take_a_call_over() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI, BUDI)
        call_id = await office.talk(gateway.desk)
        with pytest.raises(Exception, match="another agent"):
            await gateway.desk.reattach(BUDI, call_id, LegChoice(leg_id=office.leg_of(BUDI)))
        with pytest.raises(Refused) as refused:
            await gateway.desk.reattach(ANI, call_id, LegChoice(leg_id=office.leg_of(BUDI)))
        assert refused.value.code == "leg_gone"


@in_virtual_time
async def test_mute_and_hold_reach_the_worker() -> None:
    office = Office()
    async with office.open() as gateway:
        desk = gateway.desk
        await office.ready(desk, ANI)
        call_id = await office.talk(desk)
        await desk.mute(ANI, call_id, muted=True)
        await desk.hold(ANI, call_id, held=True)
        await asyncio.sleep(0.1)
        [whatsapp] = office.worker.whatsapp_legs()
        assert (whatsapp.is_muted, whatsapp.is_held) == (True, True)
        view = await desk.one(ANI, call_id)
        assert (view.muted, view.held) == (True, True)
        await desk.mute(ANI, call_id, muted=False)
        await asyncio.sleep(0.1)
        assert not whatsapp.is_muted


@in_virtual_time
async def test_closing_the_leg_in_use_makes_the_agent_away() -> None:
    office = Office()
    async with office.open() as gateway:
        [leg] = await office.ready(gateway.desk, ANI)
        call_id = await office.talk(gateway.desk)
        await gateway.desk.close_agent_leg(ANI, leg)
        await asyncio.sleep(0.1)
        assert (await gateway.desk.one(ANI, call_id)).agent_away


@in_virtual_time
async def test_a_lost_path_to_meta_ends_the_call() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        call_id = await office.talk(gateway.desk)
        [whatsapp] = office.worker.whatsapp_legs()
        office.worker.drop(whatsapp.leg_id, "consent_lost")
        await asyncio.sleep(2)
    assert office.store.rows[call_id].state == "ended"
    assert office.meta.requests[-1] == "terminate"
    assert office.is_clean() == []


@in_virtual_time
async def test_a_worker_that_vanished_takes_its_calls_with_it_and_agents_are_told() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI, BUDI)
        talked = await office.talk(gateway.desk)
        ringing = await office.call()
        await asyncio.sleep(5)
        office.worker.restart()
        await asyncio.sleep(2)
        view = await gateway.desk.one(ANI, talked)
        assert view.problem is not None
        assert view.problem.code == "media_away"
        with pytest.raises(Refused, match="gone"):
            await gateway.desk.dial(ANI, SITI, LegChoice(leg_id=LegId("x")))
    assert [office.store.rows[c].state for c in (talked, ringing)] == ["ended", "ended"]
    told = {e.audience for e in office.bus.of_kind("notice") if e.body["code"] == "leg_gone"}
    assert told == {(ANI.user_id,), (BUDI.user_id,)}
    assert office.is_clean() == []


@in_virtual_time
async def test_a_call_that_comes_while_the_worker_is_away_rings_once_it_is_back() -> None:
    office = Office()
    async with office.open() as gateway:
        await gateway.desk.enter(ANI)
        office.worker.is_away = True
        call_id = await office.call()
        await asyncio.sleep(6)
        assert office.store.rows[call_id].state == "ringing"
        office.worker.restart()
        await asyncio.sleep(3)
        assert office.meta.requests == ["pre_accept"]
        assert [leg.is_up for leg in office.worker.whatsapp_legs()] == [True]


@in_virtual_time
async def test_dialling_while_the_worker_is_away_says_so() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        leg = LegChoice(leg_id=office.leg_of(ANI))
        office.worker.is_away = True
        call, _ = await gateway.desk.dial(ANI, SITI, leg)
        await office.until(CallId(call.id), "ended")
        view = await gateway.desk.one(ANI, CallId(call.id))
    assert view.problem is not None
    assert view.problem.code == "media_away"


@in_virtual_time
async def test_a_snapshot_in_mid_call_changes_nothing() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        call_id = await office.talk(gateway.desk)
        await asyncio.sleep(5)
        before = list(office.worker.log)
        office.worker.tell(office.worker.snapshot())
        await asyncio.sleep(1)
        assert office.store.rows[call_id].state == "talking"
        assert office.worker.log == before


@in_virtual_time
async def test_a_snapshot_taken_just_before_a_leg_was_made_does_not_end_its_call() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        await asyncio.sleep(5)
        old = office.worker.snapshot()
        call_id = await office.call()
        await office.when(lambda: "pre_accept" in office.meta.requests)
        office.worker.tell(old)
        await asyncio.sleep(3)
        assert office.store.rows[call_id].state == "ringing"
        [whatsapp] = office.worker.whatsapp_legs()
        assert whatsapp.is_up


@in_virtual_time
async def test_a_lost_order_is_given_again_when_the_worker_is_back() -> None:
    office = Office()
    async with office.open() as gateway:
        [leg] = await office.ready(gateway.desk, ANI)
        call_id = await office.call()
        await asyncio.sleep(1)
        office.meta.faults.delay_s["accept"] = 1.0
        await gateway.desk.answer(ANI, call_id, LegChoice(leg_id=leg))
        office.worker.is_away = True
        await office.until(call_id, "talking")
        await asyncio.sleep(1)
        assert office.worker.log == []
        office.worker.is_away = False
        office.worker.tell(office.worker.snapshot())
        await asyncio.sleep(1)
        assert office.worker.log == [f"attach {leg}", "start_sending"]


@in_virtual_time
async def test_too_many_legs_of_one_agent_push_out_the_oldest_unused() -> None:
    office = Office()
    async with office.open() as gateway:
        desk = gateway.desk
        [first] = await office.ready(desk, ANI)
        await office.talk(desk)
        more = [(await desk.open_agent_leg(ANI, "offer")).leg_id for _ in range(6)]
    alive = {leg.leg_id for leg in office.worker.agent_legs()}
    assert first in alive, "it is in use"
    assert alive == {first, *more[-3:]}


@in_virtual_time
async def test_quality_is_told_now_and_then_and_is_no_new_version() -> None:
    office = Office()
    async with office.open() as gateway:
        [leg] = await office.ready(gateway.desk, ANI)
        call_id = await office.talk(gateway.desk)
        version = office.store.rows[call_id].version
        [whatsapp] = office.worker.whatsapp_legs()
        for n in range(1, 13):
            office.worker.quality(whatsapp.leg_id, packets=250 * n, lost=0)
            await asyncio.sleep(0.5)
            office.worker.quality(leg, packets=200 * n, lost=50 * n)
            await asyncio.sleep(0.5)
        view = await gateway.desk.one(ANI, call_id)
    assert view.quality is not None
    assert view.quality.whatsapp is not None
    assert view.quality.agent is not None
    assert (view.quality.whatsapp.bars, view.quality.agent.bars) == (5, 1)
    assert view.quality.agent.loss == 0.2
    assert view.version == version
    assert 2 <= len(office.bus.of_kind("quality")) <= 4


@in_virtual_time
async def test_the_trace_tells_the_whole_story_and_no_secret() -> None:
    office = Office()

    async def user(call: MetaCall) -> None:
        await office.meta.status(call, CallStatus.ACCEPTED)

    office.meta.user = user
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        call, _ = await office.dial(gateway.desk)
        await office.until(CallId(call.id), "talking")
        await gateway.desk.hang_up(ANI, CallId(call.id))
        await asyncio.sleep(2)
        lines = await gateway.desk.trace(ANI, CallId(call.id))
    steps = [line.step for line in lines]
    for step in ("started", "whatsapp_leg_made", "connected", "status_changed", "hung_up"):
        assert step in steps
    assert {line.source for line in lines} >= {"machine", "media", "graph", "webhook", "agent"}
    written = repr([line.fields for line in lines])
    for secret in ("6281200001111", "wacid", "sdp of", "meta-answer", "ani"):
        assert secret not in written
