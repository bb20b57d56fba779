"""`callgate recording …`: recordings and what proves them."""

import re
from pathlib import Path
from typing import Annotated

import typer

from gateway.adapters.ed25519_keys import Ed25519Signatures
from gateway.adapters.system_clock import SystemClock
from gateway.app_evidence import make_evidence_desk
from gateway.app_keeping import open_keeping
from gateway.cli_files import expect_new, write_whole
from gateway.cli_recordings_books import reconcile, verify_calls
from gateway.cli_terminal import say, settings, with_stores
from gateway.core.errors import BadInput, NotFound
from gateway.core.ids import CallId
from gateway.core.recording.evidence import EvidenceBroken
from gateway.core.recording.evidence_package import Report, check_package
from gateway.foundation import Foundation

app = typer.Typer(no_args_is_help=True, help="Recordings and what proves them.")


@app.command("evidence")
def evidence(
    call_id: Annotated[str, typer.Argument(help="The call's id.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")],
) -> None:
    """Write what proves a call's recording: files, events, signatures, as a TAR archive."""
    expect_new(output)

    async def work(stores: Foundation) -> None:
        row = await stores.calls.load(CallId(call_id))
        account = None if row is None else await stores.directory.account(row.account_id)
        if account is None:
            raise NotFound("there is no such call")
        loaded = settings()
        clock = SystemClock()
        contents = open_keeping(loaded, stores, clock).vault
        desk = make_evidence_desk(loaded, stores, contents, clock)
        try:
            async with desk.package(account, CallId(call_id)) as package:
                size = await write_whole(output, package.stream())
        except EvidenceBroken as error:
            raise BadInput(f"the events are damaged in the database: {error}") from None
        say(f"{output}: {size} bytes")

    with_stores(work)


@app.command("verify")
def verify(
    what: Annotated[
        list[str] | None,
        typer.Argument(help="Ids of calls, or one file: a package of evidence."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All recordings kept here.")] = False,
    key: Annotated[
        list[str] | None,
        typer.Option(help="Package: id of a key that is trusted; give several."),
    ] = None,
) -> None:
    """Read kept recordings again and compare their digests, or check a package of evidence.

    The package is checked offline: no settings and no database are needed. Exit status 1 if
    something is not sound.
    """
    named = what or []
    if every == bool(named):
        raise BadInput("give ids of calls, or a package of evidence, or --all")
    package = Path(named[0]) if len(named) == 1 else None
    if package is not None and (package.exists() or not _is_id(named[0])):
        _say(check_file(package, frozenset(key) if key else None), is_trusted=bool(key))
        return
    if key:
        raise BadInput("--key is for packages of evidence")
    verify_calls(named, is_all=every)


def _is_id(text: str) -> bool:
    return re.fullmatch("[0-9a-z]{26}", text) is not None


app.command("reconcile")(reconcile)


def check_file(package: Path, trusted: frozenset[str] | None) -> Report:
    """Check a package of evidence. Raises `BadInput` that says what is wrong with it."""
    try:
        with package.open("rb") as file:
            return check_package(file, Ed25519Signatures(), trusted=trusted)
    except EvidenceBroken as error:
        raise BadInput(f"{package} is NOT sound: {error}") from None
    except OSError as error:
        raise BadInput(f"cannot read {package}: {error.strerror}") from None


def _say(report: Report, *, is_trusted: bool) -> None:
    say(f"sound: call {report.call}, packed {report.made_at}")
    say(f"events: {report.events}, {report.signed_events} of them below daily roots")
    say(f"verdict: {report.verdict or '-'}")
    for each in report.recordings:
        say(f"{each.sha256}  {each.name}")
    for warning in report.warnings:
        say(f"note: {warning}")
    say(f"signed with the key {report.key_id}")
    if not is_trusted:
        say("Compare it with what `callgate evidence key` prints at the installation.")
