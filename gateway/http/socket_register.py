"""All open WebSockets of this process, and the watch over them: alive, signed in, held."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import structlog
from aiohttp import web

from gateway.core.errors import StoreError
from gateway.core.ids import UserId
from gateway.http.metrics import HttpMetrics
from gateway.ports import Json
from gateway.ports.accounts import Person
from gateway.ports.clock import Clock
from gateway.ports.sessions import SessionStore, SignedIn

GOING_AWAY = 1001
SESSION_ENDED = 4401

SOCKETS_MAX = 5_000
SOCKETS_OF_PERSON_MAX = 20
TICK_S = 1.0
TOUCH_EVERY_S = 30.0
HOLD_EVERY_S = 60.0
HOLD_FOR_S = 240.0
STORE_TIMEOUT_S = 2.0
SEND_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 1.0

_log = structlog.get_logger(__name__)


@dataclass(eq=False, slots=True)
class OpenSocket:
    """One browser window's connection."""

    socket: web.WebSocketResponse
    request: web.Request
    signed_in: SignedIn
    token: str = field(repr=False)
    alive_at: float
    touched_at: float
    held_at: float = 0.0
    seq: int = 0
    own_calls: set[str] = field(default_factory=set)
    """Live calls that the person talks on: they are not signed out in the middle of one."""
    closed_with: int | None = None
    _reason: str = ""
    _is_unwanted: asyncio.Event = field(default_factory=asyncio.Event)
    is_gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it is served no more."""

    @property
    def person(self) -> Person:
        """Whose window it is."""
        return self.signed_in.person

    async def send(self, kind: str, body: dict[str, Json]) -> None:
        """Send the next message. Raises `TimeoutError` if the browser does not read."""
        self.seq += 1
        text = json.dumps({"seq": self.seq, "type": kind, **body}, separators=(",", ":"))
        async with asyncio.timeout(SEND_TIMEOUT_S):
            await self.socket.send_str(text)

    def note_call(self, view: dict[str, Json]) -> None:
        """Remember whether this is a live call of the person's own."""
        agent = view.get("agent")
        is_own = isinstance(agent, dict) and agent.get("id") == self.person.user_id
        if is_own and view.get("state") != "ended":
            self.own_calls.add(str(view.get("id")))
        else:
            self.own_calls.discard(str(view.get("id")))

    def send_away(self, code: int, reason: str) -> None:
        """Have it closed by whoever serves it; the first code given is the one."""
        if self.closed_with is None:
            self.closed_with, self._reason = code, reason
            self._is_unwanted.set()

    async def sent_away(self) -> None:
        """Wait until it is to be closed."""
        await self._is_unwanted.wait()

    async def close(self) -> None:
        """Close once nobody reads from it any more; a browser that does not read is cut off.

        A close while somebody reads drops the connection before the browser has answered, and
        then it may not learn the code (aiohttp, `WebSocketResponse.close`).
        """
        self.send_away(GOING_AWAY, "closed")
        assert self.closed_with is not None
        try:
            async with asyncio.timeout(2 * CLOSE_TIMEOUT_S):
                await self.socket.close(code=self.closed_with, message=self._reason.encode())
        except (TimeoutError, ConnectionError):
            if self.request.transport is not None:
                self.request.transport.abort()


class SocketRegister:
    """Keeps count and watches; run `watch` as long as the application serves."""

    def __init__(
        self,
        sessions: SessionStore,
        clock: Clock,
        metrics: HttpMetrics,
        *,
        alive_within_s: float,
    ) -> None:
        self._sessions = sessions
        self._clock = clock
        self._metrics = metrics
        self._alive_within_s = alive_within_s
        self._open: set[OpenSocket] = set()

    def is_full(self, user_id: UserId) -> bool:
        """Whether another window of this person would be one too many."""
        of_person = sum(opened.person.user_id == user_id for opened in self._open)
        return len(self._open) >= SOCKETS_MAX or of_person >= SOCKETS_OF_PERSON_MAX

    @asynccontextmanager
    async def holding(self, opened: OpenSocket) -> AsyncIterator[None]:
        """Watch over a socket while it is served."""
        self._open.add(opened)
        self._metrics.sockets.inc()
        try:
            yield
        finally:
            self._open.discard(opened)
            opened.is_gone.set()
            self._metrics.sockets.dec()
            if opened.closed_with is not None:
                self._metrics.sockets_closed.labels(str(opened.closed_with)).inc()

    async def alive(self, opened: OpenSocket) -> None:
        """The browser said that it is there; its session does not fall idle meanwhile."""
        opened.alive_at = self._clock.monotonic()
        if opened.alive_at - opened.touched_at >= TOUCH_EVERY_S:
            opened.touched_at = opened.alive_at
            try:
                await self._sessions.touch(opened.token, now=self._clock.wall())
            except StoreError:
                _log.warning("a session could not be touched")

    async def watch(self) -> None:
        """Judge all sockets once a second."""
        while True:
            await self._clock.sleep(TICK_S)
            self._close_the_silent()
            try:
                async with asyncio.timeout(STORE_TIMEOUT_S):
                    await self._close_the_ended()
                    await self._hold_those_in_calls()
            except (StoreError, TimeoutError):
                # Without the store nobody is signed out: calls go on.
                _log.warning("sessions of open windows could not be checked")

    async def close_all(self, _app: web.Application) -> None:
        """Send every browser away, to come back to another process."""
        opened = list(self._open)
        for each in opened:
            each.send_away(GOING_AWAY, "going away")
        # The application ends in time, whatever those who serve them wait for.
        with suppress(TimeoutError):
            async with asyncio.timeout(3 * CLOSE_TIMEOUT_S):
                await asyncio.gather(*(each.is_gone.wait() for each in opened))

    def _close_the_silent(self) -> None:
        now = self._clock.monotonic()
        for opened in self._open:
            if now - opened.alive_at > self._alive_within_s:
                opened.send_away(GOING_AWAY, "not heard of")

    async def _close_the_ended(self) -> None:
        ids = {opened.signed_in.session.session_id for opened in self._open}
        if not ids:
            return
        ended = await self._sessions.ended(ids, now=self._clock.wall())
        for opened in list(self._open):
            if opened.signed_in.session.session_id in ended:
                opened.send_away(SESSION_ENDED, "session ended")

    async def _hold_those_in_calls(self) -> None:
        now = self._clock.monotonic()
        for opened in list(self._open):
            if opened.own_calls and now - opened.held_at >= HOLD_EVERY_S:
                opened.held_at = now
                wall = self._clock.wall()
                await self._sessions.hold(opened.token, now=wall, until=wall + HOLD_FOR_S)
