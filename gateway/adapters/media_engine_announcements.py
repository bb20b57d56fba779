"""What is said to a media worker about announcements."""

import base64

from gateway.core.ids import LegId
from gateway.core.recording.own_announcement import AnnouncementId
from media.protocol_announcement import LoadAnnouncement, PlayAnnouncement


def load(announcement_id: AnnouncementId, ogg: bytes, *, command_id: str) -> LoadAnnouncement:
    """Write the order to make an announcement known."""
    return LoadAnnouncement(
        id=command_id, announcement_id=announcement_id, ogg=base64.b64encode(ogg)
    )


def play(
    whatsapp_leg: LegId, announcement_id: AnnouncementId, *, command_id: str, epoch: int
) -> PlayAnnouncement:
    """Write the order to let both sides of a call hear it."""
    return PlayAnnouncement(
        id=command_id,
        epoch=epoch,
        whatsapp_leg_id=whatsapp_leg,
        announcement_id=announcement_id,
    )
