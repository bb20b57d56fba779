"""Accounts, numbers and people: what the operator writes and the runtime reads."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from gateway.adapters.secrets_key_ring import KeyRing, new_key
from gateway.adapters.sql_accounts import SqlAccounts
from gateway.adapters.sql_audit import SqlAudit
from gateway.adapters.sql_directory import SqlDirectory
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_nodes import SqlNodes
from gateway.adapters.sql_passwords import PasswordHashing
from gateway.core.errors import BadInput, NotFound, SecretUnreadable
from gateway.core.ids import AccountId, NodeId, PhoneNumberId, UserId
from gateway.core.recording.policy import Records
from gateway.ports.accounts import Account, Number, Role
from gateway.ports.audit import AuditEntry
from tests.adapters.sql.conftest import Wall
from tests.adapters.sql.rows import CHEAP, NUMBER, accounts_of

pytestmark = pytest.mark.services

TOKEN = "EAAG-the-access-token"


@pytest.fixture
async def hashing() -> AsyncIterator[PasswordHashing]:
    hashing = PasswordHashing(CHEAP)
    yield hashing
    hashing.close()


@pytest.fixture
def keys() -> KeyRing:
    return KeyRing.parse(new_key())


@pytest.fixture
def accounts(
    database: Database, wall: Wall, hashing: PasswordHashing, keys: KeyRing
) -> SqlAccounts:
    return accounts_of(database, wall, hashing, keys)


@pytest.fixture
def directory(database: Database, keys: KeyRing) -> SqlDirectory:
    return SqlDirectory(database, keys)


@pytest.fixture
async def account(accounts: SqlAccounts) -> Account:
    return await accounts.add_account(cid="C-1", name="Toko", timezone="Asia/Jakarta")


def number_of(account: Account, number_id: str = NUMBER) -> Number:
    return Number(PhoneNumberId(number_id), account.account_id, "waba-1", "+62 21 555", TOKEN)


async def test_an_account_is_found_by_id_and_by_cid(
    accounts: SqlAccounts, directory: SqlDirectory, account: Account
) -> None:
    assert await directory.account(account.account_id) == account
    assert await accounts.account("C-1") == account
    assert await directory.account(AccountId("unknown")) is None
    with pytest.raises(NotFound):
        await accounts.account("C-2")
    other = await accounts.add_account(cid="A-1", name="Warung", timezone="UTC")
    assert await accounts.accounts() == [other, account]


@pytest.mark.parametrize(
    ("cid", "name", "timezone"),
    [
        ("C-1", "Toko", "UTC"),
        ("", "Toko", "UTC"),
        ("C-2", " ", "UTC"),
        ("C-2", "Toko", "Mars/Olympus"),
        ("C-2", "Toko", "../etc/passwd"),
        ("C-2", "To\x00ko", "UTC"),
    ],
)
async def test_a_bad_account_is_refused(
    accounts: SqlAccounts, account: Account, cid: str, name: str, timezone: str
) -> None:
    with pytest.raises(BadInput):
        await accounts.add_account(cid=cid, name=name, timezone=timezone)


async def test_a_number_comes_back_with_its_token_which_is_sealed_at_rest(
    accounts: SqlAccounts, directory: SqlDirectory, account: Account, database: Database
) -> None:
    await accounts.add_number(number_of(account))
    await accounts.add_number(number_of(account, "2"))
    assert await directory.number(NUMBER) == number_of(account)
    assert await directory.number(PhoneNumberId("3")) is None
    found = await directory.numbers(account.account_id)
    assert [each.phone_number_id for each in found] == [NUMBER, "2"]
    assert TOKEN not in repr(found)
    async with database.reading() as connection:
        rows = (await connection.execute(text("SELECT * FROM numbers"))).all()
    assert TOKEN.encode() not in b"".join(bytes(row.token_sealed) for row in rows)
    assert len({bytes(row.token_sealed) for row in rows}) == 2
    with pytest.raises(BadInput):
        await accounts.add_number(number_of(account))


async def test_a_sealed_token_copied_to_another_number_does_not_open(
    accounts: SqlAccounts, directory: SqlDirectory, account: Account, database: Database
) -> None:
    await accounts.add_number(number_of(account))
    await accounts.add_number(number_of(account, "2"))
    async with database.writing() as connection:
        await connection.execute(
            text(
                "UPDATE numbers SET token_sealed = (SELECT token_sealed FROM numbers "
                "WHERE phone_number_id = '2') WHERE phone_number_id <> '2'"
            )
        )
    with pytest.raises(SecretUnreadable):
        await directory.number(NUMBER)


async def test_keys_rotate_without_losing_a_token(
    database: Database, wall: Wall, hashing: PasswordHashing, account: Account
) -> None:
    old, new = new_key(), new_key()
    await accounts_of(database, wall, hashing, KeyRing.parse(old)).add_number(
        number_of(account)
    )
    both = KeyRing.parse(f"{new},{old}")
    assert (await SqlDirectory(database, both).numbers(account.account_id))[0].token == TOKEN
    only_new = SqlDirectory(database, KeyRing.parse(new))
    with pytest.raises(SecretUnreadable):
        await only_new.number(NUMBER)
    accounts = accounts_of(database, wall, hashing, both)
    assert await accounts.reseal_tokens() == 1
    assert await accounts.reseal_tokens() == 0
    found = await only_new.number(NUMBER)
    assert found is not None
    assert found.token == TOKEN


async def test_a_changed_token_replaces_the_old(
    accounts: SqlAccounts, directory: SqlDirectory, account: Account
) -> None:
    await accounts.add_number(number_of(account))
    await accounts.set_token(NUMBER, "EAAG-fresh")
    found = await directory.number(NUMBER)
    assert found is not None
    assert found.token == "EAAG-fresh"
    with pytest.raises(NotFound):
        await accounts.set_token(PhoneNumberId("3"), "x")
    with pytest.raises(BadInput):
        await accounts.set_token(NUMBER, "  ")


async def test_a_number_records_what_its_account_does_unless_it_has_a_choice_of_its_own(
    accounts: SqlAccounts, directory: SqlDirectory, account: Account, database: Database
) -> None:
    await accounts.add_number(number_of(account))
    await accounts.add_number(number_of(account, "2"))

    async def recorded() -> list[str]:
        found = await directory.numbers(account.account_id)
        one = await directory.number(found[0].phone_number_id)
        assert one is not None
        assert one.records is found[0].records
        return [each.records.value for each in found]

    assert await recorded() == ["none", "none"], "nobody is recorded who did not choose it"
    await accounts.set_records(account.account_id, Records.BOTH)
    assert await recorded() == ["both", "both"]
    assert await accounts.records(account.account_id) is Records.BOTH
    await accounts.set_number_records(account.account_id, PhoneNumberId("2"), Records.INBOUND)
    assert await recorded() == ["both", "inbound"]
    await accounts.set_number_records(account.account_id, PhoneNumberId("2"), None)
    assert await recorded() == ["both", "both"]
    other = await accounts.add_account(cid="C-2", name="Warung", timezone="UTC")
    with pytest.raises(NotFound):
        await accounts.set_number_records(other.account_id, PhoneNumberId("2"), Records.NONE)
    with pytest.raises(NotFound):
        await accounts.records(AccountId("nobody"))
    deeds = [
        deed.action for deed in await SqlAudit(database).recent(account.account_id, limit=9)
    ]
    assert deeds.count("account.records_changed") == 1
    assert deeds.count("number.records_changed") == 2


async def test_people_are_found_unless_disabled(
    accounts: SqlAccounts, directory: SqlDirectory, account: Account
) -> None:
    person = await accounts.add_person(
        account.account_id,
        email=" Ayu@Example.COM ",
        name="Ayu",
        role=Role.AGENT,
        password="correct horse",
    )
    assert person.email == "ayu@example.com"
    assert await directory.person(person.user_id) == person
    await accounts.disable(person.user_id)
    assert await directory.person(person.user_id) is None
    assert (await accounts.person("AYU@example.com")).is_disabled
    await accounts.enable(person.user_id)
    assert await directory.person(person.user_id) == person
    assert [each.person for each in await accounts.people(account.account_id)] == [person]
    with pytest.raises(NotFound):
        await accounts.disable(UserId("nobody"))
    with pytest.raises(NotFound):
        await accounts.person("nobody@example.com")


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ayu@example.com", "long enough"),
        ("no-at-sign", "long enough"),
        ("two words@example.com", "long enough"),
        ("new@example.com", "short"),
        ("new@example.com", "x" * 257),
    ],
)
async def test_a_bad_person_is_refused(
    accounts: SqlAccounts, account: Account, email: str, password: str
) -> None:
    await accounts.add_person(
        account.account_id,
        email="ayu@example.com",
        name="Ayu",
        role=Role.ADMIN,
        password="long enough",
    )
    with pytest.raises(BadInput):
        await accounts.add_person(
            account.account_id, email=email, name="X", role=Role.AGENT, password=password
        )


async def test_every_change_is_audited_without_secrets(
    accounts: SqlAccounts, account: Account, database: Database, wall: Wall
) -> None:
    await accounts.add_number(number_of(account))
    wall.now += 1
    await accounts.set_token(NUMBER, "EAAG-fresh")
    audit = SqlAudit(database)
    entries = await audit.recent(account.account_id, limit=10)
    assert [entry.action for entry in entries] == [
        "number.token_changed",
        "number.added",
        "account.added",
    ]
    assert "EAAG" not in repr(entries)
    assert len(await audit.recent(account.account_id, limit=10, before=wall())) == 2
    mine = AuditEntry(
        account.account_id, UserId("u"), "call.hung_up", "c", wall() + 1, {"n": 1}
    )
    await audit.record(mine)
    assert await audit.recent(account.account_id, limit=1) == [mine]


async def test_epochs_grow_over_all_nodes_and_never_repeat(
    rivals: list[Database], wall: Wall
) -> None:
    nodes = [SqlNodes(each, wall) for each in rivals]
    epochs = await asyncio.gather(
        *(
            node.next_epoch(NodeId(f"node-{place}"))
            for place, node in enumerate(nodes)
            for _ in range(5)
        )
    )
    assert len(set(epochs)) == 20
    assert await nodes[0].next_epoch(NodeId("node-0")) > max(epochs)
