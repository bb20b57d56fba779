"""Ed25519 (RFC 8032): signing with the installation's key, and checking without it."""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)
from typing_extensions import override

from gateway.core.recording.evidence_package import Signatures
from gateway.ports.evidence import Signer

KEY_ID_CHARS = 16


class Ed25519Signer(Signer):
    """Holds a secret: has no useful repr."""

    def __init__(self, secret: bytes) -> None:
        """`secret` is the key's 32 bytes."""
        self._key = Ed25519PrivateKey.from_private_bytes(secret)
        self.public = self._key.public_key().public_bytes_raw()

    @property
    @override
    def key_id(self) -> str:
        return key_id_of(self.public)

    @override
    def sign(self, content: bytes) -> bytes:
        return self._key.sign(content)


class Ed25519Signatures(Signatures):
    """Checks what any installation has signed."""

    @override
    def public_of_pem(self, text: str) -> bytes:
        return public_of_pem(text)

    @override
    def pem_of(self, public: bytes) -> str:
        return pem_of(public)

    @override
    def key_id_of(self, public: bytes) -> str:
        return key_id_of(public)

    @override
    def is_signed(self, content: bytes, signature: bytes, *, public: bytes) -> bool:
        return is_signed(content, signature, public=public)


def new_secret() -> bytes:
    """Return the 32 bytes of a fresh key."""
    return Ed25519PrivateKey.generate().private_bytes_raw()


def key_id_of(public: bytes) -> str:
    """Name a public key by what it is."""
    return hashlib.sha256(public).hexdigest()[:KEY_ID_CHARS]


def is_signed(content: bytes, signature: bytes, *, public: bytes) -> bool:
    """Whether the owner of a key has signed exactly this."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, content)
    except (InvalidSignature, ValueError):
        return False
    return True


def pem_of(public: bytes) -> str:
    """Write a public key as OpenSSL reads it."""
    key = Ed25519PublicKey.from_public_bytes(public)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def public_of_pem(text: str) -> bytes:
    """Read what `pem_of` has written. Raises `ValueError`."""
    key = load_pem_public_key(text.encode())
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("this is no Ed25519 key")  # noqa: TRY004 (the text is at fault)
    return key.public_bytes_raw()
