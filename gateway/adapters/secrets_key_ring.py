"""Keys that seal secrets at rest: AES-256-GCM, several keys so that they can be changed."""

import base64
import binascii
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.adapters.file_once import read_or_create
from gateway.core.errors import BadInput, SecretUnreadable

_KEY_BYTES = 32
_NONCE_BYTES = 12
_ID_MAX = 32


class KeyRing:
    """Seals with the first key, opens with any. Holds secrets: has no useful repr."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """`keys` maps ids to 32 bytes each; the first is the one to seal with."""
        if not keys:
            raise BadInput("the key ring is empty")
        for key_id, key in keys.items():
            if not key_id or len(key_id) > _ID_MAX:
                raise BadInput(f"a key's id has 1 to {_ID_MAX} characters")
            if len(key) != _KEY_BYTES:
                raise BadInput(f"the key {key_id!r} is not {_KEY_BYTES} bytes long")
        self._keys = dict(keys)
        self.current_id = next(iter(self._keys))

    @classmethod
    def parse(cls, text: str) -> "KeyRing":
        """Read `id:base64,id:base64…`, the current key first. Raises `BadInput`."""
        keys: dict[str, bytes] = {}
        for entry in filter(None, (part.strip() for part in text.split(","))):
            key_id, colon, encoded = entry.partition(":")
            if not colon or key_id in keys:
                raise BadInput("the secret key must read id:base64[,id:base64…], ids distinct")
            try:
                keys[key_id] = base64.b64decode(encoded, altchars=b"-_", validate=True)
            except (binascii.Error, ValueError):
                raise BadInput(f"the key {key_id!r} is not base64") from None
        return cls(keys)

    @classmethod
    def of_file(cls, path: Path) -> "KeyRing":
        """Read the ring from a file, making one (mode 0600) if it is not there."""
        return cls.parse(read_or_create(path, lambda: f"{new_key()}\n"))

    def seal(self, text: str, *, bound_to: str) -> tuple[str, bytes]:
        """Return the key's id and the sealed text.

        `bound_to` names the row it belongs to: sealed bytes copied elsewhere do not open.
        """
        nonce = os.urandom(_NONCE_BYTES)
        sealed = AESGCM(self._keys[self.current_id]).encrypt(
            nonce, text.encode(), bound_to.encode()
        )
        return self.current_id, nonce + sealed

    def unseal(self, key_id: str, sealed: bytes, *, bound_to: str) -> str:
        """Return the text. Raises `SecretUnreadable`."""
        key = self._keys.get(key_id)
        if key is None:
            raise SecretUnreadable(f"the key {key_id!r} is not in the key ring")
        try:
            opened = AESGCM(key).decrypt(
                sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to.encode()
            )
        except (InvalidTag, ValueError):
            raise SecretUnreadable(f"not sealed with the key {key_id!r} for this use") from None
        return opened.decode()

    def derived(self, purpose: str) -> bytes:
        """Return 32 bytes made from the current key for one purpose."""
        return HKDF(hashes.SHA256(), _KEY_BYTES, salt=None, info=purpose.encode()).derive(
            self._keys[self.current_id]
        )


def new_key() -> str:
    """Return a fresh `id:base64` entry for a ring."""
    encoded = base64.urlsafe_b64encode(secrets.token_bytes(_KEY_BYTES)).decode()
    return f"{secrets.token_hex(4)}:{encoded}"
