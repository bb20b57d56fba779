"""`callgate webhook …`: what Meta delivered, and working it off again."""

from typing import Annotated

import typer

from gateway.adapters.sql_inbox_archive import InboxState
from gateway.cli_terminal import moment, say, show, with_stores
from gateway.core.ids import InboxId
from gateway.foundation import Foundation

app = typer.Typer(no_args_is_help=True, help="What Meta delivered.")


@app.command("list")
def list_events(
    state: Annotated[InboxState | None, typer.Option(help="Only these.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
) -> None:
    """List webhook events, newest first, without their contents."""

    async def work(stores: Foundation) -> None:
        rows = [
            (
                str(event.inbox_id),
                moment(event.received_at),
                event.kind,
                event.state,
                str(event.tries),
                event.note,
            )
            for event in await stores.inbox_archive.newest(state=state, limit=limit)
        ]
        show(("ID", "RECEIVED (UTC)", "KIND", "STATE", "TRIES", "NOTE"), rows)

    with_stores(work)


@app.command("replay")
def replay(
    inbox_ids: Annotated[list[int], typer.Argument(help="Ids from `callgate webhook list`.")],
) -> None:
    """Have events worked off again by the running gateway; repeating one is harmless."""

    async def work(stores: Foundation) -> None:
        for inbox_id in inbox_ids:
            await stores.inbox_archive.replay(InboxId(inbox_id))
            say(f"event {inbox_id} waits again")

    with_stores(work)
