"""The start of a life: take up the calls that an earlier life of this node drove."""

import structlog

from gateway.core.errors import StoreDown
from gateway.ports.calls import CallRow
from gateway.runtime.call_rows import stored_of
from gateway.runtime.codec import Unreadable
from gateway.runtime.live_calls import LiveCalls
from gateway.runtime.media_news import MediaNews
from gateway.runtime.world import NodeLife, World

_log = structlog.get_logger(__name__)

STORE_PAUSE_S = 1.0


class Recovery:
    """Finds this node's unfinished calls and hands each to an actor.

    The actor first compares the call with what the media worker has, then judges the commands
    that were decided but not known to be done, and arms the deadlines; one that passed
    meanwhile passes at once.
    """

    def __init__(
        self, world: World, life: NodeLife, calls: LiveCalls, media: MediaNews
    ) -> None:
        self._world = world
        self._life = life
        self._calls = calls
        self._media = media

    async def run(self) -> int:
        """Take up the calls and return their number; waits for the store if it is down."""
        while True:
            try:
                rows = await self._world.calls.unfinished()
                return sum([await self._take_up(row) for row in rows])
            except StoreDown:
                _log.warning("the store is down; waiting to take up calls")
                await self._world.clock.sleep(STORE_PAUSE_S)

    async def _take_up(self, row: CallRow) -> bool:
        is_ours = row.owner_node == self._life.node_id
        if not is_ours or self._calls.actor(row.call_id) is not None:
            return False
        undone = await self._world.calls.pending(row.call_id)
        try:
            found = self._media.found_for(stored_of(row).call)
            actor = await self._calls.take_up(row, undone, first=found)
        except Unreadable:
            _log.error("a call of an earlier life is not readable", call_id=row.call_id)
            return False
        return actor is not None
