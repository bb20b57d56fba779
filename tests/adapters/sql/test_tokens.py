"""Contract of `TokenStore`, on both engines."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import text

from gateway.adapters.sql_accounts import SqlAccounts
from gateway.adapters.sql_audit import SqlAudit
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_passwords import PasswordHashing
from gateway.adapters.sql_tokens import SqlTokens, TokenBounds
from gateway.core.errors import BadInput, NotFound, Refused
from gateway.core.ids import AccountId, TokenId, UserId
from gateway.ports.accounts import Account, Person, Role
from gateway.ports.audit import Deed
from gateway.ports.tokens import NewToken, Scope
from tests.adapters.sql.conftest import Wall
from tests.adapters.sql.rows import CHEAP, accounts_of, fresh_id

pytestmark = pytest.mark.services

DAY = 24 * 3600.0


@pytest.fixture
async def accounts(database: Database, wall: Wall) -> AsyncIterator[SqlAccounts]:
    hashing = PasswordHashing(CHEAP)
    yield accounts_of(database, wall, hashing)
    hashing.close()


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
        password="correct horse",
    )


@pytest.fixture
def tokens(database: Database) -> SqlTokens:
    return SqlTokens(database, fresh_id, TokenBounds(of_account_max=3, age_max_s=10 * DAY))


def wanted(account: Account, wall: Wall, **changes: object) -> NewToken:
    token = NewToken(
        account_id=account.account_id,
        name="CRM",
        scopes=frozenset({Scope.CALLS_READ, Scope.QUOTA_READ}),
        expires_at=wall() + DAY,
    )
    return replace(token, **changes)  # type: ignore[arg-type]  # any field


async def test_a_secret_stands_for_its_token_and_only_its_hash_is_kept(
    tokens: SqlTokens, account: Account, wall: Wall, database: Database
) -> None:
    token, secret = await tokens.create(wanted(account, wall), now=wall())
    assert secret.startswith(token.prefix + "_")
    assert len(secret) > 50
    found = await tokens.look_up(secret, now=wall())
    assert found is not None
    assert (found.token, found.account) == (token, account)
    assert (str(found.person.user_id), found.person.name) == (str(token.token_id), "CRM")
    for other in ("", secret[:-1], secret + "x", token.prefix, "\x00\ud800"):
        assert await tokens.look_up(other, now=wall()) is None
    async with database.reading() as connection:
        row = (await connection.execute(text("SELECT * FROM api_tokens"))).one()
    assert secret not in str(row)
    assert row.secret_hash == hashlib.sha256(secret.encode()).hexdigest()


async def test_a_token_ends_with_its_time_or_when_it_is_revoked(
    tokens: SqlTokens, account: Account, wall: Wall
) -> None:
    token, secret = await tokens.create(wanted(account, wall), now=wall())
    assert await tokens.look_up(secret, now=wall() + DAY - 1)
    assert await tokens.look_up(secret, now=wall() + DAY) is None
    for _ in range(2):
        await tokens.revoke(account.account_id, token.token_id, actor=None, now=wall())
    assert await tokens.look_up(secret, now=wall()) is None
    (listed,) = await tokens.of_account(account.account_id)
    assert listed.revoked_at == wall()
    assert not listed.is_live(wall())


async def test_nobody_revokes_or_lists_another_accounts_token(
    tokens: SqlTokens, accounts: SqlAccounts, account: Account, wall: Wall
) -> None:
    other = await accounts.add_account(cid="C-2", name="Other", timezone="UTC")
    token, secret = await tokens.create(wanted(account, wall), now=wall())
    for account_id, token_id in (
        (other.account_id, token.token_id),
        (account.account_id, TokenId("nothing")),
        (account.account_id, TokenId("\x00\ud800")),
    ):
        with pytest.raises(NotFound):
            await tokens.revoke(account_id, token_id, actor=None, now=wall())
    assert await tokens.look_up(secret, now=wall())
    assert await tokens.of_account(other.account_id) == []


async def test_a_token_that_acts_for_a_person_is_that_person_and_ends_with_them(
    tokens: SqlTokens, accounts: SqlAccounts, account: Account, ayu: Person, wall: Wall
) -> None:
    order = wanted(account, wall, scopes=frozenset({Scope.CALLS_DIAL}), acts_for=ayu.user_id)
    _, secret = await tokens.create(order, now=wall())
    found = await tokens.look_up(secret, now=wall())
    assert found is not None
    assert found.person == ayu
    await accounts.disable(ayu.user_id)
    assert await tokens.look_up(secret, now=wall()) is None
    with pytest.raises(NotFound, match="no such person"):
        await tokens.create(order, now=wall())
    await accounts.enable(ayu.user_id)
    assert await tokens.look_up(secret, now=wall())


async def test_orders_that_cannot_be_are_refused_in_words(
    tokens: SqlTokens, accounts: SqlAccounts, account: Account, ayu: Person, wall: Wall
) -> None:
    other = await accounts.add_account(cid="C-2", name="Other", timezone="UTC")
    dial = frozenset({Scope.CALLS_DIAL})
    for changes, words in (
        ({"name": "  "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"scopes": frozenset()}, "scope"),
        ({"scopes": dial}, "person"),
        ({"expires_at": wall()}, "expire"),
        ({"expires_at": wall() + 11 * DAY}, "10 days"),
        ({"acts_for": UserId("nobody")}, "no such person"),
        ({"account_id": other.account_id, "acts_for": ayu.user_id}, "no such person"),
        ({"account_id": AccountId("none")}, "no such account"),
    ):
        with pytest.raises(BadInput, match=words):
            await tokens.create(wanted(account, wall, **changes), now=wall())
    assert await tokens.of_account(account.account_id) == []


async def test_of_many_orders_at_once_no_more_are_made_than_may_be(
    rivals: list[Database], account: Account, wall: Wall
) -> None:
    stores = [SqlTokens(each, fresh_id, TokenBounds(of_account_max=3)) for each in rivals]
    results = await asyncio.gather(
        *(store.create(wanted(account, wall), now=wall()) for store in stores * 3),
        return_exceptions=True,
    )
    refused = [each for each in results if isinstance(each, Refused)]
    assert len(results) - len(refused) == 3
    assert {each.code for each in refused} == {"too_many_tokens"}
    # An ended one makes room.
    first = (await stores[0].of_account(account.account_id))[0]
    await stores[0].revoke(account.account_id, first.token_id, actor=None, now=wall())
    await stores[0].create(wanted(account, wall), now=wall())


async def test_use_is_noted_once_a_minute_and_the_first_one_in_the_audit(
    tokens: SqlTokens, account: Account, wall: Wall, database: Database
) -> None:
    token, secret = await tokens.create(wanted(account, wall), now=wall())
    await tokens.revoke(account.account_id, token.token_id, actor=None, now=wall())
    token, secret = await tokens.create(wanted(account, wall), now=wall())
    for later, noted in ((0, 0), (59, 0), (61, 61), (90, 61)):
        found = await tokens.look_up(secret, now=wall() + later)
        assert found is not None
        await tokens.note_use(found.token, now=wall() + later)
        found_all = await tokens.of_account(account.account_id)
        listed = next(each for each in found_all if each.token_id == token.token_id)
        assert listed.last_used_at == wall() + noted
    deeds = await SqlAudit(database).recent(account.account_id, limit=10)
    assert [each.action for each in deeds] == [
        Deed.TOKEN_FIRST_USED,
        Deed.TOKEN_CREATED,
        Deed.TOKEN_REVOKED,
        Deed.TOKEN_CREATED,
        Deed.ACCOUNT_ADDED,
    ]
    assert deeds[0].token_id == token.token_id
    assert secret not in str(deeds)


async def test_tokens_that_ended_long_ago_are_forgotten(
    database: Database, account: Account, wall: Wall
) -> None:
    tokens = SqlTokens(database, fresh_id, TokenBounds(ended_kept_s=DAY))
    revoked, _ = await tokens.create(wanted(account, wall), now=wall())
    await tokens.create(wanted(account, wall), now=wall())
    kept, _ = await tokens.create(
        wanted(account, wall, expires_at=wall() + 9 * DAY), now=wall()
    )
    await tokens.revoke(account.account_id, revoked.token_id, actor=None, now=wall())
    assert await tokens.purge(now=wall() + DAY) == 0
    assert await tokens.purge(now=wall() + DAY + 1) == 1
    assert await tokens.purge(now=wall() + 2 * DAY + 1) == 1
    assert [each.token_id for each in await tokens.of_account(account.account_id)] == [
        kept.token_id
    ]
