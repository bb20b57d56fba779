"""People and Meta act in the same instant; every race has one result and leaves nothing."""

import asyncio
import random
from collections.abc import Awaitable
from contextlib import suppress
from typing import TypeVar

from gateway.core.errors import BadInput, Refused
from gateway.core.ids import CallId
from gateway.core.whatsapp import CallStatus
from gateway.ports.accounts import Person
from gateway.ports.live import Availability
from gateway.runtime.call_desk import CallDesk, LegChoice
from tests.conftest import Rounds
from tests.runtime.fake_meta import MetaCall
from tests.runtime.office import ANI, BUDI, CITRA, Office
from tests.runtime.virtual_time import in_virtual_time

TEAM = (ANI, BUDI, CITRA)
T = TypeVar("T")


async def after(pause_s: float, work: Awaitable[T]) -> T:
    await asyncio.sleep(pause_s)
    return await work


async def some_leg(desk: CallDesk, who: Person, chance: random.Random) -> LegChoice:
    """A fresh offer, or a persistent leg that is just coming up."""
    if chance.random() < 0.5:
        return LegChoice(offer="offer")
    return LegChoice(leg_id=(await desk.open_agent_leg(who, "offer")).leg_id)


@in_virtual_time
async def test_of_many_answers_in_one_instant_one_wins(rounds: Rounds, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(rounds(quick=20, soak=200)):
        office = Office()
        async with office.open() as gateway:
            desk = gateway.desk
            for who in TEAM:
                await desk.enter(who)
                await desk.set_availability(who, Availability.AVAILABLE)
            call_id = await office.call()
            await asyncio.sleep(0.5)
            answers = [
                after(
                    chance.random() / 100,
                    desk.answer(who, call_id, await some_leg(desk, who, chance)),
                )
                for who in TEAM
            ]
            results = await asyncio.gather(*answers, return_exceptions=True)
            lost = [result.code for result in results if isinstance(result, Refused)]
            assert lost == ["call_taken", "call_taken"]
            await office.until(call_id, "talking")
            await asyncio.sleep(0.1)
            [won] = [r.call.agent for r in results if not isinstance(r, BaseException)]
            [whatsapp] = office.worker.whatsapp_legs()
            assert won is not None
            assert whatsapp.attached_to is not None
            assert office.worker.legs[whatsapp.attached_to].tag.user_id == won.id
            assert len([leg for leg in office.worker.agent_legs() if leg.tag.call_id]) <= 1
            await office.meta.over(next(iter(office.meta.calls.values())))
            await asyncio.sleep(2)
        assert office.is_clean() == []


@in_virtual_time
async def test_both_hang_up_at_any_moment_of_a_users_call(rounds: Rounds, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(rounds(quick=40, soak=400)):
        office = Office()
        async with office.open() as gateway:
            desk = gateway.desk
            [leg] = await office.ready(desk, ANI)
            call = await office.meta.user_calls()
            acts = [after(chance.random(), office.meta.over(call))]
            await office.when(lambda office=office: bool(office.store.rows))  # type: ignore[misc]
            [call_id] = office.store.rows
            acts += [
                after(chance.random(), answer(desk, call_id, LegChoice(leg_id=leg))),
                after(chance.random(), hang_up(desk, call_id)),
                after(chance.random(), hang_up(desk, call_id)),
            ]
            await asyncio.gather(*acts)
            await asyncio.sleep(5)
        assert office.outcome(call_id) in {"completed", "cancelled", "missed", "failed"}
        assert office.is_clean() == []
        assert [each.leg_id for each in office.worker.agent_legs()] == [leg]


@in_virtual_time
async def test_both_hang_up_at_any_moment_of_our_call(rounds: Rounds, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(rounds(quick=40, soak=400)):
        office = Office()
        office.meta.webhooks_before_response = chance.random() < 0.3
        office.meta.drops_opaque = chance.random() < 0.3

        async def user(call: MetaCall, office: Office = office) -> None:
            for which in (CallStatus.RINGING, chance.choice(list(CallStatus))):
                await asyncio.sleep(chance.random() / 5)
                if call.state != "over":
                    await office.meta.status(call, which)
            await asyncio.sleep(chance.random() / 5)
            await office.meta.over(call, failed=chance.random() < 0.2)

        office.meta.user = user
        async with office.open() as gateway:
            await office.ready(gateway.desk, ANI)
            call, _ = await office.dial(gateway.desk)
            call_id = CallId(call.id)
            await asyncio.sleep(chance.random() * 1.5)
            await hang_up(gateway.desk, call_id)
            await asyncio.sleep(40)
        assert office.store.rows[call_id].state == "ended"
        assert office.meta.requests.count("connect") <= 1
        left = [one for one in office.is_clean() if not one.startswith("inbox")]
        assert left == []


@in_virtual_time
async def test_an_agent_reattaches_again_and_again(rounds: Rounds, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(rounds(quick=5, soak=100)):
        office = Office()
        async with office.open() as gateway:
            desk = gateway.desk
            await office.ready(desk, ANI)
            call_id = await office.talk(desk)
            for _ in range(6):
                await desk.reattach(ANI, call_id, await some_leg(desk, ANI, chance))
                if chance.random() < 0.5:
                    legs = office.worker.agent_legs()
                    office.worker.drop(chance.choice(legs).leg_id, "peer_closed")
                await asyncio.sleep(chance.random() / 2)
            await desk.reattach(ANI, call_id, LegChoice(offer="offer"))
            await asyncio.sleep(1)
            [whatsapp] = office.worker.whatsapp_legs()
            cold = [leg.leg_id for leg in office.worker.agent_legs() if leg.tag.call_id]
            assert cold == [whatsapp.attached_to], "replaced cold legs are closed"
            await desk.hang_up(ANI, call_id)
            await asyncio.sleep(2)
        assert office.is_clean() == []


async def answer(desk: CallDesk, call_id: CallId, leg: LegChoice) -> None:
    with suppress(BadInput):
        await desk.answer(ANI, call_id, leg)


async def hang_up(desk: CallDesk, call_id: CallId) -> None:
    with suppress(BadInput):
        await desk.hang_up(ANI, call_id)
