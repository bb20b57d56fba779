"""Plays an account's announcement to both sides of a call, and keeps what was loaded."""

import asyncio
from collections import OrderedDict

from media.announcement_file import read_frames
from media.leg_access import CommandFailed, LegAccess
from media.ogg_reader import BadOgg
from media.protocol import Done
from media.protocol_announcement import (
    AnnouncementCommand,
    LoadAnnouncement,
    PlayAnnouncement,
)
from media.switchboard import Switchboard


class AnnouncementDesk:
    """Answers each command, or raises `CommandFailed`. Keeps the latest `kept_max`."""

    def __init__(self, switchboard: Switchboard, *, kept_max: int) -> None:
        self._switchboard = switchboard
        self._legs = LegAccess(switchboard)
        self._kept_max = kept_max
        self._kept: OrderedDict[str, tuple[bytes, ...]] = OrderedDict()

    async def carry_out(self, command: AnnouncementCommand) -> Done:
        """Answer one command."""
        if isinstance(command, LoadAnnouncement):
            await self._load(command)
            return Done(id=command.id)
        return self._play(command)

    async def _load(self, command: LoadAnnouncement) -> None:
        if command.announcement_id not in self._kept:
            try:
                # Many small steps, which calls need not wait for.
                frames = await asyncio.to_thread(read_frames, command.ogg)
            except BadOgg as error:
                raise CommandFailed("bad_announcement", str(error)) from error
            self._kept[command.announcement_id] = frames
        self._kept.move_to_end(command.announcement_id)
        while len(self._kept) > self._kept_max:
            self._kept.popitem(last=False)

    def _play(self, command: PlayAnnouncement) -> Done:
        leg = self._legs.whatsapp_leg(command.whatsapp_leg_id, command.epoch)
        if leg.announcing is None:
            frames = self._kept.get(command.announcement_id)
            if frames is None:
                raise CommandFailed("no_such_announcement", "the announcement is not loaded")
            self._kept.move_to_end(command.announcement_id)
            self._switchboard.announce(leg, frames)
        assert leg.announcing is not None
        return Done(id=command.id, is_announced=leg.announcing.is_over)
