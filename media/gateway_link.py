"""One gateway's connection: frames in, commands carried out, answers and events out."""

import asyncio
from collections import deque

from pydantic import ValidationError

from media import protocol
from media.commands import CommandDesk
from media.event_log import EventLog
from media.protocol import FRAME_BYTES_MAX, Done, Failed, FromGateway, Hello, Refused
from media.protocol_message import Message

LENGTH_BYTES = 4


class MalformedFrame(Exception):
    """What came is not a message of the protocol; the connection cannot go on."""


def frame(message: Message) -> bytes:
    """A message as it goes over the socket."""
    body = message.model_dump_json().encode()
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


async def read_message(reader: asyncio.StreamReader) -> Hello | protocol.Command | None:
    """The next message; None at the end of the stream. Raises `MalformedFrame`."""
    try:
        head = await reader.readexactly(LENGTH_BYTES)
        length = int.from_bytes(head, "big")
        if not 0 < length <= FRAME_BYTES_MAX:
            raise MalformedFrame("length out of bounds")
        body = await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    try:
        return FromGateway.validate_json(body)
    except ValidationError as error:
        raise MalformedFrame("not a known message") from error


class GatewayLink:
    """Serves one admitted gateway until it goes or is displaced.

    Commands run side by side within a bound; when a gateway does not read its answers, no
    more of its commands are read.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        desk: CommandDesk,
        commands: set[asyncio.Task[None]],
        events: EventLog,
        commands_in_flight_max: int,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._desk = desk
        self._events = events
        self._slots = asyncio.Semaphore(commands_in_flight_max)
        self._answers: deque[Message] = deque()
        self._ready = asyncio.Event()
        # Held by the server: a command goes on when the connection that brought it ends.
        self._commands = commands
        self._ending = asyncio.Event()
        self._last_word: Refused | None = None

    async def run(self, welcome: protocol.Welcome) -> None:
        """Send `welcome` and serve; returns when the connection has ended."""
        self._answers.append(welcome)
        self._events.open(self._ready.set)
        self._ready.set()
        parts = [
            asyncio.create_task(self._read()),
            asyncio.create_task(self._write()),
            asyncio.create_task(self._ending.wait()),
        ]
        try:
            done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)
        if self._last_word is not None:
            self._answers.append(self._last_word)
        if self._ending.is_set():
            self._write_waiting()
        for part in done:
            part.result()

    def displace(self) -> None:
        """Another gateway takes over: say so and end."""
        self._last_word = Refused(reason="displaced")
        self._ending.set()

    def finish(self) -> None:
        """The worker stops: send what is waiting and end."""
        self._ending.set()

    async def _read(self) -> None:
        while True:
            await self._slots.acquire()
            message = await read_message(self._reader)
            if message is None:
                return
            if isinstance(message, Hello):
                raise MalformedFrame("hello comes once")
            task = asyncio.create_task(self._carry_out(message))
            self._commands.add(task)
            task.add_done_callback(self._commands.discard)

    async def _carry_out(self, command: protocol.Command) -> None:
        self._answers.append(await self._desk.carry_out(command))
        self._ready.set()

    async def _write(self) -> None:
        try:
            while True:
                await self._ready.wait()
                self._ready.clear()
                answered = self._write_waiting()
                await self._writer.drain()
                for _ in range(answered):
                    self._slots.release()
        except ConnectionError:
            return

    def _write_waiting(self) -> int:
        """Write all answers and events that wait; returns how many commands they answer."""
        if self._writer.is_closing():
            return 0  # A killed gateway; uvloop calls a write to it a mistake.
        answers = list(self._answers)
        self._answers.clear()
        messages: list[Message] = [*answers, *self._events.take()]
        self._writer.writelines([frame(message) for message in messages])
        return sum(isinstance(answer, Done | Failed) for answer in answers)
