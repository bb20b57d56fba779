"""Makes other formats of recordings (port `Transcoder`): `python -m media.transcode`."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from typing_extensions import override

from gateway.adapters.capture_assembly import import_path
from gateway.ports.library import AudioKind, Busy, NotTranscoded, Transcoder

CHUNK_BYTES = 64 * 1024
RETRY_AFTER_S = 10.0
_WORDS_MAX = 200

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TranscodeBounds:
    """What transcoding may take."""

    at_once_max: int = 2
    """Processes at the same time."""
    first_max_s: float = 30.0
    """Until the first piece is there."""
    whole_max_s: float = 1_800.0
    """For one recording, with the time that its reader takes."""


class AudioTranscoding(Transcoder):
    """Each process reads the recording from a pipe and writes into another: no file is made."""

    def __init__(self, bounds: TranscodeBounds | None = None) -> None:
        self._bounds = bounds or TranscodeBounds()
        self._running = 0

    @override
    @asynccontextmanager
    async def transcode(
        self, source: AsyncIterator[bytes], kind: AudioKind, *, length_ms: int
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        if self._running >= self._bounds.at_once_max:
            raise Busy(RETRY_AFTER_S)
        self._running += 1
        try:
            async with self._process(kind, length_ms) as process:
                feeding = asyncio.create_task(_feed(source, process))
                try:
                    async with asyncio.timeout(self._bounds.first_max_s):
                        first = await _piece(process, feeding)
                    yield self._pieces(process, feeding, first)
                except TimeoutError as error:
                    raise NotTranscoded("it took too long to begin") from error
                finally:
                    feeding.cancel()
                    await asyncio.wait([feeding])
        finally:
            self._running -= 1

    @asynccontextmanager
    async def _process(self, kind: AudioKind, length_ms: int) -> AsyncIterator[Process]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "media.transcode",
            *("--to", kind.value, "--length-ms", str(length_ms)),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env={**os.environ, "PYTHONPATH": import_path()},
            limit=CHUNK_BYTES,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def _pieces(
        self, process: Process, feeding: "asyncio.Task[None]", first: bytes
    ) -> AsyncIterator[bytes]:
        """Yield what the process makes, all of it or an error. Raises `NotTranscoded`."""
        # Not around the whole: whoever reads between two pieces must not be interrupted.
        deadline = asyncio.get_running_loop().time() + self._bounds.whole_max_s
        piece = first
        while piece:
            yield piece
            try:
                async with asyncio.timeout_at(deadline):
                    piece = await _piece(process, feeding)
            except TimeoutError as error:
                _log.warning("transcoding took too long")
                raise NotTranscoded("it took too long") from error


async def _piece(process: Process, feeding: "asyncio.Task[None]") -> bytes:
    """Return what came next; nothing at a good end. Raises `NotTranscoded`, or the source's."""
    assert process.stdout is not None
    assert process.stderr is not None
    piece = await process.stdout.read(CHUNK_BYTES)
    if piece:
        return piece
    if feeding.done() and (error := feeding.exception()) is not None:
        raise error
    words = (await process.stderr.read(_WORDS_MAX)).decode(errors="replace").strip()
    if await process.wait():
        raise NotTranscoded(words or "the process failed")
    return b""


async def _feed(source: AsyncIterator[bytes], process: Process) -> None:
    """Give the process what it reads; it may stop reading before the end."""
    assert process.stdin is not None
    try:
        async for chunk in source:
            process.stdin.write(chunk)
            await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        return
    except BaseException:
        # It must not take a part for the whole and end well.
        process.kill()
        raise
    finally:
        process.stdin.close()
