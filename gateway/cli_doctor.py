"""`callgate doctor` and `callgate health`: what is wrong, and what to do about it."""

import asyncio
import ssl
import urllib.error
import urllib.request
from collections.abc import Sequence
from http import HTTPStatus

import typer

from gateway import cli_doctor_checks as checks
from gateway.adapters.system_clock import SystemClock
from gateway.cli_doctor_findings import Finding, Verdict
from gateway.cli_doctor_graph import check_graph
from gateway.cli_terminal import say, settings
from gateway.foundation import open_foundation
from gateway.settings import Settings

_HEALTH_MAX_S = 4.0


def doctor() -> None:
    """Check settings, disk, database, Redis, media worker, Meta, clock and ports."""
    findings = asyncio.run(_examine(settings()))
    width = max(len(each.what) for each in findings)
    for each in findings:
        say(f"{each.verdict:<6}{each.what:<{width}}  {each.state}")
        if each.advice:
            say(f"{'':<6}{'':<{width}}  -> {each.advice}")
    faults = sum(each.verdict is Verdict.FAULT for each in findings)
    if faults:
        say(f"\n{faults} fault{'' if faults == 1 else 's'}: calls will not work until mended")
        raise typer.Exit(1)
    say("\nready for calls")


def health() -> None:
    """Exit with 0 if the gateway on this machine says it is alive (for health checks)."""
    loaded = settings()
    if not _is_alive(loaded):
        say("not alive")
        raise typer.Exit(1)
    say("alive")


async def _examine(loaded: Settings) -> Sequence[Finding]:
    findings = checks.check_settings(loaded)
    async with open_foundation(loaded, SystemClock()) as stores:
        findings += checks.check_data_directory(loaded)
        findings += await checks.check_database(stores)
        findings += await checks.check_redis(loaded)
        findings += await checks.check_media_worker(loaded)
        findings += checks.check_certificate(loaded)
        findings += checks.check_ports(loaded)
        findings += await check_graph(loaded, stores)
    return findings


def _is_alive(loaded: Settings) -> bool:
    scheme = "http" if loaded.tls_cert is None else "https"
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(loaded.http_host, loaded.http_host)  # noqa: S104 (compared, not bound)
    # Our own certificate on our own machine: its name is the public one.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    try:
        with opener.open(
            f"{scheme}://{host}:{loaded.http_port}/healthz", timeout=_HEALTH_MAX_S
        ) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except (urllib.error.URLError, OSError):
        return False
