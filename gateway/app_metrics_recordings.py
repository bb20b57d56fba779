"""What Prometheus reads about recordings: what waits, what is at risk, how they compared."""

import math
from collections.abc import Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from gateway.core.recording.reconcile import Verdict
from gateway.ports.jobs import JobKind
from gateway.runtime.call_runtime import CallRuntime


class RecordingFigures(Collector):
    """Reads the figures where they are kept."""

    def __init__(self, runtime: CallRuntime) -> None:
        self._runtime = runtime
        self.waiting: Mapping[JobKind, int] | None = None
        """Jobs that are not done; None while the database does not tell."""

    @override
    def collect(self) -> Iterable[Metric]:
        figures = self._runtime.alarm_figures
        yield _by_kind(
            "callgate_jobs_waiting",
            "Jobs that are not done yet; NaN while the database does not tell.",
            self.waiting,
        )
        yield _by_kind(
            "callgate_official_files_at_risk",
            "Files of WhatsApp's that could not be fetched for too long; NaN while unknown.",
            None if figures is None else figures.late,
        )
        yield GaugeMetricFamily(
            "callgate_recordings_stuck",
            "Calls whose recordings should have been compared long ago; NaN while unknown.",
            value=math.nan if figures is None else figures.stuck,
        )
        yield GaugeMetricFamily(
            "callgate_recordings_lost",
            "Recordings that were lost lately; NaN while unknown.",
            value=math.nan if figures is None else figures.lost,
        )
        compared = CounterMetricFamily(
            "callgate_recordings_compared",
            "Conclusions drawn here from both recordings of a call.",
            labels=("verdict",),
        )
        counts = self._runtime.concluded_counts()
        for verdict in Verdict:
            compared.add_metric((verdict.value,), counts[verdict])
        yield compared


def _by_kind(name: str, what: str, counts: Mapping[JobKind, int] | None) -> Metric:
    metric = GaugeMetricFamily(name, what, labels=("kind",))
    for kind in JobKind:
        metric.add_metric((kind.value,), math.nan if counts is None else counts.get(kind, 0))
    return metric
