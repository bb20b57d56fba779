"""`callgate call …`: calls and what happened in them."""

import json
from collections.abc import Sequence
from typing import Annotated

import typer

from gateway.cli_terminal import moment, say, show, with_stores
from gateway.core.errors import NotFound
from gateway.core.ids import CallId
from gateway.foundation import Foundation
from gateway.ports.calls import CallFilter, CallRow, TraceLine

app = typer.Typer(no_args_is_help=True, help="Calls and what happened in them.")


@app.command("list")
def list_calls(
    cid: Annotated[str, typer.Argument(help="The account's cid.")],
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many.")] = 20,
    live: Annotated[bool, typer.Option("--live", help="Only those not ended.")] = False,
) -> None:
    """List an account's calls, newest first."""

    async def work(stores: Foundation) -> None:
        account = await stores.accounts.account(cid)
        people = await stores.accounts.people(account.account_id)
        names = {each.person.user_id: each.person.name for each in people}
        page = await stores.calls.page(
            CallFilter(account.account_id, live_only=live), cursor=None, limit=limit
        )
        rows = [
            (
                row.call_id,
                moment(row.created_at),
                row.direction,
                row.outcome or row.state,
                _length(row),
                names.get(row.agent_id, "") if row.agent_id else "",
            )
            for row in page.rows
        ]
        show(("CALL", "BEGAN (UTC)", "DIRECTION", "STATE", "TALKED", "AGENT"), rows)

    with_stores(work)


@app.command("trace")
def trace(
    call_id: Annotated[str, typer.Argument(help="The call's id, from `callgate call list`.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """Show every step of a call: milliseconds since its start, source, step, facts."""

    async def work(stores: Foundation) -> None:
        row = await stores.calls.load(CallId(call_id))
        lines = await stores.calls.trace(CallId(call_id))
        if row is None and not lines:
            raise NotFound(f"there is no call {call_id}")
        if as_json:
            for line in lines:
                say(json.dumps(_fields(line)))
            return
        if row is not None:
            say(
                f"{row.direction} call {row.call_id}, {row.outcome or row.state}, "
                f"began {moment(row.created_at)} UTC, talked {_length(row)}\n"
            )
        _ladder(lines)

    with_stores(work)


def _ladder(lines: Sequence[TraceLine]) -> None:
    begin = lines[0].at if lines else 0.0
    rows = []
    before = begin
    for line in lines:
        facts = " ".join(f"{name}={_short(value)}" for name, value in line.fields.items())
        since_ms, step_ms = (line.at - begin) * 1000, (line.at - before) * 1000
        rows.append((f"{since_ms:>8.0f}", f"{step_ms:>+7.0f}", line.source, line.step, facts))
        before = line.at
    show(("      ms", "    (+)", "SOURCE", "STEP", "FACTS"), rows)


def _fields(line: TraceLine) -> dict[str, object]:
    return {"at": line.at, "source": line.source, "step": line.step, "fields": line.fields}


def _short(value: object) -> str:
    return value if isinstance(value, str) and " " not in value else json.dumps(value)


def _length(row: CallRow) -> str:
    if row.answered_at is None:
        return "-"
    if row.ended_at is None:
        return "talking"
    return f"{row.ended_at - row.answered_at:.0f} s"
