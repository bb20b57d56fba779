"""How the legs of live calls fare: live knowledge, never written to the store.

News about it is not a new version of the call: it goes out as its own kind of event, at most
once per interval and call, so that a call list does not churn.
"""

from dataclasses import dataclass, replace

from gateway.core.ids import CallId, LegId
from gateway.core.quality import LegCounters, Quality, quality_of
from gateway.ports.clock import Clock
from gateway.ports.media import LegQuality
from gateway.runtime.call_view import QualityView


@dataclass(frozen=True, slots=True)
class _Known:
    view: QualityView
    told_at: float | None


class Qualities:
    """The latest quality of each live call."""

    def __init__(self, clock: Clock, *, every_s: float) -> None:
        self._clock = clock
        self._every_s = every_s
        self._counters: dict[LegId, LegCounters] = {}
        self._calls: dict[CallId, _Known] = {}

    def of(self, call_id: CallId) -> QualityView | None:
        """Return what is known of a call."""
        known = self._calls.get(call_id)
        return None if known is None else known.view

    def note(self, sample: LegQuality, call_id: CallId, *, is_whatsapp: bool) -> bool:
        """Take a sample; True when it is time to tell the browsers."""
        known = self._calls.get(call_id, _Known(QualityView(None, None), None))
        judged = self._judge(sample)
        side = {"whatsapp": judged} if is_whatsapp else {"agent": judged}
        view = replace(known.view, **side)
        now = self._clock.monotonic()
        is_due = known.told_at is None or now - known.told_at >= self._every_s
        self._calls[call_id] = _Known(view, now if is_due else known.told_at)
        return is_due

    def forget_leg(self, leg_id: LegId) -> None:
        """A leg is gone."""
        self._counters.pop(leg_id, None)

    def forget_call(self, call_id: CallId) -> None:
        """A call is over."""
        self._calls.pop(call_id, None)

    def _judge(self, sample: LegQuality) -> Quality:
        counters = LegCounters(
            sample.packets_in, sample.lost_in, sample.jitter_ms, sample.round_trip_ms
        )
        before = self._counters.get(sample.leg_id)
        self._counters[sample.leg_id] = counters
        return quality_of(counters, before)
