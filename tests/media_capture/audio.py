"""Opus encoded and decoded by libopus, and captures written from it without a worker."""

import subprocess
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from media.capture_format import (
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

Samples = npt.NDArray[np.int16]
RATE = 48_000
AGENT, CUSTOMER = Kind.AGENT, Kind.CUSTOMER


def speech(seconds: float, seed: int) -> Samples:
    """Noise with the rise and fall of speech: no two parts of it are alike."""
    random = np.random.default_rng(seed)
    count = round(seconds * RATE)
    rough = random.standard_normal(count + 64)
    smooth = np.convolve(rough, np.hanning(24), mode="same")[:count]
    corners = np.arange(0, count + 9_600, 4_800)
    syllables = np.interp(np.arange(count), corners, random.random(len(corners)))
    loud = smooth / np.abs(smooth).max() * (0.05 + 0.95 * syllables)
    return np.asarray(loud * 20_000, dtype=np.int16)


def encode(
    pcm: Samples,
    *,
    frame_ms: float = 20,
    bit_rate: str = "32000",
    application: str = "voip",
) -> list[bytes]:
    """Encode mono audio in packets of one length; what does not fill the last is left out."""
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate = RATE
    encoder.layout = "mono"
    encoder.format = av.AudioFormat("s16")
    encoder.bit_rate = int(bit_rate)
    encoder.time_base = Fraction(1, RATE)
    encoder.options = {"application": application, "frame_duration": str(frame_ms)}
    encoder.open()
    size = round(RATE * frame_ms / 1000)
    packets: list[bytes] = []
    for index in range(len(pcm) // size):
        frame = av.AudioFrame.from_ndarray(
            pcm[None, index * size : (index + 1) * size], format="s16", layout="mono"
        )
        frame.sample_rate = RATE
        frame.pts = index * size
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    packets += [bytes(packet) for packet in encoder.encode(None)]
    return packets[: len(pcm) // size]


def decode(packets: Iterable[bytes]) -> Samples:
    """Decode mono packets by libopus from a fresh decoder, nothing left out."""
    decoder = av.CodecContext.create("libopus", "r")
    assert isinstance(decoder, av.AudioCodecContext)
    decoder.sample_rate = RATE
    decoder.layout = "mono"
    decoder.open()
    parts = [
        frame.to_ndarray().reshape(-1)
        for packet in packets
        for frame in decoder.decode(av.Packet(packet))
    ]
    return np.concatenate(parts).astype(np.int16) if parts else np.empty(0, dtype=np.int16)


def ffmpeg_decode(path: Path, *, decoder: str = "libopus") -> Samples:
    """Decode a stereo file by the system's ffmpeg; columns are left and right."""
    order = ["ffmpeg", "-v", "error", "-xerror", "-c:a", decoder, "-i", str(path)]
    done = subprocess.run(
        [*order, "-f", "s16le", "-"], check=True, capture_output=True, timeout=120
    )
    assert not done.stderr, done.stderr.decode()
    return np.frombuffer(done.stdout, dtype=np.int16).reshape(-1, 2)


class CaptureMaker:
    """Writes a capture file record by record, sorted by position."""

    def __init__(self, capture_id: str = "call", segment: int = 0, offset_ms: int = 0) -> None:
        self.header = Header(
            capture_id=capture_id,
            segment=segment,
            started_unix_ms=1_700_000_000_000 + offset_ms,
            offset_ms=offset_ms,
            blob="opaque",
        )
        self._head = encode_header(self.header)
        self.seed = record_seed(self._head)
        self._records: list[tuple[int, bytes]] = []

    def packet(
        self, kind: Kind, at: int, timestamp: int, sequence: int, payload: bytes
    ) -> None:
        record = packet_record(
            kind, at, timestamp & 0xFFFFFFFF, sequence & 0xFFFF, payload, seed=self.seed
        )
        self._records.append((at, record))

    def side(
        self,
        kind: Kind,
        packets: Sequence[bytes | None],
        *,
        frame_ms: int = 20,
        begin_ms: int = 0,
        timestamp: int = 5_000,
        sequence: int = 100,
    ) -> None:
        """Packets at their ideal times; None is one that was lost."""
        for index, packet in enumerate(packets):
            if packet is not None:
                self.packet(
                    kind,
                    begin_ms + index * frame_ms,
                    timestamp + index * frame_ms * 48,
                    sequence + index,
                    packet,
                )

    def clocks(self, until_ms: int, step_ms: int = 150) -> None:
        for at in range(step_ms, until_ms, step_ms):
            self._records.append((at, clock_record(at, seed=self.seed)))
        self._records.append((until_ms, clock_record(until_ms, seed=self.seed)))

    def pause(self, at: int, paused_ms: int) -> None:
        self._records.append((at, pause_record(at, seed=self.seed)))
        self._records.append((at, resume_record(at, paused_ms, seed=self.seed)))

    def content(self, duration_ms: int, reason: StopReason = StopReason.COMMAND) -> bytes:
        self.clocks(duration_ms)
        records = sorted(self._records, key=lambda each: each[0])
        assert all(a[0] <= b[0] for a, b in pairwise(records))
        kept = [record for at, record in records if at <= duration_ms]
        end = end_record(duration_ms, reason, seed=self.seed)
        return b"".join((self._head, *kept, end))

    def write(self, directory: Path, duration_ms: int) -> Path:
        path = directory / f"{self.header.capture_id}.{self.header.segment:03}.capture"
        path.write_bytes(self.content(duration_ms))
        return path
