"""What the gateway hears about recording, as events."""

from collections.abc import Callable, Iterable

from media.budget import Budget
from media.capture_book import Account, CaptureCall
from media.capture_files import SegmentFile
from media.protocol_capture import (
    BudgetLow,
    CaptureEvent,
    CaptureStarted,
    CaptureState,
    CaptureStopped,
    CaptureWritten,
    SegmentFinished,
    WrittenMs,
)

Publish = Callable[[Callable[[int, float], CaptureEvent]], None]
"""Takes a function of the event's number and the wall clock in s."""


class CaptureNews:
    """Builds each event from what it is about."""

    def __init__(self, publish: Publish) -> None:
        self._publish = publish

    def budget_low(self, budget: Budget, ask: int, captures: int) -> None:
        """More time is asked for, by so many captures."""
        self._publish(
            lambda seq, at: BudgetLow(
                seq=seq,
                at=at,
                budget_id=budget.budget_id,
                ask=ask,
                captures=captures,
                granted_ms=budget.granted_ms,
                drawn_ms=budget.drawn_ms,
            )
        )

    def started(self, segment: SegmentFile) -> None:
        """A segment has its first recorded time."""
        self._publish(
            lambda seq, at: CaptureStarted(
                seq=seq,
                at=at,
                capture_id=segment.header.capture_id,
                segment=segment.header.segment,
                file=segment.name,
            )
        )

    def stopped(self, call: CaptureCall) -> None:
        """The segment of a call has just ended, or a stopped call has."""
        capture = call.capture
        reason = capture.stop_reason
        assert reason is not None
        self._publish(
            lambda seq, at: CaptureStopped(
                seq=seq,
                at=at,
                capture_id=capture.capture_id,
                segment=capture.header.segment,
                reason=reason,
                recorded_ms=capture.closed_ms,
                files=call.files,
                is_final=capture.state is CaptureState.ENDED,
                dropped_packets=capture.dropped_packets,
            )
        )

    def written(self, calls: Iterable[CaptureCall], accounts: Iterable[Account]) -> None:
        """How far captures have got; nothing where none has moved."""
        moved = [call for call in calls if call.written_ms != call.reported_ms]
        if not moved:
            return
        for call in moved:
            call.reported_ms = call.written_ms
        self._publish(
            lambda seq, at: CaptureWritten(
                seq=seq,
                at=at,
                captures=tuple(
                    WrittenMs(capture_id=call.capture.capture_id, written_ms=call.reported_ms)
                    for call in moved
                ),
                budgets=tuple(account.snapshot() for account in accounts if account.captures),
            )
        )

    def finished(self, segment: SegmentFile) -> None:
        """A segment's file is complete, durable and unlocked."""
        self._publish(
            lambda seq, at: SegmentFinished(
                seq=seq,
                at=at,
                capture_id=segment.header.capture_id,
                segment=segment.header.segment,
                file=segment.name if segment.written_bytes else None,
                duration_ms=segment.written_ms,
            )
        )
