"""`callgate config …` and `callgate key …`: settings in force, and sealing keys."""

import json
from typing import Annotated

import typer

from gateway.adapters.secrets_key_ring import new_key
from gateway.cli_terminal import say, settings, with_stores
from gateway.foundation import Foundation
from gateway.settings import redacted
from gateway.settings_sources import ENV_PREFIX

app = typer.Typer(no_args_is_help=True, help="The settings in force.")
keys = typer.Typer(no_args_is_help=True, help="The keys that seal access tokens.")


@app.command("show")
def show_settings(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Print every setting in force, secrets as stars."""
    shown = redacted(settings())
    if as_json:
        say(json.dumps(shown, indent=2))
        return
    for name, value in shown.items():
        text = value if isinstance(value, str) else json.dumps(value)
        say(f"{ENV_PREFIX}{name.upper()}={'' if value is None else text}")


@keys.command("new")
def new() -> None:
    """Print a fresh key: put it before the others in CALLGATE_SECRET_KEY."""
    say(new_key())


@keys.command("reseal")
def reseal() -> None:
    """Seal access tokens and signing keys with the first key; then the older may go."""

    async def work(stores: Foundation) -> None:
        count = await stores.accounts.reseal_tokens()
        await stores.evidence.reseal_keys()
        say(
            f"{count} token{'' if count == 1 else 's'} sealed with key {stores.keys.current_id}"
        )

    with_stores(work)
