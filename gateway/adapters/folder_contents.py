"""Files of recordings in the folder of this node (port `Contents`)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from typing_extensions import override

from gateway.core.errors import BadInput
from gateway.ports.storage import Contents, NotStored, PlainFile


class FolderContents(Contents):
    """Opens what lies there as it is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @override
    @asynccontextmanager
    async def hold(self, key: str) -> AsyncIterator[PlainFile]:
        path = self._folder / key
        if not path.resolve().is_relative_to(self._folder.resolve()):
            raise BadInput("this is no file of a recording")
        try:
            file = await asyncio.to_thread(path.open, "rb")
        except OSError:
            raise NotStored("there is no such file") from None
        with file:
            yield PlainFile(file.fileno())
