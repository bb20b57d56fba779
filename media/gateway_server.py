"""The Unix socket of the worker: admits one gateway at a time, the newest."""

import asyncio
import contextlib
import hmac
import os
import time
from pathlib import Path

import structlog

from media.gateway_link import GatewayLink, MalformedFrame, frame, read_message
from media.protocol import PROTOCOL_VERSION, Hello, Refused, Welcome
from media.worker_context import WorkerContext

log = structlog.get_logger()

CONNECTIONS_MAX = 16
GOODBYE_S = 1.0


class GatewayServer:
    """Listens after `start`; `close` ends every connection and removes the socket."""

    def __init__(self, context: WorkerContext, socket_path: Path, token: str) -> None:
        self._context = context
        self._socket_path = socket_path
        self._token = token
        self._server: asyncio.Server | None = None
        self._current: GatewayLink | None = None
        self._highest_epoch = -1
        self._alone_since = time.monotonic()
        self._connections: set[asyncio.Task[None]] = set()
        self._commands: set[asyncio.Task[None]] = set()

    @property
    def alone_s(self) -> float:
        """For how long no gateway has been connected."""
        return 0.0 if self._current is not None else time.monotonic() - self._alone_since

    async def start(self) -> None:
        """Bind the socket, readable by our own user only."""
        with contextlib.suppress(FileNotFoundError):
            self._socket_path.unlink()
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._accept, self._socket_path)
        finally:
            os.umask(before)

    async def close(self) -> None:
        """Stop listening and end all connections."""
        if self._server is not None:
            self._server.close()
        if self._current is not None:
            self._current.finish()
        if self._connections:
            _, late = await asyncio.wait(self._connections, timeout=GOODBYE_S)
            for connection in late:
                connection.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        with contextlib.suppress(FileNotFoundError):
            self._socket_path.unlink()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= CONNECTIONS_MAX:
            log.warning("too many gateway connections")
            writer.close()
            return
        connection = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._converse(reader, writer)
        except (MalformedFrame, ConnectionError, TimeoutError):
            log.warning("gateway connection refused or broken")
        finally:
            writer.close()
            # What is still to be written must reach the gateway even if we end now.
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        async with asyncio.timeout(self._context.settings.hello_timeout_s):
            hello = await read_message(reader)
        if hello is None:
            # Somebody only looked whether a worker listens here.
            return
        if not isinstance(hello, Hello):
            raise MalformedFrame("hello comes first")
        refusal = self._judge(hello)
        if refusal is not None:
            log.warning("gateway refused", reason=refusal.reason)
            writer.write(frame(refusal))
            return
        self._highest_epoch = hello.gateway_epoch
        link = GatewayLink(
            reader,
            writer,
            desk=self._context.desk,
            commands=self._commands,
            events=self._context.events,
            commands_in_flight_max=self._context.settings.commands_in_flight_max,
        )
        if self._current is not None:
            self._current.displace()
        self._current = link
        log.info("gateway connected")
        try:
            await link.run(self._welcome())
        finally:
            if self._current is link:
                self._current = None
                self._alone_since = time.monotonic()
                self._context.events.shut()
                log.info("gateway disconnected")

    def _judge(self, hello: Hello) -> Refused | None:
        if not hmac.compare_digest(hello.token.encode(), self._token.encode()):
            return Refused(reason="bad_token")
        if hello.protocol_version != PROTOCOL_VERSION:
            return Refused(reason="protocol_version")
        if hello.gateway_epoch < self._highest_epoch:
            return Refused(reason="stale_epoch")
        return None

    def _welcome(self) -> Welcome:
        directory = self._context.settings.captures_path
        return Welcome(
            protocol_version=PROTOCOL_VERSION,
            worker_id=self._context.worker_id,
            boot_id=self._context.boot_id,
            snapshot=self._context.snapshot(),
            captures_directory=None if directory is None else str(directory.absolute()),
        )
