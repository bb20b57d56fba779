"""API tokens in SQL (port `TokenStore`): only hashes of their secrets are kept."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from gateway.adapters import sql_audit
from gateway.adapters.sql_access_schema import api_tokens
from gateway.adapters.sql_engine import Database, rows_changed
from gateway.adapters.sql_schema import accounts, users
from gateway.core.errors import BadInput, NotFound, Refused
from gateway.core.ids import AccountId, TokenId, UserId
from gateway.ports import Json
from gateway.ports.accounts import Account, Person, Role
from gateway.ports.audit import AuditEntry, Deed
from gateway.ports.clock import NewId
from gateway.ports.tokens import (
    NEEDS_PERSON,
    ApiToken,
    NewToken,
    Scope,
    TokenCaller,
    TokenStore,
)

NAME_CHARS_MAX = 100
MARK = "cgt_"
"""How every secret begins: what scans repositories for leaked secrets knows it by that."""
_SHOWN_BYTES = 4
_SECRET_BYTES = 32
_USE_WRITTEN_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class TokenBounds:
    """How many tokens an account has, and how long they last."""

    of_account_max: int = 50
    age_max_s: float = 730 * 24 * 3600.0
    ended_kept_s: float = 730 * 24 * 3600.0
    """So long an ended token is still listed: the audit names it."""


class SqlTokens(TokenStore):
    """Tokens, looked up by the hash of their secret: 256 random bits need no slow hash."""

    def __init__(
        self, database: Database, new_id: NewId, bounds: TokenBounds | None = None
    ) -> None:
        self._database = database
        self._new_id = new_id
        self._bounds = bounds or TokenBounds()

    @override
    async def create(self, wanted: NewToken, *, now: float) -> tuple[ApiToken, str]:
        self._check(wanted, now)
        prefix = f"{MARK}{secrets.token_hex(_SHOWN_BYTES)}"
        secret = f"{prefix}_{secrets.token_urlsafe(_SECRET_BYTES)}"
        token = ApiToken(
            token_id=TokenId(self._new_id()),
            account_id=wanted.account_id,
            name=wanted.name.strip(),
            prefix=prefix,
            scopes=wanted.scopes,
            acts_for=wanted.acts_for,
            created_by=wanted.created_by,
            created_at=now,
            expires_at=wanted.expires_at,
            last_used_at=None,
            revoked_at=None,
        )
        async with self._database.writing() as connection:
            await self._check_account(connection, wanted, now)
            await connection.execute(
                insert(api_tokens).values(**_columns(token), secret_hash=_hash(secret))
            )
            scopes: list[Json] = [*sorted(wanted.scopes)]
            fields: dict[str, Json] = {
                "name": token.name,
                "prefix": prefix,
                "scopes": scopes,
                "acts_for": wanted.acts_for,
            }
            await _audit(connection, token, Deed.TOKEN_CREATED, wanted.created_by, now, fields)
        return token, secret

    @override
    async def look_up(self, secret: str, *, now: float) -> TokenCaller | None:
        query = (
            select(
                api_tokens,
                accounts.c.cid,
                accounts.c.name.label("account_name"),
                accounts.c.timezone,
                users.c.user_id,
                users.c.email,
                users.c.name.label("person_name"),
                users.c.role,
            )
            .join_from(api_tokens, accounts)
            .outerjoin(users, users.c.user_id == api_tokens.c.acts_for)
            .where(
                api_tokens.c.secret_hash == _hash(secret),
                _is_live(now),
                or_(api_tokens.c.acts_for.is_(None), users.c.disabled_at.is_(None)),
            )
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else _caller(row)

    @override
    async def note_use(self, token: ApiToken, *, now: float) -> None:
        last = token.last_used_at
        if last is not None and now - last < _USE_WRITTEN_EVERY_S:
            return
        is_it = api_tokens.c.token_id == token.token_id
        is_first = and_(is_it, api_tokens.c.last_used_at.is_(None))
        is_stale = and_(is_it, api_tokens.c.last_used_at < now - _USE_WRITTEN_EVERY_S)
        async with self._database.writing() as connection:
            began = await connection.execute(
                update(api_tokens).where(is_first).values(last_used_at=now)
            )
            if rows_changed(began):
                await _audit(connection, token, Deed.TOKEN_FIRST_USED, token.acts_for, now)
                return
            await connection.execute(
                update(api_tokens).where(is_stale).values(last_used_at=now)
            )

    @override
    async def of_account(self, account_id: AccountId) -> Sequence[ApiToken]:
        query = (
            select(api_tokens)
            .where(api_tokens.c.account_id == account_id)
            .order_by(api_tokens.c.created_at.desc(), api_tokens.c.token_id)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [_token(row) for row in rows]

    @override
    async def revoke(
        self, account_id: AccountId, token_id: TokenId, *, actor: UserId | None, now: float
    ) -> None:
        is_it = and_(api_tokens.c.token_id == token_id, api_tokens.c.account_id == account_id)
        async with self._database.writing() as connection:
            row = (await connection.execute(select(api_tokens).where(is_it))).first()
            if row is None:
                raise NotFound("there is no such token")
            ended = await connection.execute(
                update(api_tokens)
                .where(is_it, api_tokens.c.revoked_at.is_(None))
                .values(revoked_at=now)
            )
            if rows_changed(ended):
                fields: dict[str, Json] = {"name": row.name, "prefix": row.prefix}
                await _audit(connection, _token(row), Deed.TOKEN_REVOKED, actor, now, fields)

    @override
    async def purge(self, *, now: float) -> int:
        long_ago = now - self._bounds.ended_kept_s
        over = or_(api_tokens.c.revoked_at < long_ago, api_tokens.c.expires_at < long_ago)
        async with self._database.writing() as connection:
            return rows_changed(await connection.execute(delete(api_tokens).where(over)))

    def _check(self, wanted: NewToken, now: float) -> None:
        name = wanted.name.strip()
        if not name or len(name) > NAME_CHARS_MAX or not name.isprintable():
            raise BadInput(f"the token's name must have 1 to {NAME_CHARS_MAX} characters")
        if not wanted.scopes:
            raise BadInput("give the token at least one scope")
        if wanted.acts_for is None and wanted.scopes & NEEDS_PERSON:
            names = ", ".join(sorted(wanted.scopes & NEEDS_PERSON))
            raise BadInput(f"{names} needs a person whom the token acts for")
        if not now < wanted.expires_at <= now + self._bounds.age_max_s:
            days = int(self._bounds.age_max_s // 86_400)
            raise BadInput(f"a token must expire after now, and within {days} days")

    async def _check_account(
        self, connection: AsyncConnection, wanted: NewToken, now: float
    ) -> None:
        account = select(accounts.c.account_id).where(
            accounts.c.account_id == wanted.account_id
        )
        # Locked, so that two orders at once cannot both be the last that fits.
        if (await connection.execute(account.with_for_update())).first() is None:
            raise NotFound("there is no such account")
        if wanted.acts_for is not None:
            person = select(users.c.user_id).where(
                users.c.user_id == wanted.acts_for,
                users.c.account_id == wanted.account_id,
                users.c.disabled_at.is_(None),
            )
            if (await connection.execute(person)).first() is None:
                raise NotFound("the account has no such person")
        count = select(func.count()).where(
            api_tokens.c.account_id == wanted.account_id, _is_live(now)
        )
        if (await connection.scalar(count) or 0) >= self._bounds.of_account_max:
            text = f"An account has at most {self._bounds.of_account_max} tokens; revoke some."
            raise Refused("too_many_tokens", text)


def _is_live(now: float) -> ColumnElement[bool]:
    return and_(api_tokens.c.revoked_at.is_(None), api_tokens.c.expires_at > now)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _columns(token: ApiToken) -> dict[str, Any]:
    return {
        "token_id": token.token_id,
        "account_id": token.account_id,
        "name": token.name,
        "prefix": token.prefix,
        "scopes": " ".join(sorted(token.scopes)),
        "acts_for": token.acts_for,
        "created_by": token.created_by,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
    }


def _token(row: Row[Any]) -> ApiToken:
    known = set(Scope)
    return ApiToken(
        token_id=TokenId(row.token_id),
        account_id=row.account_id,
        name=row.name,
        prefix=row.prefix,
        # A scope that this program does not know opens nothing.
        scopes=frozenset(Scope(each) for each in row.scopes.split() if each in known),
        acts_for=row.acts_for,
        created_by=row.created_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )


def _caller(row: Row[Any]) -> TokenCaller:
    account = Account(
        account_id=row.account_id,
        cid=row.cid,
        name=row.account_name,
        timezone=row.timezone,
    )
    if row.acts_for is None:
        # It sees all of the account, as a supervisor does; its scopes say what of that.
        person = Person(
            user_id=UserId(row.token_id),
            account_id=row.account_id,
            email="",
            name=row.name,
            role=Role.SUPERVISOR,
        )
    else:
        person = Person(
            user_id=row.user_id,
            account_id=row.account_id,
            email=row.email,
            name=row.person_name,
            role=Role(row.role),
        )
    return TokenCaller(_token(row), person, account)


async def _audit(
    connection: AsyncConnection,
    token: ApiToken,
    deed: Deed,
    actor: UserId | None,
    now: float,
    fields: dict[str, Json] | None = None,
) -> None:
    used = token.token_id if deed is Deed.TOKEN_FIRST_USED else None
    await sql_audit.append(
        connection,
        AuditEntry(
            token.account_id, actor, deed, token.token_id, now, fields or {}, token_id=used
        ),
    )
