"""`callgate recording …`: scrub, retention, hold, release, delete, rules, export, erase."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from gateway.adapters.system_clock import SystemClock
from gateway.app_keeping import Keeping, open_keeping
from gateway.app_library import make_subject_erasure
from gateway.cli_desk import Desk, run
from gateway.cli_files import progress
from gateway.cli_recordings_export import export_to
from gateway.cli_terminal import say, settings, show
from gateway.core.errors import BadInput, Refused
from gateway.core.ids import CallId
from gateway.core.quota.plan import MS_PER_MINUTE
from gateway.core.recording.forecast import forecast
from gateway.core.recording.lifecycle import Deletion, Why
from gateway.core.recording.retention import KeepingRules, WhenFull
from gateway.core.whatsapp import Peer
from gateway.ports.accounts import Account
from gateway.ports.recording_life import Ended
from gateway.runtime.recording_scrub import ScrubReport
from gateway.runtime.recording_upkeep import Retention

app = typer.Typer(no_args_is_help=True, help="Recordings: what is kept, how long, and whether.")

Cid = Annotated[str, typer.Argument(help="The customer's id.")]
CallIds = Annotated[list[str], typer.Argument(help="Ids of the recorded calls.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Phone = Annotated[str | None, typer.Option(help="Digits of the customer's number.")]
UserName = Annotated[str | None, typer.Option(help="The customer's WhatsApp user id.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

_NAMED_MAX = 20


@app.command()
def scrub(as_json: AsJson = False) -> None:
    """Read every file of this node and of the store, compare, and repair what is safe.

    Exit status 1 if somebody has to look at something.
    """

    async def work(desk: Desk) -> None:
        with progress("files read") as seen:
            report = await _keeping(desk).scrub.run(progress=seen)
        if as_json:
            say(json.dumps({**asdict(report), "is_clean": report.is_clean}))
        else:
            _show_report(report)
        if not report.is_clean:
            raise Refused("scrub_found", "the scrub found what somebody has to look at")

    run(work)


@app.command()
def retention(
    cid: Annotated[str | None, typer.Argument(help="One customer; default: all.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what goes, and when.")
    ] = False,
    days: Annotated[int, typer.Option(min=0, max=36_600, help="Look ahead so far.")] = 30,
) -> None:
    """Let go what is over, as `serve` does by itself; or tell what goes when."""

    async def work(desk: Desk) -> None:
        if dry_run:
            for account in await desk.accounts(cid):
                await _show_going(desk, account, days)
            return
        if cid is not None:
            raise BadInput("without --dry-run retention is for all customers: leave out the id")
        count = await Retention(desk.stores.recording_life, _tell_nobody)(now=desk.now)
        files = await _keeping(desk).sweep(now=desk.now)
        say(f"{count:,} recordings were over; {files:,} files are gone")

    run(work)


@app.command()
def hold(
    cid: Cid,
    call_ids: CallIds,
    reason: Annotated[str, typer.Option(help="Why, for the audit.")],
) -> None:
    """Let nothing delete recordings until they are released (legal hold)."""

    async def work(desk: Desk) -> None:
        account = await desk.account(cid)
        for call_id in call_ids:
            await desk.stores.recording_life.hold(
                account.account_id, CallId(call_id), reason=reason, order=desk.order
            )
            say(f"{call_id} is held")

    run(work)


@app.command()
def release(cid: Cid, call_ids: CallIds) -> None:
    """End the hold of recordings."""

    async def work(desk: Desk) -> None:
        account = await desk.account(cid)
        for call_id in call_ids:
            await desk.stores.recording_life.release(
                account.account_id, CallId(call_id), order=desk.order
            )
            say(f"{call_id} is held no longer")

    run(work)


@app.command()
def delete(cid: Cid, call_ids: CallIds, yes: Yes = False) -> None:
    """Delete recordings for good: their minutes return at once, their bytes go after a day."""
    if not yes:
        typer.confirm(
            f"Delete {len(call_ids)} recordings of {cid}? They cannot be restored.", abort=True
        )

    async def work(desk: Desk) -> None:
        account = await desk.account(cid)
        ended: list[Ended] = []
        with progress("recordings deleted") as seen:
            for call_id in dict.fromkeys(call_ids):
                ended.append(
                    await desk.stores.recording_life.delete(
                        account.account_id,
                        CallId(call_id),
                        why=Why.HAND,
                        order=desk.order,
                    )
                )
                seen(len(ended))
        _show_ended(ended)

    run(work)


@app.command()
def rules(
    cid: Cid,
    when_full: Annotated[
        WhenFull | None,
        typer.Option(
            help="When the minutes are used up: stop, rotate, or as the contract has it."
        ),
    ] = None,
    days: Annotated[
        int | None, typer.Option(help="Keep recordings for so many days; 0: two years.")
    ] = None,
    encrypt: Annotated[
        bool | None, typer.Option("--encrypt/--no-encrypt", help="Seal new files at rest.")
    ] = None,
    yes: Yes = False,
) -> None:
    """Show or change how long recordings are kept, and what happens when minutes run out."""

    async def work(desk: Desk) -> None:
        account = await desk.account(cid)
        life = desk.stores.recording_life
        found = await life.rules(account.account_id)
        old = found.rules
        new = KeepingRules(
            old.when_full if when_full is None else when_full,
            old.retention_days if days is None else days or None,
            encrypts=old.encrypts if encrypt is None else encrypt,
        )
        if new != old:
            if not yes:
                typer.confirm(f"From now on: {_in_words(new)}. Change it?", abort=True)
            await life.change_rules(
                account.account_id, new, seen=found.version, order=desk.order
            )
        say(_in_words(new))

    run(work)


@app.command()
def export(
    cid: Cid,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write, a ZIP.")],
    phone: Phone = None,
    user_id: UserName = None,
) -> None:
    """Write everything that is kept of a customer: calls, recordings, transcripts, notes."""
    export_to(cid, _person(phone, user_id), output)


@app.command()
def erase(
    cid: Cid,
    phone: Phone = None,
    user_id: UserName = None,
    yes: Yes = False,
) -> None:
    """Forget a customer: recordings, words, traces, webhooks, and who called. Not what is held.

    Exit status 1 if something had to stay.
    """
    if not yes:
        typer.confirm(f"Forget this customer of {cid} for good?", abort=True)

    async def work(desk: Desk) -> None:
        account = await desk.account(cid)
        erasure = make_subject_erasure(desk.stores, _tell_nobody)
        with progress("calls forgotten") as seen:
            done = await erasure.erase(
                account.account_id,
                _person(phone, user_id),
                order=desk.order,
                progress=seen,
            )
        say(f"{done.calls:,} calls forgotten, {done.recordings:,} recordings deleted")
        for call_id in done.held:
            say(f"{call_id}: held, release it first")
        for call_id in done.not_over:
            say(f"{call_id}: goes on, or its recording is being made; try again in a while")
        if not done.is_complete:
            raise Refused("not_all_erased", "something of the customer had to stay")

    run(work)


def _person(phone: str | None, user_id: str | None) -> Peer:
    return Peer(phone=phone and phone.strip().lstrip("+"), user_id=user_id)


def _keeping(desk: Desk) -> Keeping:
    return open_keeping(settings(), desk.stores, SystemClock())


def _tell_nobody(_account_id: object) -> None:
    """The gateways that run see the balance at their next look."""


async def _show_going(desk: Desk, account: Account, days: int) -> None:
    life, today = desk.stores.recording_life, desk.today(account)
    rules = (await life.rules(account.account_id)).rules
    until = today + timedelta(days=days)
    kept = await life.kept_by_day(account.account_id)
    rows = [
        (
            account.cid,
            day.on.isoformat(),
            f"{day.going.recordings:,}",
            f"{day.going.returned_ms / MS_PER_MINUTE:,.1f}",
            f"{day.going.bytes:,}",
            f"{day.going.held:,}",
        )
        for day in forecast(kept, rules, today=today, until=until)
    ]
    show(("customer", "on", "recordings", "minutes", "bytes", "held"), rows)


def _show_ended(ended: Sequence[Ended]) -> None:
    words = {
        Deletion.DELETED: "deleted",
        Deletion.ALREADY: "deleted before",
        Deletion.HELD: "held: release it first",
        Deletion.UNKNOWN: "unknown",
        Deletion.NOT_MADE_YET: "not made yet: try again when its call is over",
    }
    for each in ended:
        say(f"{each.call_id}: {words[each.outcome]}")
    minutes = sum(each.returned_ms for each in ended) / MS_PER_MINUTE
    say(f"{minutes:,.1f} minutes are free again")
    if any(each.outcome not in {Deletion.DELETED, Deletion.ALREADY} for each in ended):
        raise Refused("not_all_deleted", "not all of them were deleted")


def _show_report(report: ScrubReport) -> None:
    say(f"{report.checked:,} files read, {report.checked_bytes:,} bytes")
    for count, what in (
        (len(report.repaired), "found at another place, and noted there"),
        (len(report.removed), "left over, and removed"),
        (report.captures_removed, "calls' capture files left over, and removed"),
        (report.captures_waiting, "calls wait for their recording to be made"),
    ):
        if count:
            say(f"{count:,} {what}")
    for names, what in (
        (report.missing, "missing"),
        (report.damaged, "damaged"),
        (report.unreadable, "sealed with a key that is not in the key ring"),
        (report.doubtful, "a second copy, and the first was not found right"),
        (report.strangers, "unknown, and left alone"),
        (report.without_file, "a recording without a file"),
        (report.away, "did not answer"),
    ):
        for name in names[:_NAMED_MAX]:
            say(f"{name}: {what}")
        if len(names) > _NAMED_MAX:
            say(f"… and {len(names) - _NAMED_MAX:,} more: {what}")


def _in_words(rules: KeepingRules) -> str:
    days = rules.retention_days
    kept = "for two years" if days is None else f"for {days:,} days"
    full = {
        WhenFull.AUTO: "recording stops when minutes run out, but after a lapsed add-on's "
        "grace the oldest make room",
        WhenFull.STOP: "recording stops when minutes run out",
        WhenFull.ROTATE: "the oldest make room when minutes run out",
    }[rules.when_full]
    sealed = "; files are sealed" if rules.encrypts else ""
    return f"recordings are kept {kept}; {full}{sealed}"
