"""Users call: the runtime with its ports faked, on a clock that jumps."""

import asyncio

import pytest

from gateway.core.errors import Forbidden, MetaFault, NotFound, Refused
from gateway.core.whatsapp import UserConnect
from gateway.ports.live import Availability
from gateway.runtime.call_desk import LegChoice
from tests.runtime.fakes import OTHER_ACCOUNT, person
from tests.runtime.office import ANI, BUDI, CITRA, SUPERVISOR, Office
from tests.runtime.virtual_time import in_virtual_time


@in_virtual_time
async def test_a_call_is_answered_talked_and_hung_up_by_the_agent() -> None:
    office = Office()
    async with office.open() as gateway:
        desk = gateway.desk
        [leg] = await office.ready(desk, ANI)
        call_id = await office.call()
        assert (await desk.one(ANI, call_id)).offered_to == (ANI.user_id,)
        await asyncio.sleep(1)
        joined = await desk.answer(ANI, call_id, LegChoice(leg_id=leg))
        assert (joined.call.state, joined.answer) == ("connecting", None)
        await office.until(call_id, "talking")
        await asyncio.sleep(5)
        [whatsapp] = office.worker.whatsapp_legs()
        assert (whatsapp.attached_to, whatsapp.is_sending) == (leg, True)
        await desk.hang_up(ANI, call_id)
        await asyncio.sleep(2)
    assert office.outcome(call_id) == "completed"
    assert office.meta.requests == ["pre_accept", "accept", "terminate"]
    assert office.worker.log == [f"attach {leg}", f"attach {leg}", "start_sending"]
    assert office.is_clean() == []
    assert [leg.leg_id for leg in office.worker.agent_legs()] == [leg]


@in_virtual_time
async def test_the_user_hangs_up() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        call_id = await office.talk(gateway.desk)
        [call] = office.meta.calls.values()
        await office.meta.over(call)
        await office.until(call_id, "ended")
        await asyncio.sleep(1)
    assert office.outcome(call_id) == "completed"
    assert "terminate" not in office.meta.requests
    assert office.is_clean() == []


@in_virtual_time
async def test_no_rtp_goes_to_meta_before_accept_returned() -> None:
    office = Office()
    office.meta.faults.delay_s["accept"] = 3.0
    async with office.open() as gateway:
        [leg] = await office.ready(gateway.desk, ANI)
        call_id = await office.call()
        await asyncio.sleep(1)
        await gateway.desk.answer(ANI, call_id, LegChoice(leg_id=leg))
        await asyncio.sleep(2.9)
        assert office.worker.log == [f"attach {leg}"]
        await office.until(call_id, "talking")
        await asyncio.sleep(0.1)
        assert office.worker.log == [f"attach {leg}", f"attach {leg}", "start_sending"]
    assert office.meta.violations == []


@in_virtual_time
async def test_answering_with_an_offer_makes_a_leg_that_goes_with_the_call() -> None:
    office = Office()
    async with office.open() as gateway:
        desk = gateway.desk
        await desk.enter(ANI)
        await desk.set_availability(ANI, Availability.AVAILABLE)
        call_id = await office.call()
        await asyncio.sleep(1)
        joined = await desk.answer(ANI, call_id, LegChoice(offer="offer"))
        assert joined.answer == office.worker.agent_legs()[0].local_sdp
        await office.until(call_id, "talking")
        await desk.hang_up(ANI, call_id)
        await asyncio.sleep(1)
    assert office.worker.legs == {}
    assert office.is_clean() == []


@pytest.mark.parametrize("gap_s", [0.0, 0.0005, 0.002, 0.02])
@in_virtual_time
async def test_of_two_agents_who_answer_at_once_one_wins(gap_s: float) -> None:
    office = Office()
    async with office.open() as gateway:
        desk = gateway.desk
        await desk.enter(ANI)
        await desk.enter(BUDI)
        await desk.set_availability(ANI, Availability.AVAILABLE)
        await desk.set_availability(BUDI, Availability.AVAILABLE)
        call_id = await office.call()
        await asyncio.sleep(1)

        async def later() -> object:
            await asyncio.sleep(gap_s)
            return await desk.answer(BUDI, call_id, LegChoice(offer="offer"))

        results = await asyncio.gather(
            desk.answer(ANI, call_id, LegChoice(offer="offer")), later(), return_exceptions=True
        )
        lost = [result for result in results if isinstance(result, Refused)]
        assert [refused.code for refused in lost] == ["call_taken"]
        await office.until(call_id, "talking")
        assert len(office.worker.agent_legs()) == 1, "the loser's leg stays open"
        await desk.hang_up(SUPERVISOR, call_id)
        await asyncio.sleep(1)
    assert office.is_clean() == []


@in_virtual_time
async def test_the_others_see_a_taken_call_go() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI, BUDI)
        call_id = await office.talk(gateway.desk)
        told = [e for e in office.bus.of_kind("call") if BUDI.user_id in (e.audience or ())]
        assert told[-1].body["offered_to"] == []
        assert told[-1].body["state"] == "connecting"
        with pytest.raises(NotFound):
            await gateway.desk.one(BUDI, call_id)
        with pytest.raises(Refused, match="else has answered"):
            await gateway.desk.answer(BUDI, call_id, LegChoice(leg_id=office.leg_of(BUDI)))


@in_virtual_time
async def test_an_agent_whose_leg_is_silent_is_told_and_the_other_takes_the_call() -> None:
    office = Office()
    async with office.open() as gateway:
        desk = gateway.desk
        await office.ready(desk, ANI, offer="mute")
        await office.ready(desk, BUDI)
        call_id = await office.call()
        await asyncio.sleep(1)
        await desk.answer(ANI, call_id, LegChoice(leg_id=office.leg_of(ANI)))
        await office.until(call_id, "ringing", within_s=3)
        assert (await office.view(desk, call_id)).offered_to == (BUDI.user_id,)
        [notice] = office.bus.of_kind("notice")
        assert (notice.audience, notice.is_personal) == ((ANI.user_id,), True)
        assert notice.body["code"] == "leg_not_ready"
        await desk.answer(BUDI, call_id, LegChoice(leg_id=office.leg_of(BUDI)))
        await office.until(call_id, "talking")


@in_virtual_time
async def test_a_leg_that_went_quiet_has_to_be_heard_again() -> None:
    office = Office()
    async with office.open() as gateway:
        [leg] = await office.ready(gateway.desk, ANI)
        office.worker.quiet(leg)
        call_id = await office.call()
        await asyncio.sleep(1)
        await gateway.desk.answer(ANI, call_id, LegChoice(leg_id=leg))
        await asyncio.sleep(1)
        assert office.store.rows[call_id].state == "connecting"
        office.worker.quiet(leg, quiet=False)
        await office.until(call_id, "talking")


@in_virtual_time
async def test_declining_silences_one_and_the_last_refusal_ends_the_call() -> None:
    office = Office()
    async with office.open() as gateway:
        desk = gateway.desk
        await office.ready(desk, ANI, BUDI)
        call_id = await office.call()
        await asyncio.sleep(1)
        await desk.decline(ANI, call_id)
        assert (await desk.one(BUDI, call_id)).offered_to == (BUDI.user_id,)
        with pytest.raises(NotFound):
            await desk.one(ANI, call_id)
        await desk.decline(BUDI, call_id)
        await asyncio.sleep(1)
        await desk.decline(BUDI, call_id)
    assert office.outcome(call_id) == "declined"
    assert office.meta.requests == ["pre_accept", "terminate"]
    assert office.is_clean() == []


@in_virtual_time
async def test_only_those_entitled_decline_for_everyone() -> None:
    office = Office()
    async with office.open() as gateway:
        desk = gateway.desk
        await office.ready(desk, ANI, BUDI)
        call_id = await office.call()
        with pytest.raises(Forbidden):
            await desk.decline(ANI, call_id, everyone=True)
        await desk.decline(SUPERVISOR, call_id, everyone=True)
        await office.until(call_id, "ended")
    assert office.outcome(call_id) == "declined"


@in_virtual_time
async def test_a_call_that_nobody_answers_is_missed() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        call_id = await office.call()
        await asyncio.sleep(29)
        assert office.store.rows[call_id].state == "ringing"
        await asyncio.sleep(3)
    assert office.outcome(call_id) == "missed"
    assert office.meta.requests == ["pre_accept", "terminate"]
    assert office.is_clean() == []


@in_virtual_time
async def test_an_agent_who_becomes_ready_is_offered_the_waiting_call() -> None:
    office = Office()
    async with office.open() as gateway:
        call_id = await office.call()
        assert (await office.view(gateway.desk, call_id)).offered_to == ()
        await office.ready(gateway.desk, ANI)
        assert (await office.view(gateway.desk, call_id)).offered_to == (ANI.user_id,)
        await gateway.desk.leave(ANI)
        await asyncio.sleep(0.1)
        assert (await office.view(gateway.desk, call_id)).offered_to == ()


@in_virtual_time
async def test_an_agent_found_through_presence_alone_is_offered_the_call_too() -> None:
    """Somebody who became free on another node tells nobody here."""
    office = Office()
    async with office.open() as gateway:
        call_id = await office.call()
        await office.presence.choose(ANI.account_id, ANI.user_id, Availability.AVAILABLE)
        await asyncio.sleep(2)
        assert (await office.view(gateway.desk, call_id)).offered_to == (ANI.user_id,)


@in_virtual_time
async def test_a_second_call_does_not_ring_a_busy_agent_until_they_are_free() -> None:
    office = Office()
    async with office.open() as gateway:
        desk = gateway.desk
        await office.ready(desk, ANI, BUDI)
        first = await office.talk(desk)
        second = await office.call()
        assert (await office.view(desk, second)).offered_to == (BUDI.user_id,)
        with pytest.raises(Refused) as refused:
            await desk.answer(SUPERVISOR, second, LegChoice(leg_id=office.leg_of(ANI)))
        assert refused.value.code == "leg_gone"
        await desk.hang_up(ANI, first)
        await asyncio.sleep(1)
        assert (await office.view(desk, second)).offered_to == (ANI.user_id, BUDI.user_id)


@in_virtual_time
async def test_an_agent_in_a_call_can_neither_answer_nor_dial() -> None:
    office = Office()
    async with office.open() as gateway:
        desk = gateway.desk
        await office.ready(desk, ANI, BUDI)
        waiting = await office.call()
        await asyncio.sleep(0.5)
        talked = await office.talk(desk)
        assert talked != waiting
        for attempt in (
            desk.answer(ANI, waiting, LegChoice(leg_id=office.leg_of(ANI))),
            office.dial(desk),
        ):
            with pytest.raises(Refused) as refused:
                await attempt
            assert refused.value.code == "agent_busy"


@in_virtual_time
async def test_one_agent_cannot_answer_two_calls_at_once() -> None:
    office = Office()
    async with office.open() as gateway:
        desk = gateway.desk
        [leg] = await office.ready(desk, ANI)
        calls = [await office.call(), await office.call()]
        await asyncio.sleep(1)
        results = await asyncio.gather(
            *(desk.answer(ANI, call_id, LegChoice(leg_id=leg)) for call_id in calls),
            return_exceptions=True,
        )
        refused = [result for result in results if isinstance(result, Refused)]
        assert [one.code for one in refused] == ["agent_busy"]


@in_virtual_time
async def test_what_is_not_ones_own_is_not_found() -> None:
    office = Office()
    stranger = person("Eve", account=OTHER_ACCOUNT)
    async with office.open() as gateway:
        desk = gateway.desk
        await office.ready(desk, ANI)
        call_id = await office.call()
        leg = LegChoice(leg_id=office.leg_of(ANI))
        for who in (stranger, CITRA):
            for attempt in (
                desk.one(who, call_id),
                desk.trace(who, call_id),
                desk.answer(who, call_id, leg),
                desk.decline(who, call_id),
                desk.hang_up(who, call_id),
                desk.mute(who, call_id, muted=True),
                desk.reattach(who, call_id, leg),
                desk.close_agent_leg(who, office.leg_of(ANI)),
            ):
                with pytest.raises(NotFound):
                    await attempt
        assert await desk.live_calls(stranger) == []
        assert [call.id for call in await desk.live_calls(SUPERVISOR)] == [call_id]
        with pytest.raises(Forbidden):
            await desk.hang_up(ANI, call_id)


@in_virtual_time
async def test_a_refused_accept_shows_what_meta_said() -> None:
    office = Office()
    office.meta.faults.refuse["accept"] = MetaFault(138004, "Connection error", "try later")
    async with office.open() as gateway:
        [leg] = await office.ready(gateway.desk, ANI)
        call_id = await office.call()
        await asyncio.sleep(1)
        await gateway.desk.answer(ANI, call_id, LegChoice(leg_id=leg))
        await office.until(call_id, "ended")
        view = await gateway.desk.one(ANI, call_id)
        await asyncio.sleep(1)
    assert view.outcome == "failed"
    assert view.problem is not None
    assert view.problem.meta is not None
    assert (view.problem.meta.code, view.problem.meta.details) == (138004, "try later")
    assert office.worker.log == [f"attach {leg}"]
    assert office.is_clean() == []


@in_virtual_time
async def test_an_unclear_accept_sends_no_rtp_and_ends_the_call() -> None:
    office = Office()
    office.meta.faults.unclear["accept"] = 1
    async with office.open() as gateway:
        [leg] = await office.ready(gateway.desk, ANI)
        call_id = await office.call()
        await asyncio.sleep(1)
        await gateway.desk.answer(ANI, call_id, LegChoice(leg_id=leg))
        await office.until(call_id, "ended")
        await asyncio.sleep(1)
    assert office.outcome(call_id) == "failed"
    assert office.worker.log == [f"attach {leg}"]
    assert office.meta.requests[-1] == "terminate"
    assert office.is_clean() == []


@in_virtual_time
async def test_an_unclear_terminate_is_repeated() -> None:
    office = Office()
    office.meta.faults.unclear["terminate"] = 2
    office.meta.faults.unclear_has_effect = False
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        call_id = await office.talk(gateway.desk)
        await gateway.desk.hang_up(ANI, call_id)
        await asyncio.sleep(30)
    assert office.meta.requests.count("terminate") == 3
    assert office.is_clean() == []


# --- ends before beginnings, and late beginnings ----------------------------------------------


@in_virtual_time
async def test_an_end_before_its_beginning_rings_nobody_but_is_listed_as_missed() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        call = office.meta.calls
        await office.meta.user_calls()
        [one] = call.values()
        connect = next(e for e in office.reader.events.values() if isinstance(e, UserConnect))
        office.store.inbox.clear()
        await office.meta.over(one)
        await asyncio.sleep(5)
        assert office.store.rows == {}
        await office.deliver(connect)
        await asyncio.sleep(5)
        [row] = office.store.rows.values()
        assert (row.state, row.outcome) == ("ended", "missed")
        await office.deliver(connect)
        await asyncio.sleep(5)
        assert len(office.store.rows) == 1
    assert office.meta.requests == []
    assert office.worker.made_count == 1
    assert office.is_clean() == []


@in_virtual_time
async def test_a_stale_beginning_rings_nobody() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        call_id = await office.call(late_s=61)
        await asyncio.sleep(1)
    assert office.outcome(call_id) == "missed"
    assert office.meta.requests == []


@in_virtual_time
async def test_garbage_from_meta_ends_the_call_cleanly() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        call_id = await office.call(offer="garbage")
        await office.until(call_id, "ended")
        view = await gateway.desk.one(SUPERVISOR, call_id)
        await asyncio.sleep(1)
    assert view.problem is not None
    assert view.problem.code == "bad_sdp"
    assert office.meta.requests == ["reject"]
    assert office.is_clean() == []
