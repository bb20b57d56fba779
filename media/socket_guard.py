"""The worker's own files: the lock that keeps a second worker out, the token, directories."""

import fcntl
import os
import secrets
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

TOKEN_BYTES = 32
TOKEN_CHARACTERS_MAX = 4096


class SocketTaken(Exception):
    """Another worker holds the lock of this socket."""


class UnsafeFile(Exception):
    """A file or directory that we cannot use, or that others could read or replace."""


class SocketGuard:
    """Holds the lock file of a socket as long as it is entered."""

    def __init__(self, socket_path: Path) -> None:
        self._socket_path = socket_path
        self._lock_path = socket_path.with_name(socket_path.name + ".lock")
        self._descriptor = -1

    def __enter__(self) -> Self:
        # The socket and the token are 0600; who could write here could replace them.
        private_directory(self._socket_path.parent, "the socket")
        self._descriptor = os.open(
            self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise SocketTaken("another media worker serves this socket") from None
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        # The file stays: removing it would let a third worker lock a new one.
        os.close(self._descriptor)


def private_directory(directory: Path, content: str) -> None:
    """Make a directory, or see that nobody else can write to it. Raises `UnsafeFile`."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = directory.stat().st_mode
    except OSError as error:
        reason = error.strerror or "the disk failed"
        raise UnsafeFile(f"the directory of {content} cannot be made: {reason}") from error
    if stat.S_IMODE(mode) & 0o022:
        raise UnsafeFile(f"the directory of {content} must be writable by us alone")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise UnsafeFile(f"the directory of {content} must be writable by us")


def read_token(path: Path) -> str:
    """The shared secret; made if the file is missing. Raises `UnsafeFile`."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        status = path.stat()
        if stat.S_IMODE(status.st_mode) & 0o077 or status.st_uid != os.getuid():
            raise UnsafeFile("the token file must be ours and have mode 0600") from None
        token = path.read_text(encoding="utf-8")[:TOKEN_CHARACTERS_MAX].strip()
        if not token:
            raise UnsafeFile("the token file is empty") from None
        return token
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(token)
    return token
