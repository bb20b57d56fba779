"""Recorded calls: what they take, when they stop, and that no minute is lost or invented."""

import asyncio

from gateway.core.ids import CallId, NodeId
from gateway.core.quota.balance import Balance
from gateway.core.recording.policy import Records
from gateway.core.whatsapp import CallStatus
from gateway.runtime.call_desk import LegChoice
from media import protocol as wire
from tests.runtime.fakes import ACCOUNT
from tests.runtime.office import ANI, BUDI
from tests.runtime.studio import Studio
from tests.runtime.virtual_time import in_virtual_time

FRAME_MS = 20
ACCEPTED = CallStatus.ACCEPTED


@in_virtual_time
async def test_a_talk_is_recorded_from_the_pick_up_to_its_end() -> None:
    studio = Studio()
    async with studio.open() as gateway:
        await studio.ready(gateway.desk, ANI)
        call_id = await studio.call()
        await asyncio.sleep(3)
        assert (await studio.recording(gateway.desk, call_id)).state == "ready"
        assert studio.worker.disk.files == {}, "nothing is written while it rings"
        await gateway.desk.answer(ANI, call_id, LegChoice(leg_id=studio.leg_of(ANI)))
        await studio.until(call_id, "talking")
        await asyncio.sleep(20)
        shown = await studio.recording(gateway.desk, call_id)
        assert shown.state == "recording"
        assert shown.written_ms is not None
        assert 18_000 < shown.written_ms <= 20_000
        assert (shown.ends_at, shown.duration_ms) == (None, None)
        await studio.hang_up(gateway.desk, call_id)
        shown = await studio.recording(gateway.desk, call_id)
        assert (shown.state, shown.duration_ms) == ("kept", studio.kept_ms(call_id))
    talked = studio.store.rows[call_id]
    assert talked.ended_at is not None
    assert talked.answered_at is not None
    talked_ms = (talked.ended_at - talked.answered_at) * 1000
    assert abs(studio.kept_ms(call_id) - talked_ms) <= FRAME_MS
    studio.adds_up()


@in_virtual_time
async def test_with_one_minute_left_a_call_of_ten_minutes_has_a_recording_of_one() -> None:
    studio = Studio(60_000)
    async with studio.open() as gateway:
        await studio.ready(gateway.desk, ANI)
        call_id = await studio.talk(gateway.desk)
        began = studio.clock.monotonic()
        await asyncio.sleep(600)
        assert studio.store.rows[call_id].state == "talking", "the call goes on"
        shown = await studio.recording(gateway.desk, call_id)
        assert (shown.state, shown.reason, shown.written_ms) == ("stopped", "quota", 60_000)
        await studio.hang_up(gateway.desk, call_id)
        assert studio.clock.monotonic() - began > 600
    assert abs(studio.kept_ms(call_id) - 60_000) <= FRAME_MS
    assert studio.balance == Balance(60_000, 60_000, 0)
    assert [e.body["threshold"] for e in studio.bus.of_kind("quota_threshold")] == [80, 95, 100]
    studio.adds_up()


@in_virtual_time
async def test_the_agent_sees_the_end_of_the_minutes_coming_and_the_stop() -> None:
    studio = Studio(400_000)
    async with studio.open() as gateway:
        await studio.ready(gateway.desk, ANI)
        call_id = await studio.talk(gateway.desk)
        await asyncio.sleep(50)
        assert (await studio.recording(gateway.desk, call_id)).ends_at is None
        await asyncio.sleep(100)
        ends_at = (await studio.recording(gateway.desk, call_id)).ends_at
        assert ends_at is not None
        await asyncio.sleep(300)
        told = [event.body["recording"] for event in studio.bus.of_kind("recording")]
        states = [one["state"] for one in told if isinstance(one, dict)]
        assert states[0] == "recording"
        assert states[-1] == "stopped"
        audience = {event.audience for event in studio.bus.of_kind("recording")}
        assert audience == {("ani",)}
        await studio.hang_up(gateway.desk, call_id)
    assert studio.kept_ms(call_id) == 400_000


@in_virtual_time
async def test_without_minutes_the_agent_is_told_before_answering_and_nothing_is_recorded() -> (
    None
):
    studio = Studio(9_000)
    async with studio.open() as gateway:
        await studio.ready(gateway.desk, ANI)
        call_id = await studio.call()
        await asyncio.sleep(1)
        shown = await studio.recording(gateway.desk, call_id)
        assert (shown.state, shown.reason) == ("refused", "no_minutes")
        await gateway.desk.answer(ANI, call_id, LegChoice(leg_id=studio.leg_of(ANI)))
        await studio.until(call_id, "talking")
        await asyncio.sleep(30)
        await studio.hang_up(gateway.desk, call_id)
    assert studio.recordings.kept == {}
    assert "start_capture" not in studio.worker.log
    assert studio.balance == Balance(9_000, 0, 0)
    studio.adds_up()


@in_virtual_time
async def test_more_minutes_resume_what_the_quota_stopped_in_a_new_segment() -> None:
    studio = Studio(20_000)
    async with studio.open() as gateway:
        await studio.ready(gateway.desk, ANI)
        call_id = await studio.talk(gateway.desk)
        await asyncio.sleep(60)
        assert (await studio.recording(gateway.desk, call_id)).state == "stopped"
        studio.book.set_capacity(ACCOUNT, 50_000)
        gateway.quota.balance_changed(ACCOUNT)
        await asyncio.sleep(10)
        assert (await studio.recording(gateway.desk, call_id)).state == "recording"
        await asyncio.sleep(60)
        assert sorted(studio.worker.disk.files[call_id]) == [0, 1]
        await studio.hang_up(gateway.desk, call_id)
    assert studio.kept_ms(call_id) == 50_000
    studio.adds_up()


@in_virtual_time
async def test_a_missed_call_takes_no_minutes() -> None:
    studio = Studio()
    async with studio.open() as gateway:
        await studio.ready(gateway.desk, ANI)
        call_id = await studio.call()
        await studio.until(call_id, "ended")
        await asyncio.sleep(2)
        view = await studio.view(gateway.desk, call_id)
        assert view.recording is None
    assert studio.recordings.kept == {}
    studio.adds_up()


@in_virtual_time
async def test_calls_of_both_directions_are_recorded_as_chosen() -> None:
    studio = Studio(records=Records.OUTBOUND)
    async with studio.open() as gateway:
        await studio.ready(gateway.desk, ANI)
        inbound = await studio.talk(gateway.desk)
        await asyncio.sleep(5)
        await studio.hang_up(gateway.desk, inbound)
        joined = await studio.dial(gateway.desk)
        outbound = CallId(joined.call.id)
        await studio.until(outbound, "remote_ringing")
        assert (await studio.recording(gateway.desk, outbound)).state == "ready"
        await studio.meta.status(next(reversed(studio.meta.calls.values())), ACCEPTED)
        await studio.until(outbound, "talking")
        await asyncio.sleep(5)
        assert (await studio.recording(gateway.desk, outbound)).state == "recording"
        await studio.hang_up(gateway.desk, outbound)
    assert set(studio.recordings.kept) == {outbound}
    assert 4_000 < studio.kept_ms(outbound) < 6_000
    studio.adds_up()


@in_virtual_time
async def test_a_database_that_hangs_delays_no_answer_and_the_call_is_not_recorded() -> None:
    studio = Studio()
    async with studio.open() as gateway:
        await studio.ready(gateway.desk, ANI)
        studio.book.is_down = True
        call_id = await studio.talk(gateway.desk)
        shown = await studio.recording(gateway.desk, call_id)
        assert (shown.state, shown.reason) == ("refused", "ledger_unreachable")
        await asyncio.sleep(5)
        studio.book.is_down = False
        await studio.hang_up(gateway.desk, call_id)
    studio.adds_up()


@in_virtual_time
async def test_a_worker_that_cannot_capture_costs_no_minute_and_no_call() -> None:
    studio = Studio()
    studio.worker.fails_to_capture = "captures_off"
    async with studio.open() as gateway:
        await studio.ready(gateway.desk, ANI)
        call_id = await studio.talk(gateway.desk)
        await asyncio.sleep(5)
        shown = await studio.recording(gateway.desk, call_id)
        assert (shown.state, shown.reason) == ("failed", "media")
        assert studio.store.rows[call_id].state == "talking"
        await studio.hang_up(gateway.desk, call_id)
    assert studio.recordings.kept == {}
    studio.adds_up()


@in_virtual_time
async def test_a_capture_whose_start_was_not_confirmed_is_a_recording_all_the_same() -> None:
    studio = Studio()
    async with studio.open() as gateway:
        await studio.ready(gateway.desk, ANI)
        call_id = await studio.call()
        await asyncio.sleep(1)
        asked = studio.worker.ask

        async def lose_the_answer(command: wire.Command) -> wire.Done:
            if command.type == "start_capture":
                studio.worker.loses_next_answer = True
            return await asked(command)

        studio.worker.ask = lose_the_answer  # type: ignore[method-assign]
        await gateway.desk.answer(ANI, call_id, LegChoice(leg_id=studio.leg_of(ANI)))
        await studio.until(call_id, "talking")
        await asyncio.sleep(10)
        await studio.hang_up(gateway.desk, call_id)
        assert (await studio.recording(gateway.desk, call_id)).state == "kept"
    assert studio.kept_ms(call_id) > 9_000
    studio.adds_up()


@in_virtual_time
async def test_recordings_are_made_a_few_at_a_time() -> None:
    studio = Studio()
    people = [ANI, BUDI]
    async with studio.open() as gateway:
        await studio.ready(gateway.desk, *people)
        for _ in range(3):
            for who in people:
                await studio.talk(gateway.desk, who)
            await asyncio.sleep(3)
            for meta_call in list(studio.meta.calls.values()):
                if meta_call.state != "over":
                    await studio.meta.over(meta_call)
            await asyncio.sleep(0.01)
        await studio.settled()
        await asyncio.sleep(5)
    assert len(studio.recordings.kept) == 6
    assert studio.assembler.running_max <= studio.settings.limits.assemblies_max
    studio.adds_up()


@in_virtual_time
async def test_two_nodes_that_capture_show_one_picture() -> None:
    here = Studio(600_000)
    there = Studio(600_000)
    there.worker.name, there.book, there.bus = "far", here.book, here.bus
    there.recordings.book = here.book
    there.new_id = lambda: f"far{here.new_id()[3:]}"  # type: ignore[method-assign]
    async with here.open() as one, there.open(node=NodeId("far")) as other:
        await here.ready(one.desk, ANI)
        await there.ready(other.desk, ANI)
        calls = {await here.talk(one.desk), await there.talk(other.desk)}
        await asyncio.sleep(10)
        for gateway in (one, other):
            picture = await gateway.quota.picture(ACCOUNT)
            assert {capture.call_id for capture in picture.captures} == calls
            written = sum(capture.written_ms for capture in picture.captures)
            assert abs(picture.shown.used_ms - written) < 2_000
            assert picture.shown.used_ms > 18_000
        for gateway in (one, other):
            for call in await gateway.desk.live_calls(ANI):
                await gateway.desk.hang_up(ANI, CallId(call.id))
        await here.when(lambda: not here.balance.reserved_ms, within_s=600)
    used = sum(
        recording.assembled.duration_ms
        for studio in (here, there)
        for recording in studio.recordings.kept.values()
    )
    assert here.balance == Balance(600_000, used, 0)
