"""Contract of `CallStore`, on both engines."""

import asyncio
import math

import pytest
from sqlalchemy.exc import IntegrityError

from gateway.adapters.sql_calls import IDEMPOTENCY_S, SqlCalls
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_inbox import SqlInbox
from gateway.core.errors import BadInput, NotOwner, VersionConflict
from gateway.core.ids import AccountId, CallId, CommandId, NodeId, UserId, Wacid
from gateway.core.whatsapp import Direction, Peer
from gateway.ports.calls import CallFilter, CallRow, TraceLine
from tests.adapters.sql.conftest import Wall
from tests.adapters.sql.rows import (
    AGENT,
    NUMBER,
    a_call,
    a_command,
    a_line,
    an_account,
    an_item,
    fresh_id,
    next_step,
)
from tests.conftest import Rounds

pytestmark = pytest.mark.services


@pytest.fixture
def calls(database: Database, wall: Wall) -> SqlCalls:
    return SqlCalls(database, wall)


@pytest.fixture
async def account_id(database: Database, wall: Wall) -> AccountId:
    return (await an_account(database, wall)).account_id


async def test_ids_that_no_text_column_takes_are_unknown(
    calls: SqlCalls, account_id: AccountId
) -> None:
    row = a_call(account_id)
    await calls.create(row)
    for strange in ("\x00", "\ud800", "x" * 10_000, row.call_id + "x"):
        assert await calls.load(CallId(strange)) is None
        assert await calls.pending(CallId(strange)) == []


async def test_a_call_comes_back_as_it_was_stored(
    calls: SqlCalls, account_id: AccountId
) -> None:
    row = a_call(
        account_id,
        peer=Peer("628111222333", "BSUID.1", "BSUID.0", "Siti 🌺", "siti"),
        agent_id=AGENT,
        answered_at=1_790_000_001.001,
        ended_at=1_790_000_777.999,
        outcome="completed",
        state="ended",
    )
    await calls.create(row)
    assert row.wacid is not None
    assert await calls.load(row.call_id) == row
    assert await calls.by_wacid(NUMBER, row.wacid) == row
    assert await calls.load(CallId("unknown")) is None
    assert await calls.by_wacid(NUMBER, Wacid("wacid.unknown")) is None


async def test_a_step_stores_call_commands_trace_and_inbox_mark_together(
    calls: SqlCalls, account_id: AccountId, database: Database, wall: Wall
) -> None:
    inbox = SqlInbox(database, wall)
    await inbox.add([an_item("one"), an_item("two")], received_at=wall())
    first, second = await inbox.waiting(limit=9)
    row = a_call(account_id)
    ordered = [a_command(row, kind) for kind in ("answer", "pre_accept", "ring")]
    lines = [a_line(row, row.created_at, "created")]
    await calls.create(row, commands=ordered, trace=lines, inbox_id=first.inbox_id)
    assert await calls.pending(row.call_id) == ordered
    assert await calls.trace(row.call_id) == lines
    assert await inbox.waiting(limit=9) == [second]

    later = next_step(row, state="connecting")
    more = [a_command(row, "accept")]
    await calls.save(later, commands=more, inbox_id=second.inbox_id)
    assert await calls.load(row.call_id) == later
    assert await calls.pending(row.call_id) == [*ordered, *more]
    assert await inbox.waiting(limit=9) == []


async def test_a_refused_step_leaves_nothing_behind(
    calls: SqlCalls, account_id: AccountId, database: Database, wall: Wall
) -> None:
    inbox = SqlInbox(database, wall)
    await inbox.add([an_item("one")], received_at=wall())
    (waiting,) = await inbox.waiting(limit=9)
    row = a_call(account_id)
    await calls.create(row)
    command, line = a_command(row), a_line(row, 1.0, "created")
    twin = a_call(account_id, wacid=row.wacid)
    for refused in (row, twin):
        with pytest.raises(VersionConflict):
            await calls.create(
                refused, commands=[command], trace=[line], inbox_id=waiting.inbox_id
            )
    with pytest.raises(VersionConflict):
        await calls.save(
            next_step(next_step(row)),
            commands=[command],
            trace=[line],
            inbox_id=waiting.inbox_id,
        )
    # Refused at the last statement of the transaction: all of it goes.
    with pytest.raises(IntegrityError):
        await calls.save(next_step(row), commands=[command, command], trace=[line])
    assert await calls.load(row.call_id) == row
    assert await calls.pending(row.call_id) == []
    assert await calls.trace(row.call_id) == []
    assert await inbox.waiting(limit=9) == [waiting]


async def test_calls_without_a_wacid_do_not_collide(
    calls: SqlCalls, account_id: AccountId
) -> None:
    first, second = a_call(account_id, wacid=None), a_call(account_id, wacid=None)
    await calls.create(first)
    await calls.create(second)
    named = next_step(first, wacid=Wacid("wacid.later"))
    await calls.save(named)
    assert await calls.by_wacid(NUMBER, Wacid("wacid.later")) == named


async def test_save_needs_the_version_before_and_the_owner(
    calls: SqlCalls, account_id: AccountId
) -> None:
    row = a_call(account_id)
    with pytest.raises(VersionConflict):
        await calls.save(next_step(row))
    await calls.create(row)
    with pytest.raises(VersionConflict):
        await calls.save(row)
    with pytest.raises(NotOwner):
        await calls.save(next_step(row, owner_epoch=2))
    with pytest.raises(NotOwner):
        await calls.save(next_step(row, owner_node=NodeId("node-b")))


async def test_of_many_writers_of_one_version_one_wins(
    rivals: list[Database], account_id: AccountId, wall: Wall, rounds: Rounds
) -> None:
    stores = [SqlCalls(each, wall) for each in rivals]
    for _ in range(rounds(quick=3, soak=100)):
        row = a_call(account_id)
        await stores[0].create(row)
        steps = [next_step(row, snapshot=str(number)) for number in range(len(stores))]
        results = await asyncio.gather(
            *(
                store.save(step, commands=[a_command(row)])
                for store, step in zip(stores, steps, strict=True)
            ),
            return_exceptions=True,
        )
        won = [step for step, result in zip(steps, results, strict=True) if result is None]
        assert len(won) == 1
        assert all(isinstance(each, VersionConflict) for each in results if each is not None)
        assert await stores[0].load(row.call_id) == won[0]
        assert len(await stores[0].pending(row.call_id)) == 1


async def test_of_many_creators_of_one_wacid_one_wins(
    rivals: list[Database], account_id: AccountId, wall: Wall, rounds: Rounds
) -> None:
    stores = [SqlCalls(each, wall) for each in rivals]
    for _ in range(rounds(quick=3, soak=100)):
        wacid = Wacid(f"wacid.{fresh_id()}")
        rows = [a_call(account_id, wacid=wacid) for _ in stores]
        results = await asyncio.gather(
            *(store.create(row) for store, row in zip(stores, rows, strict=True)),
            return_exceptions=True,
        )
        won = [row for row, result in zip(rows, results, strict=True) if result is None]
        assert len(won) == 1
        assert all(isinstance(each, VersionConflict) for each in results if each is not None)
        assert await stores[0].by_wacid(NUMBER, wacid) == won[0]


async def test_one_of_many_adopters_owns_the_call_and_the_old_owner_cannot_write(
    rivals: list[Database], account_id: AccountId, wall: Wall, rounds: Rounds
) -> None:
    stores = [SqlCalls(each, wall) for each in rivals]
    for _ in range(rounds(quick=3, soak=100)):
        row = a_call(account_id)
        await stores[0].create(row)
        adopted = await asyncio.gather(
            *(
                store.adopt(
                    row.call_id, seen_epoch=1, node=NodeId(f"node-{place}"), epoch=2 + place
                )
                for place, store in enumerate(stores)
            )
        )
        assert adopted.count(True) == 1
        winner = adopted.index(True)
        stored = await stores[0].load(row.call_id)
        assert stored is not None
        assert (stored.owner_node, stored.owner_epoch) == (f"node-{winner}", 2 + winner)
        with pytest.raises(NotOwner):
            await stores[0].save(next_step(row))


async def test_finished_commands_are_not_pending_and_finishing_twice_is_fine(
    calls: SqlCalls, account_id: AccountId
) -> None:
    row = a_call(account_id)
    first, second = a_command(row), a_command(row)
    await calls.create(row, commands=[first, second])
    await calls.finish(first.command_id)
    await calls.finish(first.command_id)
    await calls.finish(CommandId("unknown"))
    assert await calls.pending(row.call_id) == [second]


async def test_live_names_all_calls_that_have_not_ended(
    calls: SqlCalls, account_id: AccountId
) -> None:
    ringing, talking = a_call(account_id), a_call(account_id, state="talking")
    ended = a_call(account_id, state="ended", ended_at=1.0)
    foreign = a_call(account_id, owner_node=NodeId("node-b"), created_at=1.0)
    for row in (ringing, talking, ended, foreign):
        await calls.create(row)
    live = await calls.live()
    assert live[0] == foreign
    assert {row.call_id for row in live} == {row.call_id for row in (ringing, talking, foreign)}


async def test_unfinished_names_ended_calls_with_commands_too(
    calls: SqlCalls, account_id: AccountId
) -> None:
    live = a_call(account_id)
    owed = a_call(account_id, state="ended", created_at=1.0)
    over = a_call(account_id, state="ended")
    command = a_command(owed)
    await calls.create(live, commands=[a_command(live), a_command(live)])
    await calls.create(owed, commands=[command])
    await calls.create(over)
    assert await calls.unfinished() == [owed, live]
    await calls.finish(command.command_id)
    assert await calls.unfinished() == [live]


async def test_pages_walk_all_calls_newest_first_once_each(
    calls: SqlCalls, account_id: AccountId
) -> None:
    # Several in the same instant: the cursor has to tell them apart.
    rows = [a_call(account_id, created_at=1_790_000_000.0 + n // 3 * 0.1) for n in range(11)]
    for row in rows:
        await calls.create(row)
    wanted = CallFilter(account_id)
    seen: list[CallRow] = []
    cursor = None
    while True:
        page = await calls.page(wanted, cursor=cursor, limit=4)
        seen += page.rows
        assert len(page.rows) <= 4
        if (cursor := page.next_cursor) is None:
            break
    assert seen == sorted(rows, key=lambda row: (row.created_at, row.call_id), reverse=True)


async def test_pages_keep_to_the_filter_and_the_account(
    calls: SqlCalls, account_id: AccountId, database: Database, wall: Wall
) -> None:
    other = await an_account(database, wall)
    mine = a_call(account_id, agent_id=AGENT)
    placed = a_call(account_id, direction=Direction.OUTBOUND)
    ended = a_call(account_id, state="ended")
    foreign = a_call(other.account_id, agent_id=AGENT)
    for row in (mine, placed, ended, foreign):
        await calls.create(row)

    async def found(wanted: CallFilter) -> set[CallId]:
        return {row.call_id for row in (await calls.page(wanted, cursor=None, limit=50)).rows}

    assert await found(CallFilter(account_id, agent_id=AGENT)) == {mine.call_id}
    assert await found(CallFilter(account_id, direction=Direction.OUTBOUND)) == {placed.call_id}
    assert await found(CallFilter(account_id, live_only=True)) == {
        mine.call_id,
        placed.call_id,
    }


async def test_calls_with_one_person_are_found_by_number_or_user_id(
    calls: SqlCalls, account_id: AccountId, database: Database, wall: Wall
) -> None:
    other = await an_account(database, wall)
    by_phone = a_call(account_id, peer=Peer(phone="62811"), agent_id=AGENT)
    by_id = a_call(account_id, peer=Peer(user_id="ID.7"))
    by_both = a_call(account_id, peer=Peer(phone="62811", user_id="ID.7"))
    longer = a_call(account_id, peer=Peer(phone="628119"))
    foreign = a_call(other.account_id, peer=Peer(phone="62811"))
    for row in (by_phone, by_id, by_both, longer, foreign):
        await calls.create(row)

    async def found(peer: Peer, agent_id: UserId | None = None) -> set[CallId]:
        wanted = CallFilter(account_id, agent_id=agent_id, peer=peer)
        return {row.call_id for row in (await calls.page(wanted, cursor=None, limit=50)).rows}

    assert await found(Peer(phone="62811")) == {by_phone.call_id, by_both.call_id}
    assert await found(Peer(user_id="ID.7")) == {by_id.call_id, by_both.call_id}
    everything = {by_phone.call_id, by_id.call_id, by_both.call_id}
    assert await found(Peer(phone="62811", user_id="ID.7")) == everything
    assert await found(Peer(phone="62811"), agent_id=AGENT) == {by_phone.call_id}
    assert await found(Peer()) == set()


@pytest.mark.parametrize(
    "cursor", ["", "x", "!!!!", "bm90IGEgY3Vyc29y", "aW5mIA", "é", "A" * 9999, "MHg5OTkgYQ=="]
)
async def test_a_cursor_not_made_here_is_bad_input(
    calls: SqlCalls, account_id: AccountId, cursor: str
) -> None:
    try:
        page = await calls.page(CallFilter(account_id), cursor=cursor, limit=5)
    except BadInput:
        return
    assert page.rows == ()


async def test_the_trace_is_ordered_by_time_then_by_insertion(
    calls: SqlCalls, account_id: AccountId
) -> None:
    row = a_call(account_id)
    await calls.create(row, trace=[a_line(row, 5.0, "a")])
    await calls.add_trace([a_line(row, 7.0, "d"), a_line(row, 5.0, "b")])
    await calls.add_trace([a_line(row, 5.0, "c")])
    await calls.add_trace([])
    assert [line.step for line in await calls.trace(row.call_id)] == ["a", "b", "c", "d"]


async def test_trace_fields_of_any_json_survive(calls: SqlCalls) -> None:
    fields = {"text": "a\x00b\ud800 🌺", "n": 1.5, "list": [None, True, {"deep": -1}]}
    line = TraceLine(CallId("unstored"), 1.0, "graph", "x" * 500, dict(fields))  # type: ignore[arg-type]
    await calls.add_trace([line])
    (stored,) = await calls.trace(CallId("unstored"))
    assert stored.fields == fields
    await calls.add_trace([TraceLine(CallId("nan"), 1.0, "media", "jitter", {"ms": math.nan})])
    assert len(await calls.trace(CallId("nan"))) == 1


async def test_what_a_stranger_sends_can_always_be_stored(
    calls: SqlCalls, account_id: AccountId
) -> None:
    wacid = Wacid("wacid.\x00\udfff" + "A" * 999)
    row = a_call(account_id, wacid=wacid, peer=Peer(name="a\x00b\ud800", username="u" * 9000))
    await calls.create(row)
    stored = await calls.by_wacid(NUMBER, wacid)
    assert stored is not None
    assert stored.call_id == row.call_id
    assert stored.peer.name == "a\ufffdb\ufffd"


async def test_an_idempotency_key_stays_bound_for_a_day(
    calls: SqlCalls, account_id: AccountId, wall: Wall
) -> None:
    one, two = CallId(fresh_id()), CallId(fresh_id())
    assert await calls.idempotent(account_id, "key", one) == one
    assert await calls.idempotent(account_id, "key", two) == one
    assert await calls.idempotent(account_id, "other", two) == two
    assert await calls.idempotent(AccountId("another"), "key", two) == two
    wall.now += IDEMPOTENCY_S + 1
    assert await calls.idempotent(account_id, "key", two) == two


async def test_rivals_with_one_key_get_one_call(
    rivals: list[Database], wall: Wall, rounds: Rounds
) -> None:
    stores = [SqlCalls(each, wall) for each in rivals]
    for number in range(rounds(quick=3, soak=100)):
        ids = await asyncio.gather(
            *(
                store.idempotent(AccountId("a"), f"key {number}", CallId(fresh_id()))
                for store in stores
            )
        )
        assert len(set(ids)) == 1
