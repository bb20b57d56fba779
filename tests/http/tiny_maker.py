"""Announcements without a sound: an upload says how many ms it lasts, or what is wrong."""

from gateway.core.recording.own_announcement import AnnouncementId, OwnAnnouncement
from gateway.ports.announcements import (
    AnnouncementMaker,
    BadSound,
    MadeAnnouncement,
    MakerDown,
)


class TinyMaker(AnnouncementMaker):
    """`4000` becomes an announcement of four seconds, `silent` is refused as such."""

    async def make(self, upload: bytes) -> MadeAnnouncement:
        if upload == b"down":
            raise MakerDown("no space")
        if not upload.isdigit():
            code = upload.decode("ascii", "ignore")
            known = code if code in {"silent", "too_long", "too_large"} else "no_audio"
            raise BadSound(known, f"refused as {known}")
        own = OwnAnnouncement(AnnouncementId(upload.decode()[:64]), int(upload[:6]))
        return MadeAnnouncement(own, b"OggS" + upload, "0" * 64)
