"""Puts the frames of one side of a call where they belong on the recording timeline.

Frames go to a grid of their own length. They stay in step with the sender until they are more
than a part of a frame from where `assemble_clock` wants them (clock drift), and move by a frame
then, at a gap if one comes in time. A sender that runs ahead for a moment, as when a stalled
stream catches up in a burst, is heard out like in a player: late, then later frames are left
out here and there until it is in time again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from media.assemble_clock import clock_runs
from media.assemble_packets import SAMPLES_PER_MS, Longs, Packets, SideCounts

SHIFT_AT_GAP: Final = 0.6
SHIFT_AT_ONCE: Final = 0.8
"""Parts of a frame that its place may be off; half is unavoidable."""
CATCH_UP_FRAMES: Final = 10
"""One frame of so many is left out while a side is behind."""
BEHIND_MAX: Final = 1_000 * SAMPLES_PER_MS
"""A side further behind is put in time at once."""

Bounds = tuple[int, int]
"""First sample of a segment and the one after its last, in the whole recording."""


@dataclass(slots=True)
class Frames:
    """Opus frames of one side in order of time, as columns."""

    start: Longs
    """Sample at 48 kHz on the timeline of the whole recording, a multiple of the length."""
    samples: Longs
    toc: Longs
    begin: Longs
    """Where the frame's bytes lie in the pool."""
    size: Longs
    is_contiguous: npt.NDArray[np.bool_]
    """Whether no packet was lost between the frame before and this one."""


def lay_out(sides: Iterable[tuple[Packets, Bounds]], counts: SideCounts) -> Frames:
    """Place one side of a call, given as its packets in each segment with its bounds."""
    laid: list[tuple[Packets, Longs]] = []
    for packets, (begin, end) in sides:
        for run in clock_runs(packets):
            ordered = _ordered(run, counts)
            start = _place(ordered, begin, counts)
            inside = np.flatnonzero((start > begin - ordered.samples) & (start < end))
            laid.append((ordered.take(inside), start[inside]))
    return _together(laid, counts)


# --- placing -------------------------------------------------------------------------------


def _ordered(run: Packets, counts: SideCounts) -> Packets:
    """Sort a run by time spoken, drop doubles, count losses."""
    order = np.argsort(run.timestamp, kind="stable")
    spoken = run.timestamp[order]
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = np.diff(spoken) > 0
    counts.doubled += int(len(order) - first.sum())
    ordered = run.take(order[first])
    gaps = np.diff(ordered.sequence) - 1
    counts.lost += int(gaps[gaps > 0].sum())
    return ordered


def _place(run: Packets, base: int, counts: SideCounts) -> Longs:
    """Return the grid place of each frame of a run, in samples of the whole recording."""
    wanted = run.timestamp + run.delay + base
    after_gap = np.zeros(len(wanted), dtype=np.bool_)
    after_gap[1:] = np.diff(run.timestamp) > run.samples[:-1]
    start = np.empty_like(wanted)
    index = 0
    shift = _on_grid(int(wanted[0]), int(run.samples[0])) - int(run.timestamp[0])
    while True:
        end = _in_step(run, wanted, after_gap, index, shift)
        start[index:end] = run.timestamp[index:end] + shift
        if end == len(wanted):
            return start
        counts.shifts += 1
        length, spoken = int(run.samples[end]), int(run.timestamp[end])
        best = _on_grid(int(wanted[end]), length)
        free = int(start[end - 1] + run.samples[end - 1])
        is_behind = spoken + shift > best and spoken + shift - best <= BEHIND_MAX
        if is_behind and after_gap[end]:
            best = max(best, -(-free // length) * length)
        elif is_behind:
            # In the place of the one before, which leaves this one out.
            best = max(best, _on_grid(free - length, length))
        shift = best - spoken
        index = end


def _on_grid(place: int, length: int) -> int:
    return (place + length // 2) // length * length


def _in_step(
    run: Packets, wanted: Longs, after_gap: npt.NDArray[np.bool_], index: int, shift: int
) -> int:
    """Return how far frames may keep `shift`, looking ahead ever further."""
    end, ahead = index + 1, 64
    while end < len(wanted):
        part = slice(end, end + ahead)
        place, samples = run.timestamp[part] + shift, run.samples[part]
        limit = np.where(after_gap[part], SHIFT_AT_GAP, SHIFT_AT_ONCE) * samples
        late_limit = limit
        if index and end < index + CATCH_UP_FRAMES:
            late_limit = limit.copy()
            soon = slice(0, index + CATCH_UP_FRAMES - end)
            late_limit[soon] = np.where(after_gap[part][soon], limit[soon], BEHIND_MAX)
        late = place - wanted[part]
        off = (late > late_limit) | (-late > limit) | (place % samples != 0)
        if off.any():
            return end + int(off.argmax())
        end, ahead = end + len(place), min(ahead * 4, 1 << 16)
    return end


# --- all together --------------------------------------------------------------------------


def _together(laid: list[tuple[Packets, Longs]], counts: SideCounts) -> Frames:
    """Join runs and segments; where frames overlap the earlier one stays."""
    empty = np.empty(0, dtype=np.int64)
    if not laid:
        return Frames(empty, empty, empty, empty, empty, empty.astype(np.bool_))
    start = np.concatenate([each for _, each in laid])
    columns = [
        np.concatenate(column)
        for column in zip(*(packets.columns() for packets, _ in laid), strict=True)
    ]
    run = np.repeat(np.arange(len(laid)), [len(each) for _, each in laid])
    order = np.argsort(start, kind="stable")
    start, run = start[order], run[order]
    _, _, sequence, samples, toc, begin, size, _, _ = (column[order] for column in columns)
    kept = _free_of_overlap(start, samples)
    counts.overlapping += int(len(start) - len(kept))
    contiguous = np.zeros(len(kept), dtype=np.bool_)
    contiguous[1:] = (np.diff(sequence[kept]) <= 1) & (np.diff(run[kept]) == 0)
    return Frames(start[kept], samples[kept], toc[kept], begin[kept], size[kept], contiguous)


def _free_of_overlap(start: Longs, samples: Longs) -> npt.NDArray[np.intp]:
    ends = start + samples
    if not (start[1:] < np.maximum.accumulate(ends)[:-1]).any():
        return np.arange(len(start))
    kept: list[int] = []
    free = np.iinfo(np.int64).min
    for index, (begin, end) in enumerate(zip(start.tolist(), ends.tolist(), strict=True)):
        if begin >= free:
            kept.append(index)
            free = end
    return np.array(kept, dtype=np.intp)
