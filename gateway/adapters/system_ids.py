"""Port `NewId`: identities from the system's random source."""

import base64
import secrets

_BYTES = 16


def random_id() -> str:
    """Return 26 characters of lower-case base 32: 128 random bits (RFC 4648, section 6)."""
    return base64.b32encode(secrets.token_bytes(_BYTES)).decode().rstrip("=").lower()
