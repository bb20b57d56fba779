"""The Graph API on HTTP: `calls`, permissions, messages and settings of a phone number."""

import json
from typing import assert_never

from aiohttp import web

from sandbox.call import Call
from sandbox.config import BusinessNumber
from sandbox.errors import GraphError
from sandbox.exchange import Exchange
from sandbox.graph_gate import VERSION_PATHS, GraphGate, Json
from sandbox.validation import (
    AcceptRequest,
    ConnectRequest,
    PreAcceptRequest,
    RejectRequest,
    TerminateRequest,
    parse_calls_request,
)

BODY_BYTES_MAX = 262_144
_SETTINGS = {
    *("status", "call_icon_visibility", "call_icons", "call_hours"),
    *("callback_permission_status", "sip", "srtp_key_exchange_protocol", "audio"),
}


class GraphApi:
    """Handlers; `GraphGate` stands in front of each."""

    def __init__(self, exchange: Exchange, gate: GraphGate) -> None:
        self._exchange = exchange
        self._gate = gate

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, with the version in front and, as Graph allows, without."""
        guard = self._gate.guard
        table = [
            ("POST", "calls", self._calls),
            ("GET", "call_permissions", guard("call_permissions", self._permissions)),
            ("POST", "messages", guard("messages", self._messages)),
            ("GET", "settings", guard("settings", self._read_settings)),
            ("POST", "settings", guard("settings", self._write_settings)),
        ]
        return [
            web.route(method, rf"{version}/{{phone_number_id:\d+}}/{name}", handler)
            for version in VERSION_PATHS
            for method, name, handler in table
        ]

    def _number(self, request: web.Request) -> BusinessNumber:
        phone_number_id = request.match_info["phone_number_id"]
        number = self._exchange.numbers.get(phone_number_id)
        if number is None:
            message = (
                f"Unsupported request. Object with ID '{phone_number_id}' does not exist, "
                "cannot be loaded due to missing permissions, or does not support this "
                "operation"
            )
            raise GraphError(100, message=message, subcode=33)
        return number

    # -- calls -------------------------------------------------------------------------

    async def _calls(self, request: web.Request) -> web.StreamResponse:
        """Name the fault after the action, so that one action can fail and others not."""
        body = await _json_body(request)
        action = body.get("action") if isinstance(body, dict) else None

        async def handle(request: web.Request) -> Json:
            return await self._carry_out(self._number(request), body)

        return await self._gate.answer(request, f"calls.{action}", handle)

    async def _carry_out(self, number: BusinessNumber, body: object) -> Json:
        asked = parse_calls_request(body)
        if self._exchange.calling_settings(number).get("status") != "ENABLED":
            raise GraphError(138000)
        if isinstance(asked, ConnectRequest):
            call = await self._exchange.connect(number, asked)
            # The documentation shows no `success`, yet clients used at Meta rely on it.
            answer: Json = {"messaging_product": "whatsapp", "calls": [{"id": call.wacid}]}
            return answer | {"success": True}
        call = self._exchange.business_call(number, asked.call_id)
        try:
            _act(call, asked)
        except GraphError as error:
            call.record.note("graph.refused", code=error.code, details=error.details)
            raise
        return {"messaging_product": "whatsapp", "success": True}

    # -- permissions -------------------------------------------------------------------

    async def _permissions(self, request: web.Request) -> Json:
        number = self._number(request)
        to, recipient = request.query.get("user_wa_id"), request.query.get("recipient")
        if not to and not recipient:
            raise GraphError(100, message="(#100) The parameter user_wa_id is required.")
        return self._exchange.permissions(number, self._exchange.addressed_user(to, recipient))

    async def _messages(self, request: web.Request) -> Json:
        number = self._number(request)
        body = await _json_body(request)
        if not isinstance(body, dict) or body.get("messaging_product") != "whatsapp":
            raise GraphError(100, message="(#100) The parameter messaging_product is required.")
        to, recipient = body.get("to"), body.get("recipient")
        if not to and not recipient:
            raise GraphError(100, message="(#100) The parameter to is required.")
        if not _asks_permission(body):
            raise GraphError(100, "The sandbox takes only requests for permission to call")
        user = self._exchange.addressed_user(
            to if isinstance(to, str) else None,
            recipient if isinstance(recipient, str) else None,
        )
        message_id = self._exchange.request_permission(number, user)
        contact: Json = {"input": to or recipient, "user_id": user.user_id}
        if user.wa_id is not None:
            contact["wa_id"] = user.wa_id
        return {
            "messaging_product": "whatsapp",
            "contacts": [contact],
            "messages": [{"id": message_id}],
        }

    # -- settings ----------------------------------------------------------------------

    async def _read_settings(self, request: web.Request) -> Json:
        return {"calling": self._exchange.calling_settings(self._number(request))}

    async def _write_settings(self, request: web.Request) -> Json:
        number = self._number(request)
        body = await _json_body(request)
        calling = body.get("calling") if isinstance(body, dict) else None
        if not isinstance(calling, dict):
            raise GraphError(100, message="(#100) The parameter calling is required.")
        for key in calling:
            if key not in _SETTINGS:
                raise GraphError(100, message=f'(#100) Unexpected key "{key}" on "calling".')
        self._exchange.change_settings(number, calling)
        return {"success": True}


def _act(
    call: Call, asked: PreAcceptRequest | AcceptRequest | RejectRequest | TerminateRequest
) -> None:
    match asked:
        case PreAcceptRequest():
            call.record.note("graph.pre_accept")
            call.pre_accept(asked.sdp)
        case AcceptRequest():
            call.record.note("graph.accept")
            call.accept(asked)
        case RejectRequest():
            call.record.note("graph.reject")
            call.business_rejects()
        case TerminateRequest():
            call.record.note("graph.terminate")
            call.business_terminates()
        case _:
            assert_never(asked)


def _asks_permission(body: dict[str, object]) -> bool:
    """A free-form request, or any template: the sandbox knows no template's components."""
    if body.get("type") == "template":
        return True
    interactive = body.get("interactive")
    return (
        isinstance(interactive, dict) and interactive.get("type") == "call_permission_request"
    )


async def _json_body(request: web.Request) -> object:
    try:
        body = await request.read()
        return json.loads(body) if len(body) <= BODY_BYTES_MAX else None
    except (ValueError, UnicodeDecodeError):
        return None
