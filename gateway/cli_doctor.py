"""`callgate doctor`: what is wrong, and what to do about it."""

import asyncio
from collections.abc import Sequence

import typer

from gateway import cli_doctor_checks as checks
from gateway.adapters.system_clock import SystemClock
from gateway.cli_doctor_findings import Finding, Verdict
from gateway.cli_doctor_graph import check_graph
from gateway.cli_doctor_storage import check_object_store
from gateway.cli_terminal import say, settings
from gateway.foundation import open_foundation
from gateway.settings import Settings


def doctor() -> None:
    """Check settings, disk, database, Redis, object store, media worker, Meta, clock, ports."""
    findings = asyncio.run(_examine(settings()))
    width = max(len(each.what) for each in findings)
    for each in findings:
        say(f"{each.verdict:<6}{each.what:<{width}}  {each.state}")
        if each.advice:
            say(f"{'':<6}{'':<{width}}  -> {each.advice}")
    faults = sum(each.verdict is Verdict.FAULT for each in findings)
    if faults:
        say(f"\n{faults} fault{'' if faults == 1 else 's'}: to be mended before you rely on it")
        raise typer.Exit(1)
    say("\nready for calls")


async def _examine(loaded: Settings) -> Sequence[Finding]:
    findings = checks.check_settings(loaded)
    async with open_foundation(loaded, SystemClock()) as stores:
        findings += checks.check_data_directory(loaded)
        findings += await checks.check_database(stores)
        findings += await checks.check_redis(loaded)
        findings += await check_object_store(loaded)
        findings += await checks.check_media_worker(loaded)
        findings += checks.check_certificate(loaded)
        findings += checks.check_ports(loaded)
        findings += await check_graph(loaded, stores)
    return findings
