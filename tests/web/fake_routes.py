"""REST routes of the fake gateway."""

import uuid
from typing import Any

from aiohttp import web

from tests.web.fake_gateway import BODY, FakeGateway, problem

PAGE = 25


def make_routes(gateway: FakeGateway) -> list[web.RouteDef]:
    served = Routes(gateway)
    api = "/api/v1"
    return [
        web.post(f"{api}/login", served.login),
        web.post(f"{api}/logout", served.logout),
        web.get(f"{api}/me", served.me),
        web.put(f"{api}/me/availability", served.availability),
        web.post(f"{api}/agent-legs", served.create_leg),
        web.delete(f"{api}/agent-legs/{{id}}", served.delete_leg),
        web.post(f"{api}/calls", served.dial),
        web.get(f"{api}/calls", served.calls),
        web.get(f"{api}/calls/{{id}}", served.call),
        web.get(f"{api}/calls/{{id}}/trace", served.trace),
        web.post(f"{api}/calls/{{id}}/{{deed}}", served.act),
        web.get(f"{api}/quota", served.quota),
        web.get(f"{api}/events", gateway.serve_events),
        web.get("/{path:.*}", served.page),
    ]


class Routes:
    def __init__(self, gateway: FakeGateway) -> None:
        self.gateway = gateway

    def user(self, request: web.Request) -> str:
        user_id = self.gateway.who(request)
        assert user_id is not None
        return user_id

    async def login(self, request: web.Request) -> web.Response:
        body = request[BODY]
        for user_id, person in self.gateway.people.items():
            if person["email"] == body["email"] and body["password"] == "secret":
                session = uuid.uuid4().hex
                self.gateway.sessions[session] = user_id
                response = web.json_response(self.gateway.me(user_id))
                response.set_cookie("callgate", session, httponly=True, samesite="Strict")
                return response
        return problem("wrong_password", 401)

    async def logout(self, request: web.Request) -> web.Response:
        self.gateway.sessions.pop(request.cookies.get("callgate", ""), None)
        return web.Response(status=204)

    async def me(self, request: web.Request) -> web.Response:
        return web.json_response(self.gateway.me(self.user(request)))

    async def availability(self, request: web.Request) -> web.Response:
        state = request[BODY]["availability"]
        user_id = self.user(request)
        self.gateway.availability[user_id] = state
        name = self.gateway.people[user_id]["name"]
        await self.gateway.presence(user_id, name, state)
        return web.Response(status=204)

    async def create_leg(self, request: web.Request) -> web.Response:
        offer = request[BODY]["offer"]
        await self.gateway.leg_gate.wait()
        leg = self.gateway.make_leg()
        self.gateway.legs[leg.leg_id] = leg
        answer = await leg.answer(offer, blocked=self.gateway.legs_blocked)
        return web.json_response({"leg_id": leg.leg_id, "answer": answer}, status=201)

    async def delete_leg(self, request: web.Request) -> web.Response:
        leg = self.gateway.legs.pop(request.match_info["id"], None)
        if leg is None:
            return problem("not_found", 404)
        await leg.close()
        return web.Response(status=204)

    async def dial(self, request: web.Request) -> web.Response:
        body = request[BODY]
        if body["leg_id"] not in self.gateway.legs:
            return problem("leg_gone", 409)
        self.gateway.idempotency_keys.append(request.headers["Idempotency-Key"])
        number = next(n for n in self.gateway.numbers if n["id"] == body["number_id"])
        call = self.gateway._new_call("outbound", "dialling", body["to"], number)
        self.join(request, call, body["leg_id"])
        return web.json_response({"call": call}, status=201)

    def join(self, request: web.Request, call: dict[str, Any], leg_id: str) -> None:
        person = self.gateway.people[self.user(request)]
        call["agent"] = {"id": person["id"], "name": person["name"]}
        call["offered_to"] = []
        self.gateway.leg_of[call["id"]] = leg_id

    async def calls(self, request: web.Request) -> web.Response:
        query = request.query
        seen = [
            c
            for c in reversed(self.gateway.calls.values())
            if query.get("direction") in {None, c["direction"]}
            and not (query.get("live") == "true" and c["state"] == "ended")
            and (c["state"] == "ended" or self.gateway.sees(self.user(request), c))
        ]
        start, limit = int(query.get("cursor", 0)), int(query.get("limit", PAGE))
        more = str(start + limit) if start + limit < len(seen) else None
        return web.json_response({"items": seen[start : start + limit], "next_cursor": more})

    async def call(self, request: web.Request) -> web.Response:
        call = self.gateway.calls.get(request.match_info["id"])
        return web.json_response(call) if call else problem("not_found", 404)

    async def trace(self, request: web.Request) -> web.Response:
        if self.gateway.forbid_trace:
            return problem("forbidden", 403)
        lines = self.gateway.traces.get(request.match_info["id"], [])
        return web.json_response({"lines": lines})

    async def quota(self, request: web.Request) -> web.Response:
        if self.gateway.people[self.user(request)]["role"] == "agent":
            return problem("forbidden", 403)
        quota = self.gateway.quota
        return problem("store_down", 503) if quota is None else web.json_response(quota)

    async def act(self, request: web.Request) -> web.Response:
        gateway, deed = self.gateway, request.match_info["deed"]
        call = gateway.calls[request.match_info["id"]]
        body = request[BODY]
        if call["state"] == "ended":
            return problem("call_ended", 409)
        if deed in {"answer", "reattach"}:
            return await self.attach(request, call, body["leg_id"], deed)
        if deed == "decline":
            if body["everyone"]:
                await gateway.end(call["id"], "rejected")
            else:
                left = [u for u in call["offered_to"] if u != self.user(request)]
                await gateway.change(call["id"], offered_to=left)
        if deed == "hangup":
            is_answered = call["answered_at"] is not None
            await gateway.end(call["id"], "completed" if is_answered else "cancelled")
        if deed == "mute":
            await gateway.change(call["id"], muted=body["muted"])
        if deed == "hold":
            await gateway.change(call["id"], held=body["held"])
        return web.Response(status=204)

    async def attach(
        self, request: web.Request, call: dict[str, Any], leg_id: str, deed: str
    ) -> web.Response:
        if leg_id not in self.gateway.legs:
            return problem("leg_gone", 409)
        if deed == "answer" and call["state"] != "ringing":
            return problem("call_taken", 409)
        self.join(request, call, leg_id)
        if deed == "answer":
            await self.gateway.change(call["id"], state="connecting")
        else:
            await self.gateway.change(call["id"], agent_away=False, reattach_until=None)
            if call["state"] == "talking":
                self.gateway._flow(call["id"])
        return web.json_response({"call": call})

    async def page(self, request: web.Request) -> web.FileResponse:
        path = self.gateway.dist / request.match_info["path"]
        is_file = path.is_file() and path.is_relative_to(self.gateway.dist)
        return web.FileResponse(path if is_file else self.gateway.dist / "index.html")
