"""`callgate demo`: the whole system on this machine, with a stand-in for WhatsApp."""

from typing import Annotated

import typer

HTTP_PORT, SANDBOX_PORT = 8080, 8090


def demo(
    check: Annotated[
        bool,
        typer.Option("--check", help="Make calls without a person, and report."),
    ] = False,
    lan: Annotated[
        bool,
        typer.Option(
            "--lan", help="Let other machines in, over HTTPS with a certificate made here."
        ),
    ] = False,
    port: Annotated[int, typer.Option(help="Port of the softphone.")] = HTTP_PORT,
    phone_port: Annotated[int, typer.Option(help="Port of the phone page.")] = SANDBOX_PORT,
) -> None:
    """Run everything on this machine, with a stand-in for WhatsApp."""
    # What it brings along takes 40 MB that the gateway itself has no use for.
    from gateway.cli_demo_run import run_demo  # noqa: PLC0415

    run_demo(check=check, lan=lan, port=port, phone_port=phone_port)
