"""Content that lies in a storage as it is."""

from dataclasses import dataclass

from gateway.ports.storage import Content, NotStored, Storage


@dataclass(frozen=True, slots=True)
class PlainContent(Content):
    """Reads what was not sealed."""

    storage: Storage
    name: str
    length: int

    @property
    def size(self) -> int:
        """See the port."""
        return self.length

    async def read(self, begin: int, length: int) -> bytes:
        """See the port."""
        return await self.storage.read(self.name, begin, length)


async def open_plain(storage: Storage, name: str) -> Content:
    """Open what lies under a name. Raises `NotStored` or `StorageDown`."""
    size = await storage.size(name)
    if size is None:
        raise NotStored("there is no such file")
    return PlainContent(storage, name, size)
