"""Opus at 48 kHz mono in 20 ms packets, by libopus through PyAV."""

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 48_000
FRAME_SAMPLES = 960
FRAME_S = 0.02

Pcm = NDArray[np.int16]

SILENCE: Pcm = np.zeros(FRAME_SAMPLES, dtype=np.int16)

_BIT_RATE = 20_000
_SAMPLES_PER_FRAME = (
    # RFC 6716 section 3.1: samples per frame at 48 kHz for each configuration number.
    *([480, 960, 1920, 2880] * 3),
    *([480, 960] * 2),
    *([120, 240, 480, 960] * 4),
)


class BadOpus(ValueError):
    """The payload is not decodable Opus."""


class OpusEncoder:
    """Encoder with the profile of a WhatsApp client: wide band, FEC, about 20 kbit/s."""

    def __init__(self) -> None:
        codec = av.CodecContext.create("libopus", "w")
        assert isinstance(codec, AudioCodecContext)
        codec.sample_rate = SAMPLE_RATE_HZ
        codec.layout = "mono"
        codec.format = "s16"
        codec.bit_rate = _BIT_RATE
        codec.options = {
            "application": "voip",
            "cutoff": "8000",
            "fec": "1",
            "packet_loss": "5",
            "frame_duration": "20",
        }
        self._codec = codec
        self._samples = 0

    def encode(self, pcm: Pcm) -> bytes:
        """Encode one frame of 960 samples."""
        frame = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        frame.pts = self._samples
        self._samples += FRAME_SAMPLES
        packets = self._codec.encode(frame)
        return bytes(packets[0])


class OpusDecoder:
    """Decoder of one stream."""

    def __init__(self) -> None:
        codec = av.CodecContext.create("libopus", "r")
        assert isinstance(codec, AudioCodecContext)
        codec.sample_rate = SAMPLE_RATE_HZ
        codec.layout = "mono"
        codec.format = "s16"
        self._codec = codec

    def decode(self, payload: bytes) -> Pcm:
        """Decode one packet; raise `BadOpus` if libopus refuses it."""
        try:
            frames = self._codec.decode(av.Packet(payload))
        except av.FFmpegError as error:
            raise BadOpus(str(error)) from error
        parts = [frame.to_ndarray().reshape(-1).astype(np.int16) for frame in frames]
        return np.concatenate(parts) if parts else SILENCE[:0]


def samples_in(payload: bytes) -> int:
    """Return how many 48 kHz samples a packet holds, 0 if it is malformed (RFC 6716 3.1)."""
    if not payload:
        return 0
    per_frame = _SAMPLES_PER_FRAME[payload[0] >> 3]
    code = payload[0] & 3
    if code == 0:
        return per_frame
    if code < 3:  # noqa: PLR2004  (RFC 6716 section 3.2: two frames)
        return 2 * per_frame
    return per_frame * (payload[1] & 0x3F) if len(payload) > 1 else 0
