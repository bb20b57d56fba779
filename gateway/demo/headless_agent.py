"""An agent's browser without a browser: REST, WebSocket and a real WebRTC peer.

The demo's check and the end-to-end tests drive the gateway through it, over the same
interfaces as the web app.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaRelay

from gateway.demo.sound import Ear, Mouth

View = dict[str, Any]
"""A call as `/api/v1/calls/{id}` shows it."""


class AgentError(Exception):
    """The gateway refused; carries the problem document."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('code')}: {problem.get('detail')}")
        self.status = status
        self.problem = problem


class HeadlessAgent:
    """Signs in, goes ready with a persistent leg, answers and dials, hums and listens.

    Use as an async context manager. `tone_hz` is what the customer should hear.
    """

    def __init__(
        self, base_url: str, email: str, password: str, *, tone_hz: float = 440.0
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._email = email
        self._password = password
        self.mouth = Mouth(tone_hz)
        self.ear = Ear()
        self._voices = MediaRelay()
        self.leg_id: str | None = None
        self.me: dict[str, Any] = {}
        self.calls: dict[str, View] = {}
        self.notices: list[dict[str, Any]] = []
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self._peer: RTCPeerConnection | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            headers={"Origin": self.base_url},
            timeout=aiohttp.ClientTimeout(total=30),
        )
        try:
            self.me = await self.request(
                "POST", "/login", {"email": self._email, "password": self._password}
            )
            await self.watch()
        except BaseException:
            await self._http.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.drop_leg()
        await self.unwatch()
        self.mouth.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.close()

    async def request(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> dict[str, Any]:
        """Do one API request. Raises `AgentError` for anything but success."""
        async with self._http.request(
            method,
            f"{self.base_url}/api/v1{path}",
            json=body,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        ) as answer:
            text = await answer.text()
            document = json.loads(text) if text else {}
            if answer.status >= 400:  # noqa: PLR2004 - where HTTP's errors begin
                raise AgentError(answer.status, document)
            return document

    async def watch(self) -> None:
        """Open the event socket; returns once the snapshot is in."""
        self._socket = await self._http.ws_connect(f"{self.base_url}/api/v1/events")
        snapshot = await self._socket.receive_json(timeout=10)
        async with self._changed:
            self.calls = {call["id"]: call for call in snapshot["calls"]}
            self._changed.notify_all()
        self._spawn(self._read(self._socket))
        self._spawn(self._stay_alive(self._socket))

    async def unwatch(self) -> None:
        """Close the event socket."""
        if self._socket is not None:
            await self._socket.close()
            self._socket = None

    async def open_leg(self) -> str:
        """Bring up a persistent leg; returns its id once ICE and DTLS are done."""
        peer, offer = await self.make_offer()
        answer = await self.request("POST", "/agent-legs", {"offer": offer})
        await self.take_answer(peer, answer["answer"])
        self.leg_id = answer["leg_id"]
        return answer["leg_id"]  # type: ignore[no-any-return]

    async def make_offer(self) -> tuple[RTCPeerConnection, str]:
        """Make a peer and its offer, for a leg or for a call answered without one."""
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        peer.createDataChannel("callgate")
        # Two legs may be up at once, and each has to carry the whole voice.
        peer.addTrack(self._voices.subscribe(self.mouth))

        @peer.on("track")
        def on_track(track: MediaStreamTrack) -> None:
            self._spawn(self.ear.listen(track))

        await peer.setLocalDescription(await peer.createOffer())
        return peer, peer.localDescription.sdp

    async def take_answer(self, peer: RTCPeerConnection, sdp: str) -> None:
        """Apply the gateway's answer and wait until the peer is connected."""
        connected = asyncio.get_running_loop().create_future()

        @peer.on("connectionstatechange")
        def on_change() -> None:
            if peer.connectionState in {"connected", "failed"} and not connected.done():
                connected.set_result(peer.connectionState)

        await peer.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="answer"))
        if peer.connectionState != "connected":
            state = await asyncio.wait_for(connected, 15)
            if state != "connected":
                raise ConnectionError(f"the agent's leg is {state}")
        old, self._peer = self._peer, peer
        if old is not None:
            await self._close_peer(old)

    async def drop_leg(self) -> None:
        """Close the leg as a page that is closed does: without telling the API."""
        if self._peer is not None:
            await self._close_peer(self._peer)
            self._peer = None
        self.leg_id = None

    async def _close_peer(self, peer: RTCPeerConnection) -> None:
        for sender in peer.getSenders():
            if sender.track is not None:
                sender.track.stop()
        await peer.close()

    async def go_ready(self) -> None:
        """Open a leg if there is none, and be available."""
        if self.leg_id is None:
            await self.open_leg()
        await self.request("PUT", "/me/availability", {"availability": "available"})

    async def answer(self, call_id: str) -> View:
        """Answer with the persistent leg."""
        body = {"leg_id": self.leg_id}
        return (await self.request("POST", f"/calls/{call_id}/answer", body))["call"]  # type: ignore[no-any-return]

    async def answer_afresh(self, call_id: str) -> View:
        """Answer with a leg made for this call alone."""
        return await self._afresh(f"/calls/{call_id}/answer", {})

    async def dial_afresh(self, phone: str) -> View:
        """Call a number with a leg made for this call alone."""
        return await self._afresh("/calls", {"to": {"phone": phone}})

    async def _afresh(self, path: str, body: dict[str, Any]) -> View:
        peer, offer = await self.make_offer()
        try:
            taken = await self.request("POST", path, body | {"offer": offer})
        except AgentError:
            await self._close_peer(peer)
            raise
        await self.take_answer(peer, taken["answer"])
        return taken["call"]  # type: ignore[no-any-return]

    async def dial(self, phone: str) -> View:
        """Call a number with the persistent leg."""
        body = {"to": {"phone": phone}, "leg_id": self.leg_id}
        return (await self.request("POST", "/calls", body))["call"]  # type: ignore[no-any-return]

    async def reattach(self, call_id: str) -> View:
        """Put the present leg into a call whose leg was lost."""
        body = {"leg_id": self.leg_id}
        return (await self.request("POST", f"/calls/{call_id}/reattach", body))["call"]  # type: ignore[no-any-return]

    async def hang_up(self, call_id: str) -> None:
        """End a call."""
        await self.request("POST", f"/calls/{call_id}/hangup")

    async def read(self, call_id: str) -> View:
        """Ask for a call as the gateway knows it now."""
        return await self.request("GET", f"/calls/{call_id}")

    async def wait_notice(self, code: str, *, within_s: float = 30.0) -> None:
        """Wait until a notice with `code` has come."""
        async with asyncio.timeout(within_s), self._changed:
            await self._changed.wait_for(
                lambda: any(notice["code"] == code for notice in self.notices)
            )

    async def wait_for(self, wanted: Callable[[View], bool], *, within_s: float = 30.0) -> View:
        """Return the first call, known or to come, for which `wanted` holds."""

        def found() -> View | None:
            return next((call for call in self.calls.values() if wanted(call)), None)

        async with asyncio.timeout(within_s), self._changed:
            await self._changed.wait_for(lambda: found() is not None)
        call = found()
        assert call is not None
        return call

    async def wait_state(self, call_id: str, *states: str, within_s: float = 30.0) -> View:
        """Wait until a call is in one of `states`."""
        return await self.wait_for(
            lambda call: call["id"] == call_id and call["state"] in states, within_s=within_s
        )

    async def hears(self, hz: float, *, within_s: float = 15.0) -> float:
        """Wait until the tone `hz` is heard; returns the seconds it took.

        Raises `TimeoutError` that says what was heard instead.
        """
        started = time.monotonic()
        while not self.ear.tone().is_near(hz):
            if time.monotonic() - started > within_s:
                raise TimeoutError(f"expected {hz:.0f} Hz, heard {self.ear.tone()!r}")
            await asyncio.sleep(0.05)
        return time.monotonic() - started

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            event = json.loads(message.data)
            async with self._changed:
                if event["type"] == "call":
                    call = event["call"]
                    known = self.calls.get(call["id"])
                    if known is None or call["version"] >= known["version"]:
                        self.calls[call["id"]] = call
                elif event["type"] == "notice":
                    self.notices.append(event)
                self._changed.notify_all()

    async def _stay_alive(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        with contextlib.suppress(ConnectionError):
            while not socket.closed:
                await socket.send_json({"type": "alive"})
                await asyncio.sleep(5)
