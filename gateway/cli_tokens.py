"""`callgate token …`: what programs of a customer, for example its CRM, come in with."""

from typing import Annotated

import typer

from gateway.adapters.system_clock import SystemClock
from gateway.cli_terminal import moment, say, show, with_stores
from gateway.core.errors import BadInput, NotFound
from gateway.foundation import Foundation
from gateway.ports.tokens import ApiToken, NewToken, Scope

DAY_S = 24 * 3600.0

app = typer.Typer(no_args_is_help=True, help="API tokens of programs, for example a CRM.")

Cid = Annotated[str, typer.Argument(help="The account's cid.")]


@app.command("create")
def create(
    cid: Cid,
    name: Annotated[str, typer.Option(help="What the token is for.")],
    scope: Annotated[list[Scope], typer.Option(help="What it may do; give several.")],
    days: Annotated[int, typer.Option(min=1, help="Days until it expires.")] = 365,
    acts_for: Annotated[
        str | None, typer.Option(help="E-mail of the person it acts for.")
    ] = None,
) -> None:
    """Make a token and print its secret, which cannot be shown again."""

    async def work(stores: Foundation) -> None:
        account = await stores.accounts.account(cid)
        person = None if acts_for is None else await stores.accounts.person(acts_for)
        now = SystemClock().wall()
        wanted = NewToken(
            account_id=account.account_id,
            name=name,
            scopes=frozenset(scope),
            expires_at=now + days * DAY_S,
            acts_for=None if person is None else person.person.user_id,
        )
        token, secret = await stores.tokens.create(wanted, now=now)
        say(f"token {token.prefix} lasts until {moment(token.expires_at)} UTC")
        say(f"secret: {secret}")

    with_stores(work)


@app.command("list")
def list_all(cid: Cid) -> None:
    """List an account's tokens, without their secrets."""

    async def work(stores: Foundation) -> None:
        account = await stores.accounts.account(cid)
        now = SystemClock().wall()
        rows = [
            (
                each.prefix,
                each.name,
                ",".join(sorted(each.scopes)),
                _state(each, now),
                moment(each.expires_at),
                moment(each.last_used_at),
            )
            for each in await stores.tokens.of_account(account.account_id)
        ]
        header = ("TOKEN", "NAME", "SCOPES", "", "EXPIRES (UTC)", "LAST USED (UTC)")
        show(header, rows)

    with_stores(work)


@app.command("revoke")
def revoke(
    cid: Cid,
    token: Annotated[str, typer.Argument(help="The token's beginning, as `list` shows it.")],
) -> None:
    """End a token at once."""

    async def work(stores: Foundation) -> None:
        account = await stores.accounts.account(cid)
        known = await stores.tokens.of_account(account.account_id)
        found = [each for each in known if token in (each.prefix, each.token_id)]
        if not found:
            raise NotFound("the account has no such token; `callgate token list` shows them")
        if len(found) > 1:
            raise BadInput("several tokens begin so; give the id")
        await stores.tokens.revoke(
            account.account_id, found[0].token_id, actor=None, now=SystemClock().wall()
        )
        say(f"token {found[0].prefix} revoked")

    with_stores(work)


def _state(token: ApiToken, now: float) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "live" if token.is_live(now) else "expired"
