"""Files that Meta keeps for us for some days: recordings and transcripts."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from gateway.ports.accounts import Number


@dataclass(frozen=True, slots=True)
class MediaRef:
    """A file as a webhook announced it."""

    media_id: str
    sha256: str | None
    """Base64 or hexadecimal; None: as the Media API says."""
    url: str | None = None
    url_until: float = 0.0
    """Wall clock when `url` runs out."""


class FetchFault(StrEnum):
    """Why a file could not be had."""

    NO_ANSWER = "no_answer"
    """Nobody there, too slow, broken off, or a temporary failure."""
    REFUSED = "refused"
    """The token is not taken, or the file not known."""
    FOREIGN_HOST = "foreign_host"
    """The file is said to lie where we never fetch from; nobody was asked."""
    TOO_LARGE = "too_large"
    WRONG_DIGEST = "wrong_digest"
    """What came is not what was announced: damaged, cut short, or something else."""
    NO_SPACE = "no_space"
    """Our own disk."""


class FetchFailed(Exception):
    """No file; nothing is left behind."""

    def __init__(
        self, fault: FetchFault, detail: str = "", *, retry_after_s: float | None = None
    ) -> None:
        """`detail` names what happened, without personal data."""
        super().__init__(f"{fault}: {detail}" if detail else fault)
        self.fault = fault
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """A file whose digest was right; it has no name, only an open descriptor."""

    fd: int
    """Readable while the file is held; a child process may open it as `/dev/fd/N`."""
    bytes: int
    sha256: str
    """Hexadecimal."""


class FetchHold(Protocol):
    """A fetched file without a name; gone when the context ends, even by a crash."""

    async def __aenter__(self) -> FetchedFile:
        """Fetch it. Raises `FetchFailed`."""

    async def __aexit__(self, *_: object) -> None:
        """Destroy it."""


class MediaFiles(Protocol):
    """Fetches files with a number's token."""

    def hold(self, number: Number, media: MediaRef) -> FetchHold:
        """Return a context that fetches the file whole, checks it, and destroys it."""
