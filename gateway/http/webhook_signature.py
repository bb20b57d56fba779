"""`X-Hub-Signature-256`: HMAC-SHA256 of the raw body under the app secret, old or new."""

import hashlib
import hmac
from collections.abc import Sequence

SCHEME = b"sha256="


class WebhookSecrets:
    """The app secrets that are valid now (two while one replaces the other), and the token."""

    def __init__(self, *, app_secrets: Sequence[str], verify_token: str) -> None:
        """Raises `ValueError` without a secret or a token: nothing would be safe then."""
        if not app_secrets or not all(app_secrets) or not verify_token:
            raise ValueError("webhooks need an app secret and a verify token")
        self._keys = tuple(secret.encode() for secret in app_secrets)
        self._verify_token = verify_token.encode()

    def __repr__(self) -> str:
        return "WebhookSecrets(…)"

    def signed(self, body: bytes, header: str) -> bool:
        """Whether the header signs exactly these bytes. Takes the same time either way."""
        given = header.encode("utf-8", errors="surrogateescape")
        is_right = False
        for key in self._keys:
            expected = SCHEME + hmac.new(key, body, hashlib.sha256).hexdigest().encode()
            is_right |= hmac.compare_digest(expected, given)
        return is_right

    def knows(self, token: str) -> bool:
        """Whether a handshake brought the agreed token."""
        given = token.encode("utf-8", errors="surrogateescape")
        return hmac.compare_digest(self._verify_token, given)
