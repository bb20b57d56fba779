"""Accounts' own announcements: what is kept of them, and how an upload becomes one."""

from dataclasses import dataclass
from typing import Protocol

from gateway.core.errors import BadInput
from gateway.core.ids import AccountId, UserId
from gateway.core.recording.own_announcement import AnnouncementId, OwnAnnouncement


@dataclass(frozen=True, slots=True)
class MadeAnnouncement:
    """An upload as it will be played."""

    own: OwnAnnouncement
    ogg: bytes
    source_sha256: str
    """Of the file that was uploaded, which is not kept."""


@dataclass(frozen=True, slots=True)
class StoredAnnouncement:
    """The announcement that an account's calls are given now."""

    own: OwnAnnouncement
    uploaded_at: float


class Announcements(Protocol):
    """Every method raises `StoreDown`."""

    async def current(self, account_id: AccountId) -> StoredAnnouncement | None:
        """Return what new calls of an account hear; None: it has no announcement."""

    async def sound(self, account_id: AccountId, announcement_id: AnnouncementId) -> bytes:
        """Return the Ogg Opus of an account's announcement, a replaced one for a day.

        Raises `NotFound`.
        """

    async def replace(
        self, account_id: AccountId, made: MadeAnnouncement, *, actor: UserId, now: float
    ) -> StoredAnnouncement:
        """Let new calls hear `made`; calls that run keep theirs."""

    async def remove(self, account_id: AccountId, *, actor: UserId, now: float) -> None:
        """Take an account's announcement away; having none is fine.

        Raises `Refused` (`announcement_in_use`) while calls are to be recorded after it.
        """


class AnnouncementMaker(Protocol):
    """Turns uploads into announcements."""

    async def make(self, upload: bytes) -> MadeAnnouncement:
        """Return the announcement. Raises `BadSound`.

        Raises `MakerDown` if it cannot work now, whatever the upload is.
        """


class BadSound(BadInput):
    """An upload that cannot be an announcement.

    `code` is stable: `no_audio`, `silent`, `too_long` or `too_large`.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class MakerDown(Exception):
    """No disk space, or no process to be had."""
