"""Carries out what calls order about their recording; what fails comes back as an event."""

import asyncio
from collections.abc import Callable
from typing import assert_never

import structlog

from gateway.core.call.call import Call
from gateway.core.call.commands import (
    HoldMinutes,
    MinutesCommand,
    OpenCase,
    ReleaseMinutes,
    StartCapture,
    StopCapture,
)
from gateway.core.call.events import CaptureFailed, Event, MinutesHeld
from gateway.core.errors import MediaAway, MediaError, Refused, StoreDown
from gateway.core.ids import AccountId, CallId, LegId
from gateway.core.quota.lease import WorkerId
from gateway.core.recording.stage import NotRecorded
from gateway.ports.media import CaptureOrder
from gateway.runtime.official_runtime import OfficialRuntime
from gateway.runtime.quota_keeper import QuotaKeeper
from gateway.runtime.world import NodeLife, World

_log = structlog.get_logger(__name__)

HOLD_WAIT_S = 1.5
"""An `accept` waits for the database so long at most."""
WORKER_WAIT_S = 3.0
RELEASE_PAUSES_S = (0.5, 2.0, 5.0)
"""Pauses before minutes are given back again; if all fails the hold ends by its age."""


class CallRecorder:
    """One per node."""

    def __init__(self, world: World, life: NodeLife, keeper: QuotaKeeper) -> None:
        self._world = world
        self._epoch = life.epoch
        self._keeper = keeper
        self._starting: set[CallId] = set()
        self._worker_id: WorkerId | None = None
        self._has_worker = asyncio.Event()
        self.official: OfficialRuntime | None = None
        """Expects what Meta makes of the calls."""
        self.over: Callable[[CallId], None] | None = None
        """Told of a capture that is over with all its files."""
        self.unanswered: Callable[[CallId], None] | None = None
        """Told of a capture whose end the worker has not confirmed."""

    def worker_is(self, worker_id: WorkerId) -> None:
        """Captures begin in this worker from now on."""
        self._worker_id = worker_id
        self._has_worker.set()

    def is_starting(self, call_id: CallId) -> bool:
        """Whether a capture is about to begin, which no snapshot may know yet."""
        return call_id in self._starting

    async def carry_out(self, call: Call, command: MinutesCommand) -> Event | None:
        """Act, and return what the machine has to know about how it went."""
        account_id = call.identity.account_id
        match command:
            case HoldMinutes():
                return await self._hold(call.call_id, account_id)
            case ReleaseMinutes():
                await self._release(call.call_id, account_id)
            case StartCapture(leg_id):
                return await self._start(call.call_id, account_id, leg_id)
            case StopCapture():
                await self.end(call.call_id)
            case OpenCase(is_declined):
                await self._open_case(call, is_declined=is_declined)
            case _:
                assert_never(command)
        return None

    async def _open_case(self, call: Call, *, is_declined: bool) -> None:
        if self.official is None:
            return
        for pause_s in (*RELEASE_PAUSES_S, None):
            try:
                await self.official.open_case(call, is_declined=is_declined)
            except StoreDown:
                if pause_s is not None:
                    await self._world.clock.sleep(pause_s)
                    continue
                # It is opened when its recording is made, or when Meta's comes.
                _log.warning("a call's recordings are compared later", call_id=call.call_id)
            return

    async def _hold(self, call_id: CallId, account_id: AccountId) -> Event:
        try:
            async with asyncio.timeout(HOLD_WAIT_S):
                is_held = await self._keeper.hold(account_id, call_id)
        except (StoreDown, TimeoutError):
            return MinutesHeld(NotRecorded.LEDGER_UNREACHABLE)
        return MinutesHeld(None if is_held else NotRecorded.NO_MINUTES)

    async def _release(self, call_id: CallId, account_id: AccountId) -> None:
        for pause_s in (*RELEASE_PAUSES_S, None):
            try:
                await self._keeper.release(account_id, call_id)
            except StoreDown:
                if pause_s is not None:
                    await self._world.clock.sleep(pause_s)
                    continue
            return

    async def _start(
        self, call_id: CallId, account_id: AccountId, leg_id: LegId
    ) -> Event | None:
        self._starting.add(call_id)
        try:
            return await self._start_now(call_id, account_id, leg_id)
        finally:
            self._starting.discard(call_id)

    async def _start_now(
        self, call_id: CallId, account_id: AccountId, leg_id: LegId
    ) -> Event | None:
        try:
            worker_id = await self._worker()
            budget_id = await self._keeper.open_capture(call_id, account_id, worker_id)
            order = CaptureOrder(call_id, account_id, leg_id, budget_id)
            await self._world.media.start_capture(order, epoch=self._epoch)
        except StoreDown:
            return CaptureFailed(NotRecorded.LEDGER_UNREACHABLE)
        except Refused:
            return CaptureFailed(NotRecorded.MEDIA)
        except MediaAway:
            # It may have begun all the same: its end, or a snapshot without it, tells.
            return CaptureFailed(NotRecorded.MEDIA)
        except MediaError:
            await self.end(call_id)
            return CaptureFailed(NotRecorded.MEDIA)
        return None

    async def _worker(self) -> WorkerId:
        """Wait a little for a worker that is being taken over. Raises `MediaAway`."""
        try:
            async with asyncio.timeout(WORKER_WAIT_S):
                await self._has_worker.wait()
        except TimeoutError:
            raise MediaAway("no media worker is connected") from None
        assert self._worker_id is not None
        return self._worker_id

    async def end(self, call_id: CallId) -> None:
        """End a call's capture if there is one; what its files hold is then charged.

        Also of one that was refused: an order may come twice, and the first have had its time.
        """
        if not await self.ask_to_end(call_id) and self.unanswered is not None:
            self.unanswered(call_id)

    async def ask_to_end(self, call_id: CallId) -> bool:
        """Order the end of a call's capture; False: the worker did not answer."""
        try:
            is_over = await self._world.media.stop_capture(call_id, epoch=self._epoch)
        except MediaAway:
            return False
        except MediaError:
            # Another gateway is in charge of the worker.
            return True
        if is_over and self.over is not None:
            self.over(call_id)
        return True
