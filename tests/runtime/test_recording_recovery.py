"""What is recorded outlives the worker, the gateway and faults of ours."""

import asyncio

from gateway.core.errors import MediaAway
from gateway.core.ids import CallId
from gateway.core.quota.balance import Balance
from gateway.core.quota.lease import WorkerId
from gateway.ports.media import CaptureOrder
from gateway.runtime.call_desk import LegChoice
from tests.runtime.fakes import NODE
from tests.runtime.office import ANI, Fuse
from tests.runtime.studio import Studio
from tests.runtime.virtual_time import in_virtual_time

FRAME_MS = 20
TICK_MS = 150


@in_virtual_time
async def test_a_worker_that_dies_leaves_a_recording_and_no_minute_reserved() -> None:
    studio = Studio(120_000)
    async with studio.open() as gateway:
        await studio.ready(gateway.desk, ANI)
        call_id = await studio.talk(gateway.desk)
        await asyncio.sleep(30)
        studio.worker.restart()
        await studio.until(call_id, "ended")
        await studio.settled()
        await asyncio.sleep(5)
        assert (await studio.recording(gateway.desk, call_id)).state == "kept"
    assert 30_000 - TICK_MS - FRAME_MS <= studio.kept_ms(call_id) <= 30_500
    assert studio.recordings.workers[WorkerId("boot-1")][1], "all its files were looked for"
    studio.adds_up()


@in_virtual_time
async def test_what_a_fault_of_ours_keeps_from_being_recovered_is_not_charged_as_nothing() -> (
    None
):
    studio = Studio(120_000)
    studio.assembler.has_bug = True
    async with studio.open() as gateway:
        await studio.ready(gateway.desk, ANI)
        call_id = await studio.talk(gateway.desk)
        await asyncio.sleep(30)
        studio.worker.restart()
        await asyncio.sleep(120)
        assert studio.balance.reserved_ms > 0
        studio.crashes_expected = gateway.crash_count
        assert studio.crashes_expected > 2, "it is tried again"
        studio.assembler.has_bug = False
        await studio.settled()
        await asyncio.sleep(5)
    assert studio.kept_ms(call_id) > 29_000
    studio.adds_up()


@in_virtual_time
async def test_gateway_and_worker_that_die_together_lose_no_minute() -> None:
    studio = Studio(120_000)
    async with studio.open() as gateway:
        await studio.ready(gateway.desk, ANI)
        call_id = await studio.talk(gateway.desk)
        await asyncio.sleep(30)
    studio.worker.restart()
    await asyncio.sleep(60)
    assert studio.balance.reserved_ms > 0, "nobody knows yet what was written"
    async with studio.open() as gateway:
        await studio.settled()
        await asyncio.sleep(5)
        assert (await studio.recording(gateway.desk, call_id)).state == "kept"
    assert studio.kept_ms(call_id) >= 29_000
    studio.adds_up()


@in_virtual_time
async def test_one_look_is_enough_for_many_dead_workers() -> None:
    studio = Studio(120_000)
    dead = [WorkerId(f"earlier-{number}") for number in range(30)]
    for worker_id in dead:
        studio.recordings.workers[worker_id] = (NODE, False)
    async with studio.open():
        await studio.when(
            lambda: all(studio.recordings.workers[each][1] for each in dead), within_s=60
        )
    assert studio.assembler.looks == 1, "no crowd of processes after a crash loop"


@in_virtual_time
async def test_a_recording_goes_on_over_a_restart_of_the_gateway() -> None:
    studio = Studio(300_000)
    async with studio.open() as gateway:
        await studio.ready(gateway.desk, ANI)
        call_id = await studio.talk(gateway.desk)
        await asyncio.sleep(10)
    await asyncio.sleep(4)
    async with studio.open() as gateway:
        await asyncio.sleep(30)
        assert (await studio.recording(gateway.desk, call_id)).state == "recording"
        await studio.hang_up(gateway.desk, call_id)
    assert studio.kept_ms(call_id) >= 44_000
    studio.adds_up()


@in_virtual_time
async def test_a_capture_that_ended_while_no_gateway_was_there_becomes_a_recording() -> None:
    studio = Studio(300_000)
    async with studio.open() as gateway:
        await studio.ready(gateway.desk, ANI)
        call_id = await studio.talk(gateway.desk)
        await asyncio.sleep(10)
    await studio.meta.over(next(iter(studio.meta.calls.values())))
    studio.worker.drop(studio.worker.whatsapp_legs()[0].leg_id, "peer_closed")
    await asyncio.sleep(10)
    async with studio.open() as gateway:
        await studio.settled()
        await asyncio.sleep(2)
        assert (await studio.recording(gateway.desk, call_id)).state == "kept"
    studio.adds_up()


@in_virtual_time
async def test_an_order_to_capture_that_is_repeated_too_late_takes_nothing_back() -> None:
    """A gateway died before it knew that the capture had begun; the user leaves meanwhile."""
    studio = Studio(300_000)
    fuse = Fuse()
    start_capture = studio.worker.start_capture

    async def start_and_die(order: CaptureOrder, *, epoch: int) -> None:
        await start_capture(order, epoch=epoch)
        fuse.blow()

    async def start_once_nobody_is_there(order: CaptureOrder, *, epoch: int) -> None:
        await studio.meta.over(next(iter(studio.meta.calls.values())))
        await studio.when(lambda: not studio.worker.whatsapp_legs())
        await start_capture(order, epoch=epoch)

    studio.worker.start_capture = start_and_die  # type: ignore[method-assign]
    async with studio.open(fuse) as gateway:
        await studio.ready(gateway.desk, ANI)
        call_id = await studio.call()
        await gateway.desk.answer(ANI, call_id, LegChoice(leg_id=studio.leg_of(ANI)))
        await fuse.blown.wait()
    await asyncio.sleep(0.5)
    studio.worker.start_capture = start_once_nobody_is_there  # type: ignore[method-assign]
    async with studio.open() as gateway:
        await studio.when(lambda: call_id in studio.recordings.kept)
        await studio.settled()
        shown = await studio.recording(gateway.desk, call_id)
    assert (shown.state, shown.duration_ms) == ("kept", studio.kept_ms(call_id))
    assert studio.kept_ms(call_id) >= 500
    studio.adds_up()


@in_virtual_time
async def test_a_worker_is_asked_for_the_end_of_a_capture_until_it_answers() -> None:
    """It may be frozen for seconds while its connection holds; then nothing is told anew."""
    studio = Studio(300_000)
    studio.worker.fails_to_capture = "captures_off"
    stop_capture, unanswered = studio.worker.stop_capture, iter(range(5))

    async def freeze(call_id: CallId, *, epoch: int) -> bool:
        if next(unanswered, None) is not None:
            raise MediaAway("it did not answer in time")
        return await stop_capture(call_id, epoch=epoch)

    studio.worker.stop_capture = freeze  # type: ignore[method-assign]
    async with studio.open() as gateway:
        await studio.ready(gateway.desk, ANI)
        call_id = await studio.talk(gateway.desk)
        await asyncio.sleep(1)
        assert studio.balance.reserved_ms > 0, "nobody knows yet what was written"
        await asyncio.sleep(20)
        assert next(unanswered, None) is None
        assert studio.balance == Balance(300_000, 0, 0)
        await studio.hang_up(gateway.desk, call_id)
    studio.adds_up()


@in_virtual_time
async def test_what_cannot_be_assembled_stays_reserved_until_it_can() -> None:
    studio = Studio(300_000)
    studio.assembler.fails_with = "disk_full"
    async with studio.open() as gateway:
        await studio.ready(gateway.desk, ANI)
        call_id = await studio.talk(gateway.desk)
        await asyncio.sleep(10)
        await gateway.desk.hang_up(ANI, call_id)
        await asyncio.sleep(60)
        assert studio.balance.used_ms == 0
        assert studio.balance.reserved_ms >= 10_000
        assert (await studio.recording(gateway.desk, call_id)).state == "ended"
        studio.assembler.fails_with = None
        await studio.settled()
        await asyncio.sleep(5)
    assert studio.kept_ms(call_id) >= 9_000
    studio.adds_up()
