"""What the operator changes in SQL: accounts, numbers, people. Every change is audited."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Insert, Row, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from gateway.adapters import sql_audit, sql_sessions
from gateway.adapters.secrets_key_ring import KeyRing
from gateway.adapters.sql_directory import account_of, person_of
from gateway.adapters.sql_engine import Database, rows_changed
from gateway.adapters.sql_passwords import PasswordHashing, normal_email
from gateway.adapters.sql_schema import accounts, numbers, sessions, users
from gateway.core.errors import BadInput, NotFound
from gateway.core.ids import AccountId, PhoneNumberId, UserId
from gateway.core.recording.policy import Records
from gateway.ports import Json
from gateway.ports.accounts import Account, ListedPerson, Number, People, Person, Role
from gateway.ports.audit import AuditEntry
from gateway.ports.clock import NewId


@dataclass(frozen=True, slots=True)
class ListedNumber:
    """A number without its token, and the key that the token is sealed with."""

    phone_number_id: PhoneNumberId
    account_id: AccountId
    waba_id: str
    display: str
    token_key_id: str
    records: Records | None
    """None: as its account."""


class SqlAccounts(People):
    """Creates and changes accounts, numbers and people.

    Raises `BadInput` in words fit for the operator, `NotFound`, `StoreDown`.
    """

    def __init__(
        self,
        database: Database,
        keys: KeyRing,
        hashing: PasswordHashing,
        wall: Callable[[], float],
        new_id: NewId,
    ) -> None:
        """`wall` gives seconds since the epoch."""
        self._database = database
        self._keys = keys
        self._hashing = hashing
        self._wall = wall
        self._new_id = new_id

    async def add_account(self, *, cid: str, name: str, timezone: str) -> Account:
        """Create an account; `cid` is the customer's id outside, unique."""
        account = Account(
            account_id=AccountId(self._new_id()),
            cid=_filled(cid, "the cid", 64),
            name=_filled(name, "the name", 200),
            timezone=_known_timezone(timezone),
        )
        async with self._database.writing() as connection:
            await _insert_unique(
                connection,
                insert(accounts).values(
                    account_id=account.account_id,
                    cid=account.cid,
                    name=account.name,
                    timezone=account.timezone,
                    created_at=self._wall(),
                ),
                f"there is an account with cid {account.cid!r} already",
            )
            await self._audit(connection, account.account_id, "account.added", account.cid)
        return account

    async def accounts(self) -> Sequence[Account]:
        """Return all accounts by cid."""
        async with self._database.reading() as connection:
            rows = (await connection.execute(select(accounts).order_by(accounts.c.cid))).all()
        return [account_of(row) for row in rows]

    async def account(self, cid: str) -> Account:
        """Return the account of a cid. Raises `NotFound`."""
        query = select(accounts).where(accounts.c.cid == cid)
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            raise NotFound(f"there is no account with cid {cid!r}")
        return account_of(row)

    async def add_number(self, number: Number) -> None:
        """Give an account a number; its token is sealed."""
        key_id, sealed = self._sealed(number.phone_number_id, number.token)
        async with self._database.writing() as connection:
            await _insert_unique(
                connection,
                insert(numbers).values(
                    phone_number_id=_filled(number.phone_number_id, "the phone number id", 64),
                    account_id=number.account_id,
                    waba_id=_filled(number.waba_id, "the WABA id", 64),
                    display=_filled(number.display, "the display number", 32),
                    token_key_id=key_id,
                    token_sealed=sealed,
                    created_at=self._wall(),
                ),
                "this phone number id belongs to an account already",
            )
            await self._audit(
                connection, number.account_id, "number.added", number.phone_number_id
            )

    async def numbers(self, account_id: AccountId | None = None) -> Sequence[ListedNumber]:
        """Return the numbers of one account, or of all."""
        query = select(numbers).order_by(numbers.c.created_at, numbers.c.phone_number_id)
        if account_id is not None:
            query = query.where(numbers.c.account_id == account_id)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [
            ListedNumber(
                phone_number_id=row.phone_number_id,
                account_id=row.account_id,
                waba_id=row.waba_id,
                display=row.display,
                token_key_id=row.token_key_id,
                records=None if row.records is None else Records(row.records),
            )
            for row in rows
        ]

    async def set_token(self, phone_number_id: PhoneNumberId, token: str) -> None:
        """Replace a number's access token. Raises `NotFound`."""
        key_id, sealed = self._sealed(phone_number_id, token)
        of_number = numbers.c.phone_number_id == phone_number_id
        async with self._database.writing() as connection:
            account_id = await connection.scalar(select(numbers.c.account_id).where(of_number))
            if account_id is None:
                raise NotFound(f"there is no number with id {phone_number_id!r}")
            await connection.execute(
                update(numbers)
                .where(of_number)
                .values(token_key_id=key_id, token_sealed=sealed)
            )
            await self._audit(connection, account_id, "number.token_changed", phone_number_id)

    async def records(self, account_id: AccountId) -> Records:
        """Return which calls an account has recorded. Raises `NotFound`."""
        query = select(accounts.c.records).where(accounts.c.account_id == account_id)
        async with self._database.reading() as connection:
            found = await connection.scalar(query)
        if found is None:
            raise NotFound("there is no such account")
        return Records(found)

    async def set_records(self, account_id: AccountId, records: Records) -> None:
        """Choose which calls are recorded, where a number has no choice of its own."""
        async with self._database.writing() as connection:
            await connection.execute(
                update(accounts)
                .where(accounts.c.account_id == account_id)
                .values(records=records.value)
            )
            fields: dict[str, Json] = {"records": records.value}
            await self._audit(
                connection, account_id, "account.records_changed", account_id, fields
            )

    async def set_number_records(
        self, account_id: AccountId, phone_number_id: PhoneNumberId, records: Records | None
    ) -> None:
        """Give a number a choice of its own; None: as its account. Raises `NotFound`."""
        value = None if records is None else records.value
        of_number = numbers.c.phone_number_id == phone_number_id
        async with self._database.writing() as connection:
            changed = await connection.execute(
                update(numbers)
                .where(of_number, numbers.c.account_id == account_id)
                .values(records=value)
            )
            if not rows_changed(changed):
                raise NotFound(f"the account has no number with id {phone_number_id!r}")
            await self._audit(
                connection,
                account_id,
                "number.records_changed",
                phone_number_id,
                {"records": value},
            )

    async def reseal_tokens(self) -> int:
        """Seal all tokens with the ring's current key; then older keys may go.

        Return how many were changed. Raises `SecretUnreadable` if a key is missing.
        """
        query = select(numbers).where(numbers.c.token_key_id != self._keys.current_id)
        async with self._database.writing() as connection:
            rows = (await connection.execute(query)).all()
            for row in rows:
                token = self._keys.unseal(
                    row.token_key_id,
                    row.token_sealed,
                    bound_to=f"number:{row.phone_number_id}",
                )
                key_id, sealed = self._sealed(row.phone_number_id, token)
                await connection.execute(
                    update(numbers)
                    .where(numbers.c.phone_number_id == row.phone_number_id)
                    .values(token_key_id=key_id, token_sealed=sealed)
                )
        return len(rows)

    async def add_person(
        self, account_id: AccountId, *, email: str, name: str, role: Role, password: str
    ) -> Person:
        """Create a person who signs in with the e-mail, unique over all accounts."""
        person = Person(
            user_id=UserId(self._new_id()),
            account_id=account_id,
            email=_plausible_email(email),
            name=_filled(name, "the name", 200),
            role=role,
        )
        password_hash = await self._hashing.hash(password)
        async with self._database.writing() as connection:
            await _insert_unique(
                connection,
                insert(users).values(
                    user_id=person.user_id,
                    account_id=account_id,
                    email=person.email,
                    name=person.name,
                    role=role.value,
                    password_hash=password_hash,
                    created_at=self._wall(),
                ),
                "somebody signs in with this e-mail already",
            )
            await self._audit(
                connection, account_id, "user.added", person.user_id, {"role": role.value}
            )
        return person

    @override
    async def people(self, account_id: AccountId) -> Sequence[ListedPerson]:
        """Return an account's people by e-mail, the disabled ones too."""
        query = select(users).where(users.c.account_id == account_id).order_by(users.c.email)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [_listed(row) for row in rows]

    async def person(self, email: str) -> ListedPerson:
        """Return who signs in with the e-mail. Raises `NotFound`."""
        found = await self.of_email(email)
        if found is None:
            raise NotFound("nobody signs in with this e-mail")
        return found

    @override
    async def of_email(self, email: str) -> ListedPerson | None:
        query = select(users).where(users.c.email == normal_email(email))
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else _listed(row)

    async def set_password(self, user_id: UserId, password: str) -> None:
        """Set a password and sign the person out everywhere."""
        password_hash = await self._hashing.hash(password)
        await self._change(user_id, "user.password_changed", {"password_hash": password_hash})

    async def disable(self, user_id: UserId) -> None:
        """Keep the person from signing in, and sign them out everywhere."""
        await self._change(user_id, "user.disabled", {"disabled_at": self._wall()})

    async def enable(self, user_id: UserId) -> None:
        """Let a disabled person sign in again."""
        await self._change(user_id, "user.enabled", {"disabled_at": None})

    async def _change(self, user_id: UserId, action: str, values: dict[str, object]) -> None:
        async with self._database.writing() as connection:
            account_id = await connection.scalar(
                select(users.c.account_id).where(users.c.user_id == user_id)
            )
            if account_id is None:
                raise NotFound("there is no such person")
            await connection.execute(
                update(users).where(users.c.user_id == user_id).values(**values)
            )
            await sql_sessions.revoke_in(
                connection, sessions.c.user_id == user_id, self._wall()
            )
            await self._audit(connection, account_id, action, user_id)

    def _sealed(self, phone_number_id: str, token: str) -> tuple[str, bytes]:
        return self._keys.seal(
            _filled(token, "the access token", 4096), bound_to=f"number:{phone_number_id}"
        )

    async def _audit(
        self,
        connection: AsyncConnection,
        account_id: AccountId,
        action: str,
        subject: str,
        fields: dict[str, Json] | None = None,
    ) -> None:
        await sql_audit.append(
            connection,
            AuditEntry(account_id, None, action, subject, self._wall(), fields or {}),
        )


async def _insert_unique(connection: AsyncConnection, statement: Insert, refusal: str) -> None:
    try:
        async with connection.begin_nested():
            await connection.execute(statement)
    except IntegrityError:
        raise BadInput(refusal) from None


def _listed(row: Row[Any]) -> ListedPerson:
    return ListedPerson(person=person_of(row), is_disabled=row.disabled_at is not None)


def _filled(text: str, what: str, length_max: int) -> str:
    text = text.strip()
    if not text or len(text) > length_max or not text.isprintable():
        raise BadInput(f"{what} must have 1 to {length_max} printable characters")
    return text


def _known_timezone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError):
        raise BadInput(f"{name!r} is no time zone; an example is Asia/Jakarta") from None


def _plausible_email(email: str) -> str:
    normal = _filled(normal_email(email), "the e-mail", 254)
    local, at, domain = normal.rpartition("@")
    if not (local and at and domain) or " " in normal:
        raise BadInput("this is no e-mail address")
    return normal
