"""How much CPU a relayed call costs and how much delay it adds, beside a naive aiortc bridge.

`python -m bench.media [--quick]`: a table for people, then one JSON object as the last line.
Ratios are of CPU per delivered call-second. Recording means both directions of every call; a
busy disk is one on which a neighbour writes and syncs all the time.
Latency is the kernel's arrival stamp at the generator minus the time of sending, so it holds
both hops over loopback; the empty relay shows how much of it is this machine.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.media_disk import DiskFigures, busy_disk, disk_figures
from bench.media_targets import Target, pipe_target, worker_target

OURS = "worker"
RECORDING = "worker, recording"
BUSY = "worker, busy disk"
RECORDING_BUSY = "recording, busy"
NAIVE = "naive aiortc"
NAIVE_RECORDING = "naive, recording"
EMPTY = "empty relay"
GOALS = {
    "cpu_ms_per_call_second_at_50": 2.0,
    "recording_cpu_ms_per_call_second_at_50": 2.2,
    "naive_ratio_at_10": 40.0,
    "naive_recording_ratio_at_10": 45.0,
    "p99_ms": 3.0,
    "delivered": 0.999,
}


@dataclass(frozen=True, slots=True)
class Figures:
    """One measured window."""

    relay: str
    calls: int
    cpu_ms_per_call_second: float
    delivered: float
    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    resident_mib: float
    """Of the relay's process, when the window closed."""
    not_recorded: int
    """Packets that the recordings lack."""


def resident_mib(pid: int) -> float:
    """Memory of a process that is not shared away."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def cpu_ns(pid: int) -> int:
    """Run time of all threads of a process so far."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


async def measure(
    relay: str, target: AbstractAsyncContextManager[Target], calls: int, seconds: float
) -> Figures:
    """Load one relay with `calls` calls and measure a window of `seconds`."""
    async with target as running:
        load = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.media_load",
            "--calls", str(calls), "--seconds", str(seconds),
            *(["--plain"] if relay == EMPTY else []),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 20,
        )  # fmt: skip
        result, busy_ns, memory = await _follow(load, running, calls)
        await load.wait()
        not_recorded = await running.leave()
    # A relay that decodes cannot carry the stamps through.
    is_naive = relay in {NAIVE, NAIVE_RECORDING}
    received = result["unstamped"] if is_naive else result["received"]
    return Figures(
        relay=relay,
        calls=calls,
        cpu_ms_per_call_second=round(busy_ns / 1e6 / calls / seconds, 3),
        delivered=round(received / result["sent"], 5),
        p50_ms=result["p50_ms"],
        p99_ms=result["p99_ms"],
        max_ms=result["max_ms"],
        resident_mib=round(memory, 1),
        not_recorded=not_recorded,
    )


async def _follow(
    load: asyncio.subprocess.Process, target: Target, calls: int
) -> tuple[dict[str, Any], int, float]:
    """Answer the generator's offers and read its marks.

    Returns its result, and the target's CPU between the marks and memory at the last.
    """
    assert load.stdin is not None
    assert load.stdout is not None
    opened = closed = 0
    memory = 0.0
    answering: set[asyncio.Task[None]] = set()

    async def reply(leg: str, offer: str) -> None:
        assert load.stdin is not None
        text = await target.answer(leg, offer)
        load.stdin.write(json.dumps({"leg": leg, "answer": text}).encode() + b"\n")

    while line := await load.stdout.readline():
        message = json.loads(line)
        if "offer" in message:
            task = asyncio.create_task(reply(message["leg"], message["offer"]))
            answering.add(task)
            task.add_done_callback(answering.discard)
        elif "connected" in message:
            await target.join(calls)
            load.stdin.write(b'{"joined": true}\n')
        elif message.get("window") == "open":
            opened = cpu_ns(target.pid)
        elif message.get("window") == "closed":
            closed, memory = cpu_ns(target.pid), resident_mib(target.pid)
        else:
            return message, closed - opened, memory
    raise RuntimeError("the load generator failed")


def show(figures: Figures) -> None:
    """One row of the table."""

    def cell(value: float | None) -> str:
        return "      -" if value is None else f"{value:7.2f}"

    print(
        f"{figures.relay:17} {figures.calls:5d} {figures.cpu_ms_per_call_second:10.2f}"
        f" {figures.delivered:9.4f} {cell(figures.p50_ms)} {cell(figures.p99_ms)}"
        f" {cell(figures.max_ms)} {figures.resident_mib:7.1f}",
        flush=True,
    )


def ratios(rows: list[Figures], above: str, below: str) -> dict[str, float]:
    """CPU of one relay over that of another, by number of calls."""
    # What was not delivered was not paid for either: a starved bridge looks cheap.
    paid = {(row.relay, row.calls): row.cpu_ms_per_call_second / row.delivered for row in rows}
    return {
        str(calls): round(cost / paid[below, calls], 2)
        for (relay, calls), cost in paid.items()
        if relay == above and (below, calls) in paid
    }


def kib_per_capture(rows: list[Figures]) -> dict[str, float]:
    """What each recorded call adds to the worker's memory."""
    plain = {row.calls: row.resident_mib for row in rows if row.relay == OURS}
    return {
        str(row.calls): round((row.resident_mib - plain[row.calls]) * 1024 / row.calls, 1)
        for row in rows
        if row.relay == RECORDING and row.calls in plain
    }


def summary(rows: list[Figures], disk: dict[str, DiskFigures]) -> dict[str, Any]:
    """The JSON object of the last line."""

    def of(*relays: str) -> list[dict[str, Any]]:
        return [asdict(row) for row in rows if row.relay in relays]

    return {
        "bench": "media",
        "load_average": os.getloadavg()[0],
        "figures": of(OURS),
        "recording": of(RECORDING),
        "busy_disk": of(BUSY, RECORDING_BUSY),
        "rival": of(NAIVE, NAIVE_RECORDING),
        "baseline": of(EMPTY),
        "ratio": ratios(rows, NAIVE, OURS),
        "recording_ratio": ratios(rows, NAIVE_RECORDING, RECORDING),
        "recording_cost": ratios(rows, RECORDING, OURS),
        "recording_kib_per_call": kib_per_capture(rows),
        "disk": {name: asdict(each) for name, each in disk.items()},
        "goals": GOALS,
    }


async def measure_all(
    chosen: argparse.Namespace, folder: Path, seconds: float
) -> tuple[list[Figures], dict[str, DiskFigures]]:
    """Measure every relay in turn, and the disk at rest and under load."""
    rows: list[Figures] = []

    async def row(relay: str, target: AbstractAsyncContextManager[Target], calls: int) -> None:
        rows.append(await measure(relay, target, calls, seconds))
        show(rows[-1])

    for calls in chosen.calls:
        await row(EMPTY, pipe_target("bench.media_empty"), calls)
        await row(OURS, worker_target(), calls)
        await row(RECORDING, worker_target(folder / f"calls{calls}"), calls)
    disk = {"at rest": disk_figures(folder, chosen.busy, seconds)}
    async with busy_disk(folder):
        await row(BUSY, worker_target(), chosen.busy)
        await row(RECORDING_BUSY, worker_target(folder / "busy-disk"), chosen.busy)
        disk["busy"] = disk_figures(folder, chosen.busy, seconds)
    for calls in chosen.naive:
        await row(NAIVE, pipe_target("bench.media_naive"), calls)
        place = folder / f"naive{calls}"
        place.mkdir()
        recorder = pipe_target("bench.media_naive", "--record", str(place))
        await row(NAIVE_RECORDING, recorder, calls)
    return rows, disk


async def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short windows")
    parser.add_argument("--calls", type=int, nargs="+", default=[1, 10, 50, 100])
    parser.add_argument("--naive", type=int, nargs="*", default=[1, 10])
    parser.add_argument("--busy", type=int, default=50, help="recorded calls on a busy disk")
    parser.add_argument("--folder", type=Path, help="on the disk to record to")
    chosen = parser.parse_args()
    print(
        "relay             calls  ms/call-s delivered  p50 ms  p99 ms  max ms     MiB",
        flush=True,
    )
    with tempfile.TemporaryDirectory(prefix="bench-", dir=chosen.folder) as name:
        rows, disk = await measure_all(chosen, Path(name), 4.0 if chosen.quick else 15.0)
    print(json.dumps(summary(rows, disk)))


if __name__ == "__main__":
    asyncio.run(main())
