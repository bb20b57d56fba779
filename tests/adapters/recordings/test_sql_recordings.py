"""Recordings in SQL: noted and charged as one, once; workers looked after until recovered."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import select

from gateway.adapters.sql_calls import SqlCalls
from gateway.adapters.sql_recording_schema import recordings as recordings_table
from gateway.adapters.sql_recording_schema import stored_files
from gateway.adapters.sql_recordings import SqlRecordings
from gateway.core.errors import NotFound
from gateway.core.ids import CallId, NodeId, UserId
from gateway.core.quota.balance import Balance
from gateway.core.quota.charge import Recorded, Stamp
from gateway.core.quota.lease import Ask, BudgetId, WorkerId
from gateway.ports.recordings import Assembled, Recording
from tests.adapters.quota.conftest import Bench
from tests.adapters.sql.rows import a_call, an_account, fresh_id

NODE, OTHER_NODE, WORKER = NodeId("node"), NodeId("other"), WorkerId("worker")

pytestmark = pytest.mark.services


@pytest.fixture
def recordings(bench: Bench) -> SqlRecordings:
    return SqlRecordings(bench.database)


def a_recording(bench: Bench, duration_ms: int = 61_500) -> Recording:
    assembled = Assembled(
        file="account/call.ogg",
        peaks=None,
        duration_ms=duration_ms,
        bytes=1_234,
        sha256="0" * 64,
        began_at=bench.wall.now - 100,
        segments=({"segment": 0, "end_reason": "quota"}, {"segment": 1}),
    )
    return Recording(
        CallId(fresh_id()), bench.account_id, assembled, finished_at=bench.wall.now
    )


async def keep(recordings: SqlRecordings, bench: Bench, recording: Recording) -> bool:
    recorded = Recorded(recording.assembled.duration_ms)
    charged = await recordings.keep(recording, recorded, Stamp(bench.wall.now))
    return charged.is_repeat


async def test_a_recording_is_found_as_it_was_kept(
    bench: Bench, recordings: SqlRecordings
) -> None:
    await bench.own(600_000)
    recording = a_recording(bench)
    assert await recordings.find(recording.call_id) is None
    assert not await keep(recordings, bench, recording)
    assert await recordings.find(recording.call_id) == recording


async def test_what_the_library_asks_for_is_noted_with_a_recording(bench: Bench) -> None:
    await bench.own(600_000)
    recording = a_recording(bench)
    call = a_call(bench.account_id, call_id=recording.call_id, agent_id=UserId("agent"))
    await SqlCalls(bench.database, bench.wall).create(call)
    await keep(SqlRecordings(bench.database, NODE), bench, recording)
    async with bench.database.reading() as connection:
        row = (await connection.execute(select(recordings_table))).one()
        files = (await connection.execute(select(stored_files))).all()
    assert (row.direction, row.agent_id, row.peer_phone) == ("inbound", "agent", "628111222333")
    assert (row.cut_by_quota, row.verdict, row.version) == (True, None, 1)
    # The bench's clock stands at 21 September 2026 in Jakarta.
    assert (row.made_day, row.purge_day) == ("2026-09-21", "2028-09-22")
    [file] = files
    assert (file.key, file.role, file.state) == ("account/call.ogg", "local", "kept")
    assert (file.place, file.node_id, file.sha256) == ("folder", NODE, "0" * 64)


async def test_a_captured_call_is_charged_with_its_recording_and_the_rest_is_free(
    bench: Bench, recordings: SqlRecordings
) -> None:
    await bench.own(600_000)
    recording = a_recording(bench, 2_000)
    budget = await bench.minutes.open_capture(
        recording.call_id, bench.account_id, WORKER, fresh=BudgetId(fresh_id())
    )
    ask = Ask(bench.account_id, budget.budget_id, 1, 1, 0)
    await bench.minutes.renew(ask, now=bench.wall.now)
    await bench.minutes.suspend_worker(WORKER)
    await keep(recordings, bench, recording)
    view = await bench.minutes.view(bench.account_id, now=bench.wall.now)
    assert view.balance == Balance(600_000, 2_000, 0)
    assert await bench.books.verify(bench.account_id) == []


async def test_kept_again_nothing_is_charged_again(
    bench: Bench, recordings: SqlRecordings
) -> None:
    await bench.own(600_000)
    recording = a_recording(bench)
    await keep(recordings, bench, recording)
    longer = replace(
        recording, assembled=replace(recording.assembled, duration_ms=99_000, file="x")
    )
    assert await keep(recordings, bench, longer)
    assert await recordings.find(recording.call_id) == recording
    view = await bench.minutes.view(bench.account_id, now=bench.wall.now)
    assert view.balance.used_ms == 61_500


async def test_kept_by_several_at_once_it_is_charged_once(rival_benches: list[Bench]) -> None:
    await rival_benches[0].own(600_000)
    recording = a_recording(rival_benches[0])
    repeats = await asyncio.gather(
        *(keep(SqlRecordings(each.database), each, recording) for each in rival_benches)
    )
    assert sorted(repeats) == [False, True, True, True]
    first = rival_benches[0]
    view = await first.minutes.view(first.account_id, now=first.wall.now)
    assert view.balance.used_ms == 61_500


async def test_a_recording_of_another_accounts_call_is_not_kept(
    bench: Bench, recordings: SqlRecordings
) -> None:
    await bench.own(600_000)
    recording = a_recording(bench)
    await bench.minutes.open_capture(
        recording.call_id, bench.account_id, WORKER, fresh=BudgetId(fresh_id())
    )
    other = await an_account(bench.database, bench.wall)
    with pytest.raises(NotFound):
        await keep(recordings, bench, replace(recording, account_id=other.account_id))
    assert await recordings.find(recording.call_id) is None, "neither noted nor charged"


async def test_workers_are_looked_after_by_their_node_until_they_are_recovered(
    recordings: SqlRecordings,
) -> None:
    await recordings.note_worker(WORKER, NODE, now=1.0)
    await recordings.note_worker(WORKER, NODE, now=2.0)
    await recordings.note_worker(WorkerId("later"), NODE, now=3.0)
    await recordings.note_worker(WorkerId("far"), OTHER_NODE, now=0.0)
    assert await recordings.unrecovered(NODE) == [WORKER, "later"]
    await recordings.note_recovered(WORKER, now=4.0)
    await recordings.note_recovered(WORKER, now=5.0)
    assert await recordings.unrecovered(NODE) == ["later"]
    await recordings.note_worker(WORKER, NODE, now=6.0)
    assert await recordings.unrecovered(NODE) == ["later"], "one life is recovered once"
    assert await recordings.unrecovered(OTHER_NODE) == ["far"]
