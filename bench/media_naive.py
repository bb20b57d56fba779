"""The rival: a bridge as one would write it with aiortc alone, decoding and encoding."""

import asyncio
import json
import sys
from collections import defaultdict

import aioice.ice
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from av import AudioFrame


class BridgedTrack(MediaStreamTrack):
    """Plays what the other leg of the call says."""

    kind = "audio"

    def __init__(self, source: asyncio.Future[MediaStreamTrack]) -> None:
        super().__init__()
        self._source = source

    async def recv(self) -> AudioFrame:
        """The next frame of the other leg."""
        track = await asyncio.shield(self._source)
        frame = await track.recv()
        assert isinstance(frame, AudioFrame)
        return frame


class NaiveBridge:
    """Answers offers; legs with the same number hear each other."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
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
        await pc.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        pc.addTrack(BridgedTrack(self._tracks[other]))
        await pc.setLocalDescription(await pc.createAnswer())
        return str(pc.localDescription.sdp)


async def main() -> None:
    """Serve the parent until it kills us."""
    # aioice leaves 127.0.0.1 out; here it is the only address wanted.
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]  # noqa: ARG005
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    bridge = NaiveBridge()
    while line := await reader.readline():
        message = json.loads(line)
        answer = await bridge.answer(message["leg"], message["offer"])
        sys.stdout.write(json.dumps({"leg": message["leg"], "answer": answer}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
