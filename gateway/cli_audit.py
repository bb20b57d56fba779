"""`callgate audit`: who did what."""

import json
from typing import Annotated

import typer

from gateway.cli_desk import Desk, run
from gateway.cli_terminal import say, show
from gateway.cli_where import Where, read_where
from gateway.core.zones import local_time
from gateway.http.access_schemas import AuditDeeds
from gateway.http.audit_routes import filter_of
from gateway.ports.audit import ListedDeed

OPERATOR = "operator"
"""Whoever acts on the command line, and the gateway itself."""


def audit(
    cid: Annotated[str, typer.Argument(help="The customer's id.")],
    where: Where = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many.")] = 50,
    cursor: Annotated[str | None, typer.Option(help="Go on where a list ended.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """List who did what in an account, newest first.

    Filters are those of `GET /api/v1/audit`: action, actor, subject, since, until (days).
    """
    asked = read_where(AuditDeeds, where)

    async def work(desk: Desk) -> None:
        account = await desk.account(cid)
        zone = account.timezone
        wanted = filter_of(asked, account.account_id, zone)
        page = await desk.stores.audit.page(wanted, cursor=cursor, limit=limit)
        if as_json:
            for each in page.deeds:
                say(json.dumps(_fields(each)))
        else:
            rows = [_cells(each, zone) for each in page.deeds]
            show((f"WHEN ({zone})", "WHO", "DEED", "SUBJECT", "FACTS"), rows)
            if page.next_cursor is not None:
                say(f"\nOlder ones: --cursor {page.next_cursor}")

    run(work)


def _fields(listed: ListedDeed) -> dict[str, object]:
    entry = listed.entry
    return {
        "at": entry.at,
        "actor": entry.actor,
        "token_id": entry.token_id,
        "who": _who(listed),
        "action": entry.action,
        "subject": entry.subject,
        "fields": entry.fields,
    }


def _cells(listed: ListedDeed, zone: str) -> tuple[str, ...]:
    entry = listed.entry
    return (
        local_time(entry.at, zone).strftime("%Y-%m-%d %H:%M:%S"),
        _who(listed),
        entry.action,
        entry.subject,
        " ".join(f"{name}={json.dumps(value)}" for name, value in entry.fields.items()),
    )


def _who(listed: ListedDeed) -> str:
    entry = listed.entry
    person = listed.actor_name or entry.actor
    token = listed.token_name or entry.token_id
    named = [each for each in (person, None if token is None else f"token {token}") if each]
    return ", ".join(named) or OPERATOR
