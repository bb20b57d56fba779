"""Meta in memory: the five actions with their rules, the users, and the webhooks they cause."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from gateway.core.errors import MetaFault, WhatsAppRefused, WhatsAppUnclear
from gateway.core.ids import CallId, Wacid
from gateway.core.recording.wish import NOTHING_ASKED, Asked
from gateway.core.whatsapp import (
    BusinessConnect,
    CallStatus,
    Peer,
    StatusChanged,
    Terminated,
    UserConnect,
    WhatsAppEvent,
)
from gateway.ports.accounts import Number
from gateway.ports.clock import Clock
from tests.runtime.fake_media import FakeWorker
from tests.runtime.fakes import NUMBER_ID

SITI = Peer(phone="6281200001111", user_id="ID.1", name="Siti")
ALREADY_OVER = MetaFault(138000, "the call has already ended")


@dataclass
class MetaCall:
    """A call as Meta sees it."""

    wacid: Wacid
    is_inbound: bool
    opaque: CallId | None = None
    state: str = "ringing"
    pre_accepted: str | None = None
    answered_at: float | None = None


@dataclass
class Faults:
    """What shall go wrong, by action: how often, and whether the request has its effect."""

    refuse: dict[str, MetaFault] = field(default_factory=dict)
    unclear: dict[str, int] = field(default_factory=dict)
    unclear_has_effect: bool = True
    delay_s: dict[str, float] = field(default_factory=dict)
    bugs: set[str] = field(default_factory=set)
    """Actions in which our own adapter crashes."""


class FakeMeta:
    """Port `WhatsAppApi`, and the users behind it. Webhooks go to `deliver`."""

    def __init__(
        self,
        clock: Clock,
        worker: FakeWorker,
        deliver: Callable[[WhatsAppEvent], Awaitable[None]],
    ) -> None:
        self._clock = clock
        self._worker = worker
        self._deliver = deliver
        self._ids = itertools.count(1)
        self.calls: dict[Wacid, MetaCall] = {}
        self.requests: list[str] = []
        self.violations: list[str] = []
        self.faults = Faults()
        self.webhooks_before_response = False
        self.drops_opaque = False
        self.user: Callable[[MetaCall], Awaitable[None]] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def clock_offset_s(self) -> float:
        return 0.0

    # --- the port --------------------------------------------------------------------------

    async def connect(
        self,
        number: Number,
        *,
        call_id: CallId,
        to: Peer,
        offer: str,
        asked: Asked = NOTHING_ASKED,
    ) -> Wacid:
        wacid = Wacid(f"wacid.{next(self._ids)}")

        async def begin() -> None:
            opaque = None if self.drops_opaque else call_id
            self.calls[wacid] = MetaCall(wacid, is_inbound=False, opaque=opaque)
            self._later(self._ring_user(self.calls[wacid]))

        await self._serve("connect", begin)
        return wacid

    async def pre_accept(
        self, number: Number, *, call_id: CallId, wacid: Wacid, answer: str
    ) -> None:
        async def begin() -> None:
            call = self._live(wacid)
            call.pre_accepted = answer
            self._path_up(answer)

        await self._serve("pre_accept", begin)

    async def accept(
        self,
        number: Number,
        *,
        call_id: CallId,
        wacid: Wacid,
        answer: str,
        asked: Asked = NOTHING_ASKED,
    ) -> None:
        async def begin() -> None:
            call = self._live(wacid)
            if call.pre_accepted not in {None, answer}:
                raise WhatsAppRefused(MetaFault(138008, "another description"))
            leg = self._worker.leg_of_sdp(answer)
            if leg is not None and leg.is_sending and call.state == "ringing":
                self.violations.append("media before accept")
            call.state = "talking"
            call.answered_at = call.answered_at or self._clock.wall()
            self._path_up(answer)

        await self._serve("accept", begin)

    async def reject(self, number: Number, *, call_id: CallId, wacid: Wacid) -> None:
        await self._finish("reject", wacid)

    async def terminate(self, number: Number, *, call_id: CallId, wacid: Wacid) -> None:
        await self._finish("terminate", wacid)

    async def _finish(self, action: str, wacid: Wacid) -> None:
        async def finish() -> None:
            call = self.calls[wacid]
            if action == "reject" and call.pre_accepted is not None:
                self.violations.append("reject after pre_accept")
            await self.over(call)

        await self._serve(action, finish)

    async def _serve(self, action: str, effect: Callable[[], Awaitable[None]]) -> None:
        if action in self.faults.bugs:
            raise ZeroDivisionError("a bug in the adapter")
        self.requests.append(action)
        await asyncio.sleep(self.faults.delay_s.get(action, 0.05))
        if action in self.faults.refuse:
            raise WhatsAppRefused(self.faults.refuse[action])
        if self.faults.unclear.get(action, 0) > 0:
            self.faults.unclear[action] -= 1
            if self.faults.unclear_has_effect:
                await effect()
            raise WhatsAppUnclear("no answer in time")
        await effect()
        if self.webhooks_before_response and action == "connect":
            await asyncio.sleep(2.0)

    def _live(self, wacid: Wacid) -> MetaCall:
        call = self.calls[wacid]
        if call.state == "over":
            raise WhatsAppRefused(ALREADY_OVER)
        return call

    def _path_up(self, sdp: str) -> None:
        leg = self._worker.leg_of_sdp(sdp)
        if leg is not None:
            asyncio.get_running_loop().call_later(0.1, self._worker.up, leg.leg_id)

    # --- users -----------------------------------------------------------------------------

    async def user_calls(self, *, offer: str = "meta-offer", late_s: float = 0.0) -> MetaCall:
        """A user calls the business; returns once the webhook was delivered."""
        call = MetaCall(Wacid(f"wacid.{next(self._ids)}"), is_inbound=True)
        self.calls[call.wacid] = call
        at = self._clock.wall() - late_s
        await self._deliver(UserConnect(NUMBER_ID, call.wacid, at, SITI, offer))
        return call

    async def over(self, call: MetaCall, *, failed: bool = False) -> None:
        """The call ends, whoever ended it; the webhook comes a little later."""
        if call.state == "over":
            return
        call.state = "over"
        event = Terminated(
            NUMBER_ID,
            call.wacid,
            self._clock.wall(),
            failed,
            start_at=call.answered_at,
            call_id=call.opaque,
        )
        self._later(self._after(0.05, event))

    async def status(self, call: MetaCall, which: CallStatus) -> None:
        """The user's phone does something."""
        if which is CallStatus.ACCEPTED:
            call.state = "talking"
            call.answered_at = self._clock.wall()
        now = self._clock.wall()
        await self._deliver(StatusChanged(NUMBER_ID, call.wacid, now, which, call.opaque, SITI))

    async def _ring_user(self, call: MetaCall) -> None:
        await asyncio.sleep(0.1)
        now = self._clock.wall()
        if call.state != "over":
            await self._deliver(
                BusinessConnect(NUMBER_ID, call.wacid, now, "meta-answer", call.opaque)
            )
        await asyncio.sleep(0.1)
        if call.state != "over":
            await self.status(call, CallStatus.RINGING)
        if self.user is not None and call.state != "over":
            await self.user(call)

    async def _after(self, pause_s: float, event: WhatsAppEvent) -> None:
        await asyncio.sleep(pause_s)
        await self._deliver(event)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
