"""Calls that the gateway announces and records by itself, through every kind of trouble."""

import asyncio

from gateway.core.recording.facts import Mode
from gateway.runtime.call_desk import LegChoice
from tests.runtime.local_studio import OWN, LocalStudio
from tests.runtime.office import ANI, Fuse
from tests.runtime.virtual_time import in_virtual_time

PLAYED = f"play {OWN.announcement_id}"


@in_virtual_time
async def test_the_announcement_comes_first_and_costs_nothing() -> None:
    studio = LocalStudio()
    async with studio.open() as gateway:
        await studio.ready(gateway.desk, ANI)
        call_id = await studio.talk(gateway.desk)
        await asyncio.sleep(3)
        assert (await studio.recording(gateway.desk, call_id)).state == "announcing"
        assert "start_capture" not in studio.worker.log
        await asyncio.sleep(10)
        assert (await studio.recording(gateway.desk, call_id)).state == "recording"
        await asyncio.sleep(10)
        await studio.hang_up(gateway.desk, call_id)
    log = studio.worker.log
    assert log.index("start_sending") < log.index(PLAYED) < log.index("start_capture")
    row = studio.store.rows[call_id]
    assert row.ended_at is not None
    assert row.answered_at is not None
    talked_ms = (row.ended_at - row.answered_at) * 1000
    assert abs(studio.kept_ms(call_id) + OWN.duration_ms - talked_ms) < 300
    assert studio.cases.opened[call_id].mode is Mode.LOCAL
    studio.adds_up()


@in_virtual_time
async def test_the_sound_is_loaded_once_for_each_life_of_the_worker() -> None:
    studio = LocalStudio()
    async with studio.open() as gateway:
        await studio.ready(gateway.desk, ANI)
        for _ in range(2):
            call_id = await studio.talk(gateway.desk)
            await asyncio.sleep(8)
            await studio.hang_up(gateway.desk, call_id)
        assert (studio.worker.log.count("load ogg"), studio.announcements.reads) == (1, 1)
        studio.worker.restart()
        await asyncio.sleep(2)
        await studio.ready(gateway.desk, ANI)
        call_id = await studio.talk(gateway.desk)
        await asyncio.sleep(8)
        assert (await studio.recording(gateway.desk, call_id)).state == "recording"
        await studio.hang_up(gateway.desk, call_id)
    assert (studio.worker.log.count("load ogg"), studio.announcements.reads) == (2, 1)


@in_virtual_time
async def test_a_call_that_ends_during_it_leaves_no_recording_and_no_charge() -> None:
    studio = LocalStudio()
    async with studio.open() as gateway:
        await studio.ready(gateway.desk, ANI)
        call_id = await studio.talk(gateway.desk)
        await asyncio.sleep(2)
        await studio.hang_up(gateway.desk, call_id)
        await asyncio.sleep(20)
        shown = await studio.recording(gateway.desk, call_id)
        assert (shown.state, shown.reason) == ("empty", "declined")
    assert studio.recordings.kept == {}
    assert "start_capture" not in studio.worker.log
    assert studio.balance.used_ms == 0
    assert studio.is_declined(call_id)
    studio.adds_up()


@in_virtual_time
async def test_calls_keep_the_announcement_they_began_with() -> None:
    studio = LocalStudio()
    async with studio.open() as gateway:
        await studio.ready(gateway.desk, ANI)
        call_id = await studio.call()
        await asyncio.sleep(1)
        studio.announcements.own = None
        await gateway.desk.answer(ANI, call_id, LegChoice(leg_id=studio.leg_of(ANI)))
        await studio.until(call_id, "talking")
        await asyncio.sleep(10)
        assert PLAYED in studio.worker.log
        await studio.hang_up(gateway.desk, call_id)
        later = await studio.talk(gateway.desk)
        shown = await studio.recording(gateway.desk, later)
        assert (shown.state, shown.reason) == ("refused", "no_announcement")
        await studio.hang_up(gateway.desk, later)
    assert studio.kept_ms(call_id) > 0
    assert studio.kept_ms(later) == 0
    studio.adds_up()


@in_virtual_time
async def test_a_database_that_is_away_for_a_moment_delays_the_announcement() -> None:
    studio = LocalStudio()
    studio.announcements.failures = 2
    async with studio.open() as gateway:
        await studio.ready(gateway.desk, ANI)
        call_id = await studio.talk(gateway.desk)
        await asyncio.sleep(10)
        assert (await studio.recording(gateway.desk, call_id)).state == "recording"
        await studio.hang_up(gateway.desk, call_id)
    studio.adds_up()


@in_virtual_time
async def test_a_sound_that_cannot_be_had_costs_the_recording_and_not_the_call() -> None:
    studio = LocalStudio()
    studio.announcements.sounds.clear()
    async with studio.open() as gateway:
        await studio.ready(gateway.desk, ANI)
        call_id = await studio.talk(gateway.desk)
        await asyncio.sleep(60)
        assert studio.store.rows[call_id].state == "talking"
        shown = await studio.recording(gateway.desk, call_id)
        assert (shown.state, shown.reason) == ("refused", "media")
        assert studio.balance.reserved_ms == 0
        await studio.hang_up(gateway.desk, call_id)
    assert "start_capture" not in studio.worker.log
    studio.adds_up()


@in_virtual_time
async def test_a_gateway_killed_in_the_middle_neither_repeats_nor_forgets_it() -> None:
    for pause_s in (0.02, 1.0, 3.9):
        for away_s in (0.5, 20.0):
            studio = LocalStudio()
            fuse = Fuse()
            async with studio.open(fuse) as gateway:
                await studio.ready(gateway.desk, ANI)
                call_id = await studio.talk(gateway.desk)
                await asyncio.sleep(pause_s)
                fuse.blow()
            await asyncio.sleep(away_s)
            async with studio.open() as gateway:
                await asyncio.sleep(20)
                assert studio.worker.log.count(PLAYED) == 1
                assert (await studio.recording(gateway.desk, call_id)).state == "recording"
                await studio.hang_up(gateway.desk, call_id)
            assert studio.kept_ms(call_id) > 10_000
            studio.adds_up()


@in_virtual_time
async def test_a_worker_out_of_reach_while_it_ends_is_understood_later() -> None:
    studio = LocalStudio()
    async with studio.open() as gateway:
        await studio.ready(gateway.desk, ANI)
        call_id = await studio.talk(gateway.desk)
        await asyncio.sleep(1)
        readers, studio.worker.readers = studio.worker.readers, []
        await asyncio.sleep(5)
        studio.worker.readers = readers
        await asyncio.sleep(10)
        # Nobody heard of its end: the order is given again, and answered.
        assert (await studio.recording(gateway.desk, call_id)).state == "recording"
        assert studio.worker.log.count(PLAYED) == 1
        await studio.hang_up(gateway.desk, call_id)
    studio.adds_up()


@in_virtual_time
async def test_a_worker_that_dies_in_the_middle_leaves_nothing_owed() -> None:
    studio = LocalStudio()
    async with studio.open() as gateway:
        await studio.ready(gateway.desk, ANI)
        call_id = await studio.talk(gateway.desk)
        await asyncio.sleep(2)
        studio.worker.restart()
        await studio.until(call_id, "ended")
        await studio.settled()
        await asyncio.sleep(5)
    assert studio.recordings.kept == {}
    assert studio.balance.used_ms == 0
    studio.adds_up()
