"""`callgate account …`: customers and their numbers."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli_terminal import moment, say, secret, show, with_stores
from gateway.core.errors import BadInput
from gateway.core.ids import PhoneNumberId
from gateway.core.recording.policy import Records
from gateway.foundation import Foundation
from gateway.ports.accounts import Number

app = typer.Typer(no_args_is_help=True, help="Customers and their business numbers.")
numbers = typer.Typer(no_args_is_help=True, help="Business numbers and their access tokens.")
app.add_typer(numbers, name="number")


class RecordsChoice(StrEnum):
    """What can be typed."""

    NONE = Records.NONE.value
    INBOUND = Records.INBOUND.value
    OUTBOUND = Records.OUTBOUND.value
    BOTH = Records.BOTH.value
    ACCOUNT = "as-account"


Cid = Annotated[str, typer.Argument(help="The customer's id, of your choice.")]
TokenFile = Annotated[
    Path | None, typer.Option(help="File that holds the access token; - is standard input.")
]
TokenEnv = Annotated[
    str | None, typer.Option(help="Name of the environment variable that holds it.")
]
NumberId = Annotated[str, typer.Option(help="Meta's id of the number.")]


@app.command("add")
def add(
    cid: Cid,
    name: Annotated[str, typer.Option(help="Name to show.")],
    timezone: Annotated[str, typer.Option(help="For example Asia/Jakarta.")] = "UTC",
) -> None:
    """Create an account."""

    async def work(stores: Foundation) -> None:
        account = await stores.accounts.add_account(cid=cid, name=name, timezone=timezone)
        say(f"account {account.cid} added")

    with_stores(work)


@app.command("list")
def list_all() -> None:
    """List all accounts."""

    async def work(stores: Foundation) -> None:
        rows = [
            (account.cid, account.name, account.timezone)
            for account in await stores.accounts.accounts()
        ]
        show(("CID", "NAME", "TIME ZONE"), rows)

    with_stores(work)


@app.command("show")
def show_one(cid: Cid) -> None:
    """Show an account, its numbers, its people and what was changed lately."""

    async def work(stores: Foundation) -> None:
        account = await stores.accounts.account(cid)
        say(f"{account.cid}: {account.name}, {account.timezone}\n")
        await _show_numbers(stores, cid)
        say("")
        people = await stores.accounts.people(account.account_id)
        show(
            ("E-MAIL", "NAME", "ROLE"),
            [(each.person.email, each.person.name, each.person.role) for each in people],
        )
        say("")
        deeds = await stores.audit.recent(account.account_id, limit=10)
        show(("AT (UTC)", "DEED"), [(moment(deed.at), deed.action) for deed in deeds])

    with_stores(work)


@app.command("records")
def choose_records(
    cid: Cid,
    calls: Annotated[
        RecordsChoice | None, typer.Argument(help="Which calls; without it, tell.")
    ] = None,
    number: Annotated[
        str | None, typer.Option(help="For this number alone (Meta's id of it).")
    ] = None,
) -> None:
    """Choose which calls are recorded; calls under way keep the choice they began with."""

    async def work(stores: Foundation) -> None:
        account = await stores.accounts.account(cid)
        if calls is not None and number is not None:
            chosen = None if calls is RecordsChoice.ACCOUNT else Records(calls.value)
            number_id = PhoneNumberId(number)
            await stores.accounts.set_number_records(account.account_id, number_id, chosen)
        elif calls is RecordsChoice.ACCOUNT:
            raise BadInput("say for which --number the account's choice is to hold")
        elif calls is not None:
            await stores.accounts.set_records(account.account_id, Records(calls.value))
        say(f"{cid} records {await stores.accounts.records(account.account_id)} calls")
        for each in await stores.accounts.numbers(account.account_id):
            if each.records is not None:
                say(f"its number {each.display} records {each.records} calls")

    with_stores(work)


@numbers.command("add")
def add_number(
    cid: Cid,
    phone_number_id: NumberId,
    waba_id: Annotated[str, typer.Option(help="Meta's id of the business account.")],
    display: Annotated[str, typer.Option(help='The number as people write it, "+62 …".')],
    token_file: TokenFile = None,
    token_env: TokenEnv = None,
) -> None:
    """Give an account a number; asks for its access token, which is kept sealed."""
    token = secret("access token", file=token_file, variable=token_env, confirmed=False)

    async def work(stores: Foundation) -> None:
        account = await stores.accounts.account(cid)
        await stores.accounts.add_number(
            Number(
                phone_number_id=PhoneNumberId(phone_number_id),
                account_id=account.account_id,
                waba_id=waba_id,
                display=display,
                token=token,
            )
        )
        say(f"number {display} added to account {cid}")

    with_stores(work)


@numbers.command("list")
def list_numbers(cid: Cid) -> None:
    """List an account's numbers."""
    with_stores(lambda stores: _show_numbers(stores, cid))


@numbers.command("token")
def change_token(
    phone_number_id: Annotated[str, typer.Argument(help="Meta's id of the number.")],
    token_file: TokenFile = None,
    token_env: TokenEnv = None,
) -> None:
    """Replace a number's access token; a running gateway uses it from the next request on."""
    token = secret("access token", file=token_file, variable=token_env, confirmed=False)

    async def work(stores: Foundation) -> None:
        await stores.accounts.set_token(PhoneNumberId(phone_number_id), token)
        say("token replaced")

    with_stores(work)


async def _show_numbers(stores: Foundation, cid: str) -> None:
    account = await stores.accounts.account(cid)
    rows = [
        (each.phone_number_id, each.display, each.waba_id, each.token_key_id)
        for each in await stores.accounts.numbers(account.account_id)
    ]
    show(("PHONE NUMBER ID", "NUMBER", "WABA", "SEALED WITH"), rows)
