"""Port `MediaEngine`: a media worker behind its Unix socket.

Commands carry ids, so that one whose answer was lost with a connection is sent again without a
second effect. Events are numbered; a gap brings a fresh snapshot in place of what was lost.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import structlog

from gateway.adapters import media_engine_announcements as announcements
from gateway.adapters import media_engine_recording as recording
from gateway.adapters.media_engine_events import Fanout, translated, worker_back
from gateway.adapters.media_engine_tags import tag_text
from gateway.adapters.media_engine_wire import MediaLink, WorkerRefused
from gateway.core.errors import BadSdp, MediaAway, MediaError, MediaRefused
from gateway.core.ids import CallId, LegId
from gateway.core.recording.own_announcement import AnnouncementId
from gateway.ports.clock import NewId
from gateway.ports.media import CaptureOrder, LegTag, MediaEngine, MediaEvent
from media import protocol as wire

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerAddress:
    """Where a worker listens, and the file that holds the secret of its socket."""

    socket: Path
    token_file: Path


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What an operator may set; durations in seconds."""

    command_timeout_s: float = 5.0
    away_wait_s: float = 1.5
    """How long a command waits for a worker that is being (re)connected."""
    reconnect_first_s: float = 0.05
    reconnect_max_s: float = 2.0
    refused_pause_s: float = 10.0
    commands_max: int = 1_000
    events_max: int = 2_000
    actpass_role: Literal["client", "server"] = "client"
    """Our DTLS role if Meta's answer leaves it open, which it must not but has."""


@dataclass(frozen=True, slots=True)
class _Pending:
    command: wire.Command
    answer: "asyncio.Future[wire.Done]"


class MediaSocketEngine(MediaEngine):
    """Keeps one worker connected for as long as the context is open."""

    def __init__(
        self,
        address: WorkerAddress,
        *,
        gateway_epoch: int,
        new_id: NewId,
        ensure_worker: Callable[[], Awaitable[None]] | None = None,
        on_link: Callable[[bool], None] | None = None,
        settings: EngineSettings | None = None,
    ) -> None:
        """`ensure_worker` runs when nobody listens on the socket, and may start a worker.

        `on_link` is told when the worker comes (True) and goes (False). `gateway_epoch` must
        be higher in each life of the gateway: the worker drops an older one.
        """
        self._address = address
        self._epoch = gateway_epoch
        self._new_id = new_id
        self.budgets = recording.MediaBudgets(self._ask, new_id)
        """The budgets of the worker."""
        self._ensure_worker = ensure_worker
        self._on_link = on_link
        self._settings = settings or EngineSettings()
        self._fanout = Fanout(
            events_max=self._settings.events_max, start_over=self._take_snapshot
        )
        self._link: MediaLink | None = None
        self._boot_id = ""
        self._last_seq = 0
        self._connected = asyncio.Event()
        self._pending: dict[str, _Pending] = {}
        self._wants_snapshot = False
        self._snapshot_task: asyncio.Task[None] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._closers: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._keeper = asyncio.create_task(self._keep_connected(), name="media engine")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        tasks = [task for task in (self._keeper, self._snapshot_task) if task]
        tasks += self._closers
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def is_connected(self) -> bool:
        """Whether a worker is there now."""
        return self._link is not None

    async def answer_agent(self, leg_id: LegId, tag: LegTag, *, epoch: int, offer: str) -> str:
        """See the port."""
        return await self._answer(wire.LegKind.AGENT, leg_id, tag, epoch, offer)

    async def answer_whatsapp(
        self, leg_id: LegId, tag: LegTag, *, epoch: int, offer: str
    ) -> str:
        """See the port."""
        return await self._answer(wire.LegKind.WHATSAPP, leg_id, tag, epoch, offer)

    async def offer_whatsapp(self, leg_id: LegId, tag: LegTag, *, epoch: int) -> str:
        """See the port."""
        command = wire.MakeOffer(
            id=self._new_id(), epoch=epoch, leg_id=leg_id, tag=tag_text(tag)
        )
        return await self._create(command)

    async def apply_answer(self, leg_id: LegId, *, epoch: int, answer: str) -> None:
        """See the port."""
        command = wire.ApplyAnswer(
            id=self._new_id(),
            epoch=epoch,
            leg_id=leg_id,
            answer=answer,
            actpass_role=self._settings.actpass_role,
        )
        try:
            await self._ask(command)
        except MediaRefused as refusal:
            if refusal.code != "conflict":
                raise

    async def attach(self, whatsapp_leg: LegId, agent_leg: LegId, *, epoch: int) -> None:
        """See the port."""
        await self._ask(
            wire.Attach(
                id=self._new_id(),
                epoch=epoch,
                whatsapp_leg_id=whatsapp_leg,
                agent_leg_id=agent_leg,
            )
        )

    async def detach(self, whatsapp_leg: LegId, *, epoch: int) -> None:
        """See the port."""
        await self._ask(
            wire.Detach(id=self._new_id(), epoch=epoch, whatsapp_leg_id=whatsapp_leg)
        )

    async def start_sending(self, whatsapp_leg: LegId, *, epoch: int) -> None:
        """See the port."""
        await self._ask(wire.StartSending(id=self._new_id(), epoch=epoch, leg_id=whatsapp_leg))

    async def set_mute(self, whatsapp_leg: LegId, *, epoch: int, muted: bool) -> None:
        """See the port."""
        await self._ask(
            wire.SetMute(
                id=self._new_id(), epoch=epoch, whatsapp_leg_id=whatsapp_leg, muted=muted
            )
        )

    async def set_hold(self, whatsapp_leg: LegId, *, epoch: int, held: bool) -> None:
        """See the port."""
        await self._ask(
            wire.SetHold(
                id=self._new_id(), epoch=epoch, whatsapp_leg_id=whatsapp_leg, held=held
            )
        )

    async def load_announcement(self, announcement_id: AnnouncementId, ogg: bytes) -> None:
        """See the port."""
        await self._ask(announcements.load(announcement_id, ogg, command_id=self._new_id()))

    async def play_announcement(
        self, whatsapp_leg: LegId, announcement_id: AnnouncementId, *, epoch: int
    ) -> bool:
        """See the port."""
        order = announcements.play(
            whatsapp_leg, announcement_id, command_id=self._new_id(), epoch=epoch
        )
        return (await self._ask(order)).is_announced is True

    async def close_leg(self, leg_id: LegId, *, epoch: int) -> None:
        """See the port."""
        await self._ask(wire.CloseLeg(id=self._new_id(), epoch=epoch, leg_id=leg_id))

    async def start_capture(self, order: CaptureOrder, *, epoch: int) -> None:
        """See the port."""
        await self._ask(recording.start_capture(order, command_id=self._new_id(), epoch=epoch))

    async def stop_capture(self, call_id: CallId, *, epoch: int) -> bool:
        """See the port."""
        command = recording.stop_capture(call_id, command_id=self._new_id(), epoch=epoch)
        return (await self._ask(command)).capture is None

    async def events(self) -> AsyncIterator[MediaEvent]:
        """See the port. A reader that falls behind starts over with a `WorkerBack`."""
        mailbox = self._fanout.open()
        try:
            while True:
                yield await mailbox.take()
        finally:
            self._fanout.close(mailbox)

    async def _answer(
        self, kind: wire.LegKind, leg_id: LegId, tag: LegTag, epoch: int, offer: str
    ) -> str:
        return await self._create(
            wire.AnswerOffer(
                id=self._new_id(),
                epoch=epoch,
                leg_id=leg_id,
                kind=kind,
                tag=tag_text(tag),
                offer=offer,
            )
        )

    async def _create(self, command: wire.AnswerOffer | wire.MakeOffer) -> str:
        """Create a leg; one whose answer nobody got is closed again."""
        try:
            done = await self._ask(command)
        except (MediaAway, asyncio.CancelledError):
            closer = asyncio.create_task(self._close_unwanted(command))
            self._closers.add(closer)
            closer.add_done_callback(self._closers.discard)
            raise
        if done.sdp is None:
            raise MediaRefused("internal", "the media worker sent no description")
        return done.sdp

    async def _close_unwanted(self, command: wire.AnswerOffer | wire.MakeOffer) -> None:
        try:
            await self.close_leg(LegId(command.leg_id), epoch=command.epoch)
        except MediaError:
            _log.info("a leg nobody asked for any more could not be closed")

    async def _ask(self, command: wire.Command) -> wire.Done:
        """Send a command and wait for its answer, through a reconnect if need be."""
        if len(self._pending) >= self._settings.commands_max:
            raise MediaAway("the media worker has too much to do")
        if self._link is None:
            await self._wait_for_worker()
        pending = _Pending(command, asyncio.get_running_loop().create_future())
        self._pending[command.id] = pending
        if self._link is not None:
            self._link.send(command)
        try:
            async with asyncio.timeout(self._settings.command_timeout_s):
                return await pending.answer
        except TimeoutError:
            raise MediaAway("the media worker did not answer in time") from None
        finally:
            self._pending.pop(command.id, None)

    async def _wait_for_worker(self) -> None:
        try:
            async with asyncio.timeout(self._settings.away_wait_s):
                await self._connected.wait()
        except TimeoutError:
            raise MediaAway("no media worker is connected") from None

    async def _keep_connected(self) -> None:
        pause_s = self._settings.reconnect_first_s
        while True:
            try:
                link = await self._open()
            except WorkerRefused as refusal:
                _log.error("media worker refused this gateway", reason=refusal.reason)
                pause_s = self._settings.refused_pause_s
            except (MediaAway, OSError, TimeoutError) as error:
                is_first = pause_s == self._settings.reconnect_first_s
                log = _log.warning if is_first else _log.debug
                log("media worker cannot be reached", reason=str(error))
            else:
                pause_s = self._settings.reconnect_first_s
                await self._serve(link)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, self._settings.reconnect_max_s)

    async def _open(self) -> MediaLink:
        try:
            return await self._connect()
        except (FileNotFoundError, ConnectionRefusedError):
            if self._ensure_worker is None:
                raise
        await self._ensure_worker()
        return await self._connect()

    async def _connect(self) -> MediaLink:
        # Read each time: a worker started anew may have written a new token.
        token = await asyncio.to_thread(self._address.token_file.read_text)
        return await MediaLink.open(
            self._address.socket, token=token.strip(), gateway_epoch=self._epoch
        )

    async def _serve(self, link: MediaLink) -> None:
        self._adopt(link)
        try:
            async for message in link.messages():
                match message:
                    case wire.Done() | wire.Failed():
                        self._settle(message)
                    case wire.Refused():
                        _log.error("media worker dropped us", reason=message.reason)
                    case _:
                        self._note(message)
        finally:
            self._link = None
            self._connected.clear()
            await link.close()
            _log.info("media worker disconnected")
            if self._on_link is not None:
                self._on_link(False)

    def _adopt(self, link: MediaLink) -> None:
        """Take up a new connection: what lives there, and what we still wait for."""
        welcome = link.welcome
        if self._boot_id not in {"", welcome.boot_id}:
            for pending in self._pending.values():
                if not pending.answer.done():
                    pending.answer.set_exception(MediaAway("the media worker started anew"))
        self._boot_id = welcome.boot_id
        self._last_seq = welcome.snapshot.last_seq
        self._link = link
        self._wants_snapshot = False
        self._connected.set()
        _log.info("media worker connected", legs=len(welcome.snapshot.legs))
        if self._on_link is not None:
            self._on_link(True)
        self._fanout.tell(worker_back(welcome.snapshot, self._boot_id))
        for pending in self._pending.values():
            if not pending.answer.done():
                link.send(pending.command)

    def _settle(self, answer: wire.Done | wire.Failed) -> None:
        pending = self._pending.get(answer.id)
        if pending is None or pending.answer.done():
            return
        if isinstance(answer, wire.Done):
            if answer.snapshot is not None:
                self._start_from(answer.snapshot)
            pending.answer.set_result(answer)
        elif answer.code == "bad_sdp":
            pending.answer.set_exception(BadSdp(answer.reason))
        else:
            pending.answer.set_exception(MediaRefused(answer.code, answer.reason))

    def _note(self, event: wire.Event) -> None:
        if event.seq <= self._last_seq:
            return  # Contained in a snapshot that overtook it.
        has_gap = event.seq != self._last_seq + 1 or isinstance(event, wire.Resync)
        self._last_seq = event.seq
        if has_gap:
            _log.warning("events of the media worker were lost; taking a snapshot")
            self._take_snapshot()
        told = translated(event)
        if told is not None:
            self._fanout.tell(told)

    def _start_from(self, snapshot: wire.Snapshot) -> None:
        self._last_seq = max(self._last_seq, snapshot.last_seq)
        self._fanout.tell(worker_back(snapshot, self._boot_id))

    def _take_snapshot(self) -> None:
        """Ask for the state of everything; asked while one is under way, ask once more."""
        self._wants_snapshot = True
        is_under_way = self._snapshot_task is not None and not self._snapshot_task.done()
        if self._link is not None and not is_under_way:
            self._snapshot_task = asyncio.create_task(self._ask_snapshot(self._link))

    async def _ask_snapshot(self, link: MediaLink) -> None:
        try:
            while self._wants_snapshot and self._link is link:
                self._wants_snapshot = False
                await self._ask(wire.TakeSnapshot(id=self._new_id()))
        except MediaError:
            _log.warning("media worker gave no snapshot; connecting anew")
            await link.close()
