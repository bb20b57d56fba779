"""`callgate quota …`, and `callgate account subscribe|churn|contract`."""

from datetime import timedelta
from typing import Annotated

import typer

from gateway import cli_quota_tables as tables
from gateway.adapters.system_ids import random_id
from gateway.cli_desk import Desk, day_of, run
from gateway.core.errors import BadInput
from gateway.core.quota.charge import Recorded, Stamp
from gateway.core.quota.contract import SubscriptionTerm
from gateway.core.quota.lease import WorkerId
from gateway.ports.accounts import Account
from gateway.ports.quota import Purchase

quota = typer.Typer(name="quota", help="Recording minutes of accounts.", no_args_is_help=True)

Cid = Annotated[str, typer.Argument(help="The customer's id.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON; amounts in ms.")]
FromDay = Annotated[
    str | None,
    typer.Option("--from", help="First day, YYYY-MM-DD in the account's zone; default: now."),
]
Key = Annotated[
    str | None,
    typer.Option(help="Idempotency key: the same key again changes nothing."),
]
Note = Annotated[str, typer.Option(help="Why, for the ledger and the audit.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@quota.command()
def packages() -> None:
    """List packages, their free minutes, and what an add-on costs."""

    async def work(desk: Desk) -> None:
        tables.show_packages(desk.stores.plans)

    run(work)


@quota.command()
def show(
    cid: Annotated[str | None, typer.Argument(help="One customer; default: all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what is owned, used, reserved and free."""

    async def work(desk: Desk) -> None:
        found = await desk.accounts(cid)
        rows = [
            tables.Standing.of(
                account,
                await desk.stores.minutes.view(account.account_id, now=desk.now),
                await desk.stores.contracts.contract(account.account_id),
                desk.stores.plans,
                desk.now,
            )
            for account in found
        ]
        tables.show_standings(rows, as_json=as_json)

    run(work)


@quota.command()
def explain(
    cid: Cid,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Entries on a page.")] = 50,
    cursor: Annotated[str | None, typer.Option(help="From the page before.")] = None,
    as_json: AsJson = False,
) -> None:
    """Explain every minute, entry by entry, newest first."""

    async def work(desk: Desk) -> None:
        account = await desk.account(cid)
        page = await desk.stores.quota_books.ledger(
            account.account_id, cursor=cursor, limit=limit
        )
        tables.show_ledger(page, account.timezone, as_json=as_json)

    run(work)


@quota.command()
def usage(
    cid: Cid,
    since: Annotated[str | None, typer.Option(help="First day; default: 30 days ago.")] = None,
    until: Annotated[str | None, typer.Option(help="Last day; default: today.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show minutes recorded and returned by day, in the account's time zone."""

    async def work(desk: Desk) -> None:
        account = await desk.account(cid)
        last = day_of(until) if until else desk.today(account)
        first = day_of(since) if since else last - timedelta(days=30)
        days = await desk.stores.quota_books.usage(
            account.account_id, since=first, until=last, zone=account.timezone
        )
        tables.show_usage(days, as_json=as_json)

    run(work)


@quota.command()
def verify(
    cid: Annotated[str | None, typer.Argument(help="One customer; default: all.")] = None,
) -> None:
    """Compare every balance with its ledger and leases; status 1 if one is off."""

    async def work(desk: Desk) -> None:
        found = await desk.accounts(cid)
        is_exact = True
        for account in found:
            discrepancies = await desk.stores.quota_books.verify(account.account_id)
            is_exact = is_exact and not discrepancies
            tables.show_verdict(account, discrepancies)
        if not is_exact:
            raise BadInput("some numbers do not follow from the ledger")

    run(work)


@quota.command("top-up")
def top_up(  # noqa: PLR0913, PLR0917 (each is an option)
    cid: Cid,
    packs: Annotated[int, typer.Option(help="How many packs.")],
    ends_on: Annotated[
        str | None, typer.Option(help="Last day, YYYY-MM-DD; default: the contract's.")
    ] = None,
    from_day: FromDay = None,
    renews: Annotated[
        str | None, typer.Option(help="Id of the add-on whose place it takes.")
    ] = None,
    key: Key = None,
    note: Note = "",
) -> None:
    """Sell packs of minutes, each an add-on to the contract."""

    async def work(desk: Desk) -> None:
        account = await desk.account(cid)
        bought = await desk.stores.contracts.add_on(
            account.account_id,
            Purchase(
                packs=packs,
                starts_at=desk.start(from_day, account),
                ends_on=None if ends_on is None else day_of(ends_on),
                renews=renews,
            ),
            key=key or random_id(),
            stamp=Stamp(desk.now, note=note),
        )
        tables.show_add_on(bought)

    run(work)


@quota.command()
def capacity(cid: Cid, as_json: AsJson = False) -> None:
    """Show what the capacity consists of, and how it will change and when."""

    async def work(desk: Desk) -> None:
        account = await desk.account(cid)
        contract = await desk.stores.contracts.contract(account.account_id)
        tables.show_capacity(contract, desk.stores.plans, desk.now, as_json=as_json)

    run(work)


@quota.command()
def replan(
    cid: Annotated[str | None, typer.Argument(help="One customer; default: all.")] = None,
    allow_overdrawn: Annotated[
        bool, typer.Option(help="Even if capacity falls below what is taken.")
    ] = False,
) -> None:
    """Compute capacity anew, after the price list was changed."""

    async def work(desk: Desk) -> None:
        found = await desk.accounts(cid)
        for account in found:
            before = await desk.stores.minutes.view(account.account_id, now=desk.now)
            after = await desk.stores.contracts.replan(
                account.account_id,
                now=desk.now,
                allow_overdrawn=allow_overdrawn,
            )
            tables.show_change(account, before, after)

    run(work)


@quota.command()
def suspense(cid: Cid) -> None:
    """Show minutes that wait for the files of media workers that died."""

    async def work(desk: Desk) -> None:
        account = await desk.account(cid)
        tables.show_suspense(await desk.stores.quota_books.suspended(account.account_id))

    run(work)


@quota.command("write-off")
def write_off(
    worker: Annotated[str, typer.Argument(help="The worker, as `quota suspense` names it.")],
    yes: Yes = False,
) -> None:
    """Give up a dead worker's files: its calls are charged with nothing."""
    if not yes:
        typer.confirm("Are this worker's capture files lost for good?", abort=True)

    async def work(desk: Desk) -> None:
        worker_id = WorkerId(worker)
        if worker_id not in await desk.stores.minutes.workers():
            raise BadInput("no such worker has minutes reserved")
        await desk.stores.minutes.suspend_worker(worker_id)
        stamp = Stamp(desk.now, note="written off: the capture files are lost")
        calls = await desk.stores.minutes.unsettled(worker_id)
        for charge in calls:
            await desk.stores.minutes.settle(
                charge.call_id, charge.account_id, Recorded(0), stamp
            )
        typer.echo(f"{len(calls)} calls written off; what was reserved for them is free")

    run(work)


def subscribe(  # noqa: PLR0913, PLR0917 (each is an option)
    cid: Cid,
    package: Annotated[str, typer.Option(help="Code, see `callgate quota packages`.")],
    users: Annotated[int, typer.Option(help="Licensed users of the contract.")],
    ends_on: Annotated[str, typer.Option(help="Last day of the contract, YYYY-MM-DD.")],
    from_day: FromDay = None,
    allow_overdrawn: Annotated[
        bool, typer.Option(help="Even if capacity falls below what is taken.")
    ] = False,
    key: Key = None,
    note: Note = "",
) -> None:
    """Begin or change an account's subscription."""

    async def work(desk: Desk) -> None:
        account = await desk.account(cid)
        term = SubscriptionTerm(
            subscription_id=key or random_id(),
            package=package,
            licensed_users=users,
            starts_at=desk.start(from_day, account),
            contract_ends_on=day_of(ends_on),
        )
        await _change(desk, account, term, note, allow_overdrawn=allow_overdrawn)

    run(work)


def churn(cid: Cid, from_day: FromDay = None, yes: Yes = False, note: Note = "") -> None:
    """The customer leaves: nothing new is recorded; recordings stay for their retention."""
    if not yes:
        typer.confirm(f"Does {cid} leave?", abort=True)

    async def work(desk: Desk) -> None:
        account = await desk.account(cid)
        term = SubscriptionTerm(random_id(), None, 0, desk.start(from_day, account), None)
        await _change(desk, account, term, note, allow_overdrawn=True)

    run(work)


def contract(cid: Cid, as_json: AsJson = False) -> None:
    """Show everything an account has bought."""

    async def work(desk: Desk) -> None:
        account = await desk.account(cid)
        bought = await desk.stores.contracts.contract(account.account_id)
        tables.show_contract(bought, desk.stores.plans, as_json=as_json)

    run(work)


def add_account_commands(account: typer.Typer) -> None:
    """Put the commands about subscriptions under `callgate account`."""
    for command in (subscribe, churn, contract):
        account.command()(command)


async def _change(
    desk: Desk,
    account: Account,
    term: SubscriptionTerm,
    note: str,
    *,
    allow_overdrawn: bool,
) -> None:
    before = await desk.stores.minutes.view(account.account_id, now=desk.now)
    after = await desk.stores.contracts.subscribe(
        account.account_id,
        term,
        stamp=Stamp(desk.now, note=note),
        allow_overdrawn=allow_overdrawn,
    )
    tables.show_change(account, before, after)
