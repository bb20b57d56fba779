"""A plain business: an HTTP server for webhooks and aiortc for the media."""

import asyncio
import fractions
import json
import re
from collections.abc import Callable
from typing import Any, Self, cast

import aiohttp
import numpy as np
from aiohttp import web
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame
from av.audio.resampler import AudioResampler

from sandbox.call import Call
from sandbox.config import SandboxConfig, Timings, UserSpec
from sandbox.hearing import Heard, Hearing
from sandbox.personas import Persona, Tone
from sandbox.sandbox import Sandbox
from sandbox.webhook_sender import sign

TOKEN = "sandbox-access-token"
PNID = "106540352242922"
QUICK = Timings(speed=20.0)
TONE = Persona(says=Tone(frequency_hz=440, level_dbfs=-20), answer_after_s=0.2)
ANN = UserSpec(user_id="US.1", wa_id="14085551234", name="Ann Sandbox", persona=TONE)


def answer_session(sdp: str) -> dict[str, str]:
    return {"sdp_type": "answer", "sdp": sdp}


def offer_session(sdp: str) -> dict[str, str]:
    return {"sdp_type": "offer", "sdp": sdp}


class ToneTrack(MediaStreamTrack):
    kind = "audio"

    def __init__(self, frequency_hz: float = 700.0, peak: int = 8000) -> None:
        super().__init__()
        self._frequency_hz, self._peak, self._at = frequency_hz, peak, 0
        self._due: float | None = None

    async def recv(self) -> AudioFrame:
        loop = asyncio.get_running_loop()
        self._due = loop.time() if self._due is None else self._due + 0.02
        await asyncio.sleep(max(0.0, self._due - loop.time()))
        times = (np.arange(960) + self._at) / 48_000
        wave = (self._peak * np.sin(2 * np.pi * self._frequency_hz * times)).astype(np.int16)
        frame = AudioFrame.from_ndarray(wave.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts = 48_000, self._at
        frame.time_base = fractions.Fraction(1, 48_000)
        self._at += 960
        return frame


def strip_fingerprints(sdp: str) -> str:
    """aiortc writes three hashes; Meta takes one."""
    return re.sub(r"a=fingerprint:sha-(384|512) [^\r]*\r\n", "", sdp)


class BusinessPeer:
    """One call's media at the business."""

    def __init__(self, *, with_track: bool = True) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.hearing = Hearing(60)
        self.heard_enough = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.track = ToneTrack()
        self._with_track = with_track
        self.connection.on("track", self._listen)

    def add_track(self) -> None:
        if self._with_track:
            self.connection.addTrack(self.track)
        else:
            self.connection.addTransceiver("audio")

    async def answer(self, offer: str) -> str:
        self.add_track()
        await self.connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        answer = await self.connection.createAnswer()
        await self.connection.setLocalDescription(answer)
        return strip_fingerprints(self.connection.localDescription.sdp)

    async def offer(self) -> str:
        self.add_track()
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return strip_fingerprints(self.connection.localDescription.sdp)

    async def take_answer(self, sdp: str) -> None:
        await self.connection.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    def _listen(self, track: MediaStreamTrack) -> None:
        self._tasks.append(asyncio.create_task(self._hear(track)))

    async def _hear(self, track: MediaStreamTrack) -> None:
        resampler = AudioResampler(format="s16", layout="mono", rate=48_000)
        at = 0
        while True:
            try:
                frame = cast("AudioFrame", await track.recv())
            except MediaStreamError:
                return
            for part in resampler.resample(frame):
                pcm = part.to_ndarray().reshape(-1).astype(np.int16)
                self.hearing.place(pcm, at, 0.0)
                at += len(pcm)
            if self.hearing.duration_s > 1.5:
                self.heard_enough.set()

    def measure(self) -> Heard:
        """The last second of what was heard."""
        return self.hearing.measure(self.hearing.duration_s - 1.0)

    async def close(self) -> None:
        await self.connection.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def eventually(is_so: Callable[[], bool], timeout_s: float = 30) -> None:
    """Wait for what tells nobody when it happens, such as a counter of another library."""
    async with asyncio.timeout(timeout_s):
        while not is_so():  # noqa: ASYNC110  (there is no event to wait for)
            await asyncio.sleep(0.02)


class Business:
    """The business's web hook and its Graph client."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.raw: list[tuple[bytes, str]] = []
        self.answer_status: Callable[[int], int] = lambda _count: 200
        self.graph_url = ""
        self._news = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        self._client: aiohttp.ClientSession | None = None
        self.url = ""
        self.verify_token = "sandbox-verify-token"
        self._peers: list[BusinessPeer] = []

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.add_routes([web.post("/hook", self._hook), web.get("/hook", self._verify)])
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/hook"
        self._client = aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"})
        return self

    async def __aexit__(self, *_: object) -> None:
        for peer in self._peers:
            await peer.close()
        assert self._client is not None
        await self._client.close()
        assert self._runner is not None
        await self._runner.cleanup()

    def peer(self, *, with_track: bool = True) -> BusinessPeer:
        """The media of one call, closed with the business."""
        self._peers.append(BusinessPeer(with_track=with_track))
        return self._peers[-1]

    def config(self, **fields: Any) -> SandboxConfig:
        return SandboxConfig(webhook_url=self.url, **({"timings": QUICK} | fields))

    async def _verify(self, request: web.Request) -> web.Response:
        if request.query["hub.verify_token"] != self.verify_token:
            return web.Response(status=403)
        return web.Response(text=request.query["hub.challenge"])

    async def _hook(self, request: web.Request) -> web.Response:
        body = await request.read()
        signature = request.headers["X-Hub-Signature-256"]
        assert signature == sign(body, "sandbox-app-secret")
        self.raw.append((body, signature))
        status = self.answer_status(len(self.raw))
        if status == 200:
            async with self._news:
                self.received.append(json.loads(body))
                self._news.notify_all()
        return web.Response(status=status)

    async def wait(self, kind: str, name: str, timeout_s: float = 20) -> dict[str, Any]:
        """The first `calls` or `statuses` item with this event or status, with its value."""
        async with asyncio.timeout(timeout_s), self._news:
            while True:
                for body in self.received:
                    value = body["entry"][0]["changes"][0]["value"]
                    for item in value.get(kind, []):
                        if name in {item.get("event"), item.get("status"), item.get("type")}:
                            found: dict[str, Any] = item | {"_value": value}
                            return found
                await self._news.wait()

    async def post(self, path: str, body: object, **kwargs: Any) -> tuple[int, Any]:
        assert self._client is not None
        async with self._client.post(
            f"{self.graph_url}{path}", json=body, **kwargs
        ) as response:
            return response.status, await response.json()

    def post_raw(self, path: str, body: object) -> Any:
        """The response as a context manager, for its headers."""
        assert self._client is not None
        return self._client.post(f"{self.graph_url}{path}", json=body)

    async def wait_for_bodies(self, count: int) -> None:
        async with asyncio.timeout(20), self._news:
            await self._news.wait_for(lambda: len(self.raw) >= count)

    async def get_ok(self, path: str, **query: str) -> Any:
        assert self._client is not None
        async with self._client.get(f"{self.graph_url}{path}", params=query) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def act(self, action: str, **fields: Any) -> tuple[int, Any]:
        body = {"messaging_product": "whatsapp", "action": action, **fields}
        return await self.post(f"/v23.0/{PNID}/calls", body)

    async def act_ok(self, action: str, **fields: Any) -> Any:
        status, answer = await self.act(action, **fields)
        assert status == 200, answer
        return answer

    async def dial(self, sandbox: Sandbox, peer: "BusinessPeer", **fields: Any) -> Call:
        """Call Ann; returns the sandbox's side of the call."""
        session = offer_session(await peer.offer())
        answer = await self.act_ok("connect", to="14085551234", session=session, **fields)
        return sandbox.exchange.call(answer["calls"][0]["id"])

    async def pick_up(self, peer: "BusinessPeer") -> None:
        """Accept the first call that was announced."""
        connect = await self.wait("calls", "connect")
        sdp = await peer.answer(connect["session"]["sdp"])
        await self.act_ok("accept", call_id=connect["id"], session=answer_session(sdp))
