"""The browser's WebSocket: a snapshot first, then numbered news.

Subscribe, then read: what changes while the snapshot is read arrives after it, and the version
of each call tells the browser which of the two is newer.
"""

import asyncio
import json

import structlog
from aiohttp import WSMsgType, web

from gateway.core.errors import CallgateError
from gateway.http.callers import admit
from gateway.http.cookies import token_of
from gateway.http.deps import PublicDeps
from gateway.http.problems import refuse
from gateway.http.session_routes import me_of
from gateway.http.socket_register import (
    CLOSE_TIMEOUT_S,
    GOING_AWAY,
    OpenSocket,
    SocketRegister,
)
from gateway.ports import Json
from gateway.ports.accounts import Person, Role
from gateway.ports.live import LiveEvent
from gateway.ports.sessions import SignedIn
from gateway.runtime.call_view import moment

PATH = "/events"
BAD_MESSAGE = 1008
TOO_SLOW = 4429
MESSAGE_BYTES_MAX = 1_024
PING_EVERY_S = 20.0
LEADS = frozenset({Role.SUPERVISOR, Role.ADMIN})

_log = structlog.get_logger(__name__)


class EventSockets:
    """Serves `GET /events`."""

    def __init__(self, deps: PublicDeps, register: SocketRegister) -> None:
        self._deps = deps
        self._register = register

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Upgrade, and stay until either side has enough."""
        deps = self._deps
        signed_in = await admit(request, "events.watch", changes_state=True)
        token = token_of(request, deps.peers)
        assert isinstance(signed_in, SignedIn), "the policy lets nobody in without a session"
        assert token is not None, "nor without its token"
        if self._register.is_full(signed_in.person.user_id):
            raise refuse(429, "rate_limited", "Too many windows are open; close some.")
        socket = web.WebSocketResponse(
            timeout=CLOSE_TIMEOUT_S,
            heartbeat=PING_EVERY_S,
            max_msg_size=MESSAGE_BYTES_MAX,
            compress=False,
        )
        await socket.prepare(request)
        now = deps.clock.monotonic()
        opened = OpenSocket(socket, request, signed_in, token, alive_at=now, touched_at=now)
        async with self._register.holding(opened):
            await self._converse(opened)
        return socket

    async def _converse(self, opened: OpenSocket) -> None:
        await self._deps.desk.enter(opened.person)
        sides = [
            asyncio.create_task(side)
            for side in (self._listen(opened), self._tell(opened), opened.sent_away())
        ]
        try:
            await asyncio.wait(sides, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for side in sides:
                side.cancel()
            await asyncio.gather(*sides, return_exceptions=True)
            try:
                await opened.close()
            finally:
                await self._deps.desk.leave(opened.person)

    async def _listen(self, opened: OpenSocket) -> None:
        """Take what the browser says until it goes; it may say that it is alive."""
        async for message in opened.socket:
            if message.type is not WSMsgType.TEXT or not _is_alive(message.data):
                opened.send_away(BAD_MESSAGE, "unexpected message")
                return
            await self._register.alive(opened)

    async def _tell(self, opened: OpenSocket) -> None:
        """Send the snapshot and the news; ends if the browser reads too slowly."""
        try:
            async with self._deps.bus.subscribe(opened.person.account_id) as news:
                await self._send_snapshot(opened)
                for notice in self._deps.desk.notices(opened.person):
                    body: dict[str, Json] = {"code": notice.code, "detail": notice.detail}
                    await opened.send("notice", body)
                async for event in news:
                    if is_for(opened.person, event):
                        await _send_event(opened, event)
            opened.send_away(TOO_SLOW, "too slow")
        except TimeoutError:
            opened.send_away(TOO_SLOW, "too slow")
        except CallgateError as error:
            _log.warning("a window got no snapshot", reason=type(error).__name__)
            opened.send_away(GOING_AWAY, "not now")
        except ConnectionError:
            return  # The browser is gone; the listener ends the conversation.

    async def _send_snapshot(self, opened: OpenSocket) -> None:
        deps, person = self._deps, opened.person
        me = await me_of(deps, person, opened.signed_in.account)
        calls = [view.as_json() for view in await deps.desk.live_calls(person)]
        people = await deps.desk.presence(person)
        for view in calls:
            opened.note_call(view)
        await opened.send(
            "snapshot",
            {
                "at": moment(deps.clock.wall()),
                "me": me.model_dump(mode="json", exclude_unset=True),
                "calls": list(calls),
                "presence": [
                    {"user_id": one.user_id, "name": one.name, "state": one.state}
                    for one in people
                ],
            },
        )


async def _send_event(opened: OpenSocket, event: LiveEvent) -> None:
    if event.kind == "call":
        opened.note_call(event.body)
        await opened.send("call", {"call": event.body})
    else:
        await opened.send(event.kind, event.body)


def is_for(person: Person, event: LiveEvent) -> bool:
    """Whether a person may see it: supervisors and admins see all that is not personal."""
    if event.audience is None or person.user_id in event.audience:
        return True
    return person.role in LEADS and not event.is_personal


def _is_alive(text: str) -> bool:
    try:
        return bool(json.loads(text) == {"type": "alive"})
    except (ValueError, RecursionError):
        return False
