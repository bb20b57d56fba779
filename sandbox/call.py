"""One call between a WhatsApp user and the business, from ringing to its terminate webhook."""

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import replace

from sandbox.business_sdp import BadBusinessSdp, BusinessSdp, SdpType, parse_business_sdp
from sandbox.call_record import CallRecord, MediaFault
from sandbox.call_state import CallState, CallSurroundings, EndedBy, Outcome
from sandbox.dtls import DtlsRole
from sandbox.errors import GraphError, webhook_error
from sandbox.hearing import Hearing
from sandbox.media_session import MediaSession
from sandbox.meta_sdp import MetaMedia, Setup, render_meta_sdp
from sandbox.payloads import (
    CallIdentity,
    Direction,
    Ending,
    Json,
    connect_payload,
    status_payload,
    terminate_payload,
)
from sandbox.personas import Answers, Persona
from sandbox.sounds import LiveSound, Sound, make_sound
from sandbox.validation import AcceptRequest, Announced, ConnectRequest

_WATCH_INTERVAL_S = 0.1
_STATE_SUBCODE = 2494010


class Call:
    """The signalling of one call; `media` is its other half.

    What the business does raises `GraphError` when Meta would refuse it. What the user does is
    quietly ignored when it is too late for it, as on a phone.
    """

    def __init__(
        self, identity: CallIdentity, persona: Persona, surroundings: CallSurroundings
    ) -> None:
        self.identity = identity
        self.persona = persona
        self.record = CallRecord()
        self.state = CallState.RINGING
        self.outcome: Outcome | None = None
        self.recording: Announced | None = None
        self.transcription: Announced | None = None
        self.sound: Sound | None = None
        self.started_at: float | None = None
        self.began_at = surroundings.wall_time()
        self._around = surroundings
        limits = surroundings.config.limits
        hearing = Hearing(limits.heard_s_max)
        self.media = MediaSession(
            self.record,
            surroundings.certificate,
            hearing,
            allows_early_media=self._is_outbound,
        )
        self._prepared_sdp: str | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._port = 0

    @property
    def wacid(self) -> str:
        """The call's identity everywhere."""
        return self.identity.wacid

    @property
    def hearing(self) -> Hearing:
        """What the user has heard."""
        return self.media.hearing

    # -- the user's side ---------------------------------------------------------------

    async def ring_business(self) -> None:
        """Begin a user-initiated call: the business gets a connect webhook with our offer."""
        self.record.note("user.dialled")
        self._port = await self.media.open(self._around.config.media_host)
        sdp = self._describe(Setup.ACTPASS, None)
        timings = self._around.config.timings
        payload = connect_payload(self.identity, self.began_at, "offer", sdp)
        self._send("calls.connect", payload, timings.uic_connect_webhook_s)
        self._spawn(self._prepare_sound())
        self._spawn(self._end_unless_accepted(timings.uic_answer_timeout_s))

    def answer(self) -> None:
        """The user picks up a call of the business."""
        if self.state is not CallState.RINGING or not self._is_outbound:
            return
        self._pick_up()
        self._send_status("ACCEPTED")

    def reject(self) -> None:
        """The user declines a call of the business."""
        if self.state is not CallState.RINGING or not self._is_outbound:
            return
        self._send_status("REJECTED")
        self._end(EndedBy.USER, "rejected")

    def hang_up(self) -> None:
        """The user hangs up, or gives up while it rings; a ringing call they reject."""
        if self.state is CallState.RINGING and self._is_outbound:
            self.reject()
        elif self.state is not CallState.ENDED:
            self._end(EndedBy.USER, "hung_up")

    def press(self, digits: str) -> bool:
        """Press keys, heard as RFC 4733 events; False while the user cannot be heard yet.

        Unknown keys are a `KeyError`.
        """
        if self.media.sender is None:
            return False
        self.media.sender.press(digits)
        self.record.note("user.pressed", count=len(digits))
        return True

    def mute(self, *, is_muted: bool) -> bool:
        """Mute the user's microphone, packets go on; False while there is no sound yet."""
        if self.media.sender is None:
            return False
        self.media.sender.is_muted = is_muted
        self.record.note("user.muted", is_muted=is_muted)
        return True

    def drop_network(self, seconds: float) -> None:
        """Lose the network for a while: no packet goes out, no check is answered."""
        self.media.transport.go_dark(seconds)
        self.record.note("network.dropped", seconds=seconds)

    def talk(self, *, is_talking: bool) -> None:
        """Switch a live persona between the person's microphone and its own voice."""
        if isinstance(self.sound, LiveSound):
            self.sound.talk(is_talking=is_talking)

    # -- the business's side -----------------------------------------------------------

    async def ring_user(self, request: ConnectRequest) -> None:
        """Begin a business-initiated call with the business's offer."""
        remote = _parse(request.sdp, SdpType.OFFER)
        self.recording, self.transcription = request.recording, request.transcription
        self.record.note("graph.connect")
        self._note_codecs(remote)
        self._port = await self.media.open(self._around.config.media_host)
        setup = self._around.config.bic_answer_setup
        self.media.connect(remote, _our_role(setup))
        timings = self._around.config.timings
        self._spawn(self._send_ringing(timings.scaled(timings.bic_ringing_webhook_s)))
        delay_s = timings.scaled(timings.bic_connect_webhook_s)
        self._spawn(self._send_answer(setup, remote, delay_s))
        self._spawn(self._prepare_sound())
        self._spawn(self._end_unless_accepted(timings.bic_ring_timeout_s))
        self._spawn(self._react_to_ringing())

    def pre_accept(self, sdp: str) -> None:
        """The business prepares media before it answers."""
        self._require_ringing_inbound()
        if self._prepared_sdp is not None and sdp != self._prepared_sdp:
            raise _refusal("The session differs from the one pre-accepted before")
        if self._prepared_sdp is None:
            self._connect_media(sdp)
        self.record.note("call.pre_accepted")

    def accept(self, request: AcceptRequest) -> None:
        """The business answers; only now may its media flow."""
        self._require_ringing_inbound()
        if self._prepared_sdp is None:
            self._connect_media(request.sdp)
        elif request.sdp != self._prepared_sdp:
            raise _refusal("The SDP must be the one given in pre_accept")
        self.recording, self.transcription = request.recording, request.transcription
        self.identity = replace(
            self.identity, biz_opaque_callback_data=request.biz_opaque_callback_data
        )
        self._pick_up()

    def business_rejects(self) -> None:
        """The business declines a user's call."""
        self._require_ringing_inbound()
        self._end(EndedBy.BUSINESS, "rejected")

    def business_terminates(self) -> None:
        """The business hangs up."""
        if self.state is CallState.ENDED:
            raise _refusal("The call has already ended")
        self._end(EndedBy.BUSINESS, "terminated")

    async def close(self) -> None:
        """Give everything back, without any webhook."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.media.close()

    # -- inside ------------------------------------------------------------------------

    @property
    def _is_outbound(self) -> bool:
        return self.identity.direction is Direction.BUSINESS_INITIATED

    def _require_ringing_inbound(self) -> None:
        if self._is_outbound:
            raise _refusal("The action is not possible for a business-initiated call")
        if self.state is CallState.ACCEPTED:
            raise _refusal("The call is already in progress")
        if self.state is CallState.ENDED:
            raise _refusal("The call has already ended")

    def _connect_media(self, sdp: str) -> None:
        remote = _parse(sdp, SdpType.ANSWER)
        assert remote.dtls_role is not None
        ours = DtlsRole.SERVER if remote.dtls_role is DtlsRole.CLIENT else DtlsRole.CLIENT
        self._note_codecs(remote)
        self.media.connect(remote, ours)
        self._prepared_sdp = sdp

    def _note_codecs(self, remote: BusinessSdp) -> None:
        if remote.other_codecs:
            self.record.note("sdp.unsupported_codecs", names=", ".join(remote.other_codecs))

    def _describe(self, setup: Setup, remote: BusinessSdp | None) -> str:
        media = MetaMedia(
            host=self._around.config.media_host,
            port=self._port,
            ice=self.media.transport.ice.local,
            fingerprint=self._around.certificate.fingerprint,
            ssrc=self.media.ssrc,
            setup=setup,
        )
        if remote is not None:
            media = replace(
                media,
                mid=remote.mid,
                opus_type=remote.opus_type,
                events_type=126 if remote.events_type is None else remote.events_type,
            )
        return render_meta_sdp(media, self._around.config.sdp_shape)

    async def _send_ringing(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        self._send_status("RINGING", delay_s=0.0)

    async def _send_answer(self, setup: Setup, remote: BusinessSdp, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        sdp = self._describe(setup, remote)
        payload = connect_payload(self.identity, self._around.wall_time(), "answer", sdp)
        self._send("calls.connect", payload, 0.0)

    def _pick_up(self) -> None:
        self.state = CallState.ACCEPTED
        self.started_at = self._around.wall_time()
        number, user = self.identity.number, self.identity.user
        user.permission_for(number).connected(self.started_at)
        self.media.open_ears()
        self.record.note("call.accepted")
        self._spawn(self._start_talking())
        self._spawn(self._act_out_persona())
        self._spawn(self._watch_media(time.monotonic()))

    async def _prepare_sound(self) -> None:
        self.sound = await make_sound(self.persona.says)
        self.record.note("sound.ready")

    async def _start_talking(self) -> None:
        await self.record.wait_for("sound.ready", timeout_s=30)
        assert self.sound is not None
        self.media.talk(self.sound)

    async def _react_to_ringing(self) -> None:
        persona = self.persona
        if persona.answers is Answers.NEVER:
            return
        await asyncio.sleep(persona.answer_after_s)
        if persona.answers is Answers.REJECTS:
            self.reject()
        else:
            self.answer()

    async def _act_out_persona(self) -> None:
        persona = self.persona
        if persona.keypad is not None:
            self._spawn(self._press_later(persona.keypad.digits, persona.keypad.after_s))
        if persona.network_drop is not None:
            await asyncio.sleep(persona.network_drop.after_s)
            self.drop_network(persona.network_drop.for_s)

    async def _press_later(self, digits: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await self.record.wait_for("rtp.first_sent", timeout_s=60)
        self.press(digits)

    async def _end_unless_accepted(self, timeout_s: float) -> None:
        await asyncio.sleep(timeout_s)
        if self.state is CallState.RINGING:
            self._end(EndedBy.NETWORK, "not_answered")

    async def _watch_media(self, picked_up_at: float) -> None:
        """End the call when the user wants, or when no media of the business comes.

        The start allows 20 s without RTP; later RTCP also counts as a sign of life.
        """
        timings, hang_up_s = self._around.config.timings, self.persona.hang_up_after_s
        while self.state is CallState.ACCEPTED:
            await asyncio.sleep(_WATCH_INTERVAL_S)
            now = time.monotonic()
            if hang_up_s is not None and now - picked_up_at >= hang_up_s:
                self.hang_up()
                return
            rtp_at, rtcp_at = self.media.last_rtp_at, self.media.last_rtcp_at
            if rtp_at is None:
                silent_s, allowed_s = now - picked_up_at, timings.media_timeout_s
            else:
                silent_s = now - max(rtp_at, rtcp_at or 0.0, picked_up_at)
                allowed_s = timings.media_silence_timeout_s
            if silent_s > allowed_s:
                self.record.fault(MediaFault.MEDIA_TIMEOUT, f"{silent_s:.1f} s without media")
                self._end(EndedBy.NETWORK, "no_media")
                return

    def _end(self, ended_by: EndedBy, reason: str) -> None:
        self.state = CallState.ENDED
        error: Json | None = None
        delay_s = self._around.config.timings.terminate_webhook_s
        if reason == "no_media":
            error = webhook_error(138021, "No media was received from the business")
            delay_s = self._around.config.timings.media_failure_webhook_s
        ending = Ending(
            status="FAILED" if error else "COMPLETED",
            started_at=self.started_at,
            ended_at=self._around.wall_time() if self.started_at is not None else None,
            error=error,
        )
        self.outcome = Outcome(ended_by=ended_by, reason=reason, ending=ending)
        self.record.note("call.ended", ended_by=ended_by, reason=reason)
        payload = terminate_payload(self.identity, self._around.wall_time(), ending)
        self._send("calls.terminate", payload, delay_s)
        current = asyncio.current_task()
        for task in self._tasks:
            if task is not current:
                task.cancel()
        self._spawn(self.media.close())

    def _send_status(self, status: str, delay_s: float | None = None) -> None:
        timings = self._around.config.timings
        payload = status_payload(self.identity, self._around.wall_time(), status)
        delay_s = timings.status_webhook_s if delay_s is None else delay_s
        self._send(f"statuses.{status}", payload, delay_s)

    def _send(self, name: str, payload: Json, delay_s: float) -> None:
        self._around.webhooks.send(
            name,
            payload,
            delay_s=self._around.config.timings.scaled(delay_s),
            record=self.record,
            wacid=self.wacid,
        )

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.record.note("sandbox.failure", reason=repr(error))


def _our_role(setup: Setup) -> DtlsRole | None:
    if setup is Setup.ACTPASS:
        return None
    return DtlsRole.CLIENT if setup is Setup.ACTIVE else DtlsRole.SERVER


def _parse(sdp: str, kind: SdpType) -> BusinessSdp:
    try:
        return parse_business_sdp(sdp, kind)
    except BadBusinessSdp as error:
        raise GraphError(error.code, str(error)) from error


def _refusal(details: str) -> GraphError:
    """Build the answer to an action that the call's state forbids."""
    return GraphError(100, details, subcode=_STATE_SUBCODE)
