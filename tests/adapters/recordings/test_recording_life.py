"""The life of recordings in SQL: deleted, held, kept for their time; on both databases."""

import asyncio
from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import select

from gateway.adapters.sql_cases import SqlCases
from gateway.adapters.sql_recording_life import SqlRecordingLife
from gateway.adapters.sql_recording_schema import stored_files
from gateway.adapters.sql_transcripts import SqlTranscripts
from gateway.core.errors import BadInput, NotFound, Refused, VersionConflict
from gateway.core.ids import AccountId, CallId, UserId
from gateway.core.quota.charge import Recorded, Stamp
from gateway.core.recording.facts import Mode
from gateway.core.recording.forecast import Going, KeptOfDay
from gateway.core.recording.lifecycle import Deletion, Life, Why
from gateway.core.recording.retention import KeepingRules, WhenFull
from gateway.core.recording.transcript import Passage, Transcript
from gateway.ports.audit import Order
from gateway.ports.cases import Opening
from gateway.ports.recordings import Recording
from tests.adapters.quota.conftest import Bench
from tests.adapters.recordings.shelf import MINUTE_MS, NODE, Shelf
from tests.adapters.sql.rows import a_call, an_account, fresh_id

pytestmark = pytest.mark.services

SAID = Transcript("id", (Passage("customer", 0, 900, "halo"),))


async def test_deleted_by_hand_it_is_unreachable_and_its_minutes_are_free_at_once(
    shelf: Shelf,
) -> None:
    await shelf.bench.own(10 * MINUTE_MS)
    call_id = await shelf.keep(4)
    order = Order(shelf.wall.now, UserId("supervisor"))
    ended = await shelf.life.delete(shelf.account_id, call_id, why=Why.HAND, order=order)
    assert (ended.outcome, ended.returned_ms) == (Deletion.DELETED, 4 * MINUTE_MS)
    balance = await shelf.balance()
    assert (balance.used_ms, balance.free_ms) == (0, 10 * MINUTE_MS)
    proof = await shelf.life.find(shelf.account_id, call_id)
    assert (proof.state, proof.deleted_by, proof.deleted_why) == (
        Life.TRASHED,
        "supervisor",
        Why.HAND,
    )
    assert await shelf.deeds() == ["recording.deleted"]


async def test_its_bytes_go_after_24_hours_and_not_before(shelf: Shelf) -> None:
    await shelf.bench.own(10 * MINUTE_MS)
    call_id = await shelf.keep(1)
    await shelf.delete(call_id)
    shelf.wall.now += 24 * 3600 - 1
    assert await shelf.sweep() == 0
    assert await shelf.states() == [Life.TRASHED]
    shelf.wall.now += 1
    assert await shelf.sweep() == 2, "the recording and its peaks"
    proof = await shelf.life.find(shelf.account_id, call_id)
    assert (proof.state, proof.purged_at) == (Life.PURGED, shelf.wall.now)
    assert proof.sha256 == "0" * 64, "what remains proves what was deleted"


async def test_it_can_never_be_restored(shelf: Shelf) -> None:
    await shelf.bench.own(10 * MINUTE_MS)
    call_id = await shelf.keep(1)
    await shelf.delete(call_id)
    with pytest.raises(Refused):
        await shelf.life.hold(
            shelf.account_id, call_id, reason="too late", order=Order(shelf.wall.now)
        )
    made_again = shelf.assembled(call_id, MINUTE_MS)
    recording = Recording(call_id, shelf.account_id, made_again, shelf.wall.now)
    await shelf.recordings.keep(recording, Recorded(MINUTE_MS), Stamp(shelf.wall.now))
    assert await shelf.states() == [Life.TRASHED]
    assert (await shelf.balance()).used_ms == 0


async def test_deleted_twice_or_by_two_at_once_the_minutes_return_once(
    rival_benches: list[Bench],
) -> None:
    shelf = Shelf(rival_benches[0])
    await shelf.bench.own(10 * MINUTE_MS)
    call_id = await shelf.keep(2)
    lives = [SqlRecordingLife(each.database) for each in rival_benches]
    ended = await asyncio.gather(
        *(
            life.delete(shelf.account_id, call_id, why=Why.HAND, order=Order(shelf.wall.now))
            for life in lives
        )
    )
    assert sorted(each.outcome for each in ended) == [
        *[Deletion.ALREADY] * 3,
        Deletion.DELETED,
    ]
    assert (await shelf.balance()).used_ms == 0


async def test_what_is_held_is_deleted_by_nobody_until_it_is_released(shelf: Shelf) -> None:
    await shelf.bench.own(10 * MINUTE_MS)
    call_id = await shelf.keep(1)
    order = Order(shelf.wall.now, UserId("admin"))
    held = await shelf.life.hold(shelf.account_id, call_id, reason="case 7", order=order)
    assert (held.held_by, held.held_why) == ("admin", "case 7")
    for why in Why:
        assert (await shelf.delete(call_id, why)).outcome is Deletion.HELD
    shelf.wall.now += 3 * 366 * 86_400
    assert await shelf.life.over(now=shelf.wall.now, limit=10) == []
    await shelf.life.release(shelf.account_id, call_id, order=Order(shelf.wall.now))
    assert await shelf.life.over(now=shelf.wall.now, limit=10) == [(shelf.account_id, call_id)]
    assert (await shelf.delete(call_id)).outcome is Deletion.DELETED
    assert await shelf.deeds() == [
        "recording.held",
        "recording.released",
        "recording.deleted",
    ]


@pytest.mark.parametrize("reason", ["", "  ", "x" * 401])
async def test_a_hold_needs_a_reason(shelf: Shelf, reason: str) -> None:
    await shelf.bench.own(10 * MINUTE_MS)
    call_id = await shelf.keep(1)
    with pytest.raises(BadInput):
        await shelf.life.hold(
            shelf.account_id, call_id, reason=reason, order=Order(shelf.wall.now)
        )


async def test_what_is_another_accounts_does_not_exist(shelf: Shelf) -> None:
    await shelf.bench.own(10 * MINUTE_MS)
    call_id = await shelf.keep(1)
    other = (await an_account(shelf.database, shelf.wall)).account_id
    order = Order(shelf.wall.now)
    ended = await shelf.life.delete(other, call_id, why=Why.HAND, order=order)
    assert ended.outcome is Deletion.UNKNOWN
    with pytest.raises(NotFound):
        await shelf.life.find(other, call_id)
    with pytest.raises(NotFound):
        await shelf.life.hold(other, call_id, reason="mine", order=order)
    assert await shelf.states() == [Life.AVAILABLE]


async def test_a_call_that_goes_on_or_is_being_made_a_recording_of_is_told_as_that(
    shelf: Shelf,
) -> None:
    call_id = CallId(fresh_id())
    assert (await shelf.delete(call_id)).outcome is Deletion.UNKNOWN
    await shelf.bench.own(10 * MINUTE_MS)
    await shelf.keep(1)
    await shelf.calls.create(a_call(shelf.account_id, call_id=call_id))
    assert (await shelf.delete(call_id)).outcome is Deletion.NOT_MADE_YET


async def test_a_deletion_tells_the_open_case_and_takes_the_words(shelf: Shelf) -> None:
    await shelf.bench.own(10 * MINUTE_MS)
    call_id = await shelf.keep(1)
    cases, transcripts = SqlCases(shelf.database, NODE), SqlTranscripts(shelf.database)
    await cases.open(Opening(call_id, shelf.account_id, Mode.OFFICIAL, shelf.wall.now))
    await transcripts.keep(call_id, shelf.account_id, SAID, now=shelf.wall.now)
    await shelf.delete(call_id)
    case = await cases.load(call_id)
    assert case is not None
    assert case.facts.is_deleted
    assert case.files.local is None
    assert await cases.due(now=shelf.wall.now, limit=10) == [call_id]
    assert await transcripts.find(call_id) is None


async def test_words_that_come_after_a_deletion_are_not_kept(shelf: Shelf) -> None:
    await shelf.bench.own(10 * MINUTE_MS)
    call_id = await shelf.keep(1)
    await shelf.delete(call_id)
    transcripts = SqlTranscripts(shelf.database)
    await transcripts.keep(call_id, shelf.account_id, SAID, now=shelf.wall.now)
    assert await transcripts.find(call_id) is None


async def test_the_oldest_of_all_accounts_are_over_when_their_day_has_come(
    shelf: Shelf,
) -> None:
    await shelf.bench.own(60 * MINUTE_MS)
    shelf.move_to("2026-10-01")
    first = await shelf.keep(1)
    shelf.move_to("2026-10-02", "23:59")
    second = await shelf.keep(1)
    shelf.move_to("2028-10-01", "23:59")
    assert await shelf.life.over(now=shelf.wall.now, limit=10) == []
    shelf.move_to("2028-10-02", "00:00")
    assert await shelf.life.over(now=shelf.wall.now, limit=10) == [(shelf.account_id, first)]
    shelf.move_to("2028-10-03", "00:00")
    over = await shelf.life.over(now=shelf.wall.now, limit=10)
    assert [call_id for _, call_id in over] == [first, second]
    assert len(await shelf.life.over(now=shelf.wall.now, limit=1)) == 1
    await shelf.delete(first, Why.RETENTION)
    ledger = await shelf.bench.books.ledger(shelf.account_id, cursor=None, limit=1)
    assert ledger.lines[0].entry.kind == "purge"
    assert await shelf.sweep() == 2, "what is over goes at once"


async def test_what_is_kept_is_counted_by_the_day_it_was_made(shelf: Shelf) -> None:
    await shelf.bench.own(60 * MINUTE_MS)
    shelf.move_to("2026-10-01")
    first, second, third = [await shelf.keep(1) for _ in range(3)]
    await shelf.life.hold(shelf.account_id, second, reason="case", order=Order(shelf.wall.now))
    await shelf.delete(third)
    shelf.move_to("2026-10-02")
    later = [await shelf.keep(2) for _ in range(2)]
    size, *sizes = [
        (await shelf.life.find(shelf.account_id, each)).bytes for each in (first, *later)
    ]
    assert await shelf.life.kept_by_day(shelf.account_id) == [
        KeptOfDay(date(2026, 10, 1), Going(1, MINUTE_MS, size, held=1)),
        KeptOfDay(date(2026, 10, 2), Going(2, 4 * MINUTE_MS, sum(sizes))),
    ]
    freed = [(await shelf.delete(call_id)).returned_ms for call_id in (first, *later)]
    assert sum(freed) == 5 * MINUTE_MS, "what returns is what was told"
    [rest] = await shelf.life.kept_by_day(shelf.account_id)
    assert rest == KeptOfDay(date(2026, 10, 1), Going(held=1))
    assert await shelf.life.kept_by_day(AccountId("nobody")) == []


async def test_changed_rules_move_the_day_of_what_is_there(shelf: Shelf) -> None:
    await shelf.bench.own(60 * MINUTE_MS)
    shelf.move_to("2026-10-01")
    call_id, gone = await shelf.keep(1), await shelf.keep(1)
    await shelf.delete(gone)
    before = await shelf.life.rules(shelf.account_id)
    assert before.version == 0
    rules = KeepingRules(WhenFull.STOP, retention_days=30)
    order = Order(shelf.wall.now)
    after = await shelf.life.change_rules(shelf.account_id, rules, seen=0, order=order)
    assert await shelf.life.rules(shelf.account_id) == after
    found = await shelf.life.find(shelf.account_id, call_id)
    assert found.purge_on == date(2026, 11, 1)
    new = await shelf.keep(1)
    assert (await shelf.life.find(shelf.account_id, new)).purge_on == date(2026, 11, 1)
    with pytest.raises(VersionConflict):
        await shelf.life.change_rules(shelf.account_id, rules, seen=0, order=order)
    back = replace(rules, retention_days=None)
    await shelf.life.change_rules(shelf.account_id, back, seen=1, order=order)
    found = await shelf.life.find(shelf.account_id, call_id)
    assert found.purge_on == date(2028, 10, 2)
    proof = await shelf.life.find(shelf.account_id, gone)
    assert proof.purge_on == date(2028, 10, 2), "what has ended keeps its day"


async def test_every_file_of_a_deleted_recording_is_doomed(shelf: Shelf) -> None:
    await shelf.bench.own(60 * MINUTE_MS)
    call_id, other = await shelf.keep(1), await shelf.keep(1)
    await shelf.delete(call_id)
    query = select(stored_files.c.call_id, stored_files.c.state, stored_files.c.due_at)
    async with shelf.database.reading() as connection:
        rows = (await connection.execute(query)).all()
    doomed = [row for row in rows if row.call_id == call_id]
    assert {(row.state, row.due_at) for row in doomed} == {
        ("doomed", shelf.wall.now + 24 * 3600)
    }
    assert {row.state for row in rows if row.call_id == other} == {"kept"}
