"""How loud a recording is, every hundredth of a second: enough to lay two over each other."""

from collections.abc import Sequence
from typing import Any, Final

import av
import numpy as np
import numpy.typing as npt

from media.ogg_opus import SAMPLE_RATE, OpusHead
from media.ogg_reader import AudioPacket, OpusReader, stream_packets

STEP_MS: Final = 10
STEP_SAMPLES: Final = SAMPLE_RATE * STEP_MS // 1000
BLOCK_PACKETS: Final = 50

Floats = npt.NDArray[np.float32]


def read_envelope(reader: OpusReader, *, listen_ms: int | None = None) -> Floats:
    """Return the energy of each step of a file, all channels together.

    Reads no more than `listen_ms` of it. What libopus cannot decode counts as silence. Raises
    `BadOgg` as the reader does, but only for what it has read. Takes 4 bytes for each step.
    """
    streams = reader.head.streams
    decoders = [_decoder(reader.head, index) for index in range(streams)]
    wanted = None if listen_ms is None else listen_ms * SAMPLE_RATE // 1000
    steps = _Steps(reader.head.pre_skip)
    waiting: list[AudioPacket] = []
    size = 0
    for packet in reader.packets():
        if wanted is not None and size >= wanted:
            return steps.all()
        waiting.append(packet)
        size += packet.samples
        if len(waiting) == BLOCK_PACKETS:
            steps.add(_power(decoders, waiting))
            waiting = []
    if waiting:
        steps.add(_power(decoders, waiting))
    return steps.all()[: -(-reader.samples // STEP_SAMPLES)]


def read_samples(reader: OpusReader, *, listen_ms: int) -> Floats:
    """Return the first samples (at 48 kHz) of a file, all channels added up.

    Raises `BadOgg` as the reader does, but only for what it has read.
    """
    decoders = [_decoder(reader.head, index) for index in range(reader.head.streams)]
    wanted = reader.head.pre_skip + listen_ms * SAMPLE_RATE // 1000
    parts: list[Floats] = []
    size = 0
    for packet in reader.packets():
        streams = _decode(decoders, [packet])
        parts.append(np.concatenate(streams, axis=1).sum(axis=1))
        size += packet.samples
        if size >= wanted:
            break
    return np.concatenate([np.empty(0, np.float32), *parts])[reader.head.pre_skip : wanted]


class _Steps:
    """Averages power over steps, block by block, the pre-skip left out."""

    def __init__(self, skip: int) -> None:
        self._skip = skip
        self._done: list[Floats] = []
        self._rest = np.empty(0, np.float32)

    def add(self, power: Floats) -> None:
        """Take in the next samples."""
        joined = np.concatenate((self._rest, power[self._skip :]))
        self._skip = max(0, self._skip - len(power))
        whole = len(joined) // STEP_SAMPLES * STEP_SAMPLES
        self._done.append(joined[:whole].reshape(-1, STEP_SAMPLES).mean(axis=1))
        self._rest = joined[whole:]

    def all(self) -> Floats:
        """Return the steps, the last one filled up with silence."""
        last = [self._rest.sum(keepdims=True) / STEP_SAMPLES] if len(self._rest) else []
        return np.concatenate([np.empty(0, np.float32), *self._done, *last])


def _power(decoders: Sequence[av.AudioCodecContext], packets: list[AudioPacket]) -> Floats:
    """Return the power of each sample of some packets, all streams together."""
    power = np.zeros(sum(packet.samples for packet in packets), np.float32)
    for heard in _decode(decoders, packets):
        power += np.square(heard).sum(axis=1)
    return power


def _decode(
    decoders: Sequence[av.AudioCodecContext], packets: list[AudioPacket]
) -> list[Floats]:
    """Return the samples of each stream, a column for each channel."""
    parts = [stream_packets(packet.content, len(decoders)) for packet in packets]
    streams = []
    for index, decoder in enumerate(decoders):
        heard = [
            _decoded(decoder, part[index], packet.samples)
            for packet, part in zip(packets, parts, strict=True)
        ]
        streams.append(np.concatenate(heard).astype(np.float32))
    return streams


def _decoded(decoder: av.AudioCodecContext, content: bytes, samples: int) -> Any:  # noqa: ANN401
    """Return exactly so many rows of samples, a column for each channel."""
    try:
        frames = decoder.decode(av.Packet(content))
    except av.FFmpegError:
        frames = []
    # Interleaved by libopus: one row with the channels in turn.
    rows = [frame.to_ndarray().reshape(frame.samples, -1) for frame in frames]
    if len(rows) == 1 and len(rows[0]) == samples:
        return rows[0]
    silence = np.zeros((samples, decoder.channels), np.float32)
    return np.concatenate([*rows, silence])[:samples]


def _decoder(head: OpusHead, index: int) -> av.AudioCodecContext:
    decoder = av.CodecContext.create("libopus", "r")
    assert isinstance(decoder, av.AudioCodecContext)
    decoder.sample_rate = SAMPLE_RATE
    decoder.layout = "stereo" if index < head.coupled else "mono"
    decoder.open()
    return decoder


def spread(steps: Floats, intervals: Sequence[tuple[int, int]]) -> Floats:
    """Move what was recorded in `intervals` (ms of real time) to where it was recorded.

    Silence stands between. Without intervals nothing moves.
    """
    if not intervals:
        return steps
    places = [(begin // STEP_MS, end // STEP_MS) for begin, end in intervals]
    laid = np.zeros(places[-1][1] + 1, np.float32)
    at = 0
    for begin, end in places:
        part = steps[at : at + end - begin]
        laid[begin : begin + len(part)] = part
        at += end - begin
    return laid
