"""One leg: its life from the first description to its close."""

import asyncio
import secrets
from typing import Protocol

import structlog

from media.announcing import Announcing
from media.dtls import Role
from media.endpoints import EndpointFactory
from media.leg_reports import LegIdentity, LegReports, Publish
from media.leg_transport import LegTransport, Secured, TransportFailed
from media.negotiation import (
    OwnSide,
    Terms,
    accept_answer,
    answer_offer,
    make_offer,
    published_candidates,
)
from media.port import Path
from media.protocol import CloseReason, LegKind, LegSnapshot, LegState
from media.relay import MediaStream, PacketTap, Relay, StreamSpec
from media.sdp import RemoteDescription
from media.settings import LegSettings

log = structlog.get_logger()


class LegSurroundings(Protocol):
    """What a leg needs from the worker."""

    @property
    def endpoints(self) -> EndpointFactory:
        """Makes the leg's ports."""

    @property
    def relay(self) -> Relay:
        """Moves its audio."""

    @property
    def leg_settings(self) -> LegSettings:
        """Times and bounds."""

    @property
    def publish(self) -> Publish:
        """Sends an event to the gateway."""

    def leg_connected(self, leg: "Leg") -> None:
        """The leg's stream exists: join it to what it is attached to."""

    def leg_silent(self, leg: "Leg") -> None:
        """The leg's audio has ended; its ports are being closed."""

    def leg_closed(self, leg: "Leg") -> None:
        """The leg is gone: forget it."""


class Leg:
    """A leg of either kind, from its first description on; ends by itself or with `close`.

    What it is attached to, held, muted and announced is set by its surroundings.
    """

    def __init__(
        self, identity: LegIdentity, epoch: int, surroundings: LegSurroundings
    ) -> None:
        self.leg_id = identity.leg_id
        self.kind = identity.kind
        self.epoch = epoch
        self.state = LegState.NEW
        self.sending = identity.kind is LegKind.AGENT
        self.held = False
        self.muted = False
        self.attached: Leg | None = None
        self.announcing: Announcing | None = None
        self.stream: MediaStream | None = None
        self.local_sdp = ""
        self._tag = identity.tag
        self._tap: PacketTap | None = None
        self._surroundings = surroundings
        self._ssrc = secrets.randbits(32)
        self._reports = LegReports(
            identity,
            self._ssrc,
            settings=surroundings.leg_settings,
            publish=surroundings.publish,
        )
        self._transport = LegTransport(
            surroundings.endpoints,
            surroundings.leg_settings,
            trace=self._reports.trace,
            on_path=self._path_changed,
        )
        loop = asyncio.get_running_loop()
        self._terms: asyncio.Future[Terms] = loop.create_future()
        self._stop: asyncio.Future[CloseReason] = loop.create_future()
        self._task = asyncio.create_task(self._live())
        self._reports.trace("ice_gathered", {"candidates": len(self._transport.ports)})

    @property
    def is_closed(self) -> bool:
        """Whether the leg has ended."""
        return self.state is LegState.CLOSED

    @property
    def has_answer(self) -> bool:
        """Whether both descriptions are known."""
        return self._terms.done()

    def answer(self, offer: RemoteDescription) -> str:
        """Write our answer and begin to connect."""
        self.local_sdp, terms = answer_offer(offer, self._own_side())
        # The offerer controls, unless it is ice-lite (RFC 8445 section 6.1.1).
        self._transport.take_role(controlling=offer.is_lite)
        self._begin(terms)
        return self.local_sdp

    def offer(self) -> str:
        """Write our offer; the leg then waits for `apply_answer`."""
        self.local_sdp = make_offer(self._own_side())
        self._transport.take_role(controlling=True)
        return self.local_sdp

    def apply_answer(self, answer: RemoteDescription, actpass_role: Role) -> None:
        """Begin to connect as the peer answered; raises `BadSdp`. Once only."""
        self._begin(accept_answer(answer, actpass_role))

    def start_sending(self) -> None:
        """Let RTP flow toward the peer, now or as soon as the leg is connected."""
        self.sending = True
        if self.stream is not None:
            self.stream.release()

    def show_to(self, tap: PacketTap) -> None:
        """Show `tap`, and nobody else, all audio from and to the peer from here on."""
        self._tap = tap
        if self.stream is not None:
            self.stream.show_to(tap)

    def announcement_began(self) -> None:
        """The first frame of the announcement is on its way to the peer."""
        self._reports.trace("announcement_began")

    def announced(self) -> None:
        """All of the announcement has been sent to the peer."""
        self._reports.announced()

    def housekeep(self, now: float) -> None:
        """Notice silence and loss, send reports; called several times a second."""
        reason = self._reports.housekeep(now)
        if reason is not None:
            self.stop(reason)

    def stop(self, reason: CloseReason) -> None:
        """Ask the leg to end; `LegChanged` follows when it has."""
        if not self._stop.done():
            self._stop.set_result(reason)

    async def close(self, reason: CloseReason) -> None:
        """End the leg and wait until its ports are free."""
        self.stop(reason)
        await asyncio.shield(self._task)

    def snapshot(self) -> LegSnapshot:
        """Everything a gateway needs to re-adopt the leg."""
        counters = self._reports.counters
        return LegSnapshot(
            leg_id=self.leg_id,
            kind=self.kind,
            tag=self._tag,
            epoch=self.epoch,
            state=self.state,
            sending=self.sending,
            attached_to=None if self.attached is None else self.attached.leg_id,
            held=self.held,
            muted=self.muted,
            received_rtp=counters.packets_in > 0,
            local_sdp=self.local_sdp,
            packets_in=counters.packets_in,
            packets_out=counters.packets_out,
            is_announced=None if self.announcing is None else self.announcing.is_over,
        )

    def _own_side(self) -> OwnSide:
        transport = self._transport
        return OwnSide(
            session_id=secrets.randbits(62),
            ufrag=transport.ufrag,
            password=transport.password,
            fingerprint=transport.certificate.fingerprint,
            ssrc=self._ssrc,
            candidates=published_candidates(
                self.kind,
                [port.address for port in transport.ports],
                self._surroundings.endpoints.addresses,
            ),
        )

    def _begin(self, terms: Terms) -> None:
        self._terms.set_result(terms)
        self._move(LegState.CONNECTING)

    def _move(self, state: LegState, reason: CloseReason | None = None) -> None:
        self.state = state
        self._reports.changed(state, reason)

    def _path_changed(self, path: Path) -> None:
        if self.stream is not None:
            self.stream.use_path(path)

    async def _live(self) -> None:
        work = asyncio.create_task(self._serve())
        await asyncio.wait({work, self._stop}, return_when=asyncio.FIRST_COMPLETED)
        if self._stop.done():
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            reason = self._stop.result()
        else:
            self._stop.set_result(reason := self._outcome(work))
        await self._end(reason)

    def _outcome(self, work: asyncio.Task[CloseReason]) -> CloseReason:
        failure = work.exception()
        if failure is None:
            return work.result()
        # A mistake of ours costs this leg, not the worker.
        log.error("leg failed", leg_id=self.leg_id, exc_info=failure)
        return CloseReason.INTERNAL

    async def _serve(self) -> CloseReason:
        terms = await self._terms
        try:
            secured = await self._transport.connect(terms.remote, terms.role)
        except TransportFailed as failure:
            return failure.reason
        self._open_stream(terms, secured)
        return await self._transport.wait_closed()

    def _open_stream(self, terms: Terms, secured: Secured) -> None:
        settings = self._surroundings.leg_settings
        audio = terms.remote.audio
        self.stream = self._surroundings.relay.open_stream(
            StreamSpec(
                keys=secured.keys,
                receive_opus=terms.receive_opus,
                receive_keypad=terms.receive_keypad,
                send_ssrc=self._ssrc,
                send_opus=audio.opus,
                send_keypad=audio.keypad,
                peer_ssrc=audio.ssrc,
                comfort_after_s=(
                    settings.comfort_after_agent_s
                    if self.kind is LegKind.AGENT
                    else settings.comfort_after_whatsapp_s
                ),
                in_step=self.kind is LegKind.WHATSAPP,
            ),
            ports=self._transport.ports,
            path=secured.path,
            observer=self._reports,
            drops=self._transport.drops,
        )
        self._reports.watch(self.stream, self._transport.drops)
        self.stream.set_comfort(self.kind is LegKind.WHATSAPP)
        if self._tap is not None:
            self.stream.show_to(self._tap)
        if self.sending:
            self.stream.release()
        self._surroundings.leg_connected(self)
        self._move(LegState.CONNECTED)

    async def _end(self, reason: CloseReason) -> None:
        self._reports.say_bye()
        if self.stream is not None:
            self.stream.close()
        self._surroundings.leg_silent(self)
        await self._transport.close()
        self._surroundings.leg_closed(self)
        self._move(LegState.CLOSED, reason)
