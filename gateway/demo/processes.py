"""Processes that the demo starts, and that end with it however it ends."""

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LOG_TAIL_BYTES = 2_000
_POLL_S = 0.05


class ChildFailed(Exception):
    """A process of the demo did not come up; the message says what it wrote last."""


class Child:
    """One `python -m MODULE`, ready as soon as it has printed its first line."""

    def __init__(self, process: asyncio.subprocess.Process, first_line: str) -> None:
        self._process = process
        self.first_line = first_line

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @classmethod
    async def start(
        cls,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        within_s: float = 60.0,
    ) -> "Child":
        """Run `python ARGUMENTS` and wait for its first line.

        What it writes to standard error goes to the end of `log`. Raises `ChildFailed` if it
        ends or stays silent.
        """
        with log.open("ab") as sink:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *arguments,
                env=dict(environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=sink,
                # Ctrl-C is ours to hear: children that hear it too would end in no order.
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        assert process.stdout is not None
        line = b""
        with contextlib.suppress(TimeoutError):
            line = await asyncio.wait_for(process.stdout.readline(), within_s)
        child = cls(process, line.decode().strip())
        if not line:
            await child.kill()
            raise ChildFailed(f"`{' '.join(arguments)}` did not start: {tail_of(log)}")
        return child

    async def terminate(self, *, within_s: float = 30.0) -> int:
        """Ask the process to end and wait for it, killing it in the end; its exit code."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), within_s)
            except TimeoutError:
                await self.kill()
        return await self._process.wait()

    async def kill(self) -> None:
        """End the process as a crash would."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        await self._process.wait()

    async def ended(self) -> int:
        """Wait until the process is over; its exit code."""
        return await self._process.wait()


def tail_of(log: Path) -> str:
    """Return the end of a log, for a message to a person."""
    try:
        text = log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace").strip()
    except OSError:
        text = ""
    return text or f"it wrote nothing (see {log})"


def listener_pid(path: Path) -> int | None:
    """Return the process that listens on a Unix socket, or None."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return None
        size = struct.calcsize("3i")
        credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        return int(struct.unpack("3i", credentials)[0])


async def end_listener(path: Path, *, within_s: float = 10.0) -> None:
    """End the process that listens on a Unix socket: one that outlives who started it."""
    pid = listener_pid(path)
    deadline = time.monotonic() + within_s
    while pid is not None and listener_pid(path) == pid:
        late = time.monotonic() > deadline
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
        await asyncio.sleep(_POLL_S)


def _die_with_parent() -> None:
    """Have the kernel end this process when the demo is killed without a chance to clean up."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
