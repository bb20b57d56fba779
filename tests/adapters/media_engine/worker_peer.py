"""A scripted media worker: speaks the protocol on a real socket and does what a test says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from media import protocol as wire
from media.protocol_capture import BudgetSnapshot, CaptureSnapshot
from media.protocol_message import Message

TOKEN = "s3cret"


class WorkerPeer:
    """Answers every command with `Done`, unless told otherwise; never sends on its own."""

    def __init__(self, socket: Path, token_file: Path) -> None:
        self.socket = socket
        self.token_file = token_file
        self.boot_id = "boot-1"
        self.last_seq = 0
        self.legs: list[wire.LegSnapshot] = []
        self.hellos: list[wire.Hello] = []
        self.commands: asyncio.Queue[Any] = asyncio.Queue()
        self.answers_itself = True
        self.refuses: wire.Refused | None = None
        self.fails: tuple[str, str] | None = None
        self.describes: dict[type[Any], dict[str, Any]] = {}
        """What `Done` carries after a command of a kind."""
        self.captures: tuple[CaptureSnapshot, ...] = ()
        self.budgets: tuple[BudgetSnapshot, ...] = ()
        self._server: asyncio.Server | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        self.token_file.write_text(TOKEN)
        self._server = await asyncio.start_unix_server(self._serve, str(self.socket))

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self.socket.unlink(missing_ok=True)
        self.hang_up()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def hang_up(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()

    def say(self, message: Message) -> None:
        assert self._writer
        content = message.model_dump_json().encode()
        self._writer.write(len(content).to_bytes(4) + content)

    def say_raw(self, content: bytes) -> None:
        assert self._writer
        self._writer.write(len(content).to_bytes(4) + content)

    def event(self, kind: type[Any], **fields: Any) -> None:
        self.last_seq += 1
        if "tag" in kind.model_fields:
            fields["tag"] = ""
        self.say(kind(seq=self.last_seq, at=1.0, **fields))

    def snapshot(self) -> wire.Snapshot:
        return wire.Snapshot(
            last_seq=self.last_seq,
            legs=tuple(self.legs),
            captures=self.captures,
            budgets=self.budgets,
        )

    def answer(self, command: Any) -> None:
        if isinstance(command, wire.TakeSnapshot):
            self.say(wire.Done(id=command.id, snapshot=self.snapshot()))
        elif self.fails:
            code, reason = self.fails
            self.say(wire.Failed(id=command.id, code=code, reason=reason))  # type: ignore[arg-type]
        else:
            sdp = (
                "v=0 local" if isinstance(command, wire.AnswerOffer | wire.MakeOffer) else None
            )
            described = self.describes.get(type(command), {})
            self.say(wire.Done(id=command.id, sdp=sdp, **described))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self._writer = writer
        try:
            self.hellos.append(wire.Hello.model_validate_json(await self._read(reader)))
            if self.refuses is not None:
                self.say(self.refuses)
                return
            self.say(
                wire.Welcome(
                    protocol_version=wire.PROTOCOL_VERSION,
                    worker_id="w",
                    boot_id=self.boot_id,
                    snapshot=self.snapshot(),
                )
            )
            while True:
                command = wire.FromGateway.validate_json(await self._read(reader))
                if self.answers_itself:
                    self.answer(command)
                await self.commands.put(command)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        return await reader.readexactly(int.from_bytes(await reader.readexactly(4)))


@asynccontextmanager
async def worker_peer(folder: Path) -> AsyncIterator[WorkerPeer]:
    peer = WorkerPeer(folder / "media.sock", folder / "media.token")
    await peer.start()
    try:
        yield peer
    finally:
        await peer.stop()


def leg(leg_id: str, **more: Any) -> wire.LegSnapshot:
    fields: dict[str, Any] = {
        "kind": wire.LegKind.WHATSAPP,
        "tag": "",
        "epoch": 1,
        "state": wire.LegState.CONNECTED,
        "sending": False,
        "attached_to": None,
        "held": False,
        "muted": False,
        "received_rtp": False,
        "local_sdp": "v=0",
        "packets_in": 0,
        "packets_out": 0,
        **more,
    }
    return wire.LegSnapshot(leg_id=leg_id, **fields)
