"""`callgate recording reconcile`, and what `callgate recording verify` does with calls."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

import typer

from gateway.adapters.system_clock import SystemClock
from gateway.app_keeping import open_keeping
from gateway.cli_desk import Desk, day_of, run
from gateway.cli_quota_tables import in_minutes
from gateway.cli_terminal import say, settings, show
from gateway.core.csv_text import csv_line
from gateway.core.ids import CallId
from gateway.core.recording.report import REPORT_COLUMNS, ReconciledDay, report_cells
from gateway.ports.accounts import Account
from gateway.runtime.recording_check import CheckedFile, Finding, RecordingCheck

DEFAULT_DAYS = 31
EXIT_FAULTS = 1


def reconcile(
    cid: Annotated[str | None, typer.Option("--account", help="One cid; default: all.")] = None,
    first: Annotated[
        str | None,
        typer.Option("--from", help="First day, YYYY-MM-DD; default: 30 days before the last."),
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", help="Last day in the account's zone; default: today.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV; amounts in ms.")] = False,
) -> None:
    """Add up recorded calls by day: verdicts, what is stored and charged, both recordings."""

    async def work(desk: Desk) -> None:
        if as_csv:
            typer.echo(csv_line(("cid", *REPORT_COLUMNS)), nl=False)
        for account in await desk.accounts(cid):
            until = day_of(last) if last else desk.today(account)
            since = day_of(first) if first else until - timedelta(days=DEFAULT_DAYS - 1)
            days = await desk.stores.case_books.days(
                account.account_id, since=since, until=until, zone=account.timezone
            )
            if as_csv:
                for day in days:
                    typer.echo(csv_line((account.cid, *report_cells(day))), nl=False)
            else:
                _show_days(account, days)

    run(work)


def verify_calls(call_ids: Sequence[str], *, is_all: bool) -> None:
    """Read kept files again, say of each whether it is sound; exit status 1 if one is not."""

    async def work(desk: Desk) -> None:
        stores = desk.stores
        vault = open_keeping(settings(), stores, SystemClock()).vault
        check = RecordingCheck(stores.stored_files, stores.recordings, vault)
        counts: Counter[Finding] = Counter()
        for call_id in call_ids:
            for file in await check.of_call(CallId(call_id)):
                _tell(file, counts)
        if is_all:
            async for file in check.of_all():
                _tell(file, counts)
        _sum_up(counts)

    run(work)


def _tell(file: CheckedFile, counts: Counter[Finding]) -> None:
    counts[file.finding] += 1
    role = "recording" if file.role is None else file.role.value
    size = "" if file.bytes is None else f"{file.bytes} bytes"
    say(f"{file.call_id}  {role:9}  {size:>16}  {file.finding}")


def _sum_up(counts: Counter[Finding]) -> None:
    told = ", ".join(f"{count} {finding}" for finding, count in counts.items())
    say(f"files: {counts.total()}" + (f" ({told})" if told else ""))
    if any(finding.is_fault for finding in counts):
        raise typer.Exit(EXIT_FAULTS)


def _show_days(account: Account, days: Sequence[ReconciledDay]) -> None:
    say(f"{account.cid}, days in {account.timezone}")
    rows = [
        (
            day.day.isoformat(),
            str(day.calls),
            in_minutes(day.stored_ms),
            in_minutes(day.charged_ms),
            in_minutes(day.official_ms),
            in_minutes(day.local_ms),
            in_minutes(day.difference_ms),
            _verdicts(day),
        )
        for day in days
    ]
    header = ("DAY", "CALLS", "STORED", "CHARGED", "OFFICIAL", "LOCAL", "DIFFERENCE")
    show((*header, "VERDICTS"), rows)


def _verdicts(day: ReconciledDay) -> str:
    told = [f"{verdict} {count}" for verdict, count in day.verdicts.items()]
    if day.undecided:
        told.append(f"undecided {day.undecided}")
    return ", ".join(told)
