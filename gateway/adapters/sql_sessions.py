"""Browser sessions in SQL (port `SessionStore`): only hashes of tokens are kept."""

import hashlib
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from gateway.adapters.sql_directory import person_of
from gateway.adapters.sql_engine import Database, rows_changed
from gateway.adapters.sql_schema import accounts, sessions, users
from gateway.core.ids import UserId
from gateway.ports.accounts import Account
from gateway.ports.sessions import Session, SessionStore, SignedIn

_TOKEN_BYTES = 32
_HOLD_MAX_S = 300.0
_HOLD_WRITTEN_EVERY_S = 20.0
_KEPT_S = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class SessionBounds:
    """How long a browser stays signed in."""

    idle_max_s: float = 30 * 60.0
    age_max_s: float = 12 * 3600.0
    touched_every_s: float = 60.0


class SqlSessions(SessionStore):
    """Sessions, looked up by the hash of their token."""

    def __init__(self, database: Database, bounds: SessionBounds | None = None) -> None:
        self._database = database
        self._bounds = bounds or SessionBounds()

    @override
    async def create(
        self, user_id: UserId, *, user_agent: str, now: float, replaces: str | None = None
    ) -> str:
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        async with self._database.writing() as connection:
            if replaces is not None:
                await revoke_in(connection, sessions.c.session_id == session_id(replaces), now)
            await connection.execute(
                insert(sessions).values(
                    session_id=session_id(token),
                    user_id=user_id,
                    created_at=now,
                    last_seen_at=now,
                    expires_at=now + self._bounds.age_max_s,
                    held_until=now,
                    user_agent=user_agent,
                )
            )
        return token

    @override
    async def look_up(self, token: str, *, now: float) -> SignedIn | None:
        query = (
            select(
                sessions,
                users.c.account_id,
                users.c.email,
                users.c.name,
                users.c.role,
                accounts.c.cid,
                accounts.c.name.label("account_name"),
                accounts.c.timezone,
            )
            .join_from(sessions, users)
            .join(accounts)
            .where(sessions.c.session_id == session_id(token), self._is_live(now))
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            return None
        account = Account(
            account_id=row.account_id,
            cid=row.cid,
            name=row.account_name,
            timezone=row.timezone,
        )
        return SignedIn(session=_session(row), person=person_of(row), account=account)

    @override
    async def touch(self, token: str, *, now: float) -> None:
        # Read first: nearly always there is nothing to write, and readers never wait.
        is_stale = and_(
            sessions.c.session_id == session_id(token),
            sessions.c.revoked_at.is_(None),
            sessions.c.last_seen_at < now - self._bounds.touched_every_s,
        )
        async with self._database.reading() as connection:
            if not (
                await connection.execute(select(sessions.c.user_id).where(is_stale))
            ).first():
                return
        async with self._database.writing() as connection:
            await connection.execute(
                update(sessions).where(is_stale, self._is_young(now)).values(last_seen_at=now)
            )

    @override
    async def hold(self, token: str, *, now: float, until: float) -> None:
        until = min(until, now + _HOLD_MAX_S)
        is_due = and_(
            sessions.c.session_id == session_id(token),
            sessions.c.revoked_at.is_(None),
            sessions.c.held_until < until - _HOLD_WRITTEN_EVERY_S,
        )
        async with self._database.reading() as connection:
            if not (await connection.execute(select(sessions.c.user_id).where(is_due))).first():
                return
        async with self._database.writing() as connection:
            await connection.execute(
                update(sessions).where(is_due, self._is_young(now)).values(held_until=until)
            )

    @override
    async def revoke(self, token: str, *, now: float) -> None:
        async with self._database.writing() as connection:
            await revoke_in(connection, sessions.c.session_id == session_id(token), now)

    @override
    async def revoke_one(self, user_id: UserId, session_id: str, *, now: float) -> bool:
        which = and_(sessions.c.session_id == session_id, sessions.c.user_id == user_id)
        async with self._database.writing() as connection:
            return await revoke_in(connection, which, now) == 1

    @override
    async def revoke_all(self, user_id: UserId, *, now: float, keep: str | None = None) -> int:
        which = and_(sessions.c.user_id == user_id, self._is_young(now))
        if keep is not None:
            which = and_(which, sessions.c.session_id != session_id(keep))
        async with self._database.writing() as connection:
            return await revoke_in(connection, which, now)

    @override
    async def of_person(self, user_id: UserId, *, now: float) -> Sequence[Session]:
        query = (
            select(sessions)
            .join_from(sessions, users)
            .where(sessions.c.user_id == user_id, self._is_live(now))
            .order_by(sessions.c.created_at.desc())
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [_session(row) for row in rows]

    @override
    async def ended(self, session_ids: Collection[str], *, now: float) -> frozenset[str]:
        if not session_ids:
            return frozenset()
        query = (
            select(sessions.c.session_id)
            .join_from(sessions, users)
            .where(sessions.c.session_id.in_(session_ids), self._is_live(now))
        )
        async with self._database.reading() as connection:
            live = set((await connection.execute(query)).scalars())
        return frozenset(session_ids) - live

    @override
    async def purge(self, *, now: float) -> int:
        long_ago = now - _KEPT_S
        over = or_(
            sessions.c.revoked_at < long_ago,
            and_(
                sessions.c.held_until < long_ago,
                or_(
                    sessions.c.expires_at < long_ago,
                    sessions.c.last_seen_at < long_ago - self._bounds.idle_max_s,
                ),
            ),
        )
        async with self._database.writing() as connection:
            return rows_changed(await connection.execute(delete(sessions).where(over)))

    def _is_young(self, now: float) -> ColumnElement[bool]:
        """Neither revoked nor over its time, or held in spite of its time."""
        return and_(
            sessions.c.revoked_at.is_(None),
            or_(
                sessions.c.held_until > now,
                and_(
                    sessions.c.expires_at > now,
                    sessions.c.last_seen_at > now - self._bounds.idle_max_s,
                ),
            ),
        )

    def _is_live(self, now: float) -> ColumnElement[bool]:
        return and_(self._is_young(now), users.c.disabled_at.is_(None))


def session_id(token: str) -> str:
    """Return the name under which a token's session is kept."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


async def revoke_in(connection: AsyncConnection, which: ColumnElement[bool], now: float) -> int:
    """Revoke sessions inside the caller's transaction; return how many."""
    result = await connection.execute(
        update(sessions).where(which, sessions.c.revoked_at.is_(None)).values(revoked_at=now)
    )
    return rows_changed(result)


def _session(row: Row[Any]) -> Session:
    return Session(
        session_id=row.session_id,
        user_id=row.user_id,
        created_at=row.created_at,
        last_seen_at=row.last_seen_at,
        expires_at=row.expires_at,
        user_agent=row.user_agent,
    )
