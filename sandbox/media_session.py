"""The media of one call: what the user hears and says, and our RTCP."""

import asyncio
import secrets
import time
from collections.abc import Callable

from sandbox.business_sdp import BusinessSdp
from sandbox.call_record import CallRecord, MediaFault
from sandbox.dtls import Certificate, DtlsRole
from sandbox.hearing import Hearing
from sandbox.opus import BadOpus, OpusDecoder, Pcm
from sandbox.overlay import Overlay
from sandbox.recorder import CallRecorder
from sandbox.rtp import (
    BadRtp,
    RtpPacket,
    Sent,
    encode_report,
    ntp_middle,
    parse_rtcp,
    parse_rtp,
)
from sandbox.rtp_sender import RtpSender
from sandbox.rtp_watch import PayloadTypes, RtpWatch
from sandbox.sounds import Sound
from sandbox.transport import CallTransport

_REPORT_INTERVAL_S = 5.0
_CNAME = "WhatsAppAudioStream1"
_DEFAULT_EVENTS_TYPE = 126


class MediaSession:
    """Media of one call from its first SDP to its end.

    The user hears nothing and says nothing before `open_ears` and `talk`. `listeners` get each
    decoded frame that the user hears. Media before `open_ears` is a fault in a call of the
    user, whose timer it would start, and harmless in one of the business.
    """

    def __init__(
        self,
        record: CallRecord,
        certificate: Certificate,
        hearing: Hearing,
        *,
        allows_early_media: bool,
    ) -> None:
        self.hearing = hearing
        self.ssrc = secrets.randbits(32)
        self.transport = CallTransport(record, certificate, self)
        self.watch: RtpWatch | None = None
        self.sender: RtpSender | None = None
        self.last_rtp_at: float | None = None
        self.last_rtcp_at: float | None = None
        self.round_trip_ms: float | None = None
        self.listeners: list[Callable[[Pcm], None]] = []
        self.overlay: Overlay | None = None
        self.recorder: CallRecorder | None = None
        self._record = record
        self._remote: BusinessSdp | None = None
        self._decoder = OpusDecoder()
        self._has_open_ears = False
        self._allows_early_media = allows_early_media
        self._sound: Sound | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._last_sender_report: tuple[int, float] | None = None

    async def open(self, host: str) -> int:
        """Bind the port and return it."""
        return await self.transport.open(host)

    def connect(self, remote: BusinessSdp, role: DtlsRole | None) -> None:
        """Take the business's description; `role` is ours in DTLS."""
        self._remote = remote
        events = remote.events_type if remote.events_type is not None else _DEFAULT_EVENTS_TYPE
        self.watch = RtpWatch(self._record, PayloadTypes(remote.opus_type, events))
        self.transport.connect(remote, role)

    def open_ears(self) -> None:
        """From now on the user hears what arrives."""
        self._has_open_ears = True

    def talk(self, sound: Sound) -> None:
        """Let the user talk as soon as there is a connection."""
        self._sound = sound
        if self.transport.is_connected:
            self._start_sender()

    async def close(self) -> None:
        """Stop sending and close the port."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self.transport.close()

    def connected(self) -> None:
        """The handshake is done: our reports start, and the voice if the user may talk."""
        self._tasks.append(asyncio.create_task(self._send_reports()))
        if self._sound is not None:
            self._start_sender()

    def rtp_arrived(self, packet: bytes, now: float) -> None:
        """Judge a packet; decode it if the user is listening."""
        assert self.watch is not None
        try:
            rtp = parse_rtp(packet)
        except BadRtp as error:
            self._record.fault(MediaFault.MALFORMED_PACKET, str(error))
            return
        if self.last_rtp_at is None:
            self._record.note("rtp.first_received")
        self.last_rtp_at = now
        is_audible = self.watch.judge(rtp, now)
        if not self._has_open_ears:
            if not self._allows_early_media:
                self._record.fault(MediaFault.MEDIA_BEFORE_ACCEPT)
            return
        if not is_audible:
            return
        if self.hearing.first_at_ms is None:
            self._record.note("rtp.first_heard")
        self._hear(rtp)

    def _hear(self, rtp: RtpPacket) -> None:
        try:
            pcm = self._decoder.decode(rtp.payload)
        except BadOpus as error:
            self._record.fault(MediaFault.UNDECODABLE, str(error))
            return
        if self.recorder is not None:
            self.recorder.from_business(pcm, rtp.timestamp)
        if self.overlay is not None:
            pcm = self.overlay.into_heard(pcm)
        self.hearing.place(pcm, rtp.timestamp, self._record.now_ms())
        if self._sound is not None:
            self._sound.hear(pcm)
        for listener in list(self.listeners):
            listener(pcm)

    def rtcp_arrived(self, packet: bytes, now: float) -> None:
        """Take the peer's reports: keep-alive, and the round trip."""
        self.last_rtcp_at = now
        try:
            rtcp = parse_rtcp(packet)
        except BadRtp as error:
            self._record.fault(MediaFault.MALFORMED_PACKET, str(error))
            return
        if rtcp.sender_report is not None:
            self._last_sender_report = (rtcp.sender_report.ntp_middle, now)
        if rtcp.has_goodbye:
            self._record.note("rtcp.goodbye_received")
        for block in rtcp.blocks:
            if block.ssrc == self.ssrc and block.last_report:
                elapsed = ntp_middle(time.time()) - block.last_report
                elapsed -= block.delay_since_last_report
                self.round_trip_ms = round((elapsed & 0xFFFFFFFF) / 65.536, 1)

    def _start_sender(self) -> None:
        if self.sender is not None or self._sound is None or self._remote is None:
            return
        events = self._remote.events_type
        self.sender = RtpSender(
            self._sound,
            ssrc=self.ssrc,
            opus_type=self._remote.opus_type,
            events_type=events if events is not None else _DEFAULT_EVENTS_TYPE,
            send=self.transport.send_rtp,
            on_frame=self._said,
        )
        self._record.note("rtp.first_sent")
        self._tasks.append(asyncio.create_task(self.sender.run()))

    def _said(self, pcm: Pcm, timestamp: int) -> Pcm:
        """Return what goes to the business in place of the user's next frame."""
        if self.recorder is not None:
            self.recorder.from_user(pcm, timestamp)
        return pcm if self.overlay is None else self.overlay.into_sent(pcm)

    async def _send_reports(self) -> None:
        while True:
            await asyncio.sleep(_REPORT_INTERVAL_S)
            now, unix_s = time.monotonic(), time.time()
            last, delay = 0, 0
            if self._last_sender_report is not None:
                last = self._last_sender_report[0]
                delay = int((now - self._last_sender_report[1]) * 65536)
            sender = self.sender
            sent = Sent(
                ssrc=self.ssrc,
                unix_s=unix_s,
                timestamp=sender.timestamp if sender else 0,
                packets=sender.packets if sender else 0,
                octets=sender.octets if sender else 0,
            )
            block = self.watch.report_block(last, delay) if self.watch else None
            self.transport.send_rtcp(encode_report(sent, block, _CNAME))
