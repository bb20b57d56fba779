"""Pairs the frames of both sides into packets of equal length, with gaps filled.

The timeline is cut into cells of 20 ms. A window is one cell, or as many as longer frames on
either side span; in it each side has one Opus packet, the left one self-delimited (RFC 6716
appendix B) so that the right one can follow. Nothing is decoded.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from media.assemble_packets import SideCounts
from media.assemble_timeline import Frames
from media.ogg_packet import LENGTHS, frame_samples, join_frames

CELL: Final = 960
CELL_MS: Final = 20
CHUNK_CELLS: Final = 3_000
"""A minute; a multiple of the six cells of the longest window."""
CONCEALED_CELLS: Final = 5
"""How long the decoder conceals loss before there is silence: what it makes up fades then."""
COMFORT_CELLS: Final = 25
"""The same where nothing was lost: a sender that pauses leaves the noise to the decoder."""
SILENT_TOC: Final = 0xF8
"""CELT, full band, 20 ms, mono."""
SILENT_FRAME: Final = b"\xff\xfe"

_TOC: Final = tuple(bytes((toc,)) for toc in range(256))
_SILK_CONFIGS: Final = 12
_HYBRID_CONFIGS: Final = 16


def cell_toc(toc: int) -> int:
    """Return the TOC of the same mode and bandwidth whose frames last one cell."""
    config = toc >> 3
    if config < _SILK_CONFIGS:
        config = config & ~3 | 1
    elif config < _HYBRID_CONFIGS:
        config |= 1
    else:
        config |= 3
    return config << 3 | toc & 4


class Side:
    """One side while it is packed: how far it is and what the decoder has heard."""

    def __init__(
        self, frames: Frames, pool: bytes, counts: SideCounts, *, delimited: bool
    ) -> None:
        """Pack `frames` whose bytes lie in `pool`."""
        self.packets: list[bytes | None] = []
        """Of the present chunk: each cell's packet, if just that cell has one."""
        self.spans: dict[int, int] = {}
        """Of the present chunk: cells that a frame of another length begins in, and where the
        last such frame ends."""
        self._frames = frames
        self._pool = pool
        self._counts = counts
        self._delimited = delimited
        self._next_row = 0
        self._heard_toc = -1
        self._empty_cells = 0
        self._patience = CONCEALED_CELLS

    def load(self, first_cell: int, cells: int) -> None:
        """Take up the frames that begin in so many cells."""
        frames, pool = self._frames, self._pool
        begin = first_cell * CELL
        low, high = np.searchsorted(frames.start, (begin, begin + cells * CELL)).tolist()
        cell = (frames.start[low:high] - begin) // CELL
        plain = frames.samples[low:high] == CELL
        rows = zip(
            cell[plain].tolist(),
            frames.toc[low:high][plain].tolist(),
            frames.begin[low:high][plain].tolist(),
            frames.size[low:high][plain].tolist(),
            strict=True,
        )
        packets: list[bytes | None] = [None] * cells
        if self._delimited:
            for place, toc, start, size in rows:
                packets[place] = _TOC[toc] + LENGTHS[size] + pool[start : start + size]
        else:
            for place, toc, start, size in rows:
                packets[place] = _TOC[toc] + pool[start : start + size]
        self.packets = packets
        self.spans = {}
        if not plain.all():
            ends = -(-(frames.start[low:high] - begin + frames.samples[low:high]) // CELL)
            self.spans.update(zip(cell[~plain].tolist(), ends[~plain].tolist(), strict=True))

    def cell(self, cell: int) -> bytes:
        """Return the packet of one cell that no frame of another length touches."""
        packet = self.packets[cell]
        if packet is None:
            return self.gap(1)
        self._heard_toc = packet[0]
        self._empty_cells = 0
        self._next_row += 1
        return packet

    def window(self, first_cell: int, cell: int, cells: int) -> bytes:
        """Return the packet of several cells, or of one with frames shorter than it."""
        frames = self._frames
        begin = (first_cell + cell) * CELL
        samples = cells * CELL
        high = int(np.searchsorted(frames.start, begin + samples))
        rows = range(self._next_row, high)
        self._next_row = high
        toc = self._common_toc(rows, begin, samples)
        if toc is None:
            self._counts.overlapping += len(rows)
            return self.gap(cells)
        length = frame_samples(toc)
        slots = [b""] * (samples // length)
        for row in rows:
            if frames.toc[row] == toc:
                start, size = int(frames.begin[row]), int(frames.size[row])
                slot = (int(frames.start[row]) - begin) // length
                slots[slot] = self._pool[start : start + size]
            else:
                self._counts.overlapping += 1
        self._heard_toc = toc
        self._empty_cells = 0
        return join_frames(toc, slots, delimited=self._delimited)

    def _common_toc(self, rows: range, begin: int, samples: int) -> int | None:
        """Return the TOC that most of the window's time has and that divides it evenly."""
        time: dict[int, int] = {}
        for row in rows:
            toc = int(self._frames.toc[row])
            length = frame_samples(toc)
            if samples % length == 0 and (int(self._frames.start[row]) - begin) % length == 0:
                time[toc] = time.get(toc, 0) + length
        return max(time, key=time.__getitem__) if time else None

    def gap(self, cells: int) -> bytes:
        """Return what stands where nothing arrived: concealment first, then silence."""
        rows = self._frames.is_contiguous
        if self._heard_toc < 0:
            self._counts.silent_ms += cells * CELL_MS
            return self.nothing_yet(cells)
        if not self._empty_cells:
            is_pause = self._next_row < len(rows) and bool(rows[self._next_row])
            self._patience = COMFORT_CELLS if is_pause else CONCEALED_CELLS
        self._empty_cells += cells
        if self._empty_cells <= self._patience:
            self._counts.concealed_ms += cells * CELL_MS
            return self._repeated(cell_toc(self._heard_toc), b"", cells)
        self._counts.silent_ms += cells * CELL_MS
        return self._repeated(SILENT_TOC, SILENT_FRAME, cells)

    def nothing_yet(self, cells: int) -> bytes:
        """Return silence that leaves a fresh decoder as it is."""
        toc = self._frames.toc
        return self._repeated(cell_toc(int(toc[0])) if len(toc) else SILENT_TOC, b"", cells)

    def _repeated(self, toc: int, frame: bytes, cells: int) -> bytes:
        return join_frames(toc, [frame] * cells, delimited=self._delimited)


def packed(left: Side, right: Side, cells: int) -> Iterator[tuple[list[bytes], list[int]]]:
    """Yield the packets of both sides together, and their lengths in cells, by chunks.

    Covers at least `cells` cells from the start of the timeline.
    """
    for first in range(0, cells, CHUNK_CELLS):
        count = min(CHUNK_CELLS, cells - first)
        count += -count % 6
        left.load(first, count)
        right.load(first, count)
        if left.spans or right.spans:
            yield _mixed(left, right, first, count)
        else:
            span = range(count)
            contents = [left.cell(cell) + right.cell(cell) for cell in span]
            yield contents, [1] * count


def _mixed(left: Side, right: Side, first: int, count: int) -> tuple[list[bytes], list[int]]:
    contents: list[bytes] = []
    lengths: list[int] = []
    cell = 0
    while cell < count:
        end = _window_end(left.spans, right.spans, cell)
        if end == cell:
            contents.append(left.cell(cell) + right.cell(cell))
            end = cell + 1
        else:
            width = end - cell
            contents.append(left.window(first, cell, width) + right.window(first, cell, width))
        lengths.append(end - cell)
        cell = end
    return contents, lengths


def _window_end(left: dict[int, int], right: dict[int, int], cell: int) -> int:
    """Return where both sides end together next; `cell` if just one cell is concerned."""
    end = max(left.get(cell, cell), right.get(cell, cell))
    place = cell + 1
    while place < end:
        end = max(end, left.get(place, 0), right.get(place, 0))
        place += 1
    return end
