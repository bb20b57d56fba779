"""A gateway that does what the browser's contract says, with a person of the test in its place.

It speaks the REST and WebSocket interface, keeps calls as the contract's JSON and answers agent
legs with a real peer. What WhatsApp would do, the test does: `ring`, `pick_up`, `end`.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from tests.web.agent_legs import AgentLeg

Json = dict[str, Any]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "worker-src 'self' blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
BODY = web.RequestKey("body", dict[str, Any])
NUMBERS = [
    {"id": "n1", "display": "+62 21 5550 0100"},
    {"id": "n2", "display": "+62 21 5550 0200"},
]
BUDI = {"name": "Budi Santoso", "phone": "6281234567890", "user_id": "ID.134912086553"}


def stamp(at: datetime | None = None) -> str:
    return (at or datetime.now(UTC)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class FakeGateway:
    """One account, its people, their calls."""

    def __init__(self, dist: Path) -> None:
        self.dist = dist
        self.people: dict[str, Json] = {}
        self.sessions: dict[str, str] = {}
        self.availability: dict[str, str] = {}
        self.calls: dict[str, Json] = {}
        self.traces: dict[str, list[Json]] = {}
        self.legs: dict[str, AgentLeg] = {}
        self.leg_of: dict[str, str] = {}
        """Leg attached to a call."""
        self.notices: list[Json] = []
        self.refusals: dict[str, list[Json]] = {}
        """Problems to answer with, once each, by the last word of the path."""
        self.requests: list[tuple[str, str, Json | None]] = []
        self.idempotency_keys: list[str] = []
        self.make_leg: Callable[[], AgentLeg] = AgentLeg
        self.legs_blocked = False
        self.forbid_trace = False
        self.quota: Json | None = None
        """None: it cannot be read."""
        self.alive_count = 0
        self.numbers = NUMBERS
        self.leg_gate = asyncio.Event()
        """Cleared: legs wait before they are answered."""
        self.leg_gate.set()
        self._sockets: dict[web.WebSocketResponse, tuple[str, list[int]]] = {}
        self.call_settings: Any = None
        self.library: Any = None
        self.office: Any = None
        """All three are made with the routes."""
        self._runner: web.AppRunner | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def add_person(self, email: str, name: str, role: str = "agent") -> str:
        """Return the id of a new person, whose password is `secret`."""
        user_id = f"u{len(self.people) + 1}"
        self.people[user_id] = {"id": user_id, "name": name, "email": email, "role": role}
        self.availability[user_id] = "away"
        return user_id

    async def start(self) -> None:
        app = web.Application(middlewares=[self._guard])
        app.add_routes(routes(self))
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]

    async def stop(self) -> None:
        """As when the process is stopped: sockets go, legs (another process) stay."""
        await self.drop_sockets(WSCloseCode.GOING_AWAY)
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner = None

    async def close(self) -> None:
        self.leg_gate.set()
        await self.stop()
        await asyncio.gather(*(leg.close() for leg in self.legs.values()))

    async def drop_sockets(self, code: int) -> None:
        await asyncio.gather(*(socket.close(code=code) for socket in list(self._sockets)))

    # What WhatsApp's side does

    async def ring(self, to: list[str], peer: Json | None = None) -> str:
        call = self._new_call("inbound", "ringing", peer or BUDI, NUMBERS[0])
        call["offered_to"] = to
        await self._announce(call)
        return str(call["id"])

    async def pick_up(self, call_id: str) -> None:
        await self.change(call_id, state="talking", answered_at=stamp())
        self._flow(call_id)

    async def end(self, call_id: str, outcome: str = "completed", **more: Any) -> None:
        self._hush(call_id)
        await self.change(
            call_id, state="ended", outcome=outcome, offered_to=[], ended_at=stamp(), **more
        )

    async def lose_leg(self, call_id: str) -> None:
        """The media worker saw the agent's leg die."""
        until = stamp(datetime.now(UTC) + timedelta(seconds=45))
        await self.change(call_id, agent_away=True, reattach_until=until)

    async def change(self, call_id: str, **facts: Any) -> None:
        call = self.calls[call_id]
        call.update(facts, version=call["version"] + 1)
        await self._announce(call)

    async def tell_recording(self, call_id: str, recording: Json) -> None:
        """What a capture does now; not a new version of the call."""
        self.calls[call_id]["recording"] = recording
        await self._send_all({"type": "recording", "call_id": call_id, "recording": recording})

    async def tell_quota(self, picture: Json) -> None:
        self.quota = picture
        await self._send_leads({"type": "quota", **picture})

    async def tell_threshold(self, threshold: int) -> None:
        await self._send_leads(
            {"type": "quota_threshold", "threshold": threshold, "at": stamp()}
        )

    async def notify(self, code: str) -> None:
        await self._send_all({"type": "notice", "code": code, "detail": f"detail of {code}"})

    async def presence(self, user_id: str, name: str, state: str) -> None:
        await self._send_all(
            {"type": "presence", "user_id": user_id, "name": name, "state": state}
        )

    async def skip_a_number(self) -> None:
        """Lose one event on the way to every browser."""
        for _user, counter in self._sockets.values():
            counter[0] += 1

    def refuse(self, word: str, code: str, status: int = 409, **more: Any) -> None:
        problem = {"type": "about:blank", "title": code, "status": status, "code": code}
        self.refusals.setdefault(word, []).append({**problem, "detail": f"{code} here", **more})

    def leg_on(self, call_id: str) -> AgentLeg:
        return self.legs[self.leg_of[call_id]]

    def finished_call(self, **facts: Any) -> str:
        """A call of the past, for the list."""
        call = self._new_call("inbound", "ended", BUDI, NUMBERS[0])
        call.update({"outcome": "completed", "ended_at": stamp(), **facts})
        return str(call["id"])

    # Inside

    def _new_call(self, direction: str, state: str, peer: Json, number: Json) -> Json:
        call_id = f"call_{uuid.uuid4().hex[:10]}"
        self.calls[call_id] = {
            "id": call_id, "version": 1, "direction": direction, "state": state, "peer": peer,
            "number": number, "agent": None, "offered_to": [], "created_at": stamp(),
            "answered_at": None, "ended_at": None, "muted": False, "held": False,
            "agent_away": False, "reattach_until": None, "outcome": None, "problem": None,
            "quality": None, "recording": None,
        }  # fmt: skip
        return self.calls[call_id]

    def _flow(self, call_id: str) -> None:
        if call_id in self.leg_of:
            self.leg_on(call_id).player.flowing.set()

    def _hush(self, call_id: str) -> None:
        leg_id = self.leg_of.pop(call_id, None)
        if leg_id in self.legs:
            self.legs[leg_id].player.flowing.clear()

    def me(self, user_id: str) -> Json:
        return {
            "user": self.people[user_id],
            "account": {"cid": "c1", "name": "Toko Maju", "timezone": "Asia/Jakarta"},
            "numbers": self.numbers,
            "availability": self.availability[user_id],
            "rtc": {"ice_servers": []},
            "limits": {"reattach_s": 45},
            "version": "0.1.0",
        }

    def sees(self, user_id: str, call: Json) -> bool:
        if self.people[user_id]["role"] != "agent":
            return True
        is_own = call["agent"] is not None and call["agent"]["id"] == user_id
        return is_own or user_id in call["offered_to"]

    async def _announce(self, call: Json) -> None:
        await self._send_all({"type": "call", "call": call})

    async def _send_leads(self, event: Json) -> None:
        await self._send_all(event, roles={"supervisor", "admin"})

    async def _send_all(self, event: Json, *, roles: set[str] | None = None) -> None:
        for socket, (user_id, counter) in list(self._sockets.items()):
            if roles is not None and self.people[user_id]["role"] not in roles:
                continue
            counter[0] += 1
            if not socket.closed:
                await socket.send_json({"seq": counter[0], **event})

    @web.middleware
    async def _guard(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        is_api = request.path.startswith("/api/")
        if is_api and not request.path.endswith("/events"):
            is_json = request.can_read_body and request.content_type == "application/json"
            body = await request.json() if is_json else None
            request[BODY] = body or {}
            self.requests.append((request.method, request.path, body))
            word = request.path.rsplit("/", 1)[1]
            if self.refusals.get(word) and request.method != "GET":
                return problem(**self.refusals[word].pop(0))
            own = f"http://{request.host}"
            if request.method != "GET" and request.headers.get("Origin") != own:
                return problem("foreign_origin", 403)
            if request.path != "/api/v1/login" and self.who(request) is None:
                return problem("not_signed_in", 401)
        response = await handler(request)
        if not response.prepared:
            response.headers["Content-Security-Policy"] = POLICY
        return response

    def who(self, request: web.Request) -> str | None:
        return self.sessions.get(request.cookies.get("callgate", ""))

    async def serve_events(self, request: web.Request) -> web.WebSocketResponse:
        user_id = self.who(request)
        if user_id is None:
            raise web.HTTPUnauthorized
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        live = [c for c in self.calls.values() if c["state"] != "ended"]
        await socket.send_json({
            "seq": 1, "type": "snapshot", "at": stamp(), "me": self.me(user_id),
            "calls": [c for c in live if self.sees(user_id, c)],
            "presence": [
                {"user_id": i, "name": p["name"], "state": self.availability[i]}
                for i, p in self.people.items()
            ],
        })  # fmt: skip
        self._sockets[socket] = (user_id, [1])
        try:
            async for message in socket:
                if message.type != WSMsgType.TEXT or message.json() != {"type": "alive"}:
                    await socket.close(code=WSCloseCode.POLICY_VIOLATION)
                else:
                    self.alive_count += 1
        finally:
            del self._sockets[socket]
        return socket


def problem(code: str, status: int, **more: Any) -> web.Response:
    return web.json_response(
        {"title": code, "detail": f"{code} here", **more, "status": status, "code": code},
        status=status,
        content_type="application/problem+json",
    )


def routes(gateway: FakeGateway) -> list[web.RouteDef]:
    """The routes; what they do stands in `fake_routes`."""
    from tests.web.fake_library import FakeLibrary  # noqa: PLC0415  (they need each other)
    from tests.web.fake_office import FakeOffice  # noqa: PLC0415  (as above)
    from tests.web.fake_routes import make_routes  # noqa: PLC0415  (as above)
    from tests.web.fake_settings import FakeSettings  # noqa: PLC0415  (as above)

    gateway.call_settings = FakeSettings(gateway)
    gateway.library = FakeLibrary(gateway)
    gateway.office = FakeOffice(gateway)
    return [
        *gateway.call_settings.routes(),
        # Before the library: what it serves under `recordings/` is no recording.
        *gateway.office.routes(),
        *gateway.library.routes(),
        *make_routes(gateway),
    ]
