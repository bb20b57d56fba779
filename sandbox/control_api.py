"""Control API: tests and people move the users, break things, and read what happened."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sandbox.call import Call
from sandbox.config import PermissionStatus, UserSpec
from sandbox.exchange import Exchange, UnknownId
from sandbox.faults import Fault, FaultSpec
from sandbox.graph_media import GraphMedia
from sandbox.personas import Persona
from sandbox.reports import (
    call_report,
    call_summary,
    delivery_report,
    heard_report,
    user_report,
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _StartCall(_Strict):
    user_id: str
    phone_number_id: str | None = None
    persona: Persona | None = None
    deeplink_payload: str | None = Field(default=None, max_length=512)
    cta_payload: str | None = Field(default=None, max_length=512)


class _Press(_Strict):
    digits: str = Field(pattern=r"^[0-9*#A-D]{1,64}$")


class _Mute(_Strict):
    is_muted: bool


class _Drop(_Strict):
    seconds: float = Field(gt=0, le=3600)


class _Permission(_Strict):
    status: PermissionStatus
    phone_number_id: str | None = None
    is_automatic: bool = False


class _EditUser(_Strict):
    wa_id: str | None = Field(default=None, pattern=r"^\d{5,20}$")
    name: str | None = None
    username: str | None = None
    can_be_called: bool = True


class _Announce(_Strict):
    event: Literal["call_recording_available", "call_transcription_available"]
    media_id: str


class _Webhook(_Strict):
    url: str | None = Field(max_length=2000)


class _RawWebhook(_Strict):
    body: str = Field(max_length=3_000_000)
    name: str = Field(default="raw", max_length=100)
    app_secret: str | None = None


_Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
_WAIT_S_MAX = 120.0


class ControlApi:
    """Handlers below `/sandbox`; unknown ids answer 404, bad bodies 422 with the reasons."""

    def __init__(self, exchange: Exchange, media: GraphMedia) -> None:
        self._exchange = exchange
        self._media = media

    def routes(self) -> list[web.RouteDef]:
        """Return all routes."""
        call = "/sandbox/calls/{wacid}"
        user = "/sandbox/users/{user_id}"
        table: list[tuple[str, str, _Answer]] = [
            ("GET", "/sandbox", self._overview),
            ("GET", "/sandbox/users", self._users),
            ("POST", "/sandbox/users", self._add_user),
            ("GET", user, self._user),
            ("PATCH", user, self._edit_user),
            ("PUT", f"{user}/persona", self._set_persona),
            ("PUT", f"{user}/permission", self._set_permission),
            ("GET", "/sandbox/calls", self._calls),
            ("POST", "/sandbox/calls", self._start_call),
            ("GET", call, self._call),
            ("GET", f"{call}/heard", self._heard),
            ("GET", f"{call}/heard.wav", self._heard_wav),
            ("POST", f"{call}/answer", self._act(Call.answer)),
            ("POST", f"{call}/reject", self._act(Call.reject)),
            ("POST", f"{call}/hang_up", self._act(Call.hang_up)),
            ("POST", f"{call}/press", self._press),
            ("POST", f"{call}/mute", self._mute),
            ("POST", f"{call}/drop_network", self._drop_network),
            ("POST", f"{call}/announce", self._announce),
            ("POST", "/sandbox/media", self._add_media),
            ("GET", "/sandbox/faults", self._faults),
            ("POST", "/sandbox/faults", self._add_fault),
            ("DELETE", "/sandbox/faults", self._clear_faults),
            ("DELETE", r"/sandbox/faults/{fault_id:\d+}", self._remove_fault),
            ("GET", "/sandbox/webhooks", self._deliveries),
            ("POST", "/sandbox/webhooks", self._inject),
            ("PUT", "/sandbox/webhook", self._set_webhook),
            ("POST", "/sandbox/webhook/verify", self._verify_webhook),
        ]
        return [web.route(method, path, _guarded(handler)) for method, path, handler in table]

    async def _overview(self, request: web.Request) -> web.Response:
        del request
        exchange = self._exchange
        return web.json_response(
            {
                "webhook_url": exchange.webhooks.url,
                "numbers": [number.model_dump() for number in exchange.numbers.values()],
                "users": len(exchange.users),
                "calls": len(exchange.calls),
            }
        )

    # -- users -------------------------------------------------------------------------

    async def _users(self, request: web.Request) -> web.Response:
        del request
        users = [user_report(user) for user in self._exchange.users.values()]
        return web.json_response({"users": users})

    async def _add_user(self, request: web.Request) -> web.Response:
        user = self._exchange.add_user(UserSpec.model_validate_json(await request.read()))
        return web.json_response(user_report(user), status=201)

    async def _user(self, request: web.Request) -> web.Response:
        user = self._exchange.user(request.match_info["user_id"])
        return web.json_response(user_report(user))

    async def _edit_user(self, request: web.Request) -> web.Response:
        user = self._exchange.user(request.match_info["user_id"])
        asked = _EditUser.model_validate_json(await request.read())
        for name in asked.model_fields_set:
            setattr(user, name, getattr(asked, name))
        return web.json_response(user_report(user))

    async def _set_persona(self, request: web.Request) -> web.Response:
        user = self._exchange.user(request.match_info["user_id"])
        user.persona = Persona.model_validate_json(await request.read())
        return web.json_response(user_report(user))

    async def _set_permission(self, request: web.Request) -> web.Response:
        user = self._exchange.user(request.match_info["user_id"])
        asked = _Permission.model_validate_json(await request.read())
        number = self._exchange.number(asked.phone_number_id)
        self._exchange.set_permission(
            number, user, asked.status, is_automatic=asked.is_automatic
        )
        return web.json_response(self._exchange.permissions(number, user))

    # -- calls -------------------------------------------------------------------------

    async def _calls(self, request: web.Request) -> web.Response:
        user_id = request.query.get("user_id")
        with contextlib.suppress(TimeoutError):
            await self._exchange.wait_for_calls(
                int(request.query.get("wait_for_count", "0")), _timeout_s(request)
            )
        calls = [
            call_summary(call)
            for call in self._exchange.calls.values()
            if user_id in {None, call.identity.user.user_id}
        ]
        return web.json_response({"calls": calls})

    async def _start_call(self, request: web.Request) -> web.Response:
        asked = _StartCall.model_validate_json(await request.read())
        call = await self._exchange.call_business(
            asked.user_id,
            asked.phone_number_id,
            persona=asked.persona,
            deeplink_payload=asked.deeplink_payload,
            cta_payload=asked.cta_payload,
        )
        return web.json_response(await call_report(call), status=201)

    async def _call(self, request: web.Request) -> web.Response:
        call = self._named_call(request)
        event = request.query.get("wait_for")
        if event is not None:
            try:
                await call.record.wait_for(event, _timeout_s(request))
            except TimeoutError:
                return web.json_response(await call_report(call), status=408)
        return web.json_response(await call_report(call))

    async def _heard(self, request: web.Request) -> web.Response:
        hearing = self._named_call(request).hearing
        from_s = float(request.query.get("from_s", "0"))
        to_s = float(request.query["to_s"]) if "to_s" in request.query else None
        measured = await asyncio.to_thread(hearing.measure, from_s, to_s)
        return web.json_response(heard_report(measured))

    async def _heard_wav(self, request: web.Request) -> web.Response:
        hearing = self._named_call(request).hearing
        return web.Response(body=await asyncio.to_thread(hearing.wav), content_type="audio/wav")

    def _act(self, action: Callable[[Call], None]) -> _Answer:
        async def handle(request: web.Request) -> web.Response:
            call = self._named_call(request)
            action(call)
            return web.json_response(call_summary(call))

        return handle

    async def _press(self, request: web.Request) -> web.Response:
        call = self._named_call(request)
        digits = _Press.model_validate_json(await request.read()).digits
        return _done(call, is_done=call.press(digits))

    async def _mute(self, request: web.Request) -> web.Response:
        call = self._named_call(request)
        is_muted = _Mute.model_validate_json(await request.read()).is_muted
        return _done(call, is_done=call.mute(is_muted=is_muted))

    async def _drop_network(self, request: web.Request) -> web.Response:
        call = self._named_call(request)
        call.drop_network(_Drop.model_validate_json(await request.read()).seconds)
        return web.json_response(call_summary(call))

    def _named_call(self, request: web.Request) -> Call:
        return self._exchange.call(request.match_info["wacid"])

    # -- files -------------------------------------------------------------------------

    async def _add_media(self, request: web.Request) -> web.Response:
        """Store the body under the request's content type."""
        mime_type = request.headers.get("Content-Type", "application/octet-stream")
        stored = self._exchange.media.put(await request.read(), mime_type)
        return web.json_response(
            {
                "id": stored.media_id,
                "sha256": stored.sha256,
                "url": self._media.link(stored.media_id),
            },
            status=201,
        )

    async def _announce(self, request: web.Request) -> web.Response:
        call = self._named_call(request)
        asked = _Announce.model_validate_json(await request.read())
        stored = self._exchange.media.get(asked.media_id)
        if stored is None:
            raise UnknownId("no such media id")
        link = self._media.link(stored.media_id)
        self._exchange.announce(call, asked.event, stored, link)
        return web.json_response({"id": stored.media_id, "url": link})

    # -- faults ------------------------------------------------------------------------

    async def _faults(self, request: web.Request) -> web.Response:
        del request
        return web.json_response(
            {"faults": [_fault(one) for one in self._exchange.faults.all()]}
        )

    async def _add_fault(self, request: web.Request) -> web.Response:
        fault = self._exchange.faults.add(FaultSpec.model_validate_json(await request.read()))
        return web.json_response(_fault(fault), status=201)

    async def _clear_faults(self, request: web.Request) -> web.Response:
        del request
        self._exchange.faults.clear()
        return web.Response(status=204)

    async def _remove_fault(self, request: web.Request) -> web.Response:
        if not self._exchange.faults.remove(int(request.match_info["fault_id"])):
            raise UnknownId("no such fault")
        return web.Response(status=204)

    # -- webhooks ----------------------------------------------------------------------

    async def _deliveries(self, request: web.Request) -> web.Response:
        wacid = request.query.get("wacid")
        found = [
            delivery_report(delivery)
            for delivery in self._exchange.webhooks.deliveries
            if wacid in {None, delivery.wacid}
        ]
        return web.json_response({"deliveries": found})

    async def _inject(self, request: web.Request) -> web.Response:
        asked = _RawWebhook.model_validate_json(await request.read())
        delivery = self._exchange.webhooks.send_raw(
            asked.name, asked.body.encode(), app_secret=asked.app_secret
        )
        return web.json_response(delivery_report(delivery), status=201)

    async def _set_webhook(self, request: web.Request) -> web.Response:
        self._exchange.webhooks.url = _Webhook.model_validate_json(await request.read()).url
        return web.json_response({"webhook_url": self._exchange.webhooks.url})

    async def _verify_webhook(self, request: web.Request) -> web.Response:
        del request
        is_verified, answer = await self._exchange.webhooks.verify()
        return web.json_response({"is_verified": is_verified, "answer": answer})


def _done(call: Call, *, is_done: bool) -> web.Response:
    if not is_done:
        return web.json_response({"error": "the user cannot be heard yet"}, status=409)
    return web.json_response(call_summary(call))


def _timeout_s(request: web.Request) -> float:
    return min(_WAIT_S_MAX, float(request.query.get("timeout_s", "10")))


def _fault(fault: Fault) -> dict[str, object]:
    spec = fault.spec.model_dump(mode="json")
    return {"id": fault.fault_id, "fired": fault.fired} | spec


def _guarded(handler: _Answer) -> _Answer:
    """Turn what the caller got wrong into answers."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except UnknownId as error:
            return web.json_response({"error": str(error)}, status=404)
        except ValidationError as error:
            reasons = error.errors(
                include_url=False, include_context=False, include_input=False
            )
            return web.json_response({"error": "bad body", "reasons": reasons}, status=422)
        except (ValueError, KeyError) as error:
            return web.json_response({"error": str(error)}, status=422)

    return handle
