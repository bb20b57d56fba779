"""How long Meta waits for our 200, while the Graph API is stalled.

`python -m bench.webhooks [--seconds 30] [--rate 200]`: a table for people, then one JSON object
as the last line. Beside the gateway runs a bare aiohttp handler that only verifies the
signature: what durability costs is the difference.
"""

import argparse
import asyncio
import json
import os
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.media import cpu_ns

GOAL_P99_MS = 250.0
OURS = "gateway"
BARE = "bare handler"


@dataclass(frozen=True, slots=True)
class Figures:
    """One run."""

    server: str
    rate: float
    sent: int
    answered_200: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    cpu_ms_per_request: float
    stored: int | None
    """Rows in the inbox; None where nothing is stored."""


@asynccontextmanager
async def stalled_graph() -> AsyncIterator[str]:
    """A Graph API that takes every request and never answers."""
    open_writers: set[asyncio.StreamWriter] = set()

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_writers.add(writer)
        try:
            while await reader.read(65_536):
                pass
        except OSError:
            pass
        finally:
            open_writers.discard(writer)
            writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in list(open_writers):
            writer.transport.abort()


@asynccontextmanager
async def server_process(*arguments: str) -> AsyncIterator[tuple[int, int]]:
    """Run one of the servers; yields its process id and port."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.webhooks_server",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            port = 0
            while not port:
                line = await process.stdout.readline()
                if not line:
                    raise RuntimeError("the server did not start")
                port = int(line) if line.strip().isdigit() else 0
        yield process.pid, port
    finally:
        process.stdin.close()
        await process.wait()


async def load(port: int, rate: float, seconds: float) -> dict[str, float]:
    """Run the load process and return its result."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.webhooks_load",
        str(port),
        str(rate),
        str(seconds),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    result: dict[str, float] = json.loads(output)
    return result


async def measure(server: str, rate: float, seconds: float) -> Figures:
    """Load one server and describe what came of it."""
    with tempfile.TemporaryDirectory(prefix="cg") as name:
        folder = Path(name)
        async with stalled_graph() as graph_url:
            arguments = ("gateway", name, graph_url) if server == OURS else ("bare",)
            async with server_process(*arguments) as (pid, port):
                await load(port, 20, 1)
                before = cpu_ns(pid)
                stored_before = stored(folder)
                result = await load(port, rate, seconds)
                busy_ns = cpu_ns(pid) - before
                rows = stored(folder)
    outcomes: dict[str, int] = result["outcomes"]  # type: ignore[assignment]
    sent = int(result["sent"])
    return Figures(
        server=server,
        rate=rate,
        sent=sent,
        answered_200=outcomes.get("200", 0),
        p50_ms=result["p50_ms"],
        p90_ms=result["p90_ms"],
        p99_ms=result["p99_ms"],
        p999_ms=result["p99.9_ms"],
        max_ms=result["max_ms"],
        cpu_ms_per_request=round(busy_ns / 1e6 / sent, 3),
        stored=None if rows is None or stored_before is None else rows - stored_before,
    )


def stored(folder: Path) -> int | None:
    """Rows of the inbox in the only database of the folder."""
    for path in folder.glob("*.db"):
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            (count,) = connection.execute("SELECT count(*) FROM webhook_inbox").fetchone()
            return int(count)
        finally:
            connection.close()
    return None


def show(figures: Figures) -> None:
    """One row of the table."""
    print(
        f"{figures.server:14} {figures.sent:6d} {figures.answered_200:6d}"
        f" {figures.p50_ms:8.2f} {figures.p90_ms:8.2f} {figures.p99_ms:8.2f}"
        f" {figures.p999_ms:8.2f} {figures.max_ms:8.2f} {figures.cpu_ms_per_request:8.2f}"
        f" {'-' if figures.stored is None else figures.stored:>7}",
        flush=True,
    )


async def main() -> None:
    """Measure both and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--quick", action="store_true", help="five seconds each")
    options = parser.parse_args()
    seconds = 5.0 if options.quick else options.seconds
    print(
        f"{'server':14} {'sent':>6} {'200s':>6} {'p50 ms':>8} {'p90':>8} {'p99':>8}"
        f" {'p99.9':>8} {'max':>8} {'cpu ms':>8} {'stored':>7}"
    )
    rows = {}
    for server in (BARE, OURS):
        rows[server] = await measure(server, options.rate, seconds)
        show(rows[server])
    ours, bare = rows[OURS], rows[BARE]
    print(
        json.dumps(
            {
                "bench": "webhooks",
                "load_average": os.getloadavg()[0],
                "figures": asdict(ours),
                "rival": asdict(bare),
                "ratio": {
                    "p50": round(ours.p50_ms / bare.p50_ms, 1),
                    "p99": round(ours.p99_ms / bare.p99_ms, 1),
                    "cpu": round(ours.cpu_ms_per_request / bare.cpu_ms_per_request, 1),
                },
                "goal": {"p99_ms": GOAL_P99_MS, "met": ours.p99_ms <= GOAL_P99_MS},
                "lost": ours.answered_200 - (ours.stored or 0),
            }
        )
    )


if __name__ == "__main__":
    asyncio.run(main())
