"""Contract of `Passwords`, `LoginLimit` and `SessionStore`, on both engines."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator

import pytest

from gateway.adapters.secrets_key_ring import KeyRing, new_key
from gateway.adapters.sql_accounts import SqlAccounts
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_login_limit import LoginBounds, SqlLoginLimit, network_of
from gateway.adapters.sql_passwords import HashCost, PasswordHashing, SqlPasswords
from gateway.adapters.sql_sessions import SessionBounds, SqlSessions, session_id
from gateway.core.errors import Refused
from gateway.ports.accounts import Account, Person, Role
from tests.adapters.sql.conftest import Wall
from tests.adapters.sql.rows import CHEAP, accounts_of

pytestmark = pytest.mark.services

PASSWORD = "correct horse"
HOUR = 3600.0


@pytest.fixture
async def hashing() -> AsyncIterator[PasswordHashing]:
    hashing = PasswordHashing(CHEAP)
    yield hashing
    hashing.close()


@pytest.fixture
def accounts(database: Database, wall: Wall, hashing: PasswordHashing) -> SqlAccounts:
    return accounts_of(database, wall, hashing, KeyRing.parse(new_key()))


@pytest.fixture
async def account(accounts: SqlAccounts) -> Account:
    return await accounts.add_account(cid="C-1", name="Toko", timezone="Asia/Jakarta")


@pytest.fixture
async def ayu(accounts: SqlAccounts, account: Account) -> Person:
    return await accounts.add_person(
        account.account_id,
        email="ayu@example.com",
        name="Ayu",
        role=Role.AGENT,
        password=PASSWORD,
    )


@pytest.fixture
def sessions(database: Database) -> SqlSessions:
    return SqlSessions(database, SessionBounds(idle_max_s=1800, age_max_s=12 * HOUR))


async def test_the_right_password_names_the_person(
    database: Database, hashing: PasswordHashing, accounts: SqlAccounts, ayu: Person
) -> None:
    passwords = SqlPasswords(database, hashing)
    assert await passwords.verify(" AYU@example.com", PASSWORD) == ayu
    for wrong in ("", "correct hors", PASSWORD + " ", "x" * 100_000, "\ud800\x00"):
        assert await passwords.verify("ayu@example.com", wrong) is None
    assert await passwords.verify("nobody@example.com", PASSWORD) is None
    assert await passwords.verify("\x00\ud800", PASSWORD) is None
    await accounts.set_password(ayu.user_id, "battery staple")
    assert await passwords.verify("ayu@example.com", PASSWORD) is None
    assert await passwords.verify("ayu@example.com", "battery staple") == ayu
    await accounts.disable(ayu.user_id)
    assert await passwords.verify("ayu@example.com", "battery staple") is None


async def test_a_hash_of_an_older_cost_is_renewed_at_the_next_login(
    database: Database, ayu: Person
) -> None:
    dearer = PasswordHashing(HashCost(memory_kib=128, passes=1, lanes=1))
    kept = await _kept_hash(database)
    assert dearer.is_dated(kept)
    assert await SqlPasswords(database, dearer).verify(ayu.email, PASSWORD) == ayu
    assert not dearer.is_dated(await _kept_hash(database))
    assert await SqlPasswords(database, dearer).verify(ayu.email, PASSWORD) == ayu
    dearer.close()


async def test_an_unknown_email_costs_as_much_as_a_wrong_password(
    database: Database, wall: Wall
) -> None:
    # CPU time of the hashing, which is what an observer could tell apart: the two differ
    # by thousands of percent if the hash is skipped.
    cost = HashCost(memory_kib=8 * 1024, passes=2, lanes=1, at_once_max=1)
    hashing = PasswordHashing(cost)
    accounts = accounts_of(database, wall, hashing)
    account = await accounts.add_account(cid="T", name="T", timezone="UTC")
    await accounts.add_person(
        account.account_id, email="a@b", name="A", role=Role.AGENT, password=PASSWORD
    )
    passwords = SqlPasswords(database, hashing)

    async def spent(email: str) -> float:
        before = time.process_time()
        assert await passwords.verify(email, "wrong password") is None
        return time.process_time() - before

    known = statistics.median([await spent("a@b") for _ in range(5)])
    unknown = statistics.median([await spent("x@y") for _ in range(5)])
    hashing.close()
    assert unknown > known / 3


async def test_logins_beyond_the_bound_are_refused_not_queued() -> None:
    hashing = PasswordHashing(
        HashCost(memory_kib=8 * 1024, passes=2, lanes=1, at_once_max=1, waiting_max=3)
    )
    results = await asyncio.gather(
        *(hashing.matches(None, "x") for _ in range(20)), return_exceptions=True
    )
    refused = [each for each in results if isinstance(each, Refused)]
    assert [each.code for each in refused] == ["too_many_logins"] * 16
    assert not await hashing.matches(None, "x")
    hashing.close()


async def test_ten_wrong_passwords_close_the_account_for_the_window(
    database: Database, wall: Wall
) -> None:
    limit = SqlLoginLimit(database, key=b"k", bounds=LoginBounds())
    began = wall()
    taken = 0
    while wall() < began + 600 and taken < 11:
        wait_s = await limit.take("ayu@example.com", f"10.{taken}.0.1", now=wall())
        taken += wait_s == 0
        wall.now += wait_s or 0.001
    assert taken == 10
    wait_s = await limit.take("AYU@example.com ", "192.0.2.1", now=wall())
    assert wait_s == pytest.approx(began + 900 - wall())
    assert await limit.take("budi@example.com", "192.0.2.1", now=wall()) == 0
    wall.now += wait_s
    assert await limit.take("ayu@example.com", "192.0.2.1", now=wall()) == 0


async def test_pauses_between_tries_grow(database: Database, wall: Wall) -> None:
    limit = SqlLoginLimit(database, key=b"k")
    pauses = []
    for _ in range(7):
        pause = await limit.take("ayu@example.com", "192.0.2.1", now=wall())
        pauses.append(pause)
        if pause:
            wall.now += pause
            assert await limit.take("ayu@example.com", "192.0.2.1", now=wall()) == 0
    assert pauses == pytest.approx([0, 0, 0, 1, 2, 4, 8])


async def test_a_network_is_bounded_over_many_emails_and_right_passwords_are_free(
    database: Database, wall: Wall
) -> None:
    limit = SqlLoginLimit(database, key=b"k", bounds=LoginBounds(network_tries_max=5))
    for number in range(20):
        assert await limit.take(f"{number}@office", "198.51.100.7", now=wall()) == 0
        await limit.give_back(f"{number}@office", "198.51.100.7", now=wall())
    for number in range(5):
        assert await limit.take(f"{number}@guess", f"198.51.100.{number}", now=wall()) == 0
    assert await limit.take("6@guess", "198.51.100.200", now=wall()) > 0
    assert await limit.take("6@guess", "198.51.101.200", now=wall()) == 0


async def test_a_hundred_tries_at_once_do_not_slip_through(
    rivals: list[Database], wall: Wall
) -> None:
    limits = [SqlLoginLimit(each, key=b"k") for each in rivals]
    waits = await asyncio.gather(
        *(
            limits[number % 4].take("ayu@example.com", f"10.0.{number}.1", now=wall())
            for number in range(40)
        )
    )
    assert waits.count(0.0) == 3


async def test_the_limit_keeps_no_address_and_forgets(database: Database, wall: Wall) -> None:
    limit = SqlLoginLimit(database, key=b"k")
    await limit.take("ayu@example.com", "198.51.100.7", now=wall())
    async with database.reading() as connection:
        rows = (await connection.exec_driver_sql("SELECT * FROM login_tries")).all()
    assert len(rows) == 2
    assert "ayu" not in repr(rows)
    assert "198" not in repr([row.key for row in rows if "198.51" in row.key])
    assert await limit.purge(now=wall() + 100) == 0
    assert await limit.purge(now=wall() + 1000) == 2


def test_networks_of_addresses() -> None:
    assert network_of("198.51.100.7") == network_of("::ffff:198.51.100.9") == "198.51.100.0/24"
    assert network_of("2001:db8:1:2ff::1") == network_of("2001:db8:1:200::9")
    assert network_of("2001:db8:1:2ff::1") != network_of("2001:db8:1:300::1")
    assert network_of("a socket") == "a socket"


async def test_a_token_stands_for_its_person_until_signed_out(
    sessions: SqlSessions, ayu: Person, account: Account, wall: Wall, database: Database
) -> None:
    token = await sessions.create(ayu.user_id, user_agent="Firefox\x00" * 99, now=wall())
    found = await sessions.look_up(token, now=wall())
    assert found is not None
    assert (found.person, found.account) == (ayu, account)
    assert found.session.session_id == session_id(token)
    async with database.reading() as connection:
        rows = (await connection.exec_driver_sql("SELECT * FROM sessions")).all()
    assert token not in repr(rows)
    for wrong in ("", "x", token[:-1], session_id(token), "\ud800"):
        assert await sessions.look_up(wrong, now=wall()) is None
    await sessions.revoke(token, now=wall())
    await sessions.revoke(token, now=wall())
    assert await sessions.look_up(token, now=wall()) is None


async def test_signing_in_again_ends_the_session_the_browser_came_with(
    sessions: SqlSessions, ayu: Person, wall: Wall
) -> None:
    planted = await sessions.create(ayu.user_id, user_agent="", now=wall())
    fresh = await sessions.create(ayu.user_id, user_agent="", now=wall(), replaces=planted)
    assert fresh != planted
    assert await sessions.look_up(planted, now=wall()) is None
    assert await sessions.look_up(fresh, now=wall()) is not None


async def test_an_idle_session_ends_and_a_touched_one_goes_on(
    sessions: SqlSessions, ayu: Person, wall: Wall
) -> None:
    idle = await sessions.create(ayu.user_id, user_agent="", now=wall())
    used = await sessions.create(ayu.user_id, user_agent="", now=wall())
    for _ in range(4):
        wall.now += 600
        await sessions.touch(used, now=wall())
    assert await sessions.look_up(idle, now=wall()) is None
    assert await sessions.look_up(used, now=wall()) is not None
    await sessions.touch(idle, now=wall())
    assert await sessions.look_up(idle, now=wall()) is None


async def test_no_touch_outlives_the_absolute_end(
    sessions: SqlSessions, ayu: Person, wall: Wall
) -> None:
    token = await sessions.create(ayu.user_id, user_agent="", now=wall())
    end = wall() + 12 * HOUR
    while wall() < end - 600:
        wall.now += 600
        await sessions.touch(token, now=wall())
    assert await sessions.look_up(token, now=end - 1) is not None
    assert await sessions.look_up(token, now=end) is None


async def test_a_held_session_survives_both_ends_and_ends_after_the_call(
    sessions: SqlSessions, ayu: Person, wall: Wall
) -> None:
    token = await sessions.create(ayu.user_id, user_agent="", now=wall())
    wall.now += 1799
    await sessions.hold(token, now=wall(), until=wall() + 200)
    for _ in range(15 * 20):
        wall.now += 170
        await sessions.hold(token, now=wall(), until=wall() + 200)
        assert await sessions.look_up(token, now=wall()) is not None
    wall.now += 201
    assert await sessions.look_up(token, now=wall()) is None
    await sessions.hold(token, now=wall(), until=wall() + 60)
    assert await sessions.look_up(token, now=wall()) is None


async def test_a_hold_reaches_five_minutes_at_most_and_not_past_a_revocation(
    sessions: SqlSessions, ayu: Person, wall: Wall
) -> None:
    token = await sessions.create(ayu.user_id, user_agent="", now=wall())
    wall.now += 1700
    await sessions.hold(token, now=wall(), until=wall() + 1e9)
    assert await sessions.look_up(token, now=wall() + 299) is not None
    assert await sessions.look_up(token, now=wall() + 301) is None
    await sessions.revoke(token, now=wall())
    assert await sessions.look_up(token, now=wall()) is None


async def test_signing_out_everywhere_can_spare_one_browser(
    sessions: SqlSessions, ayu: Person, wall: Wall
) -> None:
    tokens = [await sessions.create(ayu.user_id, user_agent="", now=wall()) for _ in range(3)]
    ids = [session_id(token) for token in tokens]
    assert len(await sessions.of_person(ayu.user_id, now=wall())) == 3
    assert await sessions.ended(ids, now=wall()) == frozenset()
    assert await sessions.revoke_all(ayu.user_id, now=wall(), keep=tokens[1]) == 2
    (kept,) = await sessions.of_person(ayu.user_id, now=wall())
    assert kept.session_id == ids[1]
    assert await sessions.ended([*ids, "unknown"], now=wall()) == {ids[0], ids[2], "unknown"}
    assert await sessions.ended([], now=wall()) == frozenset()
    assert await sessions.revoke_all(ayu.user_id, now=wall()) == 1


async def test_a_new_password_and_disabling_sign_out_everywhere(
    sessions: SqlSessions, accounts: SqlAccounts, ayu: Person, wall: Wall
) -> None:
    first = await sessions.create(ayu.user_id, user_agent="", now=wall())
    await accounts.set_password(ayu.user_id, "battery staple")
    assert await sessions.look_up(first, now=wall()) is None
    second = await sessions.create(ayu.user_id, user_agent="", now=wall())
    await accounts.disable(ayu.user_id)
    assert await sessions.look_up(second, now=wall()) is None
    await accounts.enable(ayu.user_id)
    assert await sessions.look_up(second, now=wall()) is None


async def test_ended_sessions_are_forgotten_after_a_week(
    sessions: SqlSessions, ayu: Person, wall: Wall
) -> None:
    week = 7 * 24 * HOUR
    await sessions.create(ayu.user_id, user_agent="", now=wall())
    revoked = await sessions.create(ayu.user_id, user_agent="", now=wall())
    await sessions.revoke(revoked, now=wall())
    assert await sessions.purge(now=wall() + week - 1) == 0
    assert await sessions.purge(now=wall() + week + 1) == 1
    live = await sessions.create(ayu.user_id, user_agent="", now=wall() + week)
    assert await sessions.purge(now=wall() + week + 1801) == 1
    assert await sessions.look_up(live, now=wall() + week) is not None


async def _kept_hash(database: Database) -> str:
    async with database.reading() as connection:
        result = await connection.exec_driver_sql("SELECT password_hash FROM users")
        return str(result.scalar_one())
