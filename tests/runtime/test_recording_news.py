"""What became of a recording reaches the browsers that may see the call."""

from gateway.core.ids import CallId
from gateway.core.recording.facts import Facts, LocalCopy, Mode, OfficialCopy
from gateway.core.recording.intervals import Interval
from gateway.core.recording.reconcile import Conclusion, Copy, Verdict
from gateway.ports.cases import Case, Opening
from gateway.runtime.recording_news import tell_outcome
from tests.runtime.fakes import ACCOUNT
from tests.runtime.office import ANI, Fuse, Office
from tests.runtime.virtual_time import in_virtual_time


def concluded(call_id: CallId, verdict: Verdict, stored_ms: int) -> Case:
    facts = Facts(
        Mode.OFFICIAL,
        ended_at=1.0,
        local=LocalCopy((Interval(0, 12_000),), stopped_by_quota=True),
        officials=(OfficialCopy("d", 20_000, 2, offset_ms=-300),),
    )
    record = Copy.OFFICIAL if stored_ms else None
    opening = Opening(call_id, ACCOUNT, Mode.OFFICIAL, 1.0)
    return Case(opening, facts, 1, Conclusion(verdict, record, stored_ms))


@in_virtual_time
async def test_the_agent_of_the_call_is_told_what_is_kept() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        call_id = await office.talk(gateway.desk)
        await gateway.desk.hang_up(ANI, call_id)
        await office.until(call_id, "ended")
        case = concluded(call_id, Verdict.TRIMMED_TO_QUOTA, 12_000)
        await tell_outcome(office._world(Fuse()), case)
    event = office.bus.of_kind("recording")[-1]
    assert event.audience == (ANI.user_id,)
    assert event.body["call_id"] == call_id
    shown = event.body["recording"]
    assert isinstance(shown, dict)
    assert (shown["state"], shown["duration_ms"]) == ("kept", 12_000)
    assert shown["outcome"] == {
        "verdict": "trimmed_to_quota",
        "final": False,
        "record": "official",
        "stored_ms": 12_000,
        "official_ms": 20_000,
        "local_ms": 12_000,
        "offset_ms": -300,
        "digest": "verified",
        "cut_by_quota": True,
    }


@in_virtual_time
async def test_a_lost_recording_is_called_lost() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        call_id = await office.talk(gateway.desk)
        await tell_outcome(office._world(Fuse()), concluded(call_id, Verdict.LOST, 0))
    shown = office.bus.of_kind("recording")[-1].body["recording"]
    assert isinstance(shown, dict)
    assert (shown["state"], shown["duration_ms"]) == ("lost", None)


@in_virtual_time
async def test_without_the_store_and_for_unknown_calls_nobody_is_told() -> None:
    office = Office()
    world = office._world(Fuse())
    await tell_outcome(world, concluded(CallId("unknown"), Verdict.MATCHED, 1))
    office.store.is_down = True
    await tell_outcome(world, concluded(CallId("unknown"), Verdict.MATCHED, 1))
    assert office.bus.of_kind("recording") == []
