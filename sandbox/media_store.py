"""Media files as the Media API keeps them: seven days, behind links that live five minutes."""

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass, field, replace

from sandbox.config import Limits


@dataclass(frozen=True, slots=True)
class MediaFile:
    """A stored file; `sha256` is base64, as the webhooks have it."""

    media_id: str
    content: bytes
    mime_type: str
    stored_at: float
    false_sha256: str | None = None

    @property
    def sha256(self) -> str:
        """The digest of the content, or what is told in its place."""
        if self.false_sha256 is not None:
            return self.false_sha256
        return base64.b64encode(hashlib.sha256(self.content).digest()).decode()

    def told_as(self, sha256: str) -> "MediaFile":
        """Return it with a digest that is not its own."""
        return replace(self, false_sha256=sha256)


@dataclass(slots=True)
class MediaStore:
    """A bounded store in memory; the oldest file goes first."""

    limits: Limits
    _files: dict[str, MediaFile] = field(default_factory=dict)
    _links: dict[str, tuple[str, float]] = field(default_factory=dict)

    def put(self, content: bytes, mime_type: str) -> MediaFile:
        """Store a file under a new id; raise ValueError if it is too large."""
        if len(content) > self.limits.media_file_bytes_max:
            raise ValueError("the file is too large")
        media_id = str(secrets.randbelow(9 * 10**15) + 10**15)
        stored = MediaFile(media_id, content, mime_type, time.time())
        self._files[media_id] = stored
        while len(self._files) > self.limits.media_files_max:
            self._files.pop(next(iter(self._files)))
        return stored

    def get(self, media_id: str) -> MediaFile | None:
        """Find a file that is not too old."""
        stored = self._files.get(media_id)
        if stored is None or time.time() - stored.stored_at > self.limits.media_kept_s:
            return None
        return stored

    def delete(self, media_id: str) -> bool:
        """Delete a file; False if there is none."""
        return self._files.pop(media_id, None) is not None

    def new_link(self, media_id: str) -> str:
        """Make the key of a link to a file."""
        now = time.time()
        self._links = {key: link for key, link in self._links.items() if link[1] > now}
        while len(self._links) >= self.limits.media_links_max:
            self._links.pop(next(iter(self._links)))
        key = secrets.token_urlsafe(16)
        self._links[key] = (media_id, now + self.limits.media_link_s)
        return key

    def follow(self, key: str) -> MediaFile | None:
        """Find the file behind a link that is still valid."""
        media_id, expires_at = self._links.get(key, ("", 0.0))
        return self.get(media_id) if time.time() < expires_at else None
