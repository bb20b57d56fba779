"""Contract of `Inbox` and `TombstoneStore`, on both engines."""

import asyncio
import random

import pytest

from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_inbox import SqlInbox, SqlTombstones
from gateway.core.errors import StoreDown
from gateway.core.ids import PhoneNumberId, Wacid
from tests.adapters.sql.conftest import Wall
from tests.adapters.sql.rows import NUMBER, an_item
from tests.conftest import Rounds

pytestmark = pytest.mark.services


@pytest.fixture
def inbox(database: Database, wall: Wall) -> SqlInbox:
    return SqlInbox(database, wall)


async def test_items_come_back_oldest_first_as_they_were(inbox: SqlInbox, wall: Wall) -> None:
    items = [an_item("b", kind="unknown", phone_number_id=None, wacid=None), an_item("a")]
    assert await inbox.add(items[:1], received_at=wall()) == 1
    assert await inbox.add(items[1:], received_at=wall() + 1) == 1
    wall.now += 5
    rows = await inbox.waiting(limit=10)
    assert [row.item for row in rows] == items
    assert [row.received_at for row in rows] == [wall() - 5, wall() - 4]
    assert [row.tries for row in rows] == [0, 0]
    assert len(await inbox.waiting(limit=1)) == 1


async def test_a_redelivery_adds_nothing_even_after_it_was_done(
    inbox: SqlInbox, wall: Wall
) -> None:
    assert await inbox.add([an_item("a"), an_item("a"), an_item("b")], received_at=wall()) == 2
    assert await inbox.add([an_item("a"), an_item("c")], received_at=wall()) == 1
    for row in await inbox.waiting(limit=10):
        await inbox.done(row.inbox_id, note="worked")
        await inbox.done(row.inbox_id)
    assert await inbox.add([an_item("a"), an_item("c")], received_at=wall()) == 0
    assert await inbox.waiting(limit=10) == []
    assert await inbox.add([], received_at=wall()) == 0


async def test_a_failed_row_waits_until_its_next_try_and_counts(
    inbox: SqlInbox, wall: Wall
) -> None:
    await inbox.add([an_item("a"), an_item("b")], received_at=wall())
    first, second = await inbox.waiting(limit=10)
    await inbox.failed(first.inbox_id, error="the worker is away", retry_at=wall() + 30)
    assert await inbox.waiting(limit=10) == [second]
    wall.now += 30
    again, _ = await inbox.waiting(limit=10)
    assert (again.inbox_id, again.tries) == (first.inbox_id, 1)


async def test_a_row_failed_for_good_never_comes_back(inbox: SqlInbox, wall: Wall) -> None:
    await inbox.add([an_item("a")], received_at=wall())
    (row,) = await inbox.waiting(limit=10)
    await inbox.failed(row.inbox_id, error="unreadable", retry_at=None)
    wall.now += 1_000_000
    assert await inbox.waiting(limit=10) == []
    await inbox.failed(row.inbox_id, error="again", retry_at=wall())
    assert await inbox.waiting(limit=10) == []


async def test_rivals_that_deliver_the_same_events_in_any_order_store_each_once(
    rivals: list[Database], wall: Wall, rounds: Rounds, seed: int
) -> None:
    shuffle = random.Random(seed).shuffle
    stores = [SqlInbox(each, wall) for each in rivals]
    for number in range(rounds(quick=3, soak=100)):
        batches = []
        for _ in stores:
            batch = [an_item(f"{number}-{event}") for event in range(8)]
            shuffle(batch)
            batches.append(batch)
        new = await asyncio.gather(
            *(
                store.add(batch, received_at=wall())
                for store, batch in zip(stores, batches, strict=True)
            )
        )
        assert sum(new) == 8


async def test_hostile_payloads_are_stored(inbox: SqlInbox, wall: Wall) -> None:
    item = an_item(
        "k" * 128,
        kind="x" * 500,
        payload="\x00\ud800" + "🌺" * 100_000,
        wacid=Wacid("w\x00" * 500),
        phone_number_id=PhoneNumberId("9" * 500),
    )
    assert await inbox.add([item], received_at=wall()) == 1
    (row,) = await inbox.waiting(limit=1)
    assert row.item.payload.endswith("🌺")


async def test_a_full_inbox_refuses_so_that_meta_delivers_again_later(
    database: Database, wall: Wall
) -> None:
    inbox = SqlInbox(database, wall, waiting_max=2)
    await inbox.add([an_item("a"), an_item("b")], received_at=wall())
    with pytest.raises(StoreDown):
        await inbox.add([an_item("c")], received_at=wall())
    assert await inbox.waiting_count() == 2
    first, _ = await inbox.waiting(limit=10)
    await inbox.done(first.inbox_id)
    assert await inbox.waiting_count() == 1
    assert await inbox.add([an_item("c")], received_at=wall()) == 1


async def test_a_buried_call_stays_buried_and_its_inbox_row_is_done(
    inbox: SqlInbox, database: Database, wall: Wall
) -> None:
    tombstones = SqlTombstones(database, wall)
    await inbox.add([an_item("a")], received_at=wall())
    (row,) = await inbox.waiting(limit=1)
    assert not await tombstones.is_buried(NUMBER, Wacid("wacid.A"))
    await tombstones.bury(NUMBER, Wacid("wacid.A"), row.inbox_id)
    await tombstones.bury(NUMBER, Wacid("wacid.A"), None)
    assert await tombstones.is_buried(NUMBER, Wacid("wacid.A"))
    assert not await tombstones.is_buried(PhoneNumberId("another"), Wacid("wacid.A"))
    assert await inbox.waiting(limit=1) == []
