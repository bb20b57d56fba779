"""The phone page and its WebSocket: a person in a browser is the WhatsApp user."""

import asyncio
import contextlib
import json
import time
from collections import deque
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import numpy as np
import structlog
from aiohttp import WSMsgType, web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sandbox.call import Call
from sandbox.call_state import CallState
from sandbox.exchange import Exchange, UnknownId
from sandbox.opus import FRAME_SAMPLES, Pcm
from sandbox.payloads import Direction, Json
from sandbox.sounds import LiveSound
from sandbox.users import WhatsAppUser

_log = structlog.get_logger()
_PAGE = Path(__file__).parent / "phone_page"
_FILES = {
    "": ("index.html", "text/html"),
    "/phone.js": ("phone.js", "text/javascript"),
    "/audio.js": ("audio.js", "text/javascript"),
    "/microphone.js": ("microphone.js", "text/javascript"),
    "/phone.css": ("phone.css", "text/css"),
}
_FRAME_BYTES = 2 * FRAME_SAMPLES
_MESSAGE_BYTES_MAX = 65_536
_HEARD_FRAMES_MAX = 25
_HEARTBEAT_S = 10.0


class _Order(BaseModel):
    """What the page asks for."""

    model_config = ConfigDict(extra="forbid")

    do: Literal[
        "call", "answer", "reject", "hang_up", "press", "mute", "talk", "speak_by_itself"
    ]
    digits: str = Field(default="", pattern=r"^[0-9*#A-D]{0,64}$")
    is_on: bool = False


class PhonePage:
    """Serves the page's files and one `Phone` per WebSocket."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._open: set[web.WebSocketResponse] = set()

    def routes(self) -> list[web.RouteDef]:
        """Return the routes below `/phone`."""
        files = [web.get(f"/phone{path}", self._file) for path in _FILES]
        return [*files, web.get("/phone/users", self._users), web.get("/phone/ws", self._serve)]

    async def close(self) -> None:
        """Hang up all WebSockets."""
        for socket in list(self._open):
            await socket.close(code=1001)

    async def _file(self, request: web.Request) -> web.Response:
        name, kind = _FILES[request.path.removeprefix("/phone")]
        return web.Response(
            text=(_PAGE / name).read_text(encoding="utf-8"),
            content_type=kind,
            headers={"Cache-Control": "no-store"},
        )

    async def _users(self, request: web.Request) -> web.Response:
        del request
        users = [
            {"user_id": user.user_id, "name": _name(user), "wa_id": user.wa_id}
            for user in self._exchange.users.values()
        ]
        return web.json_response({"users": users})

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.host:
            return web.Response(status=403)
        try:
            user = self._exchange.user(request.query.get("user_id", ""))
        except UnknownId:
            return web.Response(status=404)
        socket = web.WebSocketResponse(
            heartbeat=_HEARTBEAT_S, max_msg_size=_MESSAGE_BYTES_MAX, compress=False
        )
        await socket.prepare(request)
        self._open.add(socket)
        try:
            await Phone(self._exchange, user, socket).run()
        finally:
            self._open.discard(socket)
        return socket


class Phone:
    """One open page: shows the newest call of its user and carries its audio."""

    def __init__(
        self, exchange: Exchange, user: WhatsAppUser, socket: web.WebSocketResponse
    ) -> None:
        self._exchange = exchange
        self._user = user
        self._socket = socket
        self._call: Call | None = None
        self._heard: deque[bytes] = deque(maxlen=_HEARD_FRAMES_MAX)
        self._news = asyncio.Event()
        self._shown = ""
        self._speaks_by_itself = True

    async def run(self) -> None:
        """Serve the page until it goes away."""
        mine = [
            call for call in self._exchange.calls.values() if call.identity.user is self._user
        ]
        self._exchange.open_phone(self._user)
        self._exchange.call_began.append(self._follow)
        if mine and mine[-1].state is not CallState.ENDED:
            self._follow(mine[-1])
        writer = asyncio.create_task(self._write())
        self._news.set()
        try:
            async for message in self._socket:
                if message.type is WSMsgType.TEXT:
                    await self._obey(message.data)
                elif message.type is WSMsgType.BINARY:
                    self._say(message.data)
        finally:
            self._exchange.call_began.remove(self._follow)
            self._exchange.close_phone(self._user)
            self._leave()
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    def _follow(self, call: Call) -> None:
        if call.identity.user is not self._user:
            return
        self._leave()
        self._call = call
        call.record.listeners.append(self._news.set)
        call.media.listeners.append(self._hear)
        self._news.set()

    def _leave(self) -> None:
        """Stop following; the microphone goes back to the call's own voice."""
        if self._call is None:
            return
        self._call.talk(is_talking=False)
        with contextlib.suppress(ValueError):
            self._call.record.listeners.remove(self._news.set)
            self._call.media.listeners.remove(self._hear)
        self._call = None

    def _hear(self, pcm: Pcm) -> None:
        self._heard.append(pcm.astype("<i2").tobytes())
        self._news.set()

    def _say(self, frame: bytes) -> None:
        sound = self._call.sound if self._call else None
        if isinstance(sound, LiveSound) and len(frame) == _FRAME_BYTES:
            sound.push(np.frombuffer(frame, dtype="<i2").astype(np.int16))

    async def _obey(self, text: str) -> None:
        try:
            order = _Order.model_validate_json(text)
        except ValidationError:
            _log.warning("phone page sent a bad order")
            return
        if order.do == "call":
            if self._call is None or self._call.state is CallState.ENDED:
                await self._exchange.call_business(self._user.user_id)
        elif order.do == "speak_by_itself":
            self._speaks_by_itself = order.is_on
            self._set_voice()
        elif self._call is not None:
            _act(self._call, order)

    def _set_voice(self) -> None:
        if self._call is not None and isinstance(self._call.sound, LiveSound):
            self._call.sound.speaks_by_itself = self._speaks_by_itself

    async def _write(self) -> None:
        """Send what is new: the state when it changed, and the audio that came."""
        while True:
            await self._news.wait()
            self._news.clear()
            self._set_voice()
            state = json.dumps(self._state())
            if state != self._shown:
                self._shown = state
                await self._socket.send_str(state)
            while self._heard:
                await self._socket.send_bytes(self._heard.popleft())

    def _state(self) -> Json:
        call = self._call
        shown: Json | None = None
        if call is not None:
            is_outbound = call.identity.direction is Direction.BUSINESS_INITIATED
            shown = {
                "wacid": call.wacid,
                "state": call.state,
                "is_incoming": is_outbound,
                "business": call.identity.number.display_phone_number,
                "is_connected": call.media.transport.is_connected,
                "seconds": self._seconds(call),
                "ended_by": call.outcome.ended_by if call.outcome else None,
                "reason": call.outcome.reason if call.outcome else None,
            }
        user: Json = {"user_id": self._user.user_id, "name": _name(self._user)}
        return {"type": "state", "user": user, "call": shown}

    def _seconds(self, call: Call) -> int | None:
        """Whole seconds since pick-up, so that a reloaded page shows the true length."""
        if call.started_at is None:
            return None
        skew_s = self._exchange.config.timings.clock_skew_s
        return max(0, int(time.time() + skew_s - call.started_at))


def _act(call: Call, order: _Order) -> None:
    if order.do == "answer":
        call.answer()
    elif order.do == "reject":
        call.reject()
    elif order.do == "hang_up":
        call.hang_up()
    elif order.do == "press":
        call.press(order.digits)
    elif order.do == "mute":
        call.mute(is_muted=order.is_on)
    elif order.do == "talk":
        call.talk(is_talking=order.is_on)


def _name(user: WhatsAppUser) -> str:
    return user.name or user.username or user.wa_id or user.user_id
