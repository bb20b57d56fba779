"""An account's own announcement, which the gateway plays before it records by itself."""

from dataclasses import dataclass
from typing import NewType

AnnouncementId = NewType("AnnouncementId", str)
"""Digest of the sound as it is played: another sound has another name."""

SLACK_S = 5.0
"""How much longer than its sound an announcement may take before it is asked about."""


@dataclass(frozen=True, slots=True)
class OwnAnnouncement:
    """One announcement; it never changes."""

    announcement_id: AnnouncementId
    duration_ms: int

    @property
    def patience_s(self) -> float:
        """When it should long be over."""
        return self.duration_ms / 1000 + SLACK_S
