"""Accounts' own announcements on both databases."""

import asyncio
from dataclasses import replace

import pytest

from gateway.adapters.sql_announcements import RETIRED_KEPT_S, SqlAnnouncements
from gateway.adapters.sql_audit import SqlAudit
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_wishes import SqlWishes
from gateway.core.errors import NotFound, Refused
from gateway.core.ids import AccountId, UserId
from gateway.core.recording.facts import Mode
from gateway.core.recording.own_announcement import AnnouncementId, OwnAnnouncement
from gateway.core.recording.policy import Records
from gateway.core.recording.wish import Wish
from gateway.ports.announcements import MadeAnnouncement
from tests.adapters.sql.conftest import Wall
from tests.adapters.sql.rows import an_account

pytestmark = pytest.mark.services

RINA = UserId("r" * 26)


def made(letter: str, duration_ms: int = 4_000) -> MadeAnnouncement:
    own = OwnAnnouncement(AnnouncementId(letter * 64), duration_ms)
    return MadeAnnouncement(own, b"OggS\x00\xff" + letter.encode() * 5_000, "0" * 64)


async def of_account(database: Database, wall: Wall) -> AccountId:
    return (await an_account(database, wall)).account_id


async def put(
    store: SqlAnnouncements, account_id: AccountId, what: MadeAnnouncement, now: float
) -> None:
    stored = await store.replace(account_id, what, actor=RINA, now=now)
    assert stored.own == what.own


async def test_new_calls_are_given_what_was_uploaded_last(
    database: Database, wall: Wall
) -> None:
    store, account_id = SqlAnnouncements(database), await of_account(database, wall)
    assert await store.current(account_id) is None
    for letter in "abca":
        await put(store, account_id, made(letter), wall())
        current = await store.current(account_id)
        assert current is not None
        assert current.own == made(letter).own
        assert current.uploaded_at == wall()
    for letter in "abc":
        announcement_id = made(letter).own.announcement_id
        assert await store.sound(account_id, announcement_id) == made(letter).ogg
    deeds = await SqlAudit(database).recent(account_id, limit=9)
    changed = [each for each in deeds if each.action == "announcement.changed"]
    assert [each.actor for each in changed] == [RINA] * 4
    assert {each.subject for each in changed} == {letter * 64 for letter in "abc"}


async def test_a_replaced_one_is_kept_for_the_calls_that_began_with_it(
    database: Database, wall: Wall
) -> None:
    store, account_id = SqlAnnouncements(database), await of_account(database, wall)
    await put(store, account_id, made("a"), wall())
    await put(store, account_id, made("b"), wall())
    assert await store.purge(now=wall() + RETIRED_KEPT_S - 1) == 0
    assert await store.purge(now=wall() + RETIRED_KEPT_S + 1) == 1
    with pytest.raises(NotFound):
        await store.sound(account_id, made("a").own.announcement_id)
    assert await store.sound(account_id, made("b").own.announcement_id) == made("b").ogg


async def test_another_account_hears_nothing_of_it(database: Database, wall: Wall) -> None:
    store = SqlAnnouncements(database)
    ours, theirs = await of_account(database, wall), await of_account(database, wall)
    await put(store, ours, made("a"), wall())
    await put(store, theirs, made("a"), wall())
    await store.remove(theirs, actor=RINA, now=wall())
    assert await store.current(theirs) is None
    assert await store.current(ours) is not None
    with pytest.raises(NotFound):
        await store.sound(ours, made("b").own.announcement_id)
    await store.remove(theirs, actor=RINA, now=wall())
    deeds = await SqlAudit(database).recent(theirs, limit=9)
    assert len([each for each in deeds if each.action == "announcement.deleted"]) == 1


@pytest.mark.parametrize(
    ("wish", "may_go"),
    [
        (Wish(), True),
        (Wish(Records.BOTH, purpose="x"), True),
        (Wish(Records.NONE, mode=Mode.LOCAL), True),
        (Wish(Records.INBOUND, mode=Mode.LOCAL), False),
    ],
)
async def test_it_cannot_be_removed_while_calls_are_recorded_after_it(
    database: Database, wall: Wall, wish: Wish, may_go: bool
) -> None:
    store, account_id = SqlAnnouncements(database), await of_account(database, wall)
    await put(store, account_id, made("a"), wall())
    wishes = SqlWishes(database)
    await wishes.save(account_id, wish, seen=0, actor=RINA, now=wall())
    if not may_go:
        with pytest.raises(Refused) as refused:
            await store.remove(account_id, actor=RINA, now=wall())
        assert refused.value.code == "announcement_in_use"
        silent = replace(wish, records=Records.NONE)
        await wishes.save(account_id, silent, seen=1, actor=RINA, now=wall())
    await store.remove(account_id, actor=RINA, now=wall())
    assert await store.current(account_id) is None


async def test_of_uploads_at_once_one_is_the_current_one(
    rivals: list[Database], wall: Wall
) -> None:
    account_id = await of_account(rivals[0], wall)
    stores = [SqlAnnouncements(each) for each in rivals]
    puts = (
        put(store, account_id, made(letter), wall())
        for store, letter in zip(stores, "abcd", strict=True)
    )
    await asyncio.gather(*puts)
    current = await stores[0].current(account_id)
    assert current is not None
    assert await stores[1].purge(now=wall() + 2 * RETIRED_KEPT_S) == 3
    assert await stores[2].sound(account_id, current.own.announcement_id)
