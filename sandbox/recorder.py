"""The recorder on WhatsApp's side: both voices on one timeline, then an Ogg Opus file."""

import io
import time

import av
import numpy as np
from av.audio.stream import AudioStream

from sandbox.hearing import Hearing
from sandbox.opus import FRAME_SAMPLES, SAMPLE_RATE_HZ, Pcm

_BIT_RATE = 24_000


class Track:
    """One voice, from the first packet after the recorder was switched on."""

    def __init__(self, seconds_max: float) -> None:
        self._hearing = Hearing(seconds_max)
        self._first_s: float | None = None

    def place(self, pcm: Pcm, timestamp: int, at_s: float) -> None:
        """Take a frame that came `at_s` after the recorder began."""
        if self._first_s is None:
            self._first_s = at_s
        self._hearing.place(pcm, timestamp, 0.0)

    def pcm(self, samples: int) -> Pcm:
        """Return exactly so many samples from the beginning; what never came is silence."""
        begin = int((self._first_s or 0.0) * SAMPLE_RATE_HZ)
        heard = self._hearing.pcm()[: max(0, samples - begin)]
        whole = np.zeros(samples, np.int16)
        whole[begin : begin + len(heard)] = heard
        return whole


class CallRecorder:
    """Records one call until `stop`."""

    def __init__(self, seconds_max: float) -> None:
        self.business = Track(seconds_max)
        self.user = Track(seconds_max)
        self._seconds_max = seconds_max
        self._began_at = time.monotonic()
        self._samples: int | None = None

    def from_business(self, pcm: Pcm, timestamp: int) -> None:
        """Take a frame that arrived from the business."""
        self._place(self.business, pcm, timestamp)

    def from_user(self, pcm: Pcm, timestamp: int) -> None:
        """Take a frame that the user said."""
        self._place(self.user, pcm, timestamp)

    def stop(self, early_s: float = 0.0) -> None:
        """End the recording, or let it have ended a little earlier."""
        if self._samples is None:
            lasted_s = time.monotonic() - self._began_at - early_s
            lasted_s = min(max(0.0, lasted_s), self._seconds_max)
            self._samples = int(lasted_s * SAMPLE_RATE_HZ)

    @property
    def duration_s(self) -> float:
        """How long it is, once stopped."""
        return (self._samples or 0) / SAMPLE_RATE_HZ

    def voices(self) -> tuple[Pcm, Pcm]:
        """Return business and user, equally long."""
        samples = self._samples or 0
        return self.business.pcm(samples), self.user.pcm(samples)

    def _place(self, track: Track, pcm: Pcm, timestamp: int) -> None:
        if self._samples is None:
            track.place(pcm, timestamp, time.monotonic() - self._began_at)


def encode_ogg(business: Pcm, user: Pcm, channels: int) -> bytes:
    """Write a file with the business left and the user right, or both in one channel.

    Takes about a second for each minute: call it in a thread.
    """
    if channels == 1:
        mixed = business.astype(np.int32) + user
        sides = np.clip(mixed, -32_768, 32_767).astype(np.int16)[None]
    else:
        sides = np.stack([business, user])
    target = io.BytesIO()
    with av.open(target, "w", format="ogg") as container:
        layout = "mono" if channels == 1 else "stereo"
        stream = container.add_stream("libopus", rate=SAMPLE_RATE_HZ, layout=layout)
        assert isinstance(stream, AudioStream)
        stream.bit_rate = _BIT_RATE * channels
        for begin in range(0, sides.shape[1], FRAME_SAMPLES):
            part = np.ascontiguousarray(sides[:, begin : begin + FRAME_SAMPLES].T)
            frame = av.AudioFrame.from_ndarray(part.reshape(1, -1), format="s16", layout=layout)
            frame.sample_rate, frame.pts = SAMPLE_RATE_HZ, begin
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target.getvalue()
