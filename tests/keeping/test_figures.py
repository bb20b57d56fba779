"""What a node counts of its keeping, as `/metrics` shows it."""

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from gateway.app_metrics_keeping import KeepingCollector
from gateway.core.recording.lifecycle import Why
from gateway.runtime.recording_upkeep import Retention
from tests.keeping.keep import TRASH_S, Keep
from tests.services.object_store import FaultyStore, answering

YEARS_S = 3 * 366 * 86_400.0


async def shown(keep: Keep) -> dict[str, float]:
    """Return what is not zero, by name and label."""
    registry = CollectorRegistry()
    collector = KeepingCollector(keep.keeping.figures)
    registry.register(collector)
    collector.files = await keep.keeping.count_files()
    text = generate_latest(registry).decode()
    return {
        " ".join(
            (sample.name.removeprefix("callgate_recording"), *sample.labels.values())
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.value and not sample.name.endswith("_created")
    }


async def test_moves_are_counted_by_what_came_of_them(
    stored: Keep, faulty: FaultyStore
) -> None:
    call_id = await stored.record()
    assert await shown(stored) == {}, "what is young does not wait"
    stored.clock.ahead_s += 1_000
    assert await shown(stored) == {"_files_to_move": 1}
    faulty.fault = answering(503)
    await stored.move()
    faulty.fault = answering(403)
    await stored.move(order=False)
    faulty.fault = None
    await stored.move(order=False)
    size = len(stored.contents[stored.key(call_id)])
    assert await shown(stored) == {
        "_moves_total outage": 1,
        "_moves_total refused": 1,
        "_moves_total moved": 1,
        "_moved_bytes_total": size,
    }


async def test_what_is_not_to_be_moved_any_more_is_no_failure(stored: Keep) -> None:
    call_id = await stored.record()
    stored.clock.ahead_s += 1_000
    await stored.keeping.orders(now=stored.now)
    await stored.delete(call_id)
    assert await stored.move(order=False) == ["deleted"]
    assert await shown(stored) == {"_moves_total dropped": 1}


async def test_files_to_be_sealed_wait_as_well(alone: Keep) -> None:
    await alone.record()
    await alone.record()
    alone.clock.ahead_s += 1_000
    assert await shown(alone) == {}
    await alone.encrypt()
    assert await shown(alone) == {"_files_to_move": 2}
    await alone.move()
    assert (await shown(alone))["_moves_total moved"] == 2


async def test_what_waits_to_be_moved_and_sealed_waits_once(stored: Keep) -> None:
    await stored.record()
    await stored.encrypt()
    stored.clock.ahead_s += 1_000
    assert await shown(stored) == {"_files_to_move": 1}
    await stored.move()
    assert "_files_to_move" not in await shown(stored)


async def test_deletions_and_the_bytes_that_go_are_counted(alone: Keep) -> None:
    await alone.record()
    by_hand = await alone.record()
    await alone.delete(by_hand, Why.HAND)
    alone.clock.ahead_s += YEARS_S
    life, figures = alone.stores.recording_life, alone.keeping.figures
    await Retention(life, lambda _: None, figures)(now=alone.now)
    alone.clock.ahead_s += TRASH_S
    await alone.sweep()
    found = await shown(alone)
    assert found["s_retired_total"] == 1, "by its time, not by hand"
    assert found["_files_removed_total"] == 4, "of each also what a player draws"


async def test_looks_are_counted_and_faults_stay_in_sight(alone: Keep) -> None:
    right, damaged, missing = [await alone.record() for _ in range(3)]
    alone.path(damaged).write_bytes(b"OggS, but not ours")
    alone.path(missing).unlink()
    for _ in range(2):
        alone.clock.ahead_s += 1_000
        await alone.keeping.scrub.run()
    assert await shown(alone) == {
        "_looks_total right": 2,
        "_looks_total damaged": 2,
        "_looks_total missing": 2,
        "_files_faulty damaged": 1,
        "_files_faulty missing": 1,
    }
    for call_id in (damaged, missing):
        alone.write(alone.key(call_id), alone.contents[alone.key(call_id)])
    alone.clock.ahead_s += 1_000
    await alone.keeping.scrub.run()
    assert not [name for name in await shown(alone) if name.startswith("_files_faulty")]
    assert (await alone.file(right)).fault is None


async def test_a_file_that_is_deleted_is_faulty_no_more(alone: Keep) -> None:
    call_id = await alone.record()
    alone.path(call_id).unlink()
    alone.clock.ahead_s += 1_000
    await alone.keeping.scrub.run()
    assert (await shown(alone))["_files_faulty missing"] == 1
    await alone.delete(call_id)
    assert "_files_faulty missing" not in await shown(alone)
