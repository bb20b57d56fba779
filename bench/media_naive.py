"""The rival: a bridge as one would write it with aiortc alone, decoding and encoding.

With `--record DIR` it records both sides of every call with aiortc's own recorder.
"""

import argparse
import asyncio
import json
import sys
from collections import defaultdict
from pathlib import Path

import aioice.ice
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.contrib.media import MediaRecorder, MediaRelay
from av import AudioFrame


class BridgedTrack(MediaStreamTrack):
    """Plays what the other leg of the call says."""

    kind = "audio"

    def __init__(self, source: asyncio.Future[MediaStreamTrack], fan_out: MediaRelay) -> None:
        super().__init__()
        self._source = source
        self._fan_out = fan_out
        self._track: MediaStreamTrack | None = None

    async def recv(self) -> AudioFrame:
        """The next frame of the other leg."""
        if self._track is None:
            self._track = self._fan_out.subscribe(await asyncio.shield(self._source))
        frame = await self._track.recv()
        assert isinstance(frame, AudioFrame)
        return frame


class NaiveBridge:
    """Answers offers; legs with the same number hear each other."""

    def __init__(self, recordings: Path | None) -> None:
        loop = asyncio.get_running_loop()
        self._recordings = recordings
        self._fan_out = MediaRelay()
        self._recorders: dict[str, asyncio.Task[MediaRecorder]] = {}
        self._tracks: defaultdict[str, asyncio.Future[MediaStreamTrack]] = defaultdict(
            loop.create_future
        )
        self._connections: list[RTCPeerConnection] = []

    async def answer(self, leg: str, offer: str) -> str:
        """Our answer to the offer of one leg."""
        number = leg.lstrip("agentw")
        other = ("wa" if leg.startswith("agent") else "agent") + number
        pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._connections.append(pc)
        pc.on("track", self._tracks[leg].set_result)
        if self._recordings is not None and number not in self._recorders:
            self._recorders[number] = asyncio.create_task(self._record(number))
        await pc.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        pc.addTrack(BridgedTrack(self._tracks[other], self._fan_out))
        await pc.setLocalDescription(await pc.createAnswer())
        return str(pc.localDescription.sdp)

    async def _record(self, number: str) -> MediaRecorder:
        assert self._recordings is not None
        tracks = [self._tracks[kind + number] for kind in ("agent", "wa")]
        recorder = MediaRecorder(str(self._recordings / f"{number}.ogg"))
        for track in tracks:
            recorder.addTrack(self._fan_out.subscribe(await asyncio.shield(track)))
        await recorder.start()
        return recorder


async def main() -> None:
    """Serve the parent until it kills us."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", type=Path, metavar="DIR")
    recordings: Path | None = parser.parse_args().record
    # aioice leaves 127.0.0.1 out; here it is the only address wanted.
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]  # noqa: ARG005
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    bridge = NaiveBridge(recordings)
    while line := await reader.readline():
        message = json.loads(line)
        answer = await bridge.answer(message["leg"], message["offer"])
        sys.stdout.write(json.dumps({"leg": message["leg"], "answer": answer}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
