"""Plain aiortc peers: a browser or WhatsApp that sends a tone and listens for one."""

import asyncio
from collections import deque
from fractions import Fraction
from typing import Self

import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame

RATE = 48000
FRAME = 960
WINDOW_FRAMES = 25
SILENT_DBFS = -45.0


class ToneTrack(MediaStreamTrack):
    """A sine in 20 ms frames, in real time; silence while `frequency` is 0."""

    kind = "audio"

    def __init__(self, frequency: float) -> None:
        super().__init__()
        self.frequency = frequency
        self._position = 0
        self._started: float | None = None

    async def recv(self) -> AudioFrame:
        loop = asyncio.get_running_loop()
        if self._started is None:
            self._started = loop.time()
        await asyncio.sleep(max(0.0, self._started + self._position / RATE - loop.time()))
        when = np.arange(self._position, self._position + FRAME) / RATE
        samples = (np.sin(2 * np.pi * self.frequency * when) * 8000).astype(np.int16)
        frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = RATE
        frame.pts = self._position
        frame.time_base = Fraction(1, RATE)
        self._position += FRAME
        return frame


class Peer:
    """One WebRTC peer with a tone of its own."""

    def __init__(self, frequency: float, *, data_channel: bool = False) -> None:
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.track = ToneTrack(frequency)
        self.pc.addTrack(self.track)
        self.channel = self.pc.createDataChannel("keep") if data_channel else None
        self.heard: deque[np.ndarray] = deque(maxlen=WINDOW_FRAMES)
        self.frames_heard = 0
        self._listener: asyncio.Task[None] | None = None

        @self.pc.on("track")
        def on_track(track: MediaStreamTrack) -> None:
            self._listener = asyncio.create_task(self._listen(track))

    async def offer(self) -> str:
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return self.pc.localDescription.sdp

    async def accept(self, answer: str) -> None:
        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def answer(self, offer: str) -> str:
        await self.pc.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await self.pc.setLocalDescription(await self.pc.createAnswer())
        return self.pc.localDescription.sdp

    async def hears(self, frequency: float, *, timeout_s: float = 20.0) -> None:
        """Return when the last half second is that tone; raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while True:
                level, heard = self.measure()
                if level > SILENT_DBFS and abs(heard - frequency) < 25:
                    return
                await asyncio.sleep(0.05)

    async def hears_no_tone(self, *, timeout_s: float = 20.0) -> None:
        """Return when half a second of sound has come that is near silence."""
        async with asyncio.timeout(timeout_s):
            while True:
                if len(self.heard) == WINDOW_FRAMES and self.measure()[0] < SILENT_DBFS:
                    return
                await asyncio.sleep(0.05)

    def measure(self) -> tuple[float, float]:
        """Level in dBFS and strongest frequency of what was heard last."""
        if len(self.heard) < WINDOW_FRAMES:
            return -120.0, 0.0
        samples = np.concatenate(self.heard).astype(np.float64)
        level = 20 * np.log10(max(np.sqrt(np.mean(samples**2)) / 32768, 1e-6))
        spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
        return float(level), float(np.argmax(spectrum) * RATE / len(samples))

    async def close(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
        self.track.stop()
        await self.pc.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_failure: object) -> None:
        await self.close()

    async def _listen(self, track: MediaStreamTrack) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            assert isinstance(frame, AudioFrame)
            samples = frame.to_ndarray()
            channels = len(frame.layout.channels)
            self.heard.append(samples.reshape(-1, channels)[:, 0])
            self.frames_heard += 1
