"""The user's voice as RTP: one packet every 20 ms, key presses as RFC 4733 events."""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.opus import FRAME_S, FRAME_SAMPLES, SILENCE, OpusEncoder, Pcm
from sandbox.rtp import RtpPacket, telephone_event
from sandbox.sounds import Sound

_EVENT_NUMBERS = {key: number for number, key in enumerate("0123456789*#ABCD")}
_EVENT_PACKETS = 5
_EVENT_END_PACKETS = 3
_EVENT_STEP = 160
_PAUSE_PACKETS = 5
_LATE_S_MAX = 0.2
_SPOKEN_SILENCE_FRAMES = 10
_KEPT_SILENCE_FRAMES = 20
_KEYS_WAITING_MAX = 64


@dataclass(frozen=True, slots=True)
class _Frame:
    """A payload ready to go; None in its place means that this frame is not sent."""

    payload: bytes
    payload_type: int
    timestamp: int
    marker: bool


class RtpSender:
    """Paces the frames of a voice on the monotonic clock.

    A frame is encoded right after its predecessor was sent, so that encoding never delays a
    packet. `send` takes the encoded RTP packet; `on_frame` gets each frame before it is encoded
    and its time stamp, and returns what is sent in its place.
    """

    def __init__(
        self,
        sound: Sound,
        *,
        ssrc: int,
        opus_type: int,
        events_type: int,
        send: Callable[[bytes], None],
        on_frame: Callable[[Pcm, int], Pcm] = lambda pcm, _: pcm,
    ) -> None:
        self.is_muted = False
        self.packets = 0
        self.octets = 0
        self.timestamp = secrets.randbits(32)
        self._sound = sound
        self._ssrc = ssrc
        self._opus_type = opus_type
        self._events_type = events_type
        self._send = send
        self._on_frame = on_frame
        self._sequence = secrets.randbits(15)
        self._encoder = OpusEncoder()
        self._keys: deque[str] = deque(maxlen=_KEYS_WAITING_MAX)
        self._event: deque[tuple[bytes, bool]] = deque()
        self._event_timestamp = 0
        self._pause_packets = 0
        self._is_talk_spurt = True
        self._silent_frames = 0

    def press(self, digits: str) -> None:
        """Queue key presses, 100 ms each with a pause after; unknown keys are a `KeyError`."""
        for digit in digits:
            _EVENT_NUMBERS[digit]
        self._keys.extend(digits)

    async def run(self) -> None:
        """Send until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        frame = self._prepare()
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            if frame is not None:
                self._emit(frame)
            due += FRAME_S
            self.timestamp = (self.timestamp + FRAME_SAMPLES) & 0xFFFFFFFF
            late_s = loop.time() - due
            if late_s > _LATE_S_MAX:
                # The process stood still: time passed without packets, as on a phone.
                skipped = int(late_s / FRAME_S)
                due += skipped * FRAME_S
                self.timestamp = (self.timestamp + skipped * FRAME_SAMPLES) & 0xFFFFFFFF
            frame = self._prepare()

    def _prepare(self) -> _Frame | None:
        if not self._event and self._keys and not self._pause_packets:
            self._start_event(self._keys.popleft())
        pcm = SILENCE if self.is_muted else self._sound.next_frame()
        pcm = self._on_frame(pcm, self.timestamp)
        if self._event:
            payload, marker = self._event.popleft()
            if not self._event:
                self._pause_packets = _PAUSE_PACKETS
            return _Frame(payload, self._events_type, self._event_timestamp, marker)
        self._pause_packets = max(0, self._pause_packets - 1)
        payload = self._encoder.encode(pcm)
        if self._sound.has_dtx and self._is_left_out(pcm):
            self._is_talk_spurt = True
            return None
        marker, self._is_talk_spurt = self._is_talk_spurt, False
        return _Frame(payload, self._opus_type, self.timestamp, marker)

    def _is_left_out(self, pcm: Pcm) -> bool:
        """Leave silence out as Opus does with DTX: after 200 ms, but for one in 400 ms."""
        self._silent_frames = 0 if pcm.any() else self._silent_frames + 1
        beyond = self._silent_frames - _SPOKEN_SILENCE_FRAMES
        return beyond > 0 and beyond % _KEPT_SILENCE_FRAMES != 0

    def _start_event(self, key: str) -> None:
        """RFC 4733 section 2.5.1: growing durations, the end repeated three times."""
        number = _EVENT_NUMBERS[key]
        self._event_timestamp = self.timestamp
        for count in range(1, _EVENT_PACKETS + 1):
            payload = telephone_event(number, count * _EVENT_STEP, is_end=False)
            self._event.append((payload, count == 1))
        end = telephone_event(number, _EVENT_PACKETS * _EVENT_STEP, is_end=True)
        self._event.extend([(end, False)] * _EVENT_END_PACKETS)

    def _emit(self, frame: _Frame) -> None:
        packet = RtpPacket(
            payload_type=frame.payload_type,
            sequence=self._sequence,
            timestamp=frame.timestamp,
            ssrc=self._ssrc,
            payload=frame.payload,
            marker=frame.marker,
        )
        self._sequence = (self._sequence + 1) & 0xFFFF
        self.packets += 1
        self.octets += len(frame.payload)
        self._send(packet.encode())
