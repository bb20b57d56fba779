"""All commands of `callgate`, each from its file."""

import typer

from gateway import (
    cli_accounts,
    cli_audit,
    cli_calls,
    cli_config,
    cli_db,
    cli_demo,
    cli_doctor,
    cli_evidence,
    cli_health,
    cli_media,
    cli_quota,
    cli_recordings,
    cli_recordings_library,
    cli_recordings_life,
    cli_serve,
    cli_tokens,
    cli_users,
    cli_webhooks,
)

app = typer.Typer(
    name="callgate",
    help="A gateway for WhatsApp Business calls.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("serve")(cli_serve.serve)
app.command("media")(cli_media.media)
app.command("demo")(cli_demo.demo)
app.command("doctor")(cli_doctor.doctor)
app.command("health")(cli_health.health)
app.command("audit")(cli_audit.audit)
cli_quota.add_account_commands(cli_accounts.app)
app.add_typer(cli_accounts.app, name="account")
app.add_typer(cli_users.app, name="user")
app.add_typer(cli_tokens.app, name="token")
app.add_typer(cli_calls.app, name="call")
app.add_typer(cli_quota.quota)
cli_recordings.app.add_typer(cli_recordings_library.app)
cli_recordings.app.add_typer(cli_recordings_life.app)
app.add_typer(cli_recordings.app, name="recording")
app.add_typer(cli_evidence.app, name="evidence")
app.add_typer(cli_webhooks.app, name="webhook")
app.add_typer(cli_db.app, name="db")
app.add_typer(cli_config.app, name="config")
app.add_typer(cli_config.keys, name="key")
