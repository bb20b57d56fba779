"""The command `callgate`: sub-commands from their files, errors in one line of plain words."""

import sys

import click
import typer

from gateway import (
    cli_accounts,
    cli_calls,
    cli_config,
    cli_db,
    cli_doctor,
    cli_users,
    cli_webhooks,
)
from gateway.core.errors import BadInput, CallgateError, StoreDown

EXIT_REFUSED = 1
EXIT_USAGE = 2
EXIT_DATABASE_AWAY = 3
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="callgate",
    help="A gateway for WhatsApp Business calls.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(cli_accounts.app, name="account")
app.add_typer(cli_users.app, name="user")
app.add_typer(cli_calls.app, name="call")
app.add_typer(cli_webhooks.app, name="webhook")
app.add_typer(cli_db.app, name="db")
app.add_typer(cli_config.app, name="config")
app.add_typer(cli_config.keys, name="key")
app.command("doctor")(cli_doctor.doctor)
app.command("health")(cli_doctor.health)


def main() -> None:
    """Run the command line and exit with its code: 0 done, 1 refused, 2 wrong usage, 3 the
    database is away, 130 interrupted.
    """
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    try:
        code = app(args=arguments, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        return _failed("interrupted", EXIT_INTERRUPTED)
    except StoreDown as error:
        return _failed(
            f"{error}. Start it or check CALLGATE_DATABASE_URL; `callgate doctor` tells more",
            EXIT_DATABASE_AWAY,
        )
    except (BadInput, CallgateError) as error:
        return _failed(str(error), EXIT_REFUSED)
    return code if isinstance(code, int) else 0


def _failed(text: str, code: int) -> int:
    typer.echo(f"callgate: {text}", err=True)
    return code
