"""Time and chance."""

from typing import Protocol


class Clock(Protocol):
    """Time. Deadlines run on `monotonic`; what people read comes from `wall`."""

    def monotonic(self) -> float:
        """Seconds that never jump."""

    def wall(self) -> float:
        """Seconds since the epoch."""

    async def sleep(self, seconds: float) -> None:
        """Wait by the monotonic clock."""


class NewId(Protocol):
    """Source of identities: 26 characters of lower-case base 32, 128 random bits."""

    def __call__(self) -> str:
        """Return a fresh one."""
