"""What running captures do now: live knowledge beside the calls, as quality is."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.core.ids import CallId
from gateway.core.quota.live import LiveQuota
from gateway.ports.media import CaptureState

LOW_S = 300.0
"""With no more left than this an agent is told when the recording will stop."""


@dataclass(frozen=True, slots=True)
class CaptureNow:
    """One capture."""

    state: CaptureState = CaptureState.RECORDING
    reason: str | None = None
    """Why it is stopped."""
    written_ms: int = 0
    ends_at: float | None = None
    """Wall clock when the minutes will be used up; None while that is not near."""


class CaptureBoard:
    """Tells `changed` of each call whose capture does something else than before."""

    def __init__(self, changed: Callable[[CallId], None]) -> None:
        self._changed = changed
        self._captures: dict[CallId, CaptureNow] = {}

    def of(self, call_id: CallId) -> CaptureNow | None:
        """Return what a call's capture does; None if it has none."""
        return self._captures.get(call_id)

    def set_state(self, call_id: CallId, state: CaptureState, reason: str | None) -> None:
        """A capture goes on, pauses or stops."""
        now = self._captures.get(call_id, CaptureNow())
        ends_at = now.ends_at if state is CaptureState.RECORDING else None
        self._set(call_id, replace(now, state=state, reason=reason, ends_at=ends_at))

    def wrote(self, call_id: CallId, written_ms: int) -> None:
        """A capture has got so far; not worth telling by itself."""
        now = self._captures.get(call_id)
        if now is not None:
            self._captures[call_id] = replace(now, written_ms=written_ms)

    def forecast(self, quota: LiveQuota) -> None:
        """Tell running captures of an account when the minutes end, once that is near."""
        ends_at = quota.empty_at
        is_low = ends_at is not None and ends_at - quota.at <= LOW_S
        for capture in quota.captures:
            now = self._captures.get(capture.call_id)
            if now is not None and now.state is CaptureState.RECORDING:
                told = ends_at if is_low else None
                self._set(capture.call_id, replace(now, ends_at=told))

    def forget(self, call_id: CallId) -> None:
        """The capture is over."""
        if self._captures.pop(call_id, None) is not None:
            self._changed(call_id)

    def _set(self, call_id: CallId, now: CaptureNow) -> None:
        before = self._captures.get(call_id)
        self._captures[call_id] = now
        if before is None or _told(before) != _told(now):
            self._changed(call_id)


def _told(now: CaptureNow) -> tuple[CaptureState, str | None, int | None]:
    """Return what is told: a forecast is the same until it is a second off."""
    return now.state, now.reason, None if now.ends_at is None else round(now.ends_at)
