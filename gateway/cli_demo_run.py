"""What `callgate demo` does: start everything, show it to a person or check it."""

import asyncio
import json
import os
import signal
import socket
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import typer

from gateway.cli_terminal import say, show
from gateway.core.errors import BadInput
from gateway.demo.certificate import addresses_here, make_certificate
from gateway.demo.check import CallFacts, check_calls
from gateway.demo.check_minutes import MinutesFacts, check_minutes
from gateway.demo.check_official import OfficialFacts, check_official
from gateway.demo.processes import ChildFailed
from gateway.demo.stack import Stack, StackOptions, forget_own_settings

Checked = CallFacts | OfficialFacts | MinutesFacts


def run_demo(*, check: bool, lan: bool, port: int, phone_port: int) -> None:
    """Run the demo until Ctrl-C, or its check. Raises `BadInput`, `typer.Exit`."""
    forget_own_settings()
    try:
        with tempfile.TemporaryDirectory(prefix="callgate-demo-") as name:
            if check:
                asyncio.run(_check(Path(name)))
            else:
                asyncio.run(_show(Path(name), _options(Path(name), port, phone_port, lan)))
    except ChildFailed as error:
        raise BadInput(f"the demo cannot start: {error}") from None


def _options(folder: Path, port: int, phone_port: int, lan: bool) -> StackOptions:
    host = "0.0.0.0" if lan else "127.0.0.1"  # noqa: S104 - what --lan asks for
    return StackOptions(
        http_host=host,
        http_port=_free(host, port),
        sandbox_port=_free("127.0.0.1", phone_port),
        certificate=make_certificate(folder, addresses_here()) if lan else None,
    )


def _free(host: str, port: int) -> int:
    """Return `port`, or 0 (the system chooses) with a word about it if it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            say(f"port {port} cannot be used ({error.strerror}); another one is taken instead")
            return 0
    return port


async def _show(folder: Path, options: StackOptions) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    say("starting …")
    async with Stack(folder, options) as stack:
        await stack.sell_minutes()
        await stack.ask_official()
        _introduce(stack, options)
        stopping = asyncio.ensure_future(stop.wait())
        ended = asyncio.ensure_future(stack.gateway_ended())
        await asyncio.wait({stopping, ended}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        ended.cancel()
        if not stop.is_set():
            raise ChildFailed(f"the gateway ended: {stack.gateway_log.read_text()[-2000:]}")
        say("stopping …")


def _introduce(stack: Stack, options: StackOptions) -> None:
    say("")
    say(f"  softphone   {stack.gateway_url}")
    if options.certificate is not None:
        port = stack.gateway_url.rpartition(":")[2]
        for address in addresses_here():
            say(f"              https://{address}:{port} (the browser warns: self-signed)")
    say(f"  phone page  {stack.phone_url}   (here you are the WhatsApp user)")
    say("")
    show(
        ("  SIGN IN AS", "E-MAIL", "PASSWORD"),
        [(f"  {each.name}, {each.role}", each.email, each.password) for each in stack.people],
    )
    say("")
    say("In the softphone press 'Go ready'; then call from the phone page, or dial from the")
    say("softphone: +1 408 555 1234 is the demo customer.")
    ports = [
        url.split("/")[2].rpartition(":")[2] for url in (stack.gateway_url, stack.phone_url)
    ]
    forwards = " ".join(f"-L {each}:127.0.0.1:{each}" for each in ports)
    say(f"From another machine: ssh {forwards} {os.uname().nodename}")
    say(f"Logs and data: {stack.folder} (removed at the end). Ctrl-C ends the demo.")


async def _check(folder: Path) -> None:
    async with Stack(folder) as stack:
        facts = await check_calls(stack)
        official = await check_official(stack)
        minutes = await check_minutes(stack)
        log = stack.gateway_log.read_text()
    _report(facts)
    _report_official(official)
    _report_minutes(minutes)
    checked: tuple[Checked, ...] = (*facts, official, minutes)
    held = not any(each.faults for each in checked)
    if not held:
        typer.echo(log, err=True)
    calls = [asdict(each) for each in facts]
    recorded = {"official": asdict(official), "minutes": asdict(minutes)}
    say(json.dumps({"held": held, "calls": calls, **recorded}))
    if not held:
        raise typer.Exit(1)


def _report(facts: Sequence[CallFacts]) -> None:
    rows = [
        ("rings after", *(_ms(each.ring_ms) for each in facts)),
        ("answer to pick-up", *(_ms(each.pick_up_ms) for each in facts)),
        ("customer hears after", *(_ms(each.customer_hears_ms) for each in facts)),
        ("agent hears after", *(_ms(each.agent_hears_ms) for each in facts)),
        ("packets to customer", *(str(each.packets_to_customer) for each in facts)),
        ("lost to customer", *(str(each.lost_to_customer) for each in facts)),
        ("packets from customer", *(str(each.packets_from_customer) for each in facts)),
        (
            "tone at the customer",
            *(_tone(each.tone_at_customer_hz, each.tone_at_customer_dbfs) for each in facts),
        ),
        (
            "tone at the agent",
            *(_tone(each.tone_at_agent_hz, each.tone_at_agent_dbfs) for each in facts),
        ),
        ("result", *("failed" if each.faults else "held" for each in facts)),
    ]
    show(("", *(each.name for each in facts)), rows)
    for each in facts:
        for fault in each.faults:
            say(f"{each.name}: {fault}")


def _report_official(facts: OfficialFacts) -> None:
    say("")
    show(
        ("", "WhatsApp records too"),
        [
            ("verdicts, call by call", ", ".join(facts.verdicts)),
            ("WhatsApp's recording", f"{facts.official_ms / 1000:.3f} s, {facts.digest}"),
            ("our own", f"{facts.local_ms / 1000:.3f} s"),
            ("WhatsApp's begins at", _signed(facts.offset_ms)),
            ("stored and charged", f"{facts.stored_ms / 1000:.3f} s"),
            ("the file plays", f"{facts.played_ms / 1000:.3f} s"),
            ("result", "failed" if facts.faults else "held"),
        ],
    )
    for fault in facts.faults:
        say(f"WhatsApp records too: {fault}")


def _report_minutes(facts: MinutesFacts) -> None:
    say("")
    show(
        ("", "the minutes run out"),
        [
            ("left to record", f"{facts.left_ms / 1000:.3f} s"),
            ("recorded and charged", f"{facts.charged_ms / 1000:.3f} s"),
            ("the file plays", f"{facts.played_ms / 1000:.3f} s"),
            ("the call lasted", f"{facts.talked_ms / 1000:.1f} s"),
            ("WhatsApp's recording", f"{facts.official_ms / 1000:.3f} s"),
            ("verdict", facts.verdict or "-"),
            ("result", "failed" if facts.faults else "held"),
        ],
    )
    for fault in facts.faults:
        say(f"the minutes run out: {fault}")


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"


def _signed(ms: int | None) -> str:
    return "-" if ms is None else f"{ms / 1000:+.3f} s"


def _tone(hz: float, dbfs: float) -> str:
    return f"{hz:.0f} Hz, {dbfs:.1f} dBFS"
