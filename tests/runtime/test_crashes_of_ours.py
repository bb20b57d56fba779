"""Faults in our own program: the call ends cleanly, the rest goes on, and it is reported."""

import asyncio

import pytest

from gateway.core.call.events import AgentLegUp, HungUp
from gateway.core.ids import LegId
from gateway.runtime.tasks import Tasks
from tests.runtime.office import ANI, BUDI, Office
from tests.runtime.virtual_time import VirtualClock, in_virtual_time


@in_virtual_time
async def test_an_actor_that_crashes_ends_its_call_and_no_other() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI, BUDI)
        broken = await office.talk(gateway.desk, ANI)
        healthy = await office.talk(gateway.desk, BUDI)
        actor = gateway._calls.actor(broken)
        assert actor is not None
        actor.post("not an event at all")  # type: ignore[arg-type]
        await office.until(broken, "ended", within_s=2)
        await asyncio.sleep(1)
        office.crashes_expected = 1
        view = await gateway.desk.one(ANI, broken)
        assert view.problem is not None
        assert view.problem.code == "internal"
        assert office.store.rows[healthy].state == "talking"
        assert office.meta.requests.count("terminate") == 1
        await gateway.desk.hang_up(BUDI, healthy)
        await asyncio.sleep(1)
    assert office.is_clean() == []


@in_virtual_time
async def test_a_command_that_crashes_ends_the_call() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        office.meta.faults.bugs.add("pre_accept")
        call_id = await office.call()
        await office.until(call_id, "ended")
        await asyncio.sleep(1)
        office.crashes_expected = 1
    assert office.outcome(call_id) == "failed"
    assert office.is_clean() == []


@in_virtual_time
async def test_a_call_that_cannot_even_be_ended_is_ended_at_meta_at_least() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        call_id = await office.talk(gateway.desk)
        office.store.has_bug = True
        [actor] = gateway._calls.actors()
        actor.post(HungUp())
        await asyncio.sleep(0.04)  # Meta's `terminate` webhook has not come yet.
        assert gateway.crash_count == 2
        assert gateway.live_count == 0
        await asyncio.sleep(1)
        # Each piece of news of it tries again, and fails again.
        office.crashes_expected = gateway.crash_count
    assert office.meta.requests[-1] == "terminate"
    assert office.worker.whatsapp_legs() == []
    assert office.store.rows[call_id].state == "talking", "the next start ends it"


@in_virtual_time
async def test_too_many_events_for_one_call_end_it() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        call_id = await office.talk(gateway.desk)
        [actor] = gateway._calls.actors()
        for _ in range(office.settings.limits.mailbox_max + 1):
            actor.post(AgentLegUp(LegId("nobody's")))
        await office.until(call_id, "ended")
        await asyncio.sleep(1)
    assert office.outcome(call_id) == "failed"
    assert office.is_clean() == []


@in_virtual_time
async def test_a_loop_that_crashes_begins_anew() -> None:
    tasks, runs = Tasks(VirtualClock()), []

    async def loop() -> None:
        runs.append(1)
        if len(runs) < 3:
            raise ZeroDivisionError("a bug")

    tasks.keep_running(loop, name="loop")
    await asyncio.sleep(10)
    assert len(runs) == 3
    assert tasks.crash_count == 2
    await tasks.close()


@in_virtual_time
async def test_a_crash_report_does_not_quote_what_crashed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tasks = Tasks(VirtualClock())

    async def work() -> None:
        raise ValueError("+6281200001111")

    tasks.spawn(work(), name="work", on_crash=lambda: None)
    await asyncio.sleep(1)
    reported = capsys.readouterr().out
    assert "ValueError" in reported
    assert "test_crashes_of_ours.py:" in reported
    assert "6281200001111" not in reported
