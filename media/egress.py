"""What one peer hears: one SSRC and one unbroken line of sequence numbers and timestamps.

Whatever is relayed into it (another agent's leg, another SSRC, the comfort stream) is
renumbered so that the peer sees a single sender for the life of the leg.
"""

import math
import random
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import pylibsrtp

from media.port import Path
from media.prompts import ComfortNoise, Prompt
from media.relay import COMFORT_TICK_S, StreamSpec, Tap
from media.rtp import (
    CLOCK_HZ,
    FRAME_SAMPLES,
    HEADER_BYTES,
    MARKER,
    PLAIN_FIRST_BYTE,
    SEQUENCE_MASK,
    TIMESTAMP_MASK,
    pack_header,
    signed16,
    signed32,
)
from media.srtp import PacketBuffer, SrtpContext, srtp_protect

NOBODY: Final = -1
COMFORT: Final = 0
PROMPT: Final = -2
"""Source keys; those of relayed SSRCs are positive."""

SEQUENCE_JUMP_MAX: Final = 500
"""A larger step is a new numbering of the sender, not loss: it is not passed on, since
libsrtp at the far end would lose count of the wraps."""
IN_STEP_FRAMES_MAX: Final = 250
"""A longer gap of an in-step line is left in the timestamps alone, for the same reason."""
CLOCK_ERROR_MAX: Final = CLOCK_HZ
"""A timestamp that strays from the elapsed time by more than 1 s is a new clock."""
AHEAD_MAX: Final = CLOCK_HZ


class Egress:
    """The sending half of a stream."""

    __slots__ = (
        "_audio_sequence",
        "_base_at",
        "_base_timestamp",
        "_buffer",
        "_bytes_address",
        "_comfort",
        "_comfort_after_s",
        "_comfort_frame",
        "_comfort_kind",
        "_context",
        "_drops",
        "_event",
        "_in_step",
        "_joined_sequence",
        "_keypad",
        "_length",
        "_on_first",
        "_opus",
        "_prompt",
        "_protect",
        "_send_datagram",
        "_sequence",
        "_sequence_shift",
        "_session",
        "_source",
        "_ssrc",
        "_timestamp",
        "_timestamp_at",
        "_timestamp_shift",
        "_tune",
        "_view",
        "is_comfort_owed",
        "is_released",
        "octets",
        "packets",
        "sent_at",
        "tap",
    )

    def __init__(
        self,
        spec: StreamSpec,
        *,
        buffer: PacketBuffer,
        comfort: ComfortNoise,
        tune: ComfortNoise | None = None,
        drops: Counter[str],
        on_first: Callable[[], None],
    ) -> None:
        self.packets = 0
        self.octets = 0
        self.sent_at = 0.0
        self.is_released = False
        self.is_comfort_owed = False
        self.tap: Tap | None = None
        self._on_first = on_first
        self._drops = drops
        self._buffer = buffer
        self._view = buffer.view
        self._bytes_address: Any = buffer.bytes_address
        self._length: Any = buffer.length
        self._session = SrtpContext(buffer, spec.keys, receiving=False)
        self._context: Any = self._session.context
        self._protect = srtp_protect
        self._comfort = self._comfort_kind = comfort
        self._tune = tune or comfort
        self._comfort_frame = 0
        self._prompt: Prompt | None = None
        self._in_step = spec.in_step
        self._comfort_after_s = spec.comfort_after_s
        self._ssrc = spec.send_ssrc
        self._opus = spec.send_opus
        self._keypad = spec.send_keypad
        # Random starts (RFC 3550 section 5.1), the sequence away from its first wrap.
        self._sequence = random.getrandbits(15)
        self._timestamp = random.getrandbits(32)
        self._joined_sequence = self._sequence
        self._audio_sequence = self._sequence
        self._timestamp_at = 0.0
        self._base_at = 0.0
        self._base_timestamp = self._timestamp
        self._source = NOBODY
        self._sequence_shift = 0
        self._timestamp_shift = 0
        self._event: tuple[int, int, int] | None = None
        self._send_datagram: Callable[[Any], int] | None = None

    def use_path(self, path: Path) -> None:
        """Send from the path's port to its remote address from here on."""
        self._send_datagram = path.port.sender_to(path.remote)

    def leave(self, source: int) -> None:
        """The relayed source has ended or was parted; comfort takes its next frame."""
        if self._source == source:
            self._source = NOBODY

    def play(self, prompt: Prompt | None) -> None:
        """Let the peer hear `prompt` from the next tick on, and nothing else; None ends it."""
        self._prompt = prompt
        self.leave(PROMPT)

    def set_hold(self, on: bool) -> None:
        """Let the comfort stream be the tune of a line on hold, from its beginning."""
        kind = self._tune if on else self._comfort
        if kind is not self._comfort_kind:
            self._comfort_kind = kind
            self._comfort_frame = -1

    def timestamp_at(self, now: float) -> int:
        """RTP timestamp of the instant `now` on this line."""
        elapsed = round((now - self._timestamp_at) * CLOCK_HZ) if self.packets else 0
        return (self._timestamp + elapsed) & TIMESTAMP_MASK

    def send_rtcp(self, packet: bytes) -> None:
        """Protect a compound packet and send it; dropped before release."""
        if not self.is_released or self._send_datagram is None:
            return
        try:
            self._send_datagram(self._session.protect_rtcp(packet))
        except pylibsrtp.Error:
            self._drops["protect_error"] += 1
        except OSError:
            self._drops["send_error"] += 1

    def relay_audio(
        self, source: int, marker: int, sequence: int, timestamp: int, now: float
    ) -> None:
        """Send the Opus payload in the buffer as the next packet of this line."""
        if not self.is_released:
            self._drops["not_released"] += 1
            return
        if self._prompt is not None:
            return
        if source != self._source:
            self._join(source, sequence, timestamp, now)
            marker = MARKER
        own_sequence = (sequence + self._sequence_shift) & SEQUENCE_MASK
        own_timestamp = (timestamp + self._timestamp_shift) & TIMESTAMP_MASK
        if own_sequence != (self._sequence + 1) & SEQUENCE_MASK or (
            own_timestamp != (self._timestamp + FRAME_SAMPLES) & TIMESTAMP_MASK
        ):
            # Not simply the next frame: a joined, late, lost or strange one.
            ahead = signed16(own_sequence - self._sequence)
            if -SEQUENCE_JUMP_MAX < ahead <= 0:
                self._relay_late(own_sequence, own_timestamp, now)
                return
            if self._is_new_numbering(own_sequence, own_timestamp, now):
                self._join(source, sequence, timestamp, now)
                marker = MARKER
                own_sequence = (sequence + self._sequence_shift) & SEQUENCE_MASK
                own_timestamp = (timestamp + self._timestamp_shift) & TIMESTAMP_MASK
        self._sequence = self._audio_sequence = own_sequence
        self._timestamp = own_timestamp
        self._timestamp_at = now
        self._send(marker | self._opus, own_sequence, own_timestamp, now)

    def relay_key(
        self, source: int, marker: int, sequence: int, timestamp: int, now: float
    ) -> None:
        """Send a telephone-event payload; all packets of one event share a timestamp.

        RFC 4733 section 2.5.1. The timestamps are on the line of the audio, the durations
        inside the payload are left in their own 8000 Hz.
        """
        if self._keypad is None or not self.is_released:
            self._drops["keypad_not_carried"] += 1
            return
        if self._prompt is not None:
            return
        if source != self._source:
            self._join(source, sequence, timestamp, now)
        own_sequence = (sequence + self._sequence_shift) & SEQUENCE_MASK
        ahead = signed16(own_sequence - self._sequence)
        if ahead > SEQUENCE_JUMP_MAX or ahead <= -SEQUENCE_JUMP_MAX:
            self._join(source, sequence, timestamp, now)
            own_sequence = (sequence + self._sequence_shift) & SEQUENCE_MASK
        elif ahead <= 0:
            self._drops["late"] += 1
            return
        known = self._event
        if known is not None and known[:2] == (source, timestamp):
            own_timestamp = known[2]
        else:
            own_timestamp = (timestamp + self._timestamp_shift) & TIMESTAMP_MASK
            self._event = (source, timestamp, own_timestamp)
        self._sequence = own_sequence
        self._send(marker | self._keypad, own_sequence, own_timestamp, now)

    def skip(self, source: int) -> None:
        """Close the gap of a packet that carried nothing, lest it look like loss."""
        if source == self._source:
            self._sequence_shift -= 1

    def tick(self, now: float) -> float:
        """Send a frame of our own if one is due; returns when to be called again.

        Called on a grid of 20 ms while in comfort or in a prompt, and earlier when the source
        has left.
        """
        if self._prompt is not None and self.is_released:
            return self._tick_prompt(self._prompt, now)
        if not (self.is_comfort_owed and self.is_released):
            return math.inf
        if self._source == COMFORT:
            if self._is_ahead(now):
                return now
            following, marker = self._next_frame(now), 0
        else:
            patience = COMFORT_TICK_S * 0.9
            if self._source != NOBODY:
                patience = self._comfort_after_s
            if self.packets and now - self.sent_at < patience:
                return self.sent_at + patience
            following = self._following(now)
            marker = MARKER
            self._source = COMFORT
        frames = self._comfort_kind.frames
        self._comfort_frame = (self._comfort_frame + 1) % len(frames)
        self._send_own(frames[self._comfort_frame], following, marker, now)
        return now

    def _tick_prompt(self, prompt: Prompt, now: float) -> float:
        is_first = self._source != PROMPT
        if not is_first and self._is_ahead(now):
            return now
        frame = prompt.take()
        if frame is None:
            self.play(None)
            return self.tick(now)
        following = self._following(now) if is_first else self._next_frame(now)
        self._source = PROMPT
        self._send_own(frame, following, MARKER if is_first else 0, now)
        return now

    def _is_ahead(self, now: float) -> bool:
        """Whether the line is more than a frame ahead of the clock: let that catch up."""
        return signed32(self._now_timestamp(now) - self._timestamp) < 0

    def _next_frame(self, now: float) -> tuple[int, int]:
        """Return where the next frame of a steady stream of our own stands."""
        behind = signed32(self._now_timestamp(now) - self._timestamp)
        if behind < 3 * FRAME_SAMPLES:
            return self._sequence + 1, self._timestamp + FRAME_SAMPLES
        return self._following(now)

    def _send_own(
        self, frame: bytes, following: tuple[int, int], marker: int, now: float
    ) -> None:
        self._sequence = self._audio_sequence = following[0] & SEQUENCE_MASK
        self._timestamp = following[1] & TIMESTAMP_MASK
        self._timestamp_at = now
        buffer = self._buffer
        buffer.start = HEADER_BYTES
        buffer.end = HEADER_BYTES + len(frame)
        self._view[HEADER_BYTES : buffer.end] = frame
        self._send(marker | self._opus, self._sequence, self._timestamp, now)

    def _relay_late(self, sequence: int, timestamp: int, now: float) -> None:
        """Send a reordered packet in its own place, if that place was not given away."""
        if signed16(sequence - self._joined_sequence) < 0 or sequence == self._sequence:
            self._drops["late"] += 1
            return
        self._send(self._opus, sequence, timestamp, now)

    def _join(self, source: int, sequence: int, timestamp: int, now: float) -> None:
        """Let `source` go on where the line stands: next number, elapsed time."""
        own_sequence, own_timestamp = self._following(now)
        self._sequence_shift = own_sequence - sequence
        self._joined_sequence = own_sequence & SEQUENCE_MASK
        self._timestamp_shift = own_timestamp - timestamp
        self._source = source

    def _following(self, now: float) -> tuple[int, int]:
        """Sequence and timestamp of a frame that starts now: whole frames after the last."""
        if self.packets == 0:
            self._base_at = now
            self._base_timestamp = self._timestamp
            return self._sequence + 1, self._timestamp
        behind = signed32(self._now_timestamp(now) - self._timestamp)
        if behind < -AHEAD_MAX:
            # The source ran on a much faster clock than ours: take its line as the truth.
            self._base_at = now
            self._base_timestamp = self._timestamp
        frames = max(1, (behind + FRAME_SAMPLES // 2) // FRAME_SAMPLES)
        own_sequence = self._sequence + 1
        if self._in_step and frames <= IN_STEP_FRAMES_MAX:
            # Keys have taken numbers, but no time, since the last audio.
            frames = max(frames, (own_sequence - self._audio_sequence) & SEQUENCE_MASK)
            own_sequence = self._audio_sequence + frames
        return own_sequence, self._timestamp + frames * FRAME_SAMPLES

    def _now_timestamp(self, now: float) -> int:
        return self._base_timestamp + round((now - self._base_at) * CLOCK_HZ)

    def _is_new_numbering(self, sequence: int, timestamp: int, now: float) -> bool:
        """Whether the source has changed its count, so that the line must not follow it."""
        ahead = (sequence - self._audio_sequence) & SEQUENCE_MASK
        step = signed32(timestamp - self._timestamp)
        if ahead > SEQUENCE_JUMP_MAX:
            return True
        if self._in_step:
            return self.packets > 0 and step != ahead * FRAME_SAMPLES
        return abs(step - (now - self._timestamp_at) * CLOCK_HZ) > CLOCK_ERROR_MAX

    def _send(self, second: int, sequence: int, timestamp: int, now: float) -> None:
        buffer = self._buffer
        start, end = buffer.start, buffer.end
        offset = start - HEADER_BYTES
        tap = self.tap
        heard = b""
        if tap is not None and second & ~MARKER == self._opus:
            # Protected in place below; shown only once it was really sent.
            heard = bytes(self._view[start:end])
        pack_header(
            self._view, offset, PLAIN_FIRST_BYTE, second, sequence, timestamp, self._ssrc
        )
        length = self._length
        length[0] = end - offset
        error = self._protect(
            self._context, self._bytes_address + offset if offset else self._bytes_address,
            length,
        )  # fmt: skip
        if error:
            self._drops["protect_error"] += 1
            return
        try:
            self._send_datagram(self._view[offset : offset + length[0]])  # type: ignore[misc]
        except OSError:
            self._drops["send_error"] += 1
            return
        if tap is not None and heard:
            tap(now, timestamp, sequence, heard)
        self.sent_at = now
        self.octets += end - start
        self.packets += 1
        if self.packets == 1:
            self._on_first()
