"""AES-256-GCM in chunks of fixed size (port `Sealing`), so that a part can be read alone.

    magic (4) · nonce prefix (8) · chunk · chunk · … · last chunk

A chunk is up to 64 KiB of content and its tag. Its nonce is the prefix and its number, its key
the account's with the file's name; bound to it is whether it is the last, so that nothing can
be moved, exchanged or cut off unnoticed. The last chunk is always there, empty if need be.
"""

import hashlib
import hmac
import os
import struct
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from typing_extensions import override

from gateway.ports.storage import Content, NotStored, Sealing, Storage, Unsealable

MAGIC = b"CGS1"
CHUNK_BYTES = 64 * 1024
TAG_BYTES = 16
_PREFIX_BYTES = 8
_HEAD_BYTES = len(MAGIC) + _PREFIX_BYTES
_SEALED_CHUNK = CHUNK_BYTES + TAG_BYTES


class AesSealing(Sealing):
    """Every name has a key of its own, made of the account's, and every sealing a nonce."""

    @override
    def seal(self, source: BinaryIO, target: BinaryIO, *, key: bytes, name: str) -> int:
        cipher, prefix = _cipher(key, name), os.urandom(_PREFIX_BYTES)
        written = target.write(MAGIC + prefix)
        number = 0
        while True:
            chunk = source.read(CHUNK_BYTES)
            is_last = len(chunk) < CHUNK_BYTES
            bound = _bound(number, is_last=is_last)
            written += target.write(cipher.encrypt(_nonce(prefix, number), chunk, bound))
            if is_last:
                return written
            number += 1

    @override
    async def open(self, storage: Storage, name: str, *, key: bytes) -> Content:
        size = await storage.size(name)
        if size is None:
            raise NotStored("there is no such file")
        body = size - _HEAD_BYTES
        if body < TAG_BYTES or body % _SEALED_CHUNK < TAG_BYTES:
            raise Unsealable("the file is cut short")
        head = await storage.read(name, 0, _HEAD_BYTES)
        if not head.startswith(MAGIC):
            raise Unsealable("the file was not sealed by us")
        return _SealedContent(storage, name, size, _cipher(key, name), head[len(MAGIC) :])


class _SealedContent(Content):
    """Reads the chunks that a part lies in."""

    def __init__(
        self, storage: Storage, name: str, sealed_size: int, cipher: AESGCM, prefix: bytes
    ) -> None:
        self._storage = storage
        self._name = name
        self._sealed_size = sealed_size
        self._cipher = cipher
        self._prefix = prefix
        self._final, rest = divmod(sealed_size - _HEAD_BYTES, _SEALED_CHUNK)
        self._size = self._final * CHUNK_BYTES + rest - TAG_BYTES

    @property
    @override
    def size(self) -> int:
        return self._size

    @override
    async def read(self, begin: int, length: int) -> bytes:
        if begin < 0 or begin + length > self._size:
            raise NotStored("the file is shorter than that")
        if not length:
            return b""
        first, last = begin // CHUNK_BYTES, (begin + length - 1) // CHUNK_BYTES
        at = _HEAD_BYTES + first * _SEALED_CHUNK
        until = min(_HEAD_BYTES + (last + 1) * _SEALED_CHUNK, self._sealed_size)
        sealed = await self._storage.read(self._name, at, until - at)
        skipped = begin - first * CHUNK_BYTES
        return self._opened(sealed, first)[skipped : skipped + length]

    def _opened(self, sealed: bytes, first: int) -> bytes:
        opened = bytearray()
        for offset in range(0, len(sealed), _SEALED_CHUNK):
            number = first + offset // _SEALED_CHUNK
            bound = _bound(number, is_last=number == self._final)
            try:
                opened += self._cipher.decrypt(
                    _nonce(self._prefix, number), sealed[offset : offset + _SEALED_CHUNK], bound
                )
            except (InvalidTag, ValueError):
                raise Unsealable("the file is not what was sealed") from None
        return bytes(opened)


def _cipher(key: bytes, name: str) -> AESGCM:
    return AESGCM(hmac.new(key, name.encode(), hashlib.sha256).digest())


def _nonce(prefix: bytes, number: int) -> bytes:
    return prefix + struct.pack(">I", number)


def _bound(number: int, *, is_last: bool) -> bytes:
    return struct.pack(">?I", is_last, number)
