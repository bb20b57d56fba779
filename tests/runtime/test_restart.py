"""The gateway dies and starts again: calls live in the worker, the store and at Meta."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest

from gateway.core.errors import CallgateError
from gateway.core.ids import CallId
from gateway.core.whatsapp import CallStatus
from gateway.runtime.call_desk import CallDesk, LegChoice
from tests.conftest import Rounds
from tests.runtime.fake_meta import SITI, MetaCall
from tests.runtime.office import ANI, SUPERVISOR, Fuse, Killed, Office
from tests.runtime.studio import Studio
from tests.runtime.virtual_time import in_virtual_time


@in_virtual_time
async def test_a_talk_goes_on_over_a_restart() -> None:
    office = Office()
    async with office.open() as gateway:
        [leg] = await office.ready(gateway.desk, ANI)
        call_id = await office.talk(gateway.desk)
        await asyncio.sleep(3)
    log = list(office.worker.log)
    await asyncio.sleep(10)
    async with office.open() as gateway:
        await asyncio.sleep(1)
        assert office.worker.log == log, "nothing had to be mended"
        [whatsapp] = office.worker.whatsapp_legs()
        assert whatsapp.attached_to == leg
        await gateway.desk.mute(ANI, call_id, muted=True)
        await asyncio.sleep(0.1)
        assert whatsapp.is_muted
        await gateway.desk.hang_up(ANI, call_id)
        await asyncio.sleep(1)
    assert office.outcome(call_id) == "completed"
    assert office.is_clean() == []
    assert leg in office.worker.legs


@in_virtual_time
async def test_a_user_who_hung_up_meanwhile_is_heard_after_the_restart() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        call_id = await office.talk(gateway.desk)
    await office.meta.over(next(iter(office.meta.calls.values())))
    await asyncio.sleep(10)
    async with office.open():
        await asyncio.sleep(1)
    assert office.outcome(call_id) == "completed"
    assert office.is_clean() == []


@in_virtual_time
async def test_a_call_whose_webhook_was_only_stored_rings_after_the_start() -> None:
    office = Office()
    await office.meta.user_calls()
    await asyncio.sleep(5)
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        [view] = await gateway.desk.live_calls(ANI)
        assert view.state == "ringing"


@in_virtual_time
async def test_the_ring_time_goes_on_while_nobody_is_there() -> None:
    office = Office()
    async with office.open() as gateway:
        await gateway.desk.enter(ANI)
        call_id = await office.call()
        await asyncio.sleep(5)
    await asyncio.sleep(15)
    async with office.open():
        await asyncio.sleep(9)
        assert office.store.rows[call_id].state == "ringing"
        await asyncio.sleep(3)
    assert office.outcome(call_id) == "missed"
    assert office.is_clean() == []


@in_virtual_time
async def test_calls_whose_legs_went_with_their_worker_are_ended_at_meta() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        call_id = await office.talk(gateway.desk)
    office.worker.restart()
    await asyncio.sleep(5)
    async with office.open():
        await asyncio.sleep(2)
    assert office.store.rows[call_id].state == "ended"
    assert office.meta.requests[-1] == "terminate"
    assert office.is_clean() == []


@in_virtual_time
async def test_an_agent_whose_leg_went_meanwhile_is_away() -> None:
    office = Office()
    async with office.open() as gateway:
        [leg] = await office.ready(gateway.desk, ANI)
        call_id = await office.talk(gateway.desk)
    office.worker.drop(leg, "consent_lost")
    await asyncio.sleep(5)
    async with office.open() as gateway:
        await asyncio.sleep(1)
        assert (await gateway.desk.one(ANI, call_id)).agent_away
        await gateway.desk.reattach(ANI, call_id, LegChoice(offer="offer"))
        await asyncio.sleep(1)
        assert not (await gateway.desk.one(ANI, call_id)).agent_away


@in_virtual_time
async def test_after_a_restart_a_call_still_hears_of_its_agents_leg() -> None:
    office = Office()
    async with office.open() as gateway:
        [leg] = await office.ready(gateway.desk, ANI)
        call_id = await office.talk(gateway.desk)
    async with office.open() as gateway:
        await asyncio.sleep(1)
        office.worker.quality(leg, packets=100, lost=0)
        office.worker.drop(leg, "peer_closed")
        await asyncio.sleep(1)
        view = await gateway.desk.one(ANI, call_id)
    assert view.agent_away
    assert view.quality is not None


@in_virtual_time
async def test_after_a_restart_too_a_further_leg_never_pushes_out_the_one_in_a_call() -> None:
    office = Office()
    async with office.open() as gateway:
        [leg] = await office.ready(gateway.desk, ANI)
        call_id = await office.talk(gateway.desk)
    async with office.open() as gateway:
        await asyncio.sleep(1)
        for _ in range(6):
            await gateway.desk.open_agent_leg(ANI, "offer")
        assert leg in office.worker.legs
        assert not (await gateway.desk.one(ANI, call_id)).agent_away


@in_virtual_time
async def test_a_leg_that_a_late_worker_shows_is_known_to_be_in_a_call() -> None:
    office = Office()
    async with office.open() as gateway:
        [leg] = await office.ready(gateway.desk, ANI)
        call_id = await office.talk(gateway.desk)
    office.worker.is_away = True
    async with office.open() as gateway:
        await asyncio.sleep(5)
        office.worker.come_back()
        await asyncio.sleep(2)
        for _ in range(6):
            await gateway.desk.open_agent_leg(ANI, "offer")
        assert leg in office.worker.legs
        assert not (await gateway.desk.one(ANI, call_id)).agent_away


@in_virtual_time
async def test_a_start_without_a_worker_looks_after_its_calls_once_one_is_there() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        call_id = await office.talk(gateway.desk)
    office.worker.is_away = True
    await asyncio.sleep(1)
    async with office.open():
        await asyncio.sleep(5)
        assert office.store.rows[call_id].state == "talking"
        office.worker.restart()
        await asyncio.sleep(2)
    assert office.store.rows[call_id].state == "ended"
    assert office.is_clean() == []


@in_virtual_time
async def test_a_start_waits_for_its_store() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        call_id = await office.talk(gateway.desk)
    office.store.is_down = True
    asyncio.get_running_loop().call_later(7, setattr, office.store, "is_down", False)
    async with office.open() as gateway:
        await gateway.desk.hang_up(ANI, call_id)
        await asyncio.sleep(1)
    assert office.outcome(call_id) == "completed"
    assert office.is_clean() == []


# --- killed at any moment ------------------------------------------------------------------


@dataclass(frozen=True)
class Story:
    """People who do what they want as soon as the gateway lets them, and how it must end."""

    name: str
    begins: Callable[[Office], Awaitable[None]]
    agent: Callable[[Office, CallDesk], Awaitable[None]]
    ends: frozenset[str]
    user: Callable[[Office], Callable[[MetaCall], Awaitable[None]]] | None = None
    leg: LegChoice | None = None
    """How the agent answers; None: with the persistent leg."""
    office: Callable[[], Office] = Office
    """Where it plays; in a studio calls are recorded."""


async def user_calls(office: Office) -> None:
    await office.meta.user_calls()


async def nobody_calls(office: Office) -> None:
    return


def leg_for(office: Office) -> LegChoice:
    own = [leg for leg in office.worker.agent_legs() if leg.tag.call_id is None]
    return LegChoice(leg_id=own[0].leg_id)


async def answer_and_hang_up(office: Office, desk: CallDesk) -> None:
    for call in await desk.live_calls(ANI):
        if call.state == "ringing":
            await desk.answer(ANI, CallId(call.id), leg_for(office))
        elif call.state == "talking":
            await asyncio.sleep(1)
            await desk.hang_up(ANI, CallId(call.id))


async def answer_cold_and_hang_up(office: Office, desk: CallDesk) -> None:
    for call in await desk.live_calls(ANI):
        if call.state == "ringing":
            await desk.answer(ANI, CallId(call.id), LegChoice(offer="offer"))
        elif call.agent_away:
            await desk.reattach(ANI, CallId(call.id), LegChoice(offer="offer"))
        elif call.state == "talking":
            await asyncio.sleep(1)
            await desk.hang_up(ANI, CallId(call.id))


async def answer_only(office: Office, desk: CallDesk) -> None:
    for call in await desk.live_calls(ANI):
        if call.state == "ringing":
            await desk.answer(ANI, CallId(call.id), leg_for(office))
        elif call.state == "talking":
            await asyncio.sleep(1)
            await office.meta.over(next(iter(office.meta.calls.values())))


async def decline(office: Office, desk: CallDesk) -> None:
    for call in await desk.live_calls(ANI):
        await desk.decline(ANI, CallId(call.id))


async def look_away(office: Office, desk: CallDesk) -> None:
    return


async def dial_and_hang_up(office: Office, desk: CallDesk) -> None:
    call, _ = await desk.dial(ANI, SITI, leg_for(office), idempotency_key="once")
    if call.state == "talking":
        await asyncio.sleep(1)
        await desk.hang_up(ANI, CallId(call.id))


async def dial_and_cancel(office: Office, desk: CallDesk) -> None:
    call, _ = await desk.dial(ANI, SITI, leg_for(office), idempotency_key="once")
    await desk.hang_up(ANI, CallId(call.id))


def picks_up(office: Office) -> Callable[[MetaCall], Awaitable[None]]:
    async def user(call: MetaCall) -> None:
        await asyncio.sleep(1)
        if call.state != "over":
            await office.meta.status(call, CallStatus.ACCEPTED)

    return user


def rejects(office: Office) -> Callable[[MetaCall], Awaitable[None]]:
    async def user(call: MetaCall) -> None:
        await asyncio.sleep(1)
        if call.state != "over":
            await office.meta.status(call, CallStatus.REJECTED)
            await office.meta.over(call)

    return user


# A `connect` that a crash overtook is never repeated, so its call may fail instead.
STORIES = [
    Story("the agent hangs up", user_calls, answer_and_hang_up, frozenset({"completed"})),
    Story("a cold leg", user_calls, answer_cold_and_hang_up, frozenset({"completed"})),
    Story("the user hangs up", user_calls, answer_only, frozenset({"completed"})),
    Story("missed", user_calls, look_away, frozenset({"missed"})),
    Story("declined", user_calls, decline, frozenset({"declined"})),
    Story(
        "dialled",
        nobody_calls,
        dial_and_hang_up,
        frozenset({"completed", "failed"}),
        user=picks_up,
    ),
    Story(
        "rejected",
        nobody_calls,
        dial_and_hang_up,
        frozenset({"rejected", "failed"}),
        user=rejects,
    ),
    Story("cancelled", nobody_calls, dial_and_cancel, frozenset({"cancelled", "failed"})),
    Story(
        "recorded",
        user_calls,
        answer_and_hang_up,
        frozenset({"completed"}),
        office=Studio,
    ),
    Story("not to be recorded", user_calls, look_away, frozenset({"missed"}), office=Studio),
    Story(
        "dialled and recorded",
        nobody_calls,
        dial_and_hang_up,
        frozenset({"completed", "failed"}),
        user=picks_up,
        office=Studio,
    ),
]


async def live_through(story: Story, fuses: list[int | None]) -> tuple[Office, int]:
    """Play a story; the gateway dies when its fuse has burnt down, and starts again."""
    office = story.office()
    if story.user is not None:
        office.meta.user = story.user(office)
    reaches = 0
    has_begun = False
    for allowed in [*fuses, None]:
        fuse = Fuse(allowed)
        is_over = False
        with suppress(Killed):
            async with office.open(fuse) as gateway:
                if not has_begun:
                    has_begun = True
                    office.presence.here.clear()
                    asyncio.get_running_loop().call_later(0.4, start, story.begins(office))
                is_over = await fuse.unless_blown(act_until_over(office, gateway.desk, story))
        reaches = max(reaches, fuse.reaches)
        if is_over:
            break
        await asyncio.sleep(0.5)
    await office.meta.close()
    return office, reaches


_begun: set["asyncio.Task[None]"] = set()


def start(work: Awaitable[None]) -> None:
    async def run() -> None:
        await work

    task = asyncio.get_running_loop().create_task(run())
    _begun.add(task)
    task.add_done_callback(_begun.discard)


async def act_until_over(office: Office, desk: CallDesk, story: Story) -> bool:
    """Let the agent try what they want until the call is over."""
    loop = asyncio.get_running_loop()
    until = loop.time() + 150
    while loop.time() < until:
        try:
            if not any(leg.tag.call_id is None for leg in office.worker.agent_legs()):
                await office.ready(desk, ANI)
            await office.make_available(desk, ANI)
            if not is_all_over(office):
                await story.agent(office, desk)
        except CallgateError:
            pass
        if is_all_over(office) and office.is_clean() == []:
            return True
        await asyncio.sleep(0.2)
    raise AssertionError(f"never over: {office.is_clean()}")


def is_all_over(office: Office) -> bool:
    rows = office.store.rows.values()
    return bool(rows) and all(row.state == "ended" for row in rows)


async def check(story: Story, fuses: list[int | None]) -> int:
    office, reaches = await live_through(story, fuses)
    [row] = office.store.rows.values()
    told = f"{story.name}, killed after {fuses}: {row.outcome}, {office.meta.requests}"
    assert row.outcome in story.ends, told
    assert office.is_clean() == [], told
    assert office.meta.requests.count("connect") <= 1, told
    had_connect = any(not call.is_inbound for call in office.meta.calls.values())
    if row.outcome == "failed":
        assert not had_connect, f"{told}: the webhook should have resolved it"
    assert SUPERVISOR.account_id == row.account_id
    return reaches


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
@in_virtual_time
async def test_killed_at_any_moment_every_call_comes_to_its_end(
    story: Story, rounds: Rounds, seed: int
) -> None:
    """Killed before or after any single reach into the world, with its answer lost."""
    reaches = await check(story, [])
    every = rounds(quick=max(1, reaches // 24), soak=1)
    for allowed in range(seed % every, reaches, every):
        await check(story, [allowed])


@pytest.mark.soak
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
@in_virtual_time
async def test_killed_again_while_it_recovers(story: Story, rounds: Rounds, seed: int) -> None:
    reaches = await check(story, [])
    for n in range(rounds(quick=3, soak=100)):
        first = (seed + 37 * n) % reaches
        await check(story, [first, (seed // 7 + 11 * n) % 40])
