"""Accounts, numbers and people as the runtime needs them, in SQL (port `Directory`)."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, select
from typing_extensions import override

from gateway.adapters.secrets_key_ring import KeyRing
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_schema import accounts, numbers, users
from gateway.core.ids import AccountId, PhoneNumberId, UserId
from gateway.core.recording.policy import Records
from gateway.ports.accounts import Account, Directory, Number, Person, Role


class SqlDirectory(Directory):
    """Accounts, numbers with their tokens opened, and people."""

    def __init__(self, database: Database, keys: KeyRing) -> None:
        self._database = database
        self._keys = keys

    @override
    async def account(self, account_id: AccountId) -> Account | None:
        query = select(accounts).where(accounts.c.account_id == account_id)
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else account_of(row)

    @override
    async def number(self, phone_number_id: PhoneNumberId) -> Number | None:
        query = _numbers().where(numbers.c.phone_number_id == phone_number_id)
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else _number_of(row, self._keys)

    @override
    async def numbers(self, account_id: AccountId) -> Sequence[Number]:
        query = (
            _numbers()
            .where(numbers.c.account_id == account_id)
            .order_by(numbers.c.created_at, numbers.c.phone_number_id)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [_number_of(row, self._keys) for row in rows]

    @override
    async def person(self, user_id: UserId) -> Person | None:
        query = select(users).where(users.c.user_id == user_id, users.c.disabled_at.is_(None))
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else person_of(row)


def _numbers() -> Select[Any]:
    """Select numbers with what their account has recorded."""
    return select(numbers, accounts.c.records.label("account_records")).join(
        accounts, accounts.c.account_id == numbers.c.account_id
    )


def account_of(row: Row[Any]) -> Account:
    """Read an account from a row of `accounts`."""
    return Account(account_id=row.account_id, cid=row.cid, name=row.name, timezone=row.timezone)


def _number_of(row: Row[Any], keys: KeyRing) -> Number:
    return Number(
        phone_number_id=row.phone_number_id,
        account_id=row.account_id,
        waba_id=row.waba_id,
        display=row.display,
        token=keys.unseal(
            row.token_key_id, row.token_sealed, bound_to=f"number:{row.phone_number_id}"
        ),
        records=Records(row.records or row.account_records),
    )


def person_of(row: Row[Any]) -> Person:
    """Read a person from a row of `users`."""
    return Person(
        user_id=row.user_id,
        account_id=row.account_id,
        email=row.email,
        name=row.name,
        role=Role(row.role),
    )
