"""How minutes look on a terminal, and as JSON for scripts."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from gateway.core.quota.contract import (
    SEATS,
    AddOn,
    Contract,
    capacity_at,
    capacity_steps,
    standing,
)
from gateway.core.quota.lease import Budget
from gateway.core.quota.live import AccountMinutes
from gateway.core.quota.plan import MS_PER_MINUTE, PlanBook
from gateway.core.zones import local_time
from gateway.ports.accounts import Account
from gateway.ports.quota import DayUse, Discrepancy, LedgerPage

_WIDE = 240


@dataclass(frozen=True, slots=True)
class Standing:
    """One account as `quota show` prints it."""

    cid: str
    package: str
    standing: str
    minutes: AccountMinutes

    @classmethod
    def of(
        cls,
        account: Account,
        minutes: AccountMinutes,
        bought: Contract,
        book: PlanBook,
        now: float,
    ) -> "Standing":
        """Put together what is known now."""
        term = bought.term_at(now)
        package = "" if term is None or term.package is None else term.package
        return cls(account.cid, package, standing(bought, book, now).value, minutes)


def in_minutes(ms: int) -> str:
    """Return an amount for people: minutes and seconds, to the millisecond if need be."""
    sign = "-" if ms < 0 else ""
    whole, rest = divmod(abs(ms), MS_PER_MINUTE)
    seconds = f"{rest // 1000:02d}" + (f".{rest % 1000:03d}" if rest % 1000 else "")
    return f"{sign}{whole:,}:{seconds}"


def show_standings(rows: Sequence[Standing], *, as_json: bool) -> None:
    """Print balances."""
    if as_json:
        _print_json([_standing_json(row) for row in rows])
        return
    table = _table(
        *("CID", "Package", "Standing"),
        *("Capacity", "Used", "Reserved", "Free", "Overdrawn", "In suspense"),
        numbers_from=3,
    )
    for row in rows:
        balance = row.minutes.balance
        amounts = (
            *(balance.capacity_ms, balance.used_ms, balance.reserved_ms, balance.free_ms),
            *(balance.overdrawn_ms, row.minutes.suspense_ms),
        )
        table.add_row(row.cid, row.package, row.standing, *map(in_minutes, amounts))
    _print(table)


def show_ledger(page: LedgerPage, zone: str, *, as_json: bool) -> None:
    """Print entries with the totals after each."""
    if as_json:
        items = [
            {
                "at": line.entry.at,
                "kind": line.entry.kind.value,
                "amount_ms": line.entry.amount_ms,
                "call_id": line.entry.call_id,
                "note": line.entry.note,
                "capacity_ms": line.totals.capacity_ms,
                "used_ms": line.totals.used_ms,
            }
            for line in page.lines
        ]
        _print_json({"items": items, "next_cursor": page.next_cursor})
        return
    table = _table("When", "What", "Call", "Note", "Amount", "Capacity", "Used", numbers_from=4)
    for line in page.lines:
        entry, totals = line.entry, line.totals
        table.add_row(
            _moment(entry.at, zone),
            entry.kind.value.replace("_", " "),
            entry.call_id or "",
            entry.note,
            in_minutes(entry.amount_ms),
            in_minutes(totals.capacity_ms),
            in_minutes(totals.used_ms),
        )
    _print(table)
    if page.next_cursor is not None:
        typer.echo(f"older entries: --cursor {page.next_cursor}")


def show_usage(days: Sequence[DayUse], *, as_json: bool) -> None:
    """Print use by day."""
    if as_json:
        _print_json(
            [
                {
                    "day": day.day.isoformat(),
                    "recorded_ms": day.recorded_ms,
                    "returned_ms": day.returned_ms,
                    "calls": day.calls,
                }
                for day in days
            ]
        )
        return
    table = _table("Day", "Calls", "Recorded", "Returned", numbers_from=1)
    for day in days:
        table.add_row(
            day.day.isoformat(),
            f"{day.calls:,}",
            in_minutes(day.recorded_ms),
            in_minutes(day.returned_ms),
        )
    _print(table)


def show_capacity(bought: Contract, book: PlanBook, now: float, *, as_json: bool) -> None:
    """Print what capacity consists of and how it will change."""
    parts = capacity_at(bought, book, now)
    steps = capacity_steps(bought, book, parts, now)
    if as_json:
        changes = [
            {
                "at": step.effective_at,
                "source": step.source,
                "kind": step.kind.value,
                "amount_ms": step.amount_ms,
            }
            for step in steps
        ]
        _print_json({"now": parts, "changes": changes})
        return
    table = _table("From", "Source", "Why", "Minutes", numbers_from=3)
    for source, amount in parts.items():
        table.add_row("now", _source(source), "", in_minutes(amount))
    for step in steps:
        table.add_row(
            _moment(step.effective_at, bought.zone),
            _source(step.source),
            step.kind.value.replace("_", " "),
            in_minutes(step.amount_ms),
        )
    _print(table)


def show_contract(bought: Contract, book: PlanBook, *, as_json: bool) -> None:
    """Print terms and add-ons, oldest first."""
    if as_json:
        _print_json(
            {
                "terms": [
                    {
                        "id": term.subscription_id,
                        "package": term.package,
                        "licensed_users": term.licensed_users,
                        "starts_at": term.starts_at,
                        "contract_ends_on": _iso(term.contract_ends_on),
                    }
                    for term in bought.terms
                ],
                "add_ons": [_add_on_json(add_on) for add_on in bought.add_ons],
            }
        )
        return
    table = _table("From", "To", "What", "Id", "Minutes", numbers_from=4)
    for term in bought.terms:
        package = None if term.package is None else book.packages.get(term.package)
        what = (
            "left"
            if term.package is None
            else f"{package.name if package else term.package}, {term.licensed_users:,} users"
        )
        minutes = package.free_ms(term.licensed_users) if package else 0
        table.add_row(
            _moment(term.starts_at, bought.zone),
            _iso(term.contract_ends_on) or "",
            what,
            term.subscription_id,
            in_minutes(minutes),
        )
    for add_on in bought.add_ons:
        table.add_row(
            _moment(add_on.starts_at, bought.zone),
            _iso(add_on.ends_on) or "",
            f"add-on, {add_on.packs:,} packs",
            add_on.add_on_id,
            in_minutes(add_on.amount_ms),
        )
    _print(table)


def show_packages(book: PlanBook) -> None:
    """Print the price list."""
    table = _table("Code", "Package", "Recording", "Free min per user", numbers_from=3)
    for package in book.packages.values():
        table.add_row(
            package.code,
            package.name,
            package.eligibility.value.replace("_", " "),
            f"{package.free_ms_per_user // MS_PER_MINUTE:,}",
        )
    _print(table)
    offer = book.add_on
    typer.echo(
        f"add-on: {offer.pack_ms // MS_PER_MINUTE:,} min for IDR {offer.price_idr:,}, "
        f"to the end of the contract and {book.grace_days} days of grace"
    )


def show_add_on(bought: AddOn) -> None:
    """Confirm a purchase."""
    typer.echo(
        f"add-on {bought.add_on_id}: {bought.packs:,} packs, "
        f"{in_minutes(bought.amount_ms)} min until {bought.ends_on}, "
        f"IDR {bought.packs * bought.price_idr:,}"
    )


def show_change(account: Account, before: AccountMinutes, after: AccountMinutes) -> None:
    """Say what a change of the contract did to the capacity."""
    balance = after.balance
    line = (
        f"{account.cid}: capacity {in_minutes(before.balance.capacity_ms)} → "
        f"{in_minutes(balance.capacity_ms)} min, free {in_minutes(balance.free_ms)} min"
    )
    if balance.overdrawn_ms:
        line += f", overdrawn by {in_minutes(balance.overdrawn_ms)} min: nothing is recorded"
    typer.echo(line)


def show_verdict(account: Account, discrepancies: Sequence[Discrepancy]) -> None:
    """Say whether an account's numbers agree."""
    if not discrepancies:
        typer.echo(f"{account.cid}: exact")
    for each in discrepancies:
        where = f" of call {each.call_id}" if each.call_id else ""
        typer.echo(
            f"{account.cid}: {each.what}{where} is {each.stored_ms} ms, "
            f"but {each.derived_ms} ms follow from the entries"
        )


def show_suspense(waiting: Sequence[tuple[Budget, int]]) -> None:
    """Print what waits for files."""
    if not waiting:
        typer.echo("nothing in suspense")
        return
    table = _table("Worker", "Calls without a file", "Reserved", numbers_from=1)
    for budget, calls in waiting:
        table.add_row(budget.worker_id, f"{calls:,}", in_minutes(budget.outstanding_ms))
    _print(table)


def _standing_json(row: Standing) -> dict[str, Any]:
    balance = row.minutes.balance
    return {
        "cid": row.cid,
        "package": row.package or None,
        "standing": row.standing,
        "capacity_ms": balance.capacity_ms,
        "used_ms": balance.used_ms,
        "reserved_ms": balance.reserved_ms,
        "free_ms": balance.free_ms,
        "overdrawn_ms": balance.overdrawn_ms,
        "suspense_ms": row.minutes.suspense_ms,
    }


def _add_on_json(add_on: AddOn) -> dict[str, Any]:
    return {
        "id": add_on.add_on_id,
        "packs": add_on.packs,
        "amount_ms": add_on.amount_ms,
        "price_idr": add_on.price_idr,
        "starts_at": add_on.starts_at,
        "ends_on": add_on.ends_on.isoformat(),
        "renews": add_on.renews,
    }


def _source(source: str) -> str:
    return "licensed users" if source == SEATS else f"add-on {source}"


def _moment(at: float, zone: str) -> str:
    return local_time(at, zone).strftime("%Y-%m-%d %H:%M:%S")


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _table(*columns: str, numbers_from: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, name in enumerate(columns):
        # Folded, never cropped: a cut number is a wrong number.
        justify: Literal["left", "right"] = "right" if index >= numbers_from else "left"
        table.add_column(name, justify=justify, overflow="fold")
    return table


def _print(table: Table) -> None:
    # Nothing wraps where a program reads along.
    Console(width=None if sys.stdout.isatty() else _WIDE).print(table)


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, indent=2))
