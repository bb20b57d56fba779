"""A Valkey server of our own: started, watched and started again, on a private Unix socket.

It keeps what is live and nothing that must last, so it writes nothing to disk. It survives a
killed gateway; the next one finds it on the socket and goes on with it.
"""

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import structlog

from gateway.adapters.valkey_binary import find_server
from gateway.core.errors import BadInput

_log = structlog.get_logger(__name__)

# sun_path has 108 bytes with its NUL on Linux, 104 on macOS.
_SOCKET_PATH_MAX = 103
_LOG_TAIL_BYTES = 1_000


@dataclass(frozen=True, slots=True)
class ServerTimes:
    """How long what may take, in seconds."""

    lock_max_s: float = 10.0
    """For an earlier gateway to let go of the directory."""
    start_max_s: float = 10.0
    ping_max_s: float = 1.0
    check_every_s: float = 0.25
    frozen_max_s: float = 5.0
    """A server that answers nothing for so long is ended and replaced."""
    stop_max_s: float = 5.0
    backoff_first_s: float = 0.1
    backoff_max_s: float = 5.0


class ValkeyServer:
    """At most one server per directory. Whoever starts it awaits `close`."""

    def __init__(
        self, directory: Path, *, program: Path | None = None, times: ServerTimes | None = None
    ) -> None:
        """Without `program` the bundled server is taken, else one from the PATH.

        Raises `BadInput` if the directory's name is too long for a socket in it.
        """
        self._directory = directory
        self.socket = directory / "valkey.sock"
        if len(os.fsencode(self.socket)) > _SOCKET_PATH_MAX:
            raise BadInput(
                f"the path {directory} is too long for a Unix socket: choose a shorter "
                "CALLGATE_DATA_DIR, or set CALLGATE_REDIS_URL"
            )
        self._program = program
        self._times = times or ServerTimes()
        self._child: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        self._watching: asyncio.Task[None] | None = None
        self.starts = 0
        """How often a server was started; 0 while an older one is used."""

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"unix://{self.socket}"

    async def start(self) -> None:
        """Return once a server answers, and watch it from then on.

        Raises `BadInput` if another gateway uses the directory, or no server can be started.
        """
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._directory.chmod(0o700)
        await self._take_lock()
        try:
            if not await self._answers():
                await self._start_one()
        except BaseException:
            self._release_lock()
            raise
        self._watching = asyncio.create_task(self._watch(), name="valkey watch")

    async def close(self) -> None:
        """End the server and let go of the directory."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
            self._watching = None
        if self._lock is None:
            return
        owner = self._owner_pid()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(self._times.ping_max_s):
                await self._ask(b"SHUTDOWN NOSAVE\r\n")
        await self._wait_gone(owner)
        self._release_lock()

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        backoff_s = self._times.backoff_first_s
        answered_at = loop.time()
        while True:
            await asyncio.sleep(self._times.check_every_s)
            is_gone = not self._listens()
            if not is_gone and await self._answers():
                answered_at = loop.time()
                backoff_s = self._times.backoff_first_s
                continue
            if not is_gone and loop.time() - answered_at < self._times.frozen_max_s:
                continue
            _log.warning("the Valkey server is gone or frozen; starting another")
            await asyncio.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, self._times.backoff_max_s)
            try:
                await self._start_one()
                answered_at = loop.time()
            except BadInput as error:
                _log.error("the Valkey server does not start", reason=str(error))

    async def _start_one(self) -> None:
        await self._wait_gone(self._owner_pid(), kill=True)
        self.socket.unlink(missing_ok=True)
        program = self._program
        if program is None:
            program = await asyncio.to_thread(find_server)
        child = await asyncio.to_thread(self._spawn, program)
        self._child = child
        self.starts += 1
        give_up_at = asyncio.get_running_loop().time() + self._times.start_max_s
        while not await self._answers():
            if child.poll() is not None:
                raise BadInput(f"{program.name} ended at once: {self._log_tail()}")
            if asyncio.get_running_loop().time() > give_up_at:
                await self._wait_gone(child.pid, kill=True)
                raise BadInput(f"{program.name} did not answer: {self._log_tail()}")
            await asyncio.sleep(0.02)
        _log.info("Valkey server started", pid=child.pid, program=program.name)

    def _spawn(self, program: Path) -> "subprocess.Popen[bytes]":
        log = self._directory / "valkey.log"
        log.unlink(missing_ok=True)
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self._directory),
            "logfile": str(log),
            "loglevel": "warning",
            "save": "",
            "appendonly": "no",
            "daemonize": "no",
            "maxmemory-policy": "noeviction",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        return subprocess.Popen(  # noqa: S603 (our own program and arguments)
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._directory,
            # Not ended by the terminal's Ctrl-C; the gateway ends it in its own order.
            start_new_session=True,
        )

    async def _take_lock(self) -> None:
        path = self._directory / "lock"
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        give_up_at = asyncio.get_running_loop().time() + self._times.lock_max_s
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if asyncio.get_running_loop().time() > give_up_at:
                    os.close(lock)
                    raise BadInput(
                        f"another gateway uses {self._directory}: stop it, or give this one "
                        "another CALLGATE_DATA_DIR"
                    ) from None
                await asyncio.sleep(0.1)
            else:
                self._lock = lock
                return

    def _release_lock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(self._times.ping_max_s):
                return await self._ask(b"PING\r\n") == b"+PONG\r\n"
        except (OSError, TimeoutError):
            return False

    async def _ask(self, command: bytes) -> bytes:
        reader, writer = await asyncio.open_unix_connection(self.socket)
        try:
            writer.write(command)
            return await reader.readline()
        finally:
            writer.close()

    def _listens(self) -> bool:
        """Whether some process has the socket open, answering or not."""
        with socket.socket(socket.AF_UNIX) as probe:
            probe.setblocking(False)
            try:
                probe.connect(str(self.socket))
            except BlockingIOError:
                return True  # its backlog is full: it is there, and frozen
            except OSError:
                return False
        return True

    def _owner_pid(self) -> int | None:
        """Return the process that listens on the socket, if any and if it can be told."""
        if self._child is not None and self._child.poll() is None:
            return self._child.pid
        peer_credentials = getattr(socket, "SO_PEERCRED", None)  # Linux
        if peer_credentials is None:
            return None
        with socket.socket(socket.AF_UNIX) as probe:
            probe.setblocking(False)
            try:
                probe.connect(str(self.socket))
                found = probe.getsockopt(socket.SOL_SOCKET, peer_credentials, 12)
            except OSError:
                return None
        pid, uid, _gid = struct.unpack("3i", found)
        return pid if pid > 0 and uid == os.getuid() and pid != os.getpid() else None

    async def _wait_gone(self, pid: int | None, *, kill: bool = False) -> None:
        """Wait until the process has ended; one that does not (or, with `kill`, at once) is
        killed.
        """
        if pid is None:
            return
        give_up_at = asyncio.get_running_loop().time() + self._times.stop_max_s
        while self._is_alive(pid):
            if kill or asyncio.get_running_loop().time() > give_up_at:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.02)

    def _is_alive(self, pid: int) -> bool:
        if self._child is not None and self._child.pid == pid:
            return self._child.poll() is None
        try:
            os.kill(pid, 0)
            # An orphan that nobody reaps keeps its number, dead as it is.
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except ProcessLookupError:
            return False
        except FileNotFoundError:
            return not Path("/proc/self").exists()

    def _log_tail(self) -> str:
        try:
            text = (self._directory / "valkey.log").read_bytes()[-_LOG_TAIL_BYTES:]
        except OSError:
            return "it wrote no log"
        return (
            text.decode(errors="replace").strip().splitlines()[-1]
            if text
            else "no reason given"
        )
