"""One call's capture: the tap on the WhatsApp leg and its recording timeline.

Pure: time comes as a parameter, bytes go out as return values. The tap turns packets into
records that wait in memory; `Captures` draws time from the budget and asks for the records
that this time covers. So nothing can reach a file that was not granted before.
"""

from bisect import bisect_left
from typing import Final

from media.budget import Budget
from media.capture_format import (
    LENGTH_BYTES,
    PAYLOAD_BYTES_MAX,
    Header,
    Kind,
    StopReason,
    clock_record,
    encode_header,
    end_record,
    packet_record,
    pause_record,
    record_seed,
    resume_record,
)
from media.protocol_capture import CaptureState

_CUSTOMER: Final = int(Kind.CUSTOMER)
_AGENT: Final = int(Kind.AGENT)
_MARKS: Final = frozenset((int(Kind.PAUSE), int(Kind.RESUME)))
_ROUNDING_MS: Final = 0.001
"""Keeps 0.02 s from becoming 19 ms in binary fractions."""


class Capture:
    """Records both directions of one WhatsApp leg, in segments.

    The relay calls `on_customer_packet` and `on_agent_packet`, which never raise and never
    block. Everything else is called by `Captures` on the same thread.
    """

    __slots__ = (
        "_began",
        "_began_unix_ms",
        "_blob",
        "_frozen_ms",
        "_last_ms",
        "_pause_began",
        "_positions",
        "_records",
        "_records_max",
        "_seed",
        "_segments_used",
        "_taking",
        "_zero",
        "budget",
        "capture_id",
        "closed_ms",
        "discarded_packets",
        "drawn_ms",
        "dropped_packets",
        "encoded_header",
        "ending_reason",
        "first_segment",
        "header",
        "state",
        "stop_reason",
    )

    def __init__(
        self,
        capture_id: str,
        budget: Budget,
        *,
        blob: str,
        began: tuple[float, int],
        first_segment: int,
        records_max: int,
    ) -> None:
        """Begin to record. `began` is the monotonic time in s and the Unix time in ms.

        At most `records_max` records wait in memory for their grant.
        """
        self.capture_id = capture_id
        self.budget = budget
        self.first_segment = first_segment
        self.closed_ms = 0
        """Recorded in segments before the present one."""
        self.dropped_packets = 0
        """Refused because too much waited already, or not fit for a file."""
        self.discarded_packets = 0
        """Arrived in time that was never granted."""
        self.stop_reason: StopReason | None = None
        self.ending_reason: StopReason | None = None
        self._blob = blob
        self._began, self._began_unix_ms = began
        self._segments_used = 0
        self._records_max = records_max
        self._records: list[bytes] = []
        self._positions: list[int] = []
        self._begin_segment(self._began)

    def _begin_segment(self, now: float) -> None:
        offset_ms = max(0, round((now - self._began) * 1000))
        self.header = Header(
            capture_id=self.capture_id,
            segment=self.next_segment,
            started_unix_ms=self._began_unix_ms + offset_ms,
            offset_ms=offset_ms,
            blob=self._blob,
        )
        self.encoded_header = encode_header(self.header)
        self._seed = record_seed(self.encoded_header)
        self._zero = now
        self._last_ms = 0
        self._frozen_ms: int | None = None
        self._pause_began = 0.0
        self.drawn_ms = 0
        self.state = CaptureState.RECORDING
        self._taking = True

    # --- the tap ---------------------------------------------------------------------------

    def on_customer_packet(
        self, now: float, timestamp: int, sequence: int, payload: bytes | memoryview
    ) -> None:
        """Record an Opus packet that arrived from the WhatsApp user at monotonic `now` (s).

        The payload is copied; a view into a buffer that is used again will do.
        """
        if self._taking:
            self._take(_CUSTOMER, now, timestamp, sequence, payload)

    def on_agent_packet(
        self, now: float, timestamp: int, sequence: int, payload: bytes | memoryview
    ) -> None:
        """Record an Opus packet that was sent to the WhatsApp user at monotonic `now`."""
        if self._taking:
            self._take(_AGENT, now, timestamp, sequence, payload)

    def _take(
        self, kind: int, now: float, timestamp: int, sequence: int, payload: bytes | memoryview
    ) -> None:
        if not 0 < len(payload) <= PAYLOAD_BYTES_MAX or len(self._records) >= self._records_max:
            self.dropped_packets += 1
            return
        position = int((now - self._zero) * 1000 + _ROUNDING_MS)
        if position < self._last_ms:  # noqa: PLR1730 - max() costs a call per packet
            position = self._last_ms
        self._last_ms = position
        self._positions.append(position)
        self._records.append(
            packet_record(
                kind,
                position,
                timestamp & 0xFFFFFFFF,
                sequence & 0xFFFF,
                payload,
                seed=self._seed,
            )
        )

    # --- the timeline ----------------------------------------------------------------------

    def position_ms(self, now: float) -> int:
        """How much recording time of this segment has passed."""
        if self._frozen_ms is not None:
            return self._frozen_ms
        return max(int((now - self._zero) * 1000 + _ROUNDING_MS), self._last_ms)

    @property
    def next_segment(self) -> int:
        """The segment being recorded, or that a resumed capture would begin."""
        return self.first_segment + self._segments_used

    @property
    def is_drawing(self) -> bool:
        """Whether a segment is open, so that time may have to be drawn."""
        return self.state not in (CaptureState.STOPPED, CaptureState.ENDED)

    def pause(self, now: float) -> None:
        """Stop the recording timeline; does nothing unless it runs."""
        if self.state is not CaptureState.RECORDING:
            return
        self._frozen_ms = self.position_ms(now)
        self._pause_began = now
        self._mark(pause_record(self._frozen_ms, seed=self._seed))
        self._taking = False
        self.state = CaptureState.PAUSED

    def resume(self, now: float) -> None:
        """Go on after a pause, or in a new segment after a stop."""
        if self.state is CaptureState.PAUSED:
            assert self._frozen_ms is not None
            paused_ms = max(0, round((now - self._pause_began) * 1000))
            self._mark(resume_record(self._frozen_ms, paused_ms, seed=self._seed))
            self._zero = now - self._frozen_ms / 1000
            self._frozen_ms = None
            self._taking = True
            self.state = CaptureState.RECORDING
        elif self.state is CaptureState.STOPPED:
            self.stop_reason = None
            self._begin_segment(now)

    def _mark(self, record: bytes) -> None:
        assert self._frozen_ms is not None
        self._last_ms = self._frozen_ms
        self._positions.append(self._frozen_ms)
        self._records.append(record)

    def end(self, now: float, reason: StopReason) -> bool:
        """End for good once the time up to `now` is drawn; whether that is already so.

        Further calls do nothing.
        """
        if self.state is CaptureState.STOPPED:
            self.state = CaptureState.ENDED
            return True
        if self.state in (CaptureState.RECORDING, CaptureState.PAUSED):
            self._frozen_ms = self.position_ms(now)
            self._taking = False
            self.ending_reason = reason
            self.state = CaptureState.ENDING
        return False

    # --- what may be written ---------------------------------------------------------------

    def cover(self, got_ms: int) -> bytes:
        """Return what may be written now that `got_ms` more were drawn, with a clock record."""
        self.drawn_ms += got_ms
        drawn_ms, records, positions = self.drawn_ms, self._records, self._positions
        if not drawn_ms:
            return b""
        count = bisect_left(positions, drawn_ms)
        while (
            count < len(records)
            and positions[count] == drawn_ms
            and records[count][LENGTH_BYTES] in _MARKS
        ):
            count += 1
        if not count and not got_ms:
            return b""
        covered = records[:count]
        del records[:count], positions[:count]
        if got_ms:
            covered.append(clock_record(drawn_ms, seed=self._seed))
        return b"".join(covered)

    def close_segment(self, reason: StopReason) -> bytes:
        """Stop at exactly the time drawn; return the segment's last record.

        What waits for time that was not granted is discarded.
        """
        last = end_record(self.drawn_ms, reason, seed=self._seed)
        self.leave_segment(reason, self.drawn_ms)
        return last

    def leave_segment(self, reason: StopReason, recorded_ms: int) -> None:
        """Stop with the segment as its file is, holding `recorded_ms`."""
        self.discarded_packets += sum(
            record[LENGTH_BYTES] not in _MARKS for record in self._records
        )
        self._records.clear()
        self._positions.clear()
        self._taking = False
        if self.drawn_ms:
            self._segments_used += 1
        self.closed_ms += recorded_ms
        self.drawn_ms = 0
        self.stop_reason = reason
        is_over = self.state is CaptureState.ENDING
        self.state = CaptureState.ENDED if is_over else CaptureState.STOPPED
