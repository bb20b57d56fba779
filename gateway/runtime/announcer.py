"""Has accounts' own announcements played, and loads them into a worker that lacks them."""

from collections import OrderedDict

from gateway.core.call.call import Call
from gateway.core.call.commands import PlayAnnouncement
from gateway.core.errors import MediaRefused, NotFound, StoreDown
from gateway.core.ids import AccountId
from gateway.core.recording.own_announcement import AnnouncementId
from gateway.runtime.world import World

NOT_LOADED = "no_such_announcement"
STORE_PAUSES_S = (0.2, 0.5, 1.0)
"""Pauses before the store is asked again; meanwhile the two talk, and nothing is recorded."""
KEPT_MAX = 32
"""Sounds kept in memory, so that a worker that starts anew has them at once."""


class Announcer:
    """One per node."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._kept: OrderedDict[AnnouncementId, bytes] = OrderedDict()

    async def play(self, call: Call, order: PlayAnnouncement, *, epoch: int) -> bool:
        """Return whether it is over already. Raises `MediaError`."""
        play = self._world.media.play_announcement
        try:
            return await play(order.leg_id, order.announcement_id, epoch=epoch)
        except MediaRefused as refusal:
            if refusal.code != NOT_LOADED:
                raise
        sound = await self._sound(call.identity.account_id, order.announcement_id)
        await self._world.media.load_announcement(order.announcement_id, sound)
        return await play(order.leg_id, order.announcement_id, epoch=epoch)

    async def _sound(self, account_id: AccountId, announcement_id: AnnouncementId) -> bytes:
        kept = self._kept.get(announcement_id)
        if kept is None:
            kept = await self._stored(account_id, announcement_id)
            self._kept[announcement_id] = kept
            while len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        self._kept.move_to_end(announcement_id)
        return kept

    async def _stored(self, account_id: AccountId, announcement_id: AnnouncementId) -> bytes:
        official = self._world.official
        for pause_s in (*STORE_PAUSES_S, None):
            try:
                if official is None:
                    break
                return await official.announcements.sound(account_id, announcement_id)
            except NotFound:
                break
            except StoreDown:
                if pause_s is not None:
                    await self._world.clock.sleep(pause_s)
        raise MediaRefused(NOT_LOADED, "the announcement cannot be loaded")
