"""The relays that `bench.media` measures, each as a process of its own."""

import asyncio
import itertools
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from media import protocol
from media import protocol_capture as recording
from media.protocol_message import Message

START_S = 30.0
PLENTY_MS = 10**9
BUDGET = "bench"


class Target(Protocol):
    """A relay process that answers offers of legs named `agent0`, `wa0`, `agent1` and so on."""

    @property
    def pid(self) -> int:
        """Its process id."""

    async def answer(self, leg: str, offer: str) -> str:
        """Its answer to the offer of one leg."""

    async def join(self, calls: int) -> None:
        """Called when all legs are connected."""

    async def leave(self) -> int:
        """Called when the load is over; how many packets recordings lack."""


class WorkerTarget:
    """Our media worker, driven over its socket."""

    def __init__(
        self,
        pid: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        records: bool,
    ) -> None:
        self.pid = pid
        self._records = records
        self._captures: list[str] = []
        self._stopped: dict[str, recording.CaptureStopped] = {}
        self._all_stopped = asyncio.Event()
        self._writer = writer
        self._ids = itertools.count()
        self._answers: dict[str, asyncio.Future[protocol.Done]] = {}
        self._task = asyncio.create_task(self._read(reader))

    async def answer(self, leg: str, offer: str) -> str:
        """Its answer to the offer of one leg."""
        kind = protocol.LegKind.AGENT if leg.startswith("agent") else protocol.LegKind.WHATSAPP
        done = await self._ask(
            protocol.AnswerOffer(
                id=self._id(), epoch=1, leg_id=leg, kind=kind, tag="", offer=offer
            )
        )
        assert done.sdp is not None
        return done.sdp

    async def join(self, calls: int) -> None:
        """Attach the legs of every call and let RTP flow."""
        for index in range(calls):
            whatsapp, agent = f"wa{index}", f"agent{index}"
            await self._ask(
                protocol.Attach(
                    id=self._id(), epoch=1, whatsapp_leg_id=whatsapp, agent_leg_id=agent
                )
            )
            await self._ask(protocol.StartSending(id=self._id(), epoch=1, leg_id=whatsapp))
            if self._records:
                await self._record(whatsapp)

    async def leave(self) -> int:
        """End all captures; how many packets their files lack."""
        for name in self._captures:
            await self._ask(recording.StopCapture(id=self._id(), epoch=1, capture_id=name))
        if self._captures:
            await asyncio.wait_for(self._all_stopped.wait(), START_S)
        return sum(event.dropped_packets for event in self._stopped.values())

    async def _record(self, whatsapp: str) -> None:
        if not self._captures:
            await self._ask(
                recording.OpenBudget(id=self._id(), budget_id=BUDGET, granted_ms=PLENTY_MS)
            )
        await self._ask(
            recording.StartCapture(
                id=self._id(),
                epoch=1,
                whatsapp_leg_id=whatsapp,
                capture_id=whatsapp,
                budget_id=BUDGET,
                blob="",
            )
        )
        self._captures.append(whatsapp)

    def _id(self) -> str:
        return f"bench-{next(self._ids)}"

    async def _ask(self, command: protocol.Command) -> protocol.Done:
        future: asyncio.Future[protocol.Done] = asyncio.get_running_loop().create_future()
        self._answers[command.id] = future
        await _send(self._writer, command)
        return await asyncio.wait_for(future, START_S)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while True:
            try:
                message = await _receive(reader)
            except asyncio.IncompleteReadError:
                return
            if isinstance(message, protocol.Done):
                self._answers.pop(message.id).set_result(message)
            elif isinstance(message, protocol.Failed):
                self._answers.pop(message.id).set_exception(RuntimeError(message.reason))
            elif isinstance(message, recording.CaptureStopped):
                self._stopped[message.capture_id] = message
                if len(self._stopped) == len(self._captures):
                    self._all_stopped.set()


class PipeTarget:
    """A helper process that takes `{"leg", "offer"}` lines and gives `{"leg", "answer"}`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.pid = process.pid
        self._process = process
        self._answers: dict[str, asyncio.Future[str]] = {}
        self._task = asyncio.create_task(self._read())

    async def answer(self, leg: str, offer: str) -> str:
        """Its answer to the offer of one leg."""
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._answers[leg] = future
        assert self._process.stdin is not None
        line = json.dumps({"leg": leg, "offer": offer})
        self._process.stdin.write(line.encode() + b"\n")
        return await asyncio.wait_for(future, START_S)

    async def join(self, calls: int) -> None:
        """The process joins legs of the same number by itself."""

    async def leave(self) -> int:
        """Nothing is known of what it lacks."""
        return 0

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            message = json.loads(line)
            self._answers.pop(message["leg"]).set_result(message["answer"])


@asynccontextmanager
async def worker_target(captures: Path | None = None) -> AsyncIterator[WorkerTarget]:
    """A fresh media worker on 127.0.0.1; records all calls below `captures` if it is given."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        socket_path, token_path = Path(name) / "media.sock", Path(name) / "token"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "media", "--bind", "127.0.0.1",
            "--socket", str(socket_path), "--token-file", str(token_path),
            *(() if captures is None else ("--captures", str(captures))),
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with asyncio.timeout(START_S):
                reader, writer = await _connect(socket_path)
            hello = protocol.Hello(
                protocol_version=protocol.PROTOCOL_VERSION,
                gateway_epoch=1,
                token=token_path.read_text(),
            )
            await _send(writer, hello)
            await _receive(reader)
            yield WorkerTarget(process.pid, reader, writer, records=captures is not None)
            writer.close()
        finally:
            process.kill()
            await process.wait()


@asynccontextmanager
async def pipe_target(module: str, *arguments: str) -> AsyncIterator[PipeTarget]:
    """A relay of the bench itself, run as `python -m module`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 20,
    )  # fmt: skip
    try:
        yield PipeTarget(process)
    finally:
        process.kill()
        await process.wait()


async def _connect(
    socket_path: Path,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    while True:
        try:
            return await asyncio.open_unix_connection(socket_path)
        except FileNotFoundError:
            await asyncio.sleep(0.05)


async def _send(writer: asyncio.StreamWriter, message: Message) -> None:
    body = message.model_dump_json().encode()
    writer.write(len(body).to_bytes(4, "big") + body)
    await writer.drain()


async def _receive(reader: asyncio.StreamReader) -> Message:
    length = int.from_bytes(await reader.readexactly(4), "big")
    return protocol.FromWorker.validate_json(await reader.readexactly(length))
