"""Accounts, numbers and people."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from gateway.core.ids import AccountId, PhoneNumberId, UserId
from gateway.core.recording.policy import Records


class Role(StrEnum):
    """What a person may do; the table in `gateway/http/policy.py` says it route by route."""

    AGENT = "agent"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Account:
    """One customer of the platform."""

    account_id: AccountId
    cid: str
    """The customer's external id."""
    name: str
    timezone: str
    """IANA name, for example Asia/Jakarta."""


@dataclass(frozen=True, slots=True)
class Number:
    """A business number of an account. The token is a secret: never logged, never in repr."""

    phone_number_id: PhoneNumberId
    account_id: AccountId
    waba_id: str
    display: str
    token: str = field(repr=False)
    records: Records = Records.NONE
    """Which of its calls are recorded: its own choice, else its account's."""


@dataclass(frozen=True, slots=True)
class Person:
    """A user of the web app."""

    user_id: UserId
    account_id: AccountId
    email: str
    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class ListedPerson:
    """A person and whether they may sign in."""

    person: Person
    is_disabled: bool


class People(Protocol):
    """The people of accounts, the disabled ones too. Every method raises `StoreDown`."""

    async def people(self, account_id: AccountId) -> Sequence[ListedPerson]:
        """Return an account's people by e-mail."""

    async def of_email(self, email: str) -> ListedPerson | None:
        """Return who signs in with an e-mail."""


class Directory(Protocol):
    """Accounts, numbers and people, as the runtime needs them."""

    async def account(self, account_id: AccountId) -> Account | None:
        """Return one account."""

    async def number(self, phone_number_id: PhoneNumberId) -> Number | None:
        """Return the number a webhook came for, with its token decrypted."""

    async def numbers(self, account_id: AccountId) -> Sequence[Number]:
        """Return an account's numbers, in the order they were added."""

    async def person(self, user_id: UserId) -> Person | None:
        """Return one person, unless disabled."""
