"""Answers a browser's agent leg with a real WebRTC peer: says a tone, listens, counts."""

import asyncio
import fractions
import uuid
from collections import deque

import aiortc
import av
import numpy as np
from aiortc.mediastreams import MediaStreamError

RATE = 48_000
FRAME_SAMPLES = 960
TONE_HZ = 520
HEARD_MAX = 100
"""So many 20 ms frames of what the browser said are kept: two seconds."""


class TonePlayer(aiortc.AudioStreamTrack):
    """A tone while `flowing` is set, nothing at all (no packet) otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.flowing = asyncio.Event()
        self._samples = 0
        self._due: float | None = None

    async def recv(self) -> av.AudioFrame:
        if not self.flowing.is_set():
            self._due = None
            await self.flowing.wait()
        loop = asyncio.get_running_loop()
        self._due = loop.time() if self._due is None else self._due + 0.02
        await asyncio.sleep(max(0.0, self._due - loop.time()))
        phase = (np.arange(FRAME_SAMPLES) + self._samples) * (2 * np.pi * TONE_HZ / RATE)
        wave = (np.sin(phase) * 9_000).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
        frame.sample_rate = RATE
        frame.pts = self._samples
        frame.time_base = fractions.Fraction(1, RATE)
        self._samples += FRAME_SAMPLES
        return frame


class AgentLeg:
    """The media side of one `POST /agent-legs`."""

    def __init__(self) -> None:
        self.leg_id = f"leg_{uuid.uuid4().hex[:12]}"
        self.peer = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
        self.player = TonePlayer()
        self.channel_open = asyncio.Event()
        self.frames_heard = 0
        self._levels: deque[float] = deque(maxlen=HEARD_MAX)
        self._listener: asyncio.Task[None] | None = None

    async def answer(self, offer: str, *, blocked: bool) -> str:
        """Return the answer; `blocked`: neither side learns where the other one is."""
        if blocked:
            lines = offer.split("\r\n")
            offer = "\r\n".join(li for li in lines if not li.startswith("a=candidate:"))
        self.peer.on("datachannel", lambda _channel: self.channel_open.set())
        self.peer.on("track", self._hear)
        await self.peer.setRemoteDescription(aiortc.RTCSessionDescription(offer, "offer"))
        self.peer.addTrack(self.player)
        await self.peer.setLocalDescription(await self.peer.createAnswer())
        sdp = self.peer.localDescription.sdp
        if not blocked:
            return sdp
        return "\r\n".join(
            " ".join([*line.split()[:4], "127.0.0.1", "9", *line.split()[6:]])
            if line.startswith("a=candidate:")
            else line
            for line in sdp.split("\r\n")
        )

    def loudness(self, frames: int = 20) -> float:
        """RMS of the last frames that the browser sent, of full scale."""
        latest = list(self._levels)[-frames:]
        return float(np.mean(latest)) if latest else 0.0

    async def close(self) -> None:
        self.player.stop()
        await self.peer.close()
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)

    def _hear(self, track: aiortc.MediaStreamTrack) -> None:
        self._listener = asyncio.create_task(self._listen(track))

    async def _listen(self, track: aiortc.MediaStreamTrack) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            assert isinstance(frame, av.AudioFrame)
            samples = frame.to_ndarray().astype(np.float64) / 32_768
            self._levels.append(float(np.sqrt(np.mean(samples**2))))
            self.frames_heard += 1
