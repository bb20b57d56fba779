"""Slows down guessing of passwords, in SQL (port `LoginLimit`)."""

import hashlib
import hmac
import ipaddress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from gateway.adapters.sql_engine import Database, rows_changed
from gateway.adapters.sql_passwords import normal_email
from gateway.adapters.sql_schema import login_tries
from gateway.ports.sessions import LoginLimit

_FREE_TRIES = 3
_PAUSE_MAX_S = 64.0
_IPV4_NETWORK = 24
_IPV6_NETWORK = 56


@dataclass(frozen=True, slots=True)
class LoginBounds:
    """How many wrong passwords are borne within a window."""

    window_s: float = 15 * 60.0
    tries_max: int = 10
    """For one e-mail."""
    network_tries_max: int = 50
    """For one network (IPv4 /24, IPv6 /56): a whole office may sit behind one address."""


class SqlLoginLimit(LoginLimit):
    """Counts tries before they are made, so that a hundred at once do not slip through."""

    def __init__(
        self, database: Database, *, key: bytes, bounds: LoginBounds | None = None
    ) -> None:
        """`key` keeps e-mails and addresses out of the table: it holds keyed hashes only."""
        self._database = database
        self._key = key
        self._bounds = bounds or LoginBounds()

    @override
    async def take(self, email: str, address: str, *, now: float) -> float:
        own, network = self._keys(email, address)
        async with self._database.writing() as connection:
            # Always in this order, so that two tries never wait for each other in a circle.
            rows = {
                key: await self._locked(connection, key, now) for key in sorted((own, network))
            }
            wait_s = max(
                self._window_left_s(rows[own], self._bounds.tries_max, now),
                self._window_left_s(rows[network], self._bounds.network_tries_max, now),
                _pause_s(rows[own], now),
            )
            if wait_s == 0:
                await connection.execute(
                    update(login_tries)
                    .where(login_tries.c.key.in_((own, network)))
                    .values(tries=login_tries.c.tries + 1, last_at=now)
                )
        return wait_s

    @override
    async def give_back(self, email: str, address: str, *, now: float) -> None:
        own, network = self._keys(email, address)
        async with self._database.writing() as connection:
            for key in sorted((own, network)):
                await self._locked(connection, key, now)
            await connection.execute(
                update(login_tries).where(login_tries.c.key == own).values(tries=0)
            )
            await connection.execute(
                update(login_tries)
                .where(login_tries.c.key == network, login_tries.c.tries > 0)
                .values(tries=login_tries.c.tries - 1)
            )

    async def purge(self, *, now: float) -> int:
        """Forget windows that are over; return how many."""
        over = login_tries.c.last_at < now - self._bounds.window_s
        async with self._database.writing() as connection:
            return rows_changed(await connection.execute(delete(login_tries).where(over)))

    def _keys(self, email: str, address: str) -> tuple[str, str]:
        return (
            self._hashed(f"email {normal_email(email)}"),
            self._hashed(f"network {network_of(address)}"),
        )

    def _hashed(self, text: str) -> str:
        encoded = text.encode("utf-8", "surrogatepass")
        return hmac.new(self._key, encoded, hashlib.sha256).hexdigest()

    async def _locked(self, connection: AsyncConnection, key: str, now: float) -> Row[Any]:
        """Return the key's row with its window begun, kept from others until we commit."""
        first = self._database.insert_new(login_tries).values(
            key=key, tries=0, since=now, last_at=now
        )
        await connection.execute(first.on_conflict_do_nothing())
        of_key = login_tries.c.key == key
        is_over = login_tries.c.since <= now - self._bounds.window_s
        await connection.execute(
            update(login_tries).where(of_key, is_over).values(tries=0, since=now)
        )
        query = select(login_tries).where(of_key).with_for_update()
        return (await connection.execute(query)).one()

    def _window_left_s(self, row: Row[Any], tries_max: int, now: float) -> float:
        if row.tries < tries_max:
            return 0.0
        return float(max(0.0, row.since + self._bounds.window_s - now))


def _pause_s(row: Row[Any], now: float) -> float:
    """After some free tries each further one waits twice as long as the last."""
    if row.tries < _FREE_TRIES:
        return 0.0
    pause_s = min(2.0 ** (row.tries - _FREE_TRIES), _PAUSE_MAX_S)
    return float(max(0.0, row.last_at + pause_s - now))


def network_of(address: str) -> str:
    """Return the network a client's address stands for; the text itself if it is none."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    bits = _IPV4_NETWORK if parsed.version == 4 else _IPV6_NETWORK  # noqa: PLR2004
    return str(ipaddress.ip_network((parsed, bits), strict=False))
