"""`callgate user …`: the people who sign in."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.adapters.system_clock import SystemClock
from gateway.cli_terminal import fresh_password, moment, say, secret, show, with_stores
from gateway.core.errors import BadInput
from gateway.foundation import Foundation
from gateway.ports.accounts import Role

app = typer.Typer(no_args_is_help=True, help="The people who sign in.")
sessions = typer.Typer(no_args_is_help=True, help="Where a person is signed in.")
app.add_typer(sessions, name="sessions")

Email = Annotated[str, typer.Argument(help="The e-mail they sign in with.")]
PasswordFile = Annotated[
    Path | None, typer.Option(help="File that holds the password; - is standard input.")
]
Generate = Annotated[bool, typer.Option("--generate", help="Make a password and print it.")]


@app.command("add")
def add(
    cid: Annotated[str, typer.Argument(help="The account's cid.")],
    email: Annotated[str, typer.Option(help="The e-mail to sign in with.")],
    name: Annotated[str, typer.Option(help="Name to show.")],
    role: Annotated[Role, typer.Option(help="What the person may do.")] = Role.AGENT,
    password_file: PasswordFile = None,
    generate: Generate = False,
) -> None:
    """Create a person; asks for the password."""
    password = _password(password_file, is_generated=generate)

    async def work(stores: Foundation) -> None:
        account = await stores.accounts.account(cid)
        person = await stores.accounts.add_person(
            account.account_id, email=email, name=name, role=role, password=password
        )
        say(f"{person.role} {person.email} added")
        if generate:
            say(f"password: {password}")

    with_stores(work)


@app.command("list")
def list_all(cid: Annotated[str, typer.Argument(help="The account's cid.")]) -> None:
    """List an account's people."""

    async def work(stores: Foundation) -> None:
        account = await stores.accounts.account(cid)
        rows = [
            (
                each.person.email,
                each.person.name,
                each.person.role,
                "disabled" if each.is_disabled else "",
            )
            for each in await stores.accounts.people(account.account_id)
        ]
        show(("E-MAIL", "NAME", "ROLE", ""), rows)

    with_stores(work)


@app.command("password")
def password(
    email: Email,
    password_file: PasswordFile = None,
    generate: Generate = False,
) -> None:
    """Set a new password; the person is signed out everywhere."""
    fresh = _password(password_file, is_generated=generate)

    async def work(stores: Foundation) -> None:
        found = await stores.accounts.person(email)
        await stores.accounts.set_password(found.person.user_id, fresh)
        say(f"password: {fresh}" if generate else "password set")

    with_stores(work)


@app.command("disable")
def disable(email: Email) -> None:
    """Keep a person from signing in, and sign them out everywhere."""

    async def work(stores: Foundation) -> None:
        found = await stores.accounts.person(email)
        await stores.accounts.disable(found.person.user_id)
        say("disabled and signed out")

    with_stores(work)


@app.command("enable")
def enable(email: Email) -> None:
    """Let a disabled person sign in again."""

    async def work(stores: Foundation) -> None:
        found = await stores.accounts.person(email)
        await stores.accounts.enable(found.person.user_id)
        say("enabled")

    with_stores(work)


@sessions.command("list")
def list_sessions(email: Email) -> None:
    """Show where a person is signed in."""

    async def work(stores: Foundation) -> None:
        found = await stores.accounts.person(email)
        rows = [
            (moment(each.created_at), moment(each.last_seen_at), each.user_agent[:60])
            for each in await stores.sessions.of_person(
                found.person.user_id, now=SystemClock().wall()
            )
        ]
        show(("SINCE (UTC)", "LAST SEEN (UTC)", "BROWSER"), rows)

    with_stores(work)


@sessions.command("revoke")
def revoke_sessions(email: Email) -> None:
    """Sign a person out everywhere."""

    async def work(stores: Foundation) -> None:
        found = await stores.accounts.person(email)
        count = await stores.sessions.revoke_all(found.person.user_id, now=SystemClock().wall())
        say(f"signed out of {count} browser{'' if count == 1 else 's'}")

    with_stores(work)


def _password(file: Path | None, *, is_generated: bool) -> str:
    if not is_generated:
        return secret("password", file=file, variable=None, confirmed=True)
    if file is not None:
        raise BadInput("give a file or --generate, not both")
    return fresh_password()
