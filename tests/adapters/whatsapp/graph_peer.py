"""A stand-in for Graph that misbehaves to order, on a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from gateway.adapters.whatsapp_api import RetryPolicy, WhatsAppCalls
from gateway.adapters.whatsapp_breaker import GraphBreaker
from gateway.adapters.whatsapp_graph import GraphClient, GraphTimeouts
from gateway.core.ids import AccountId, PhoneNumberId
from gateway.ports.accounts import Number
from gateway.ports.calls import TraceLine

NUMBER = Number(
    phone_number_id=PhoneNumberId("106540352242922"),
    account_id=AccountId("a" * 26),
    waba_id="102290129340398",
    display="+1 631 555 3601",
    token="EAAsecret-token",
)


@dataclass
class Seen:
    """One request as Graph got it."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


Act = Callable[[asyncio.StreamWriter], Awaitable[None]]


def says(
    status: int, body: object = None, *, headers: dict[str, str] | None = None, raw: bytes = b""
) -> Act:
    """Answer in full."""

    async def act(writer: asyncio.StreamWriter) -> None:
        content = raw or json.dumps(body).encode()
        lines = {
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
            "x-fb-trace-id": "TRACE",
            **(headers or {}),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        writer.write(f"HTTP/1.1 {status} x\r\n{head}\r\n".encode() + content)
        await writer.drain()

    return act


def fault(code: int, details: str = "", **more: Any) -> dict[str, Any]:
    return {
        "error": {
            "message": f"(#{code}) no",
            "type": "OAuthException",
            "code": code,
            "error_data": {"messaging_product": "whatsapp", "details": details},
            "fbtrace_id": "TRACE",
            **more,
        }
    }


async def stays_silent(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def resets(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def breaks_off(writer: asyncio.StreamWriter) -> None:
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"success":')
    await writer.drain()
    writer.close()


async def trickles(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{")
    await writer.drain()
    await asyncio.Event().wait()


async def floods(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900000000\r\n\r\n")
    while not writer.transport.is_closing():
        writer.write(b" " * 65536)
        await writer.drain()


async def talks_nonsense(writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
    await writer.drain()
    writer.close()


OK = says(200, {"messaging_product": "whatsapp", "success": True})
CONNECTED = says(200, {"messaging_product": "whatsapp", "calls": [{"id": "wacid.NEW"}]})


@dataclass
class GraphPeer:
    """Acts one after the other, the last one for ever; remembers what it saw."""

    acts: list[Act] = field(default_factory=lambda: [OK])
    seen: list[Seen] = field(default_factory=list)
    port: int = 0

    def will(self, *acts: Act) -> None:
        self.acts = list(acts)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                headers = {}
                while header := (await reader.readline()).strip():
                    name, _, value = header.decode().partition(":")
                    headers[name.lower()] = value.strip()
                body = await reader.readexactly(int(headers["content-length"]))
                self.seen.append(Seen(line.split()[1].decode(), headers, json.loads(body)))
                act = self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]
                await act(writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


class TestClock:
    """Real monotonic time; sleeping is noted and not done; the wall stands still."""

    __test__ = False

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.wall_s = 1_790_000_000.0
        self.skew_s = 0.0

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time() + self.skew_s

    def wall(self) -> float:
        return self.wall_s

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@dataclass
class Bench:
    """A Graph client wired to a peer."""

    calls: WhatsAppCalls
    peer: GraphPeer
    clock: TestClock
    trace: list[TraceLine]


@asynccontextmanager
async def wired(
    *, timeouts: GraphTimeouts | None = None, chance: float = 1.0
) -> AsyncIterator[Bench]:
    peer, clock, trace = GraphPeer(), TestClock(), list[TraceLine]()
    open_tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        open_tasks.add(task)
        try:
            await peer.serve(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            open_tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    peer.port = server.sockets[0].getsockname()[1]
    graph = GraphClient(
        base_url=f"http://127.0.0.1:{peer.port}",
        version="v23.0",
        clock=clock,
        on_request=trace.append,
        timeouts=timeouts or GraphTimeouts(connect_s=5, start_call_s=30, action_s=30),
    )
    async with graph:
        calls = WhatsAppCalls(
            graph,
            clock=clock,
            retries=RetryPolicy(),
            breaker=GraphBreaker(failures_max=3, pause_s=15),
            chance=lambda: chance,
        )
        yield Bench(calls, peer, clock, trace)
    server.close()
    for task in list(open_tasks):
        task.cancel()
    await asyncio.gather(*open_tasks, return_exceptions=True)


def date_of(at: float) -> str:
    return formatdate(at, usegmt=True)
