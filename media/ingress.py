"""What one peer says: verified, decrypted, counted, and handed to the other leg."""

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import pylibsrtp

from media.egress import Egress
from media.keypad import EVENT, KeypadListener
from media.reception import Reception
from media.relay import StreamObserver, StreamSpec, Tap
from media.rtp import (
    HEADER_BYTES,
    MARKER,
    PLAIN_FIRST_BYTE,
    payload_bounds,
    unpack_header,
)
from media.settings import LegSettings
from media.srtp import (
    ERROR_AUTHENTICATION,
    ERROR_REPLAY,
    PacketBuffer,
    SrtpContext,
    srtp_unprotect,
)

RTCP_FIRST_TYPE: Final = 192
RTCP_LAST_TYPE: Final = 223
"""RFC 5761 section 4: a second byte in this range means RTCP."""
RTCP_BYTES_MIN: Final = 8


class SourceKeys:
    """Hands out a fresh positive number per SSRC that is relayed."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        """A number never given before."""
        self._last += 1
        return self._last


class Ingress:
    """The receiving half of a stream; the ports of the leg call `receive`."""

    __slots__ = (
        "_bounds",
        "_buffer",
        "_bytes_address",
        "_context",
        "_drops",
        "_keypad",
        "_keypad_listener",
        "_keys",
        "_length",
        "_note",
        "_observer",
        "_opus",
        "_payload_bytes_max",
        "_seen",
        "_session",
        "_spec",
        "_ssrc",
        "_unprotect",
        "_view",
        "heard_at",
        "packets",
        "reception",
        "reported_at",
        "sink",
        "source",
        "tap",
    )

    def __init__(
        self,
        spec: StreamSpec,
        *,
        buffer: PacketBuffer,
        bounds: LegSettings,
        observer: StreamObserver,
        drops: Counter[str],
        keys: SourceKeys,
    ) -> None:
        self.sink: Egress | None = None
        self.tap: Tap | None = None
        self.source = keys.next()
        self.packets = 0
        self.reception: Reception | None = None
        self.heard_at: float | None = None
        self.reported_at: float | None = None
        self._keys = keys
        self._spec = spec
        self._bounds = bounds
        self._observer = observer
        self._drops = drops
        self._buffer = buffer
        self._view = buffer.view
        self._bytes_address: Any = buffer.bytes_address
        self._length: Any = buffer.length
        self._session = SrtpContext(buffer, spec.keys, receiving=True)
        self._context: Any = self._session.context
        self._unprotect = srtp_unprotect
        self._opus = spec.receive_opus
        self._keypad = spec.receive_keypad
        self._payload_bytes_max = bounds.payload_bytes_max
        self._keypad_listener = KeypadListener(observer.key_pressed)
        self._ssrc: int | None = None
        self._note: Callable[[int, int, float], None] = Reception(0).note
        self._seen: set[int] = set()

    @property
    def alive_at(self) -> float | None:
        """Monotonic time of the last authenticated packet, RTP or RTCP."""
        if self.heard_at is None or self.reported_at is None:
            return self.heard_at or self.reported_at
        return max(self.heard_at, self.reported_at)

    @property
    def ssrc(self) -> int | None:
        """The SSRC that is being relayed, once one was heard."""
        return self._ssrc

    def receive(self, size: int, now: float) -> None:
        """Take the SRTP or SRTCP packet at the start of the buffer."""
        if size < HEADER_BYTES:
            self._drops["malformed"] += 1
            return
        # The header is never encrypted, so it can be looked at before it is verified.
        first, second, sequence, timestamp, ssrc = unpack_header(self._view)
        if RTCP_FIRST_TYPE <= second <= RTCP_LAST_TYPE:
            self._receive_rtcp(size, now)
            return
        length = self._length
        length[0] = size
        error = self._unprotect(self._context, self._bytes_address, length)
        if error:
            self._count_error(error)
            return
        if ssrc != self._ssrc and not self._accepts(ssrc, sequence, now):
            return
        self.heard_at = now
        self.packets += 1
        buffer = self._buffer
        buffer.start = HEADER_BYTES
        buffer.end = length[0]
        if first != PLAIN_FIRST_BYTE and not self._trim():
            return
        if second & 0x7F == self._opus and (
            0 < buffer.end - buffer.start <= self._payload_bytes_max
        ):
            self._note(sequence, timestamp, now)
            if self.tap is not None:
                self.tap(now, timestamp, sequence, self._view[buffer.start : buffer.end])
            sink = self.sink
            if sink is not None:
                sink.relay_audio(self.source, second & MARKER, sequence, timestamp, now)
        else:
            self._receive_other(second, sequence, timestamp, now)

    def expire(self, now: float) -> None:
        """End a keypad tone whose end was lost; called every now and then."""
        self._keypad_listener.expire(now)

    def _trim(self) -> bool:
        """Leave out CSRC list, extension and padding; False if their lengths are wrong."""
        bounds = payload_bounds(self._view, self._buffer.end)
        if bounds is None:
            self._drops["malformed"] += 1
            return False
        self._buffer.start, self._buffer.end = bounds
        return True

    def _receive_other(self, second: int, sequence: int, timestamp: int, now: float) -> None:
        """Take a packet that is no ordinary audio."""
        assert self.reception is not None
        self.reception.count(sequence)
        buffer, sink = self._buffer, self.sink
        size = buffer.end - buffer.start
        if second & 0x7F == self._keypad and size >= EVENT.size:
            payload = self._view[buffer.start : buffer.end]
            self._keypad_listener.receive(timestamp, payload, now)
            if sink is not None:
                sink.relay_key(self.source, second & MARKER, sequence, timestamp, now)
            return
        if second & 0x7F not in {self._opus, self._keypad}:
            cause = "foreign_payload_type"
        elif size == 0:
            cause = "empty"
        else:
            cause = "malformed_payload"
        self._drops[cause] += 1
        if sink is not None:
            sink.skip(self.source)

    def _accepts(self, ssrc: int, sequence: int, now: float) -> bool:
        """Whether `ssrc` may be heard: the announced one, or the next after a silence.

        Two SSRCs at once would be heard as chopped speech, so one at a time is relayed.
        """
        if ssrc not in self._seen:
            if len(self._seen) >= self._bounds.ssrcs_max:
                self._session.forget(ssrc)
                self._drops["foreign_ssrc"] += 1
                return False
            self._seen.add(ssrc)
        is_silent = (
            self.heard_at is None or now - self.heard_at >= self._bounds.foreign_ssrc_after_s
        )
        if not is_silent and ssrc != self._spec.peer_ssrc:
            self._drops["foreign_ssrc"] += 1
            return False
        is_first = self._ssrc is None
        lost_before = 0 if self.reception is None else self.reception.lost
        self._ssrc = ssrc
        self.reception = Reception(sequence, lost_before)
        self._note = self.reception.note
        if is_first:
            self._observer.first_rtp_received()
        else:
            if self.sink is not None:
                self.sink.leave(self.source)
            self.source = self._keys.next()
        return True

    def _receive_rtcp(self, size: int, now: float) -> None:
        if size < RTCP_BYTES_MIN:
            self._drops["malformed"] += 1
            return
        try:
            packet = self._session.unprotect_rtcp(bytes(self._view[:size]))
        except pylibsrtp.Error:
            self._drops["rtcp_refused"] += 1
            return
        self.reported_at = now
        self._observer.rtcp_received(packet, now)

    def _count_error(self, error: int) -> None:
        if error in ERROR_REPLAY:
            self._drops["replayed"] += 1
        elif error == ERROR_AUTHENTICATION:
            self._drops["not_authentic"] += 1
        else:
            self._drops["srtp_error"] += 1
