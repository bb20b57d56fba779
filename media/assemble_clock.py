"""Ties a sender's clock to the recording timeline.

A packet's RTP timestamp says when it was spoken, its position when it arrived. The difference
is a delay; its lowest values are the sender's clock as seen from ours, what lies above is
jitter. They drift slowly and may step at any time: a new SSRC, a mute that stops the sender's
clock, a stream that catches up. So the clock is taken from the lowest delay before *and* after
each packet, and the higher of the two: that leaves out jitter, keeps steps where they are, and
does not take a burst after a stall for one.
"""

from itertools import pairwise
from typing import Final

import numpy as np

from media.assemble_packets import SAMPLES_PER_MS, Longs, Packets

WINDOW_PACKETS: Final = 500
"""How far the lowest delay is looked for in each direction: 10 s of speech."""
SURE_PACKETS: Final = 25
"""With fewer than these in one direction, jitter would pass for the clock."""
JUMP: Final = 200 * SAMPLES_PER_MS
"""A step beyond this begins a new run: timestamps before and after do not compare."""
RESTART: Final = 10_000 * SAMPLES_PER_MS
RESTART_SEQUENCE: Final = 1_000
"""Steps from one packet to the next that only another stream makes."""


def clock_runs(packets: Packets) -> list[Packets]:
    """Cut one side of a segment where its clock jumps, and fill in `delay`."""
    if not len(packets.at):
        return []
    delay = packets.at - packets.timestamp
    restarts = (
        (np.abs(np.diff(delay)) > RESTART)
        | (np.abs(np.diff(packets.sequence)) > RESTART_SEQUENCE)
        | (np.diff(packets.stretch) > 0)
    )
    runs: list[Packets] = []
    for stream in _cut(packets, np.flatnonzero(restarts) + 1):
        stream.delay = lowest_delay(stream.at - stream.timestamp)
        jumps = np.flatnonzero(np.abs(np.diff(stream.delay)) > JUMP) + 1
        runs.extend(_cut(stream, jumps))
    return runs


def _cut(packets: Packets, at: np.ndarray[tuple[int], np.dtype[np.intp]]) -> list[Packets]:
    bounds = [0, *at.tolist(), len(packets.at)]
    return [packets.take(slice(begin, end)) for begin, end in pairwise(bounds)]


def lowest_delay(delay: Longs) -> Longs:
    """Return the delay of the sender's clock at each packet, given in order of arrival."""
    if len(delay) < 2 * SURE_PACKETS:
        return np.full_like(delay, delay.min())
    before = _trailing_minimum(delay)
    after = _trailing_minimum(delay[::-1])[::-1]
    clock = np.maximum(before, after)
    # At the ends one direction knows too little: there the clock may only go down.
    first, last = delay[:SURE_PACKETS], delay[-SURE_PACKETS:]
    lowest_first = np.minimum.accumulate(first[::-1])[::-1]
    clock[:SURE_PACKETS] = np.minimum(lowest_first, clock[SURE_PACKETS])
    lowest_last = np.minimum.accumulate(last)
    clock[-SURE_PACKETS:] = np.minimum(lowest_last, clock[-SURE_PACKETS - 1])
    return clock


def _trailing_minimum(values: Longs) -> Longs:
    """Return the lowest of each value and those before it within the window.

    In blocks of one window, each window is the end of one block and the start of the next.
    """
    size = WINDOW_PACKETS
    padded = np.full(-(-len(values) // size) * size, np.iinfo(np.int64).max)
    padded[: len(values)] = values
    blocks = padded.reshape(-1, size)
    starts = np.minimum.accumulate(blocks, axis=1).ravel()[: len(values)]
    ends = np.minimum.accumulate(blocks[:, ::-1], axis=1)[:, ::-1].ravel()
    lowest = starts.copy()
    whole = lowest[size - 1 :]
    np.minimum(whole, ends[: len(whole)], out=whole)
    return lowest
