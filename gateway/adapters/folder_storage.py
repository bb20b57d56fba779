"""Bytes in a folder of this machine (port `Storage`)."""

import asyncio
import errno
import os
import re
import secrets
import shutil
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeVar

from typing_extensions import override

from gateway.core.errors import BadInput
from gateway.core.jobs import Setback
from gateway.ports.storage import AlreadyStored, NotStored, Storage, StorageDown, StoredEntry

_NAME = re.compile(r"[a-zA-Z0-9_-]+(\.[a-zA-Z0-9_-]+)*(/[a-zA-Z0-9_-]+(\.[a-zA-Z0-9_-]+)*)+")
_NAME_MAX = 200
_COPY_BYTES = 1 << 20
_PART_SUFFIX = ".part"
_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})

_Result = TypeVar("_Result")


def check_name(name: str) -> str:
    """Return the name if it is one of ours: parts of plain letters, at least one folder."""
    if len(name) > _NAME_MAX or not _NAME.fullmatch(name):
        raise BadInput("this is no name of a recording's file")
    return name


class FolderStorage(Storage):
    """Files of mode 0600 below one folder, which appear whole or not at all."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, name: str) -> Path:
        """Return where a name lies."""
        return self._root / check_name(name)

    @override
    async def put(self, name: str, content: BinaryIO, size: int) -> None:
        path = self.path(name)

        def store() -> None:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part = path.with_name(f"{path.name}.{secrets.token_hex(8)}{_PART_SUFFIX}")
            try:
                descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "wb") as file:
                    shutil.copyfileobj(content, file, _COPY_BYTES)
                    file.flush()
                    os.fsync(file.fileno())
                    if file.tell() != size:
                        raise StorageDown(Setback.DAMAGED, "the content changed its size")
                # Not a rename: that would replace what is there.
                path.hardlink_to(part)
            finally:
                part.unlink(missing_ok=True)
            _sync(path.parent)

        try:
            await _in_thread(store)
        except FileExistsError:
            raise AlreadyStored(name) from None

    @override
    async def size(self, name: str) -> int | None:
        path = self.path(name)
        try:
            return (await _in_thread(path.stat)).st_size
        except NotStored:
            return None

    @override
    async def read(self, name: str, begin: int, length: int) -> bytes:
        path = self.path(name)

        def read() -> bytes:
            with path.open("rb") as file:
                file.seek(begin)
                return file.read(length)

        found = await _in_thread(read)
        if len(found) != length:
            raise NotStored("the file is shorter than it was")
        return found

    @override
    async def remove(self, name: str) -> None:
        path = self.path(name)

        def remove() -> None:
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                # Gone must mean gone, also after a power cut.
                _sync(path.parent)

        await _in_thread(remove)

    @override
    async def entries(self) -> AsyncIterator[StoredEntry]:
        folders = [self._root]
        while folders:
            folder = folders.pop()
            below, found = await _in_thread(partial(self._list, folder))
            folders += below
            for entry in found:
                yield entry

    def _list(self, folder: Path) -> tuple[list[Path], list[StoredEntry]]:
        below, found = [], []
        try:
            with os.scandir(folder) as listing:
                for each in listing:
                    if each.is_dir(follow_symlinks=False):
                        below.append(Path(each.path))
                        continue
                    status = each.stat(follow_symlinks=False)
                    name = str(Path(each.path).relative_to(self._root))
                    found.append(StoredEntry(name, status.st_size, status.st_mtime))
        except FileNotFoundError:
            # Removed meanwhile, or nothing was ever stored.
            pass
        return below, found


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


async def _in_thread(work: Callable[[], _Result]) -> _Result:
    try:
        return await asyncio.to_thread(work)
    except FileExistsError:
        raise
    except FileNotFoundError as error:
        raise NotStored("there is no such file") from error
    except OSError as error:
        setback = Setback.REFUSED if error.errno in _REFUSED else Setback.OUTAGE
        raise StorageDown(setback, error.strerror or "the disk failed") from error
