"""One connection to a media worker: framing, hello, and messages in both directions."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import structlog
from pydantic import ValidationError

from gateway.core.errors import MediaAway
from media.protocol import (
    FRAME_BYTES_MAX,
    PROTOCOL_VERSION,
    Command,
    Done,
    Event,
    Failed,
    FromWorker,
    Hello,
    Refused,
    Welcome,
)

HELLO_TIMEOUT_S = 5.0
UNSENT_BYTES_MAX = 4 * FRAME_BYTES_MAX
"""A worker that does not read is as good as gone."""
_LENGTH_BYTES = 4

_log = structlog.get_logger(__name__)


class WorkerRefused(MediaAway):
    """The worker will not serve us: wrong token, other protocol, or a newer gateway."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the media worker refused us: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class MediaLink:
    """An open connection on which the worker has said `Welcome`."""

    welcome: Welcome
    _reader: asyncio.StreamReader
    _writer: asyncio.StreamWriter

    @classmethod
    async def open(cls, socket: Path, *, token: str, gateway_epoch: int) -> Self:
        """Connect and say hello. Raises `MediaAway`, `OSError` or `TimeoutError`."""
        async with asyncio.timeout(HELLO_TIMEOUT_S):
            reader, writer = await asyncio.open_unix_connection(
                str(socket), limit=FRAME_BYTES_MAX + _LENGTH_BYTES
            )
            try:
                hello = Hello(
                    protocol_version=PROTOCOL_VERSION,
                    gateway_epoch=gateway_epoch,
                    token=token,
                )
                writer.write(_framed(hello.model_dump_json()))
                answer = FromWorker.validate_json(await _read_frame(reader))
            except (ValidationError, asyncio.IncompleteReadError) as error:
                writer.close()
                raise MediaAway("the media worker did not answer our hello") from error
            except BaseException:
                writer.close()
                raise
        if isinstance(answer, Welcome):
            return cls(answer, reader, writer)
        writer.close()
        raise WorkerRefused(answer.reason if isinstance(answer, Refused) else "unknown")

    def send(self, command: Command) -> None:
        """Hand a command to the socket; a worker that does not read loses its connection."""
        self._writer.write(_framed(command.model_dump_json()))
        if self._writer.transport.get_write_buffer_size() > UNSENT_BYTES_MAX:
            self._writer.transport.abort()

    async def messages(self) -> AsyncIterator[Done | Failed | Event | Refused]:
        """Yield what the worker says until the connection ends."""
        while True:
            try:
                frame = await _read_frame(self._reader)
            except (OSError, asyncio.IncompleteReadError, MediaAway):
                return
            try:
                message = FromWorker.validate_json(frame)
            except ValidationError:
                # If it was an event, the gap in the numbers brings a fresh snapshot.
                _log.warning("media worker sent a message we cannot read", bytes=len(frame))
                continue
            if not isinstance(message, Welcome):
                yield message

    async def close(self) -> None:
        """Close our end. The worker's legs live on."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            _log.debug("media worker connection was already broken")


async def _read_frame(reader: asyncio.StreamReader) -> bytes:
    length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES))
    if length > FRAME_BYTES_MAX:
        raise MediaAway("the media worker sent an oversized message")
    return await reader.readexactly(length)


def _framed(text: str) -> bytes:
    content = text.encode()
    return len(content).to_bytes(_LENGTH_BYTES) + content
