"""What Prometheus reads about keeping recordings: moves, deletions, looks, faults."""

import math
from collections.abc import Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from gateway.core.recording.files import Fault
from gateway.ports.storage import FileCounts
from gateway.runtime.recording_figures import KeepingFigures, Look, Move


class KeepingCollector(Collector):
    """Reads the figures where they are kept."""

    def __init__(self, figures: KeepingFigures) -> None:
        self._figures = figures
        self.files: FileCounts | None = None
        """None while the database does not tell."""

    @override
    def collect(self) -> Iterable[Metric]:
        figures, files = self._figures, self.files
        yield _counted(
            "callgate_recording_moves",
            "Tries here to move a file of a recording into the store, or to seal it.",
            "outcome",
            {move.value: figures.moves[move] for move in Move},
        )
        yield CounterMetricFamily(
            "callgate_recording_moved_bytes", "Bytes that were moved.", figures.moved_bytes
        )
        yield GaugeMetricFamily(
            "callgate_recording_files_to_move",
            "Files of this node that are to be moved or sealed; NaN while unknown.",
            math.nan if files is None else files.to_move,
        )
        yield CounterMetricFamily(
            "callgate_recordings_retired",
            "Recordings deleted here because their time was over.",
            figures.retired,
        )
        yield CounterMetricFamily(
            "callgate_recording_files_removed",
            "Files whose bytes were removed here.",
            figures.removed_files,
        )
        yield _counted(
            "callgate_recording_looks",
            "Kept files read here to see whether they are still right.",
            "found",
            {look.value: figures.looks[look] for look in Look},
        )
        faulty = GaugeMetricFamily(
            "callgate_recording_files_faulty",
            "Kept files of all nodes that were found faulty; NaN while unknown.",
            labels=("fault",),
        )
        for fault in Fault:
            count = math.nan if files is None else files.faulty.get(fault, 0)
            faulty.add_metric((fault.value,), count)
        yield faulty


def _counted(name: str, what: str, label: str, counts: Mapping[str, int]) -> Metric:
    metric = CounterMetricFamily(name, what, labels=(label,))
    for kind, count in counts.items():
        metric.add_metric((kind,), count)
    return metric
