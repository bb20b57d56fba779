"""Agents dial: the runtime with its ports faked, on a clock that jumps."""

import asyncio

import pytest

from gateway.core.errors import BadInput, MetaFault, NotFound, Refused, StoreDown
from gateway.core.ids import CallId, PhoneNumberId, Wacid
from gateway.core.whatsapp import CallStatus, Peer
from gateway.runtime.call_desk import LegChoice
from tests.runtime.fake_meta import SITI, MetaCall
from tests.runtime.fakes import OTHER_ACCOUNT, person
from tests.runtime.office import ANI, Office
from tests.runtime.virtual_time import in_virtual_time


def picks_up(office: Office, *, after_s: float = 3.0) -> None:
    async def user(call: MetaCall) -> None:
        await asyncio.sleep(after_s)
        await office.meta.status(call, CallStatus.ACCEPTED)

    office.meta.user = user


def rejects(office: Office) -> None:
    async def user(call: MetaCall) -> None:
        await asyncio.sleep(2)
        await office.meta.status(call, CallStatus.REJECTED)
        await office.meta.over(call)

    office.meta.user = user


@in_virtual_time
async def test_a_call_is_dialled_picked_up_and_hung_up() -> None:
    office = Office()
    picks_up(office)
    async with office.open() as gateway:
        [leg] = await office.ready(gateway.desk, ANI)
        call, answer = await office.dial(gateway.desk)
        call_id = CallId(call.id)
        assert (call.state, answer) == ("dialling", None)
        await office.until(call_id, "remote_ringing")
        await office.when(lambda: len(office.worker.log) > 1)
        assert office.worker.log == [f"attach {leg}", "start_sending"]
        assert office.store.rows[call_id].answered_at is None
        await office.until(call_id, "talking")
        await gateway.desk.hang_up(ANI, call_id)
        await asyncio.sleep(1)
    assert office.outcome(call_id) == "completed"
    assert office.meta.requests == ["connect", "terminate"]
    assert office.is_clean() == []


@in_virtual_time
async def test_dialling_with_an_offer_waits_for_the_leg() -> None:
    office = Office()
    async with office.open() as gateway:
        call, answer = await gateway.desk.dial(ANI, SITI, LegChoice(offer="offer"))
        assert answer is not None
        assert office.meta.requests == []
        await office.until(CallId(call.id), "remote_ringing")
        await gateway.desk.hang_up(ANI, CallId(call.id))
        await asyncio.sleep(1)
    assert office.outcome(CallId(call.id)) == "cancelled"
    assert office.worker.legs == {}
    assert office.is_clean() == []


@in_virtual_time
async def test_webhooks_that_overtake_the_response_to_our_post_are_heard() -> None:
    office = Office()
    office.meta.webhooks_before_response = True
    picks_up(office, after_s=0.5)
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        call, _ = await office.dial(gateway.desk)
        await office.until(CallId(call.id), "talking", within_s=1.5)
        await asyncio.sleep(5)
        await gateway.desk.hang_up(ANI, CallId(call.id))
        await asyncio.sleep(1)
    assert office.is_clean() == []


@in_virtual_time
async def test_an_end_that_overtakes_everything_ends_the_call() -> None:
    """It names no call of ours, and comes before Meta's id is known to us."""
    office = Office()
    office.meta.webhooks_before_response = True
    office.meta.drops_opaque = True
    office.meta.user = office.meta.over
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        call, _ = await office.dial(gateway.desk)
        await asyncio.sleep(1.5)
        assert office.store.buried
        assert office.store.rows[CallId(call.id)].state == "dialling"
        await office.until(CallId(call.id), "ended", within_s=3)
        await asyncio.sleep(20)
    assert office.outcome(CallId(call.id)) == "unanswered"
    assert office.is_clean() == []


@in_virtual_time
async def test_a_user_rejects() -> None:
    office = Office()
    rejects(office)
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        call, _ = await office.dial(gateway.desk)
        await office.until(CallId(call.id), "ended")
        await asyncio.sleep(1)
    assert office.outcome(CallId(call.id)) == "rejected"
    assert office.is_clean() == []


@in_virtual_time
async def test_a_user_never_answers() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        call, _ = await office.dial(gateway.desk)
        await asyncio.sleep(44)
        assert office.store.rows[CallId(call.id)].state == "remote_ringing"
        await asyncio.sleep(3)
    assert office.outcome(CallId(call.id)) == "unanswered"
    assert office.is_clean() == []


@in_virtual_time
async def test_a_missing_permission_is_shown() -> None:
    office = Office()
    office.meta.faults.refuse["connect"] = MetaFault(138006, "no permission", "ask first")
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        call, _ = await office.dial(gateway.desk)
        await office.until(CallId(call.id), "ended")
        view = await gateway.desk.one(ANI, CallId(call.id))
        await asyncio.sleep(1)
    assert view.problem is not None
    assert view.problem.code == "no_permission"
    assert view.problem.meta is not None
    assert view.problem.meta.details == "ask first"
    assert office.is_clean() == []


@in_virtual_time
async def test_hanging_up_while_connect_is_under_way_leaves_no_user_ringing() -> None:
    office = Office()
    office.meta.faults.delay_s["connect"] = 4.0
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        call, _ = await office.dial(gateway.desk)
        await asyncio.sleep(1)
        await gateway.desk.hang_up(ANI, CallId(call.id))
        await office.until(CallId(call.id), "ended", within_s=1)
        await asyncio.sleep(6)
    assert office.outcome(CallId(call.id)) == "cancelled"
    assert office.meta.requests == ["connect", "terminate"]
    assert office.is_clean() == []


@pytest.mark.parametrize("has_effect", [True, False])
@in_virtual_time
async def test_an_unclear_connect_is_resolved_by_the_webhook_or_given_up(
    has_effect: bool,
) -> None:
    office = Office()
    office.meta.faults.unclear["connect"] = 1
    office.meta.faults.unclear_has_effect = has_effect
    picks_up(office)
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        call, _ = await office.dial(gateway.desk)
        call_id = CallId(call.id)
        await office.until(call_id, "talking" if has_effect else "ended")
        if has_effect:
            await gateway.desk.hang_up(ANI, call_id)
        await asyncio.sleep(1)
        view = await gateway.desk.one(ANI, call_id)
    assert view.outcome == ("completed" if has_effect else "failed")
    assert office.meta.requests.count("connect") == 1
    if not has_effect:
        assert view.problem is not None
        assert view.problem.code == "meta_unclear"
    assert office.is_clean() == []


@in_virtual_time
async def test_a_call_that_shows_up_after_it_was_given_up_is_hung_up() -> None:
    office = Office()
    office.meta.faults.unclear["connect"] = 1
    office.meta.faults.unclear_has_effect = False
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        call, _ = await office.dial(gateway.desk)
        call_id = CallId(call.id)
        await office.until(call_id, "ended")
        await asyncio.sleep(60)
        late = MetaCall(Wacid("wacid.late"), is_inbound=False, opaque=call_id)
        office.meta.calls[late.wacid] = late
        await office.meta.status(late, CallStatus.RINGING)
        await asyncio.sleep(5)
    assert office.meta.requests == ["connect", "terminate"]
    assert late.state == "over"
    assert office.is_clean() == []


# --- asking twice ----------------------------------------------------------------------------


@in_virtual_time
async def test_the_same_key_dials_once() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        first, _ = await office.dial(gateway.desk, idempotency_key="k1")
        again, _ = await office.dial(gateway.desk, idempotency_key="k1")
        assert first.id == again.id
        await asyncio.sleep(1)
    assert office.meta.requests == ["connect"]


@in_virtual_time
async def test_the_same_key_at_the_same_time_with_offers_leaves_one_leg() -> None:
    office = Office()
    async with office.open() as gateway:
        desk = gateway.desk
        results = await asyncio.gather(
            *(
                desk.dial(ANI, SITI, LegChoice(offer=f"offer {n}"), idempotency_key="k1")
                for n in range(2)
            )
        )
        assert len({call.id for call, _ in results}) == 1
        await asyncio.sleep(1)
        assert len(office.worker.agent_legs()) == 1
        repeated = await desk.dial(ANI, SITI, LegChoice(offer="offer"), idempotency_key="k1")
        assert repeated.answer == office.worker.agent_legs()[0].local_sdp
    assert office.meta.requests == ["connect"]


# --- what cannot be dialled ---------------------------------------------------------------


@in_virtual_time
async def test_what_cannot_be_dialled_is_refused_and_leaves_nothing() -> None:
    office = Office()
    poor = person("Poor", account=OTHER_ACCOUNT)
    office.directory.by_id.pop(PhoneNumberId("2"))
    async with office.open() as gateway:
        desk = gateway.desk
        offer = LegChoice(offer="offer")
        with pytest.raises(BadInput, match="phone number or a user id"):
            await desk.dial(ANI, Peer(name="nobody"), offer)
        with pytest.raises(Refused, match="no WhatsApp number"):
            await desk.dial(poor, SITI, offer)
        with pytest.raises(NotFound):
            await desk.dial(ANI, SITI, offer, number_id=PhoneNumberId("2"))
        with pytest.raises(BadInput, match="garbage"):
            await desk.dial(ANI, SITI, LegChoice(offer="garbage"))
        with pytest.raises(BadInput, match="either"):
            await desk.dial(ANI, SITI, LegChoice())
        office.store.is_down = True
        with pytest.raises(StoreDown):
            await desk.dial(ANI, SITI, offer)
        office.store.is_down = False
        await asyncio.sleep(1)
    assert office.worker.legs == {}
    assert office.store.rows == {}
