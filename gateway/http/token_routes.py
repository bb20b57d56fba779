"""API tokens: what programs of the customer come in with."""

from collections.abc import Mapping
from typing import Literal

from gateway.core.ids import UserId
from gateway.http.access_schemas import Named, TokenCreated, TokenList, TokenOrder, TokenView
from gateway.http.routing import Ask, Route, RouteTable
from gateway.http.shapes import Nothing
from gateway.ports.tokens import ApiToken, NewToken
from gateway.runtime.call_view import moment

DAY_S = 24 * 3600.0

routes = RouteTable()


@routes.serve(Route("GET", "/tokens", "tokens.list", out=TokenList))
async def list_tokens(ask: Ask[Nothing, Nothing]) -> TokenList:
    """List the account's API tokens, the ended ones too."""
    names, now = await _names(ask), ask.deps.clock.wall()
    found = await ask.deps.tokens.of_account(ask.person.account_id)
    return TokenList(
        items=[_shown(each, names, now) for each in found],
        days_max=max(1, int(ask.deps.limits.token_age_max_s // DAY_S)),
    )


@routes.serve(
    Route(
        "POST",
        "/tokens",
        "tokens.create",
        body=TokenOrder,
        out=TokenCreated,
        status=201,
        refusals=(404, 409),
    )
)
async def create_token(ask: Ask[TokenOrder, Nothing]) -> TokenCreated:
    """Make a token; its secret is in this answer and never shown again."""
    body, now = ask.body, ask.deps.clock.wall()
    wanted = NewToken(
        account_id=ask.person.account_id,
        name=body.name,
        scopes=frozenset(body.scopes),
        expires_at=now + body.expires_in_days * DAY_S,
        acts_for=None if body.acts_for is None else UserId(body.acts_for),
        created_by=ask.person.user_id,
    )
    token, secret = await ask.deps.tokens.create(wanted, now=now)
    return TokenCreated(token=_shown(token, await _names(ask), now), secret=secret)


@routes.serve(Route("DELETE", "/tokens/{token_id}", "tokens.revoke", status=204))
async def revoke_token(ask: Ask[Nothing, Nothing]) -> None:
    """End a token at once."""
    await ask.deps.tokens.revoke(
        ask.person.account_id,
        ask.token_id,
        actor=ask.person.user_id,
        now=ask.deps.clock.wall(),
    )


async def _names(ask: Ask[TokenOrder, Nothing] | Ask[Nothing, Nothing]) -> dict[UserId, str]:
    people = await ask.deps.people.people(ask.person.account_id)
    return {each.person.user_id: each.person.name for each in people}


def _shown(token: ApiToken, names: Mapping[UserId, str], now: float) -> TokenView:
    def named(user_id: UserId | None) -> Named | None:
        return None if user_id is None else Named(id=user_id, name=names.get(user_id))

    return TokenView(
        id=token.token_id,
        name=token.name,
        prefix=token.prefix,
        scopes=sorted(token.scopes),
        acts_for=named(token.acts_for),
        created_by=named(token.created_by),
        created_at=moment(token.created_at),
        expires_at=moment(token.expires_at),
        last_used_at=None if token.last_used_at is None else moment(token.last_used_at),
        state=_state(token, now),
    )


def _state(token: ApiToken, now: float) -> Literal["live", "expired", "revoked"]:
    if token.revoked_at is not None:
        return "revoked"
    return "live" if token.is_live(now) else "expired"
