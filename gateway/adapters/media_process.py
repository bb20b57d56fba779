"""Starts a media worker where none answers, detached: it outlives this process.

A lock file beside the socket keeps two gateways from starting two workers. The worker logs to
a file; its end is noticed by the engine, which asks here again before it reconnects.
"""

import asyncio
import fcntl
import importlib.util
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from gateway.adapters.media_engine import WorkerAddress
from gateway.core.errors import MediaAway

LOG_TAIL_BYTES = 2_000
POLL_S = 0.05

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerCommand:
    """How to start a worker."""

    arguments: tuple[str, ...] = ()
    """Further arguments of `python -m media`, for example `--bind 0.0.0.0`."""
    log_file: Path = Path("media.log")
    start_timeout_s: float = 20.0


class MediaProcess:
    """At most one worker per socket, started when needed."""

    def __init__(self, address: WorkerAddress, command: WorkerCommand) -> None:
        self._address = address
        self._command = command
        self._pid: int | None = None

    async def ensure(self) -> None:
        """Return once a worker answers on the socket. Raises `MediaAway` if none can start."""
        if await self._answers():
            return
        async with self._starting_alone():
            if await self._answers():
                return
            self._reap()
            self._pid = await asyncio.to_thread(self._spawn)
            _log.info("media worker started", pid=self._pid)
            await self._wait_for_answer()

    def terminate(self) -> None:
        """End the worker that this object started, if any (tests and one-shot commands)."""
        if self._pid is not None and not self._reap():
            os.kill(self._pid, signal.SIGTERM)
            os.waitpid(self._pid, 0)
            self._pid = None

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_unix_connection(str(self._address.socket))
        except OSError:
            return False
        writer.close()
        return True

    @asynccontextmanager
    async def _starting_alone(self) -> AsyncIterator[None]:
        """Hold the lock that says: a worker is being started here."""
        path = self._address.socket.with_suffix(".lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            await self._take(lock)
            yield
        finally:
            os.close(lock)

    async def _take(self, lock: int) -> None:
        give_up_at = time.monotonic() + self._command.start_timeout_s
        while not _try_lock(lock):
            if time.monotonic() > give_up_at:
                raise MediaAway("another process is starting a media worker and hangs")
            await asyncio.sleep(POLL_S)

    def _spawn(self) -> int:
        """Start `python -m media` in a session of its own; return its process id."""
        log = os.open(self._command.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            # Not `subprocess`: its objects want to see the child end, and this one outlives us.
            return os.posix_spawn(
                sys.executable,
                command_line(self._address, self._command.arguments),
                environment(),
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, log, 1),
                    (os.POSIX_SPAWN_DUP2, log, 2),
                ],
                setsid=True,
            )
        finally:
            os.close(log)

    async def _wait_for_answer(self) -> None:
        try:
            async with asyncio.timeout(self._command.start_timeout_s):
                while not await self._answers():
                    if self._reap():
                        raise MediaAway(f"the media worker ended at once: {self._log_tail()}")
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise MediaAway(f"the media worker did not come up: {self._log_tail()}") from None

    def _reap(self) -> bool:
        """Collect our worker if it has ended; True if there is none of ours any more."""
        if self._pid is None:
            return True
        try:
            ended, _ = os.waitpid(self._pid, os.WNOHANG)
        except ChildProcessError:
            ended = self._pid
        if ended:
            self._pid = None
        return bool(ended)

    def _log_tail(self) -> str:
        """Return the last line a person would look for in the worker's log."""
        try:
            text = self._command.log_file.read_bytes()[-LOG_TAIL_BYTES:].decode(
                errors="replace"
            )
        except OSError:
            return f"see {self._command.log_file}"
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return f"{lines[-1] if lines else 'no output'} (see {self._command.log_file})"


def command_line(address: WorkerAddress, arguments: Sequence[str]) -> list[str]:
    """Return how a worker at this address is started, the program first."""
    return [
        sys.executable,
        "-m",
        "media",
        "--socket",
        str(address.socket),
        "--token-file",
        str(address.token_file),
        *arguments,
    ]


def environment() -> dict[str, str]:
    """Return the environment of a worker: ours, and where it finds its package."""
    return {**os.environ, "PYTHONPATH": _import_path()}


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _import_path() -> str:
    """Where the child finds `media`, also when we run from a source tree."""
    found = importlib.util.find_spec("media")
    if found is None or found.origin is None:
        raise MediaAway("the media package is not installed")
    ours = str(Path(found.origin).parent.parent)
    inherited = os.environ.get("PYTHONPATH", "")
    return os.pathsep.join(part for part in (ours, inherited) if part)
