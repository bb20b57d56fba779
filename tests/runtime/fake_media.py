"""A media worker in memory: legs that come up when their peer is there, and tell about it."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from gateway.adapters.media_engine_recording import (
    MediaBudgets,
    budgets_of,
    captures_of,
    start_capture,
    stop_capture,
)
from gateway.core.errors import BadSdp, MediaAway, MediaRefused
from gateway.core.ids import CallId, LegId
from gateway.core.quota.lease import WorkerId
from gateway.core.recording.own_announcement import AnnouncementId
from gateway.ports.clock import Clock
from gateway.ports.media import (
    AnnouncementOver,
    CaptureOrder,
    LegClosed,
    LegHeard,
    LegLive,
    LegQuality,
    LegQuiet,
    LegTag,
    LegUp,
    MediaEvent,
    WorkerBack,
)
from media import protocol as wire
from tests.runtime.memory_recorder import MemoryDisk, MemoryRecorder


@dataclass
class FakeLeg:
    """One leg, with what happened to it in order."""

    leg_id: LegId
    tag: LegTag
    local_sdp: str
    is_agent: bool
    remote_sdp: str | None = None
    is_up: bool = False
    is_heard: bool = False
    is_sending: bool = False
    is_muted: bool = False
    is_held: bool = False
    attached_to: LegId | None = None
    is_announced: bool | None = None


@dataclass
class FakeWorker:
    """Port `MediaEngine` and the worker behind it. `log` holds orders that took effect."""

    clock: Clock
    legs: dict[LegId, FakeLeg] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    is_away: bool = False
    epoch: int = 0
    readers: list["asyncio.Queue[MediaEvent]"] = field(default_factory=list)
    agent_legs_come_up: bool = True
    made_count: int = 0
    disk: MemoryDisk = field(default_factory=MemoryDisk)
    boots: int = 1
    name: str = "boot"
    fails_to_capture: str | None = None
    """The code with which every order to capture is refused."""
    loses_next_answer: bool = False
    """The next order about recording has its effect, but nobody hears so."""
    announcement_s: float = 4.0
    loaded: set[AnnouncementId] = field(default_factory=set)

    @property
    def worker_id(self) -> WorkerId:
        """This life of the worker."""
        return WorkerId(f"{self.name}-{self.boots}")

    def __post_init__(self) -> None:
        self.recorder = MemoryRecorder(self.clock, self.disk, self.tell)
        ids = itertools.count(1)
        self.budgets = MediaBudgets(self.ask, lambda: f"order-{next(ids)}")

    # --- the port --------------------------------------------------------------------------

    async def _reach(self, epoch: int) -> None:
        await asyncio.sleep(0.001)
        if self.is_away:
            raise MediaAway("the fake worker is away")
        if epoch < self.epoch:
            raise MediaRefused("stale_epoch", "a newer gateway is in charge")
        self.epoch = epoch

    def _make(self, leg_id: LegId, tag: LegTag, *, is_agent: bool, remote: str | None) -> str:
        if leg_id in self.legs:
            raise MediaRefused("conflict", "the leg is already there")
        if remote is not None and "garbage" in remote:
            raise BadSdp("the description is garbage")
        self.legs[leg_id] = FakeLeg(leg_id, tag, f"sdp of {leg_id}", is_agent, remote)
        self.made_count += 1
        return self.legs[leg_id].local_sdp

    async def answer_agent(self, leg_id: LegId, tag: LegTag, *, epoch: int, offer: str) -> str:
        await self._reach(epoch)
        answer = self._make(leg_id, tag, is_agent=True, remote=offer)
        if self.agent_legs_come_up and "dead" not in offer:
            asyncio.get_running_loop().call_later(0.2, self.up, leg_id)
            if "mute" not in offer:
                asyncio.get_running_loop().call_later(0.25, self.hear, leg_id)
        return answer

    async def answer_whatsapp(
        self, leg_id: LegId, tag: LegTag, *, epoch: int, offer: str
    ) -> str:
        await self._reach(epoch)
        return self._make(leg_id, tag, is_agent=False, remote=offer)

    async def offer_whatsapp(self, leg_id: LegId, tag: LegTag, *, epoch: int) -> str:
        await self._reach(epoch)
        return self._make(leg_id, tag, is_agent=False, remote=None)

    async def apply_answer(self, leg_id: LegId, *, epoch: int, answer: str) -> None:
        leg = await self._leg(leg_id, epoch)
        if "garbage" in answer:
            raise BadSdp("the answer is garbage")
        if leg.remote_sdp is None:
            leg.remote_sdp = answer
            asyncio.get_running_loop().call_later(0.1, self.up, leg_id)

    async def attach(self, whatsapp_leg: LegId, agent_leg: LegId, *, epoch: int) -> None:
        leg = await self._leg(whatsapp_leg, epoch)
        await self._leg(agent_leg, epoch)
        leg.attached_to = agent_leg
        self.log.append(f"attach {agent_leg}")

    async def detach(self, whatsapp_leg: LegId, *, epoch: int) -> None:
        (await self._leg(whatsapp_leg, epoch)).attached_to = None
        self.log.append("detach")

    async def start_sending(self, whatsapp_leg: LegId, *, epoch: int) -> None:
        (await self._leg(whatsapp_leg, epoch)).is_sending = True
        self.log.append("start_sending")

    async def set_mute(self, whatsapp_leg: LegId, *, epoch: int, muted: bool) -> None:
        (await self._leg(whatsapp_leg, epoch)).is_muted = muted

    async def set_hold(self, whatsapp_leg: LegId, *, epoch: int, held: bool) -> None:
        (await self._leg(whatsapp_leg, epoch)).is_held = held

    async def load_announcement(self, announcement_id: AnnouncementId, ogg: bytes) -> None:
        await self._reach(self.epoch)
        self.loaded.add(announcement_id)
        self.log.append(f"load {ogg.decode()}")

    async def play_announcement(
        self, whatsapp_leg: LegId, announcement_id: AnnouncementId, *, epoch: int
    ) -> bool:
        leg = await self._leg(whatsapp_leg, epoch)
        if leg.is_announced is None:
            if announcement_id not in self.loaded:
                raise MediaRefused("no_such_announcement", "load it first")
            leg.is_announced = False
            self.log.append(f"play {announcement_id}")
            asyncio.get_running_loop().call_later(
                self.announcement_s, self.announced, whatsapp_leg
            )
        return leg.is_announced

    async def close_leg(self, leg_id: LegId, *, epoch: int) -> None:
        await self._reach(epoch)
        self.drop(leg_id, "command")

    async def start_capture(self, order: CaptureOrder, *, epoch: int) -> None:
        await self._leg(order.leg_id, epoch)
        if self.fails_to_capture is not None:
            raise MediaRefused(self.fails_to_capture, "as a test wants it")
        await self.ask(start_capture(order, command_id=order.call_id, epoch=epoch))
        self.log.append("start_capture")

    async def stop_capture(self, call_id: CallId, *, epoch: int) -> bool:
        await self._reach(epoch)
        done = await self.ask(stop_capture(call_id, command_id=call_id, epoch=epoch))
        self.log.append("stop_capture")
        return done.capture is None

    async def ask(self, command: wire.Command) -> wire.Done:
        await asyncio.sleep(0.001)
        if self.is_away:
            raise MediaAway("the fake worker is away")
        done = self.recorder.carry_out(command)
        if self.loses_next_answer:
            self.loses_next_answer = False
            raise MediaAway("the answer was lost")
        return done

    async def events(self) -> AsyncIterator[MediaEvent]:
        queue: asyncio.Queue[MediaEvent] = asyncio.Queue()
        self.readers.append(queue)
        if not self.is_away:
            queue.put_nowait(self.snapshot())
        try:
            while True:
                yield await queue.get()
        finally:
            self.readers.remove(queue)

    async def _leg(self, leg_id: LegId, epoch: int) -> FakeLeg:
        await self._reach(epoch)
        if leg_id not in self.legs:
            raise MediaRefused("no_such_leg", "there is no such leg")
        return self.legs[leg_id]

    # --- what happens to it ----------------------------------------------------------------

    def tell(self, event: MediaEvent) -> None:
        for reader in self.readers:
            reader.put_nowait(event)

    def snapshot(self) -> WorkerBack:
        return WorkerBack(
            tuple(
                LegLive(
                    leg.leg_id,
                    leg.tag,
                    leg.is_up,
                    leg.is_sending,
                    leg.attached_to,
                    leg.is_heard,
                    leg.local_sdp,
                    leg.is_announced,
                )
                for leg in self.legs.values()
            ),
            worker_id=self.worker_id,
            captures=captures_of(self.recorder.snapshot()),
            budgets=budgets_of(self.recorder.snapshot()),
        )

    def up(self, leg_id: LegId) -> None:
        leg = self.legs.get(leg_id)
        if leg is not None and not leg.is_up:
            leg.is_up = True
            self.tell(LegUp(leg_id, self.clock.wall()))

    def announced(self, leg_id: LegId) -> None:
        leg = self.legs.get(leg_id)
        if leg is not None and not leg.is_announced:
            leg.is_announced = True
            self.tell(AnnouncementOver(leg_id, self.clock.wall()))

    def hear(self, leg_id: LegId) -> None:
        leg = self.legs.get(leg_id)
        if leg is not None and not leg.is_heard:
            leg.is_heard = True
            self.tell(LegHeard(leg_id, self.clock.wall()))

    def quiet(self, leg_id: LegId, *, quiet: bool = True) -> None:
        self.tell(LegQuiet(leg_id, self.clock.wall(), quiet))

    def drop(self, leg_id: LegId, reason: str) -> None:
        if self.legs.pop(leg_id, None) is None:
            return
        for leg in self.legs.values():
            if leg.attached_to == leg_id:
                leg.attached_to = None
        self.recorder.leg_closed(leg_id)
        self.tell(LegClosed(leg_id, self.clock.wall(), reason))

    def quality(self, leg_id: LegId, *, packets: int, lost: int) -> None:
        now = self.clock.wall()
        self.tell(LegQuality(leg_id, now, packets, packets, lost, 3.0, 40.0, 0))

    def restart(self) -> None:
        """The worker dies with all its legs, and a new one is there."""
        self.legs.clear()
        self.loaded.clear()
        self.is_away = False
        self.recorder.die()
        self.disk.unlock()
        self.boots += 1
        self.recorder = MemoryRecorder(self.clock, self.disk, self.tell)
        self.tell(self.snapshot())

    def come_back(self) -> None:
        """The worker was out of reach and is there again, with all its legs."""
        self.is_away = False
        self.tell(self.snapshot())

    def leg_of_sdp(self, sdp: str) -> FakeLeg | None:
        return next((leg for leg in self.legs.values() if leg.local_sdp == sdp), None)

    def agent_legs(self) -> list[FakeLeg]:
        return [leg for leg in self.legs.values() if leg.is_agent]

    def whatsapp_legs(self) -> list[FakeLeg]:
        return [leg for leg in self.legs.values() if not leg.is_agent]
