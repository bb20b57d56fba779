"""TAR archives (POSIX ustar) in exactly one form, so that not one bit of them can change.

What `tar` writes has many forms; ours has fixed owners, times and padding. Whoever reads one
back makes each header anew and compares.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

BLOCK = 512
END = b"\0" * (2 * BLOCK)
NAME_CHARS_MAX = 99
SIZE_MAX = 8**11 - 1
_NAME_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./")


class BadArchive(Exception):
    """Not an archive of ours, or a damaged one; the text says where."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of an archive that is being read."""

    name: str
    size: int


def header_of(name: str, size: int) -> bytes:
    """Return the block that stands before a file's content."""
    if not is_name(name) or not 0 <= size <= SIZE_MAX:
        raise ValueError("no such file fits into this archive")
    fields = (
        name.encode().ljust(100, b"\0"),
        b"0000644\0",
        b"0000000\0",
        b"0000000\0",
        f"{size:011o}\0".encode(),
        b"00000000000\0",
        b" " * 8,
        b"0",
        b"\0" * 100,
        b"ustar\x0000",
        b"\0" * 32,
        b"\0" * 32,
        b"0000000\0",
        b"0000000\0",
        b"\0" * 167,
    )
    header = b"".join(fields)
    checksum = f"{sum(header):06o}\0 ".encode()
    return header[:148] + checksum + header[156:]


def padding_of(size: int) -> bytes:
    """Return what follows a content of so many bytes."""
    return b"\0" * (-size % BLOCK)


def size_in_archive(size: int) -> int:
    """Return what a file of so many bytes takes in all."""
    return BLOCK + size + len(padding_of(size))


def is_name(name: str) -> bool:
    """Whether a file may be called so: relative, below the archive's folder, plain letters."""
    parts = name.split("/")
    return (
        0 < len(name) <= NAME_CHARS_MAX
        and set(name) <= _NAME_CHARS
        and all(part not in {"", ".", ".."} for part in parts)
    )


def entries_in(archive: BinaryIO) -> Iterator[Entry]:
    """Read an archive entry by entry; between two the caller reads exactly the content.

    Raises `BadArchive` for anything that `header_of` and `padding_of` would not have written.
    """
    while True:
        block = exactly(archive, BLOCK)
        if block == END[:BLOCK]:
            if exactly(archive, BLOCK) != END[BLOCK:] or archive.read(1):
                raise BadArchive("something follows the end of the archive")
            return
        entry = _entry_of(block)
        yield entry
        padding = padding_of(entry.size)
        if exactly(archive, len(padding)) != padding:
            raise BadArchive(f"the padding behind {entry.name} is damaged")


def exactly(archive: BinaryIO, length: int) -> bytes:
    """Read so many bytes. Raises `BadArchive` if the archive ends before."""
    content = archive.read(length)
    if len(content) != length:
        raise BadArchive("the archive is cut off")
    return content


def _entry_of(block: bytes) -> Entry:
    try:
        name = block[:100].rstrip(b"\0").decode("ascii")
        entry = Entry(name, int(block[124:135], 8))
        if block == header_of(entry.name, entry.size):
            return entry
    except ValueError:
        pass
    raise BadArchive("a header is damaged, or this is no evidence package")
