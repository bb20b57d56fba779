"""The packets of one side of a capture as columns of numbers, one row per Opus frame."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from media.capture_format import LENGTH_BYTES, PACKET
from media.capture_scan import CaptureContent
from media.ogg_packet import (
    CODE_MASK,
    FRAME_BYTES_MAX,
    FRAME_SAMPLES,
    BadPacket,
    packet_frames,
)

SAMPLES_PER_MS: Final = 48
Longs = npt.NDArray[np.int64]

_ROW: Final = np.dtype(
    [
        ("length", "<u2"),
        ("kind", "u1"),
        ("at", "<u4"),
        ("timestamp", "<u4"),
        ("sequence", "<u2"),
    ]
)
_DURATIONS: Final = np.array([FRAME_SAMPLES[toc >> 3] for toc in range(256)], dtype=np.int64)


@dataclass(slots=True)
class SideCounts:
    """What happened to one side's packets."""

    packets: int = 0
    lost: int = 0
    """Missing sequence numbers."""
    doubled: int = 0
    unusable: int = 0
    """Not Opus."""
    overlapping: int = 0
    """Left out because another frame holds their place: clock drift, or catching up."""
    shifts: int = 0
    """How often frames changed their step."""
    concealed_ms: int = 0
    """Lost or not sent: left to the decoder's concealment."""
    silent_ms: int = 0
    """Lost or not sent for longer: silence."""


@dataclass(slots=True)
class Pool:
    """The bytes of all frames of a call."""

    parts: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, content: bytes) -> int:
        """Keep bytes; return where they begin."""
        begin = self.size
        self.parts.append(content)
        self.size += len(content)
        return begin

    def join(self) -> bytes:
        """Return all of it as one."""
        return self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)


@dataclass(slots=True)
class Packets:
    """Rows of frames, in order of arrival until they are sorted."""

    at: Longs
    """Position on the recording timeline in samples at 48 kHz."""
    timestamp: Longs
    """RTP timestamp, unwrapped."""
    sequence: Longs
    """Unwrapped."""
    samples: Longs
    """Length of the frame."""
    toc: Longs
    """First byte of the packet, without its code."""
    begin: Longs
    """Where the frame's bytes lie in the pool."""
    size: Longs
    stretch: Longs
    """How many pauses came before it in its segment."""
    delay: Longs
    """From time spoken to time recorded, of the sender's clock around this frame."""

    def take(self, rows: npt.NDArray[np.intp] | slice) -> "Packets":
        """Return some of the rows."""
        return Packets(*(column[rows] for column in self.columns()))

    def columns(self) -> tuple[Longs, ...]:
        """Return the columns in order of their declaration."""
        return (
            self.at,
            self.timestamp,
            self.sequence,
            self.samples,
            self.toc,
            self.begin,
            self.size,
            self.stretch,
            self.delay,
        )


@dataclass(slots=True)
class PacketReader:
    """Reads capture files into columns; their bytes go to `pool`."""

    pool: Pool = field(default_factory=Pool)

    def read(
        self, content: CaptureContent, sides: tuple[SideCounts, SideCounts]
    ) -> tuple[Packets, Packets]:
        """Return the customer's and the agent's packets; `sides` counts in that order."""
        begin = self.pool.add(content.content)
        customer, agent = sides
        return (
            self._read(content, content.customer.tobytes(), begin, customer),
            self._read(content, content.agent.tobytes(), begin, agent),
        )

    def _read(
        self, capture: CaptureContent, places: bytes, pooled: int, counts: SideCounts
    ) -> Packets:
        content = capture.content
        octets = np.frombuffer(content, dtype=np.uint8)
        place = np.frombuffer(places, dtype=np.uint64).astype(np.int64)
        rows = octets[place[:, None] + np.arange(PACKET.size)].view(_ROW).reshape(-1)
        counts.packets += len(rows)
        payload = place + PACKET.size
        size = rows["length"].astype(np.int64) - (PACKET.size - LENGTH_BYTES)
        toc = octets[payload].astype(np.int64)
        at = rows["at"].astype(np.int64) * SAMPLES_PER_MS
        packets = Packets(
            at=at,
            timestamp=_unwrap(rows["timestamp"], 32),
            sequence=_unwrap(rows["sequence"], 16),
            samples=_DURATIONS[toc],
            toc=toc & ~CODE_MASK,
            begin=payload + 1 + pooled,
            size=size - 1,
            stretch=np.searchsorted([pause.place for pause in capture.pauses], place),
            delay=np.zeros_like(at),
        )
        simple = (toc & CODE_MASK == 0) & (size > 0) & (size <= FRAME_BYTES_MAX + 1)
        if simple.all():
            return packets
        return self._split(
            packets,
            simple,
            lambda row: content[payload[row] : payload[row] + size[row]],
            counts,
        )

    def _split(
        self,
        packets: Packets,
        simple: npt.NDArray[np.bool_],
        payload: Callable[[int], bytes],
        counts: SideCounts,
    ) -> Packets:
        """Give each frame of other packets a row of its own; leave out what is not Opus."""
        rows: list[tuple[int, ...]] = []
        for index in np.flatnonzero(~simple).tolist():
            try:
                frames = packet_frames(payload(index))
            except BadPacket:
                counts.unusable += 1
                continue
            at, timestamp, sequence, samples, toc, _, _, stretch, _ = (
                int(column[index]) for column in packets.columns()
            )
            for number, frame in enumerate(frames):
                # As if each frame had come alone, in its time.
                later = number * samples
                row = (at + later, timestamp + later, sequence, samples, toc)
                rows.append((*row, self.pool.add(frame), len(frame), stretch, 0, index))
        kept = np.flatnonzero(simple)
        if not rows:
            return packets.take(kept)
        table = np.array(rows, dtype=np.int64)
        order = np.argsort(np.concatenate((kept, table[:, -1])), kind="stable")
        merged = (
            np.concatenate((column[kept], table[:, number]))[order]
            for number, column in enumerate(packets.columns())
        )
        return Packets(*merged)


def _unwrap(values: npt.NDArray[np.unsignedinteger], bits: int) -> Longs:
    """Turn a counter that wraps into one that does not: each step is the shortest."""
    longs = values.astype(np.int64)
    if not len(longs):
        return longs
    half = 1 << (bits - 1)
    steps = ((np.diff(longs) + half) & ((1 << bits) - 1)) - half
    return np.concatenate((longs[:1], longs[0] + np.cumsum(steps)))
