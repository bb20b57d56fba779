"""Passwords as argon2id hashes (port `Passwords`)."""

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import select, update
from typing_extensions import override

from gateway.adapters.sql_directory import person_of
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_schema import users
from gateway.core.errors import BadInput, Refused
from gateway.ports.accounts import Person
from gateway.ports.sessions import Passwords

PASSWORD_CHARS_MIN = 10
PASSWORD_CHARS_MAX = 256


@dataclass(frozen=True, slots=True)
class HashCost:
    """What one hash costs, and how many run at once (RFC 9106, section 4)."""

    memory_kib: int = 64 * 1024
    passes: int = 3
    lanes: int = 4
    at_once_max: int = 2
    waiting_max: int = 50
    """More log-ins than this waiting for their turn are refused."""


class PasswordHashing:
    """Hashes and checks on threads of its own: media and calls never wait for a log-in.

    Whoever constructs it calls `close`.
    """

    def __init__(self, cost: HashCost | None = None) -> None:
        cost = cost or HashCost()
        self._hasher = PasswordHasher(
            time_cost=cost.passes, memory_cost=cost.memory_kib, parallelism=cost.lanes
        )
        self._threads = ThreadPoolExecutor(cost.at_once_max, thread_name_prefix="argon2")
        self._under_way = 0
        self._under_way_max = cost.at_once_max + cost.waiting_max
        # What an unknown e-mail is checked against, at the same cost as a real hash.
        self._nobody = self._hasher.hash(secrets.token_urlsafe())

    async def hash(self, password: str) -> str:
        """Return the hash to keep. Raises `BadInput` for a password too short or too long."""
        if not PASSWORD_CHARS_MIN <= len(password) <= PASSWORD_CHARS_MAX:
            raise BadInput(
                f"a password has {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters"
            )
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._hasher.hash, password)

    async def matches(self, kept: str | None, password: str) -> bool:
        """Check a password; None (nobody) takes as long and is False.

        Raises `Refused("too_many_logins")` when too many wait already.
        """
        if self._under_way >= self._under_way_max:
            raise Refused("too_many_logins", "too many people are signing in at this moment")
        self._under_way += 1
        try:
            loop = asyncio.get_running_loop()
            matches = await loop.run_in_executor(
                self._threads, self._matches, kept or self._nobody, password
            )
        finally:
            self._under_way -= 1
        return matches and kept is not None

    def is_dated(self, kept: str) -> bool:
        """Whether the hash was made at another cost than today's."""
        return self._hasher.check_needs_rehash(kept)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(cancel_futures=True)

    def _matches(self, kept: str, password: str) -> bool:
        if len(password) > PASSWORD_CHARS_MAX:
            password = ""
        try:
            return self._hasher.verify(kept, password.encode("utf-8", "surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False


class SqlPasswords(Passwords):
    """Checks a person's password against the hash in SQL."""

    def __init__(self, database: Database, hashing: PasswordHashing) -> None:
        self._database = database
        self._hashing = hashing

    @override
    async def verify(self, email: str, password: str) -> Person | None:
        query = select(users).where(users.c.email == normal_email(email))
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).first()
        matches = await self._hashing.matches(
            None if row is None else row.password_hash, password
        )
        if row is None or not matches or row.disabled_at is not None:
            return None
        if self._hashing.is_dated(row.password_hash):
            await self._rehash(row.user_id, row.password_hash, password)
        return person_of(row)

    async def _rehash(self, user_id: str, kept: str, password: str) -> None:
        try:
            fresh = await self._hashing.hash(password)
        except BadInput:
            return  # set under an older rule about lengths; still valid
        async with self._database.writing() as connection:
            await connection.execute(
                update(users)
                .where(users.c.user_id == user_id, users.c.password_hash == kept)
                .values(password_hash=fresh)
            )


def normal_email(email: str) -> str:
    """Return the form in which e-mails are kept and compared."""
    return email.strip().lower()
