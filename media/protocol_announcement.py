"""The messages about announcements: what both sides of a call hear before it is recorded.

An announcement is loaded once per worker under a name that stands for its content, and then
played by that name. A worker keeps a bounded number; one that it has forgotten is loaded anew.
"""

from typing import Annotated, Literal

from pydantic import Base64Bytes, Field

from media.protocol_message import Message

OGG_BYTES_MAX = 5_000_000
"""Fits a frame of the socket in base64."""
AnnouncementId = Annotated[str, Field(min_length=1, max_length=128)]


class LoadAnnouncement(Message):
    """Make an announcement known; loading it again is `Done`.

    `Failed(bad_announcement)` unless it is Ogg Opus of 20 ms mono packets.
    """

    type: Literal["load_announcement"] = "load_announcement"
    id: str
    announcement_id: AnnouncementId
    ogg: Annotated[Base64Bytes, Field(max_length=OGG_BYTES_MAX)]


class PlayAnnouncement(Message):
    """Let both sides of a call hear an announcement once, and nothing else meanwhile.

    It begins when RTP flows to WhatsApp. An agent's leg that is attached later hears the rest.
    A leg plays one announcement in its life: ordering another is `Done` too, and
    `Done.is_announced` tells how far it is. `Failed(no_such_announcement)` asks for a
    `LoadAnnouncement`.
    """

    type: Literal["play_announcement"] = "play_announcement"
    id: str
    epoch: int
    whatsapp_leg_id: str
    announcement_id: AnnouncementId


AnnouncementCommand = LoadAnnouncement | PlayAnnouncement


class AnnouncementEnded(Message):
    """The whole announcement was sent to the WhatsApp user; who talks is heard again."""

    type: Literal["announcement_ended"] = "announcement_ended"
    seq: int
    at: float
    leg_id: str
    tag: str
