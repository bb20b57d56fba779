"""Keeps an agent's data channel open; what comes through it is bounded and ignored.

A browser never freezes a tab that has an open data channel, so an agent who is ready
stays reachable. The SCTP of aiortc runs over our DTLS.
"""

import asyncio
import struct
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcsctptransport import DataChunk, InboundStream, RTCSctpTransport
from typing_extensions import override

from media.dtls import Role
from media.sdp_writer import SCTP_PORT

MESSAGES_MAX = 64
CHANNELS_MAX = 8
STREAMS_MAX = 64
MISORDERED_MAX = 1024
WINDOW_BYTES = 64 * 1024
# What hostile chunks make the library raise.
FAILURES = (
    AssertionError,
    AttributeError,
    ConnectionError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
    struct.error,
)


class _BoundedSctp(RTCSctpTransport):
    """The library's association with bounds on what a peer can make it remember."""

    def __init__(self, carrier: "_Carrier") -> None:
        super().__init__(cast("RTCDtlsTransport", carrier), SCTP_PORT)
        self._advertised_rwnd = WINDOW_BYTES

    @override
    def _get_inbound_stream(self, stream_id: int) -> InboundStream:
        if stream_id not in self._inbound_streams and len(self._inbound_streams) >= STREAMS_MAX:
            raise ValueError("too many streams")
        return super()._get_inbound_stream(stream_id)

    @override
    async def _receive_data_chunk(self, chunk: DataChunk) -> None:
        if self._advertised_rwnd < len(chunk.user_data) or (
            len(self._sack_misordered) >= MISORDERED_MAX
        ):
            raise ValueError("the peer ignores the window")
        await super()._receive_data_chunk(chunk)

    @override
    async def _data_channel_receive(self, stream_id: int, pp_id: int, data: bytes) -> None:
        if stream_id not in self._data_channels and len(self._data_channels) >= CHANNELS_MAX:
            raise ValueError("too many channels")
        await super()._data_channel_receive(stream_id, pp_id, data)


class _Carrier:
    """The part of `RTCDtlsTransport` that the SCTP transport touches (see selftest)."""

    def __init__(self, role: Role, send: Callable[[bytes], None]) -> None:
        self._role = role
        self._send = send
        self.state = "connected"

    def _register_data_receiver(self, receiver: object) -> None:
        """Messages are handed to the association directly."""

    def _unregister_data_receiver(self, receiver: object) -> None:
        """See `_register_data_receiver`."""

    async def _send_data(self, message: bytes) -> None:
        self._send(message)


class DataChannelKeeper:
    """The SCTP association of one leg."""

    def __init__(
        self, role: Role, *, send: Callable[[bytes], None], drops: Counter[str]
    ) -> None:
        self._drops = drops
        self.association = _BoundedSctp(_Carrier(role, send))
        self._messages: asyncio.Queue[bytes] = asyncio.Queue(MESSAGES_MAX)
        self._task: asyncio.Task[None] | None = None

    def start(self, remote_port: int) -> None:
        """Set the association up in the background; `close` must be called in the end."""
        self._task = asyncio.create_task(self._run(remote_port))

    def receive(self, message: bytes) -> None:
        """Take one decrypted DTLS message of the peer."""
        try:
            self._messages.put_nowait(message)
        except asyncio.QueueFull:
            self._drops["sctp_flood"] += 1

    async def close(self) -> None:
        """End the association; the peer gets an ABORT."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
            await self.association.stop()

    async def _run(self, remote_port: int) -> None:
        await self.association.start(None, remote_port)
        receive: Any = self.association._handle_data  # noqa: SLF001  (see selftest)
        while True:
            message = await self._messages.get()
            try:
                await receive(message)
            except FAILURES:
                self._drops["sctp_malformed"] += 1
