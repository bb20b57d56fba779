"""How much CPU a relayed call costs and how much delay it adds, beside a naive aiortc bridge.

`python -m bench.media [--quick]`: a table for people, then one JSON object as the last line.
Latency is the kernel's arrival stamp at the generator minus the time of sending, so it holds
both hops over loopback; the empty relay shows how much of it is this machine.
"""

import argparse
import asyncio
import json
import os
import sys
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.media_targets import Target, pipe_target, worker_target

OURS = "worker"
NAIVE = "naive aiortc"
EMPTY = "empty relay"
GOALS = {
    "cpu_ms_per_call_second_at_50": 2.0,
    "naive_ratio_at_10": 40.0,
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
        result, busy_ns = await _follow(load, running, calls)
        await load.wait()
    # A relay that decodes cannot carry the stamps through.
    received = result["unstamped"] if relay == NAIVE else result["received"]
    return Figures(
        relay=relay,
        calls=calls,
        cpu_ms_per_call_second=round(busy_ns / 1e6 / calls / seconds, 3),
        delivered=round(received / result["sent"], 5),
        p50_ms=result["p50_ms"],
        p99_ms=result["p99_ms"],
        max_ms=result["max_ms"],
    )


async def _follow(
    load: asyncio.subprocess.Process, target: Target, calls: int
) -> tuple[dict[str, Any], int]:
    """Answer the generator's offers and read its marks; its result and the CPU between them."""
    assert load.stdin is not None
    assert load.stdout is not None
    opened = closed = 0
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
            closed = cpu_ns(target.pid)
        else:
            return message, closed - opened
    raise RuntimeError("the load generator failed")


def show(figures: Figures) -> None:
    """One row of the table."""

    def cell(value: float | None) -> str:
        return "      -" if value is None else f"{value:7.2f}"

    print(
        f"{figures.relay:14} {figures.calls:5d} {figures.cpu_ms_per_call_second:10.2f}"
        f" {figures.delivered:9.4f} {cell(figures.p50_ms)} {cell(figures.p99_ms)}"
        f" {cell(figures.max_ms)}",
        flush=True,
    )


def summary(rows: list[Figures]) -> dict[str, Any]:
    """The JSON object of the last line."""
    by_key = {(row.relay, row.calls): row for row in rows}
    ratios = {
        str(calls): round(
            by_key[NAIVE, calls].cpu_ms_per_call_second
            / by_key[OURS, calls].cpu_ms_per_call_second,
            1,
        )
        for relay, calls in by_key
        if relay == NAIVE and (OURS, calls) in by_key
    }
    return {
        "bench": "media",
        "load_average": os.getloadavg()[0],
        "figures": [asdict(row) for row in rows if row.relay == OURS],
        "rival": [asdict(row) for row in rows if row.relay == NAIVE],
        "baseline": [asdict(row) for row in rows if row.relay == EMPTY],
        "ratio": ratios,
        "goals": GOALS,
    }


async def main() -> None:
    """Measure every relay in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short windows")
    parser.add_argument("--calls", type=int, nargs="+", default=[1, 10, 50, 100])
    parser.add_argument("--naive", type=int, nargs="*", default=[1, 10])
    chosen = parser.parse_args()
    seconds = 4.0 if chosen.quick else 15.0
    print("relay          calls  ms/call-s delivered  p50 ms  p99 ms  max ms", flush=True)
    rows: list[Figures] = []
    for calls in chosen.calls:
        rows.append(await measure(EMPTY, pipe_target("bench.media_empty"), calls, seconds))
        show(rows[-1])
        rows.append(await measure(OURS, worker_target(), calls, seconds))
        show(rows[-1])
    for calls in chosen.naive:
        rows.append(await measure(NAIVE, pipe_target("bench.media_naive"), calls, seconds))
        show(rows[-1])
    print(json.dumps(summary(rows)))


if __name__ == "__main__":
    asyncio.run(main())
