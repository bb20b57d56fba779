"""Webhook events from the inbox to the calls they are about.

Order is kept per call; no event waits for another call's. A row leaves the inbox in the same
transaction that keeps its effect, so a crash in between means that it is simply worked again.
"""

import asyncio
from collections import deque

import structlog

from gateway.core.call.start import missed, ring
from gateway.core.errors import BadInput, NotOwner, StoreDown, VersionConflict
from gateway.core.ids import CallId, InboxId
from gateway.core.whatsapp import (
    BusinessConnect,
    FileAvailable,
    StatusChanged,
    Terminated,
    UserConnect,
)
from gateway.ports.webhooks import InboxRow
from gateway.runtime.live_calls import LiveCalls
from gateway.runtime.notices import Notice, Notices
from gateway.runtime.official_intake import OnFile
from gateway.runtime.phone_line import Lines
from gateway.runtime.presence_board import PresenceBoard
from gateway.runtime.tasks import Tasks
from gateway.runtime.world import World

_log = structlog.get_logger(__name__)

RETRY_FIRST_S = 0.5
"""Doubles with each try: with six tries an event waits about 16 s for its call."""
STORE_DOWN = (
    "The database cannot be reached. Calls that go on are not affected; new ones have to wait."
)
STORE_BACK = Notice("store_back", "The database is back.")


class NotYet(Exception):
    """The event may make sense later: its call is not known so far."""


class InboxWork:
    """Reads waiting rows whenever it is woken, and now and then."""

    def __init__(
        self,
        world: World,
        lines: Lines,
        calls: LiveCalls,
        board: PresenceBoard,
        notices: Notices,
        tasks: Tasks,
    ) -> None:
        self.on_file: OnFile | None = None
        self._world = world
        self._lines = lines
        self._timing = lines.timing
        self._limits = lines.limits
        self._calls = calls
        self._board = board
        self._notices = notices
        self._tasks = tasks
        self._wake = asyncio.Event()
        self._has_more = False
        self._in_hand: set[InboxId] = set()
        self._chains: dict[str, deque[InboxRow]] = {}

    def wake(self) -> None:
        """Look at the inbox at once; called after each stored delivery."""
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled. A store that is down is asked again at the next look."""
        while True:
            stop_waiting = self._tasks.spawn(
                self._wake_later(), name="inbox poll", on_crash=self.wake
            )
            await self._wake.wait()
            stop_waiting()
            self._wake.clear()
            try:
                await self._read()
            except StoreDown:
                self._notices.down("store_down", STORE_DOWN)
                await self._world.clock.sleep(self._limits.inbox_poll_s)
            else:
                self._notices.up("store_down", STORE_BACK)

    async def _wake_later(self) -> None:
        await self._world.clock.sleep(self._limits.inbox_poll_s)
        self.wake()

    async def _read(self) -> None:
        rows = await self._world.inbox.waiting(limit=self._limits.inbox_rows_max)
        self._has_more = len(rows) >= self._limits.inbox_rows_max
        for row in rows:
            if row.inbox_id not in self._in_hand:
                self._in_hand.add(row.inbox_id)
                self._queue(row)

    def _queue(self, row: InboxRow) -> None:
        """Put a row behind the earlier ones of its call."""
        chain = _chain_of(row)
        if chain in self._chains:
            self._chains[chain].append(row)
            return
        self._chains[chain] = deque([row])
        self._tasks.spawn(
            self._work_off(chain), name="inbox", on_crash=lambda: self._abandon(chain)
        )

    async def _work_off(self, chain: str) -> None:
        rows = self._chains[chain]
        while rows:
            await self._work_safely(rows[0])
            self._in_hand.discard(rows.popleft().inbox_id)
        del self._chains[chain]
        if self._has_more and len(self._in_hand) <= self._limits.inbox_rows_max // 2:
            self.wake()

    def _abandon(self, chain: str) -> None:
        """Let go of a chain that crashed outside of its rows; they are read again."""
        for row in self._chains.pop(chain, ()):
            self._in_hand.discard(row.inbox_id)

    # --- one row -------------------------------------------------------------------------

    async def _work_safely(self, row: InboxRow) -> None:
        """Work one row; whatever it does, the others go on."""
        error = await self._tasks.attempt(self._work(row))
        if error is None:
            return
        if isinstance(error, StoreDown):
            # Still waiting in the store; read again after a pause.
            await self._world.clock.sleep(RETRY_FIRST_S)
            return
        is_final = isinstance(error, BadInput)
        if not isinstance(error, BadInput | NotYet | NotOwner | VersionConflict):
            self._tasks.report("inbox row", error)
        await self._put_back(row, error, is_final=is_final)

    async def _put_back(self, row: InboxRow, error: Exception, *, is_final: bool) -> None:
        is_last = is_final or row.tries + 1 >= self._limits.inbox_tries_max
        pause_s = RETRY_FIRST_S * 2**row.tries
        retry_at = None if is_last else self._world.clock.wall() + pause_s
        try:
            await self._world.inbox.failed(
                row.inbox_id, error=type(error).__name__, retry_at=retry_at
            )
        except StoreDown:
            return
        if is_last:
            _log.warning(
                "a webhook event is parked",
                inbox_id=row.inbox_id,
                kind=row.item.kind,
                error=type(error).__name__,
            )

    async def _work(self, row: InboxRow) -> None:
        event = self._world.read_webhook(row.item)
        match event:
            case None:
                await self._world.inbox.done(row.inbox_id, note="no news of a call")
            case FileAvailable():
                await self._file_came(event, row)
            case UserConnect():
                await self._user_called(event, row)
            case BusinessConnect() | StatusChanged() | Terminated():
                await self._progressed(event, row)

    async def _file_came(self, event: FileAvailable, row: InboxRow) -> None:
        if self.on_file is None:
            await self._world.inbox.done(row.inbox_id, note="kept for recordings")
        else:
            await self.on_file(event, row.inbox_id)

    async def _user_called(self, event: UserConnect, row: InboxRow) -> None:
        if await self._calls.find(event.phone_number_id, event.wacid) is not None:
            await self._world.inbox.done(row.inbox_id, note="already known")
            return
        number = await self._world.directory.number(event.phone_number_id)
        if number is None:
            await self._world.inbox.done(row.inbox_id, note="number not configured")
            return
        line = await self._lines.of(number)
        call_id, now = CallId(self._world.new_id()), self._world.clock.wall()
        age_s = now + self._world.whatsapp.clock_offset_s() - event.at
        is_over = await self._world.tombstones.is_buried(event.phone_number_id, event.wacid)
        if is_over or age_s > self._timing.stale_s:
            call = missed(call_id, line, event, now=now)
            await self._calls.open(call, (), inbox_id=row.inbox_id)
            return
        agents = await self._board.free(number.account_id)
        ringing, orders = ring(call_id, line, event, agents=agents, age_s=age_s, now=now)
        await self._calls.open(ringing, orders, inbox_id=row.inbox_id)

    async def _progressed(
        self, event: BusinessConnect | StatusChanged | Terminated, row: InboxRow
    ) -> None:
        call_id = await self._call_of(event)
        if call_id is None and isinstance(event, Terminated):
            await self._world.tombstones.bury(event.phone_number_id, event.wacid, row.inbox_id)
            # The call may have learnt its id between our look and the burial.
            call_id = await self._call_of(event)
            if call_id is None:
                return
        if call_id is None:
            raise NotYet("no call with this id so far")
        await self._calls.deliver(call_id, event, inbox_id=row.inbox_id)

    async def _call_of(
        self, event: BusinessConnect | StatusChanged | Terminated
    ) -> CallId | None:
        """Find the call by our own key, else by Meta's id."""
        if event.call_id is not None:
            actor = self._calls.actor(event.call_id)
            number = event.phone_number_id
            if actor is not None and actor.call.identity.phone_number_id == number:
                return event.call_id
            stored = await self._world.calls.load(event.call_id)
            if stored is not None and stored.phone_number_id == number:
                return event.call_id
        return await self._calls.find(event.phone_number_id, event.wacid)


def _chain_of(row: InboxRow) -> str:
    """Rows of one call share a chain; a row of no call has its own."""
    item = row.item
    if item.phone_number_id is None or item.wacid is None:
        return f"row {row.inbox_id}"
    return f"{item.phone_number_id} {item.wacid}"
