"""`callgate evidence …`: the key that signs evidence, and its daily roots."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from gateway.adapters.system_clock import SystemClock
from gateway.cli_terminal import say, with_stores
from gateway.foundation import Foundation
from gateway.ports.evidence import PublicKey

app = typer.Typer(no_args_is_help=True, help="What signs the evidence of recordings.")


@app.command("key")
def key(
    renew: Annotated[
        bool, typer.Option("--renew", help="Sign with a new key from now on.")
    ] = False,
) -> None:
    """Print the public keys, oldest first: give them to whoever checks evidence."""

    async def work(stores: Foundation) -> None:
        now = SystemClock().wall()
        await stores.evidence.signer(now=now)
        if renew:
            await stores.evidence.renew_key(now=now)
        for each in await stores.evidence.public_keys():
            _show(each)

    with_stores(work)


@app.command("seal")
def seal() -> None:
    """Sign now what was chained up to yesterday; `serve` does it by itself."""

    async def work(stores: Foundation) -> None:
        count = await stores.evidence.seal_day(now=SystemClock().wall())
        say(f"{count} call{'' if count == 1 else 's'} signed")

    with_stores(work)


def _show(found: PublicKey) -> None:
    since = datetime.fromtimestamp(found.since, UTC).strftime("%Y-%m-%d")
    say(f"key {found.key_id}, since {since}")
    say(found.pem.rstrip())
