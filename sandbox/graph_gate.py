"""What every Graph request passes: version, token, faults on demand, Meta's headers."""

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from http import HTTPStatus

from aiohttp import web

from sandbox.config import SandboxConfig, version_number
from sandbox.errors import GraphError, new_trace_id
from sandbox.faults import FaultKind, Faults, FaultSpec

VERSION_PATHS = (r"/{version:v\d+\.\d+}", "")
_SLOW_PARTS = 10
_HTML = "<!DOCTYPE html><html><body>Sorry, something went wrong.</body></html>"

Json = dict[str, object]
Handler = Callable[[web.Request], Awaitable[Json]]
HttpHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class GraphGate:
    """The frame around the handlers of the Graph API."""

    def __init__(self, config: SandboxConfig, faults: Faults) -> None:
        self._config = config
        self.faults = faults

    def guard(self, name: str, handler: Handler) -> HttpHandler:
        """Wrap a handler; `name` is what orders of faults match."""

        async def handle(request: web.Request) -> web.StreamResponse:
            return await self.answer(request, name, handler)

        return handle

    async def answer(
        self, request: web.Request, name: str, handler: Handler
    ) -> web.StreamResponse:
        """Check the request, run the handler, and send its answer or a fault."""
        fault = self.faults.take("graph", name)
        if fault is not None and not fault.after_effect and _replaces_answer(fault):
            return await self.fail(request, fault)
        status = HTTPStatus.OK
        headers: dict[str, str] = {}
        try:
            self.check(request)
            body = await handler(request)
        except GraphError as error:
            status, body, headers = _refusal(error)
        if fault is not None and _replaces_answer(fault):
            return await self.fail(request, fault)
        slow_s = fault.seconds if fault is not None else 0.0
        return await self._send(request, body, status, headers, slow_s)

    def check(self, request: web.Request) -> None:
        """Raise `GraphError` unless the version is served and the token is valid."""
        asked = request.match_info.get("version")
        oldest = version_number(self._config.graph_version_min)
        if asked is not None and version_number(asked) < oldest:
            raise GraphError(2635)
        self.check_token(request)

    def check_token(self, request: web.Request) -> None:
        """Raise `GraphError` 190 unless there is a valid bearer token."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            message = "An access token is required to request this resource."
            raise GraphError(190, message=message)
        if token not in self._config.access_tokens:
            raise _expired_token()

    async def _send(
        self,
        request: web.Request,
        answer: Json,
        status: HTTPStatus,
        headers: dict[str, str],
        slow_s: float = 0.0,
    ) -> web.StreamResponse:
        body = json.dumps(answer, separators=(",", ":")).encode()
        response = web.StreamResponse(status=status, headers=headers)
        response.content_type = "application/json"
        response.charset = "UTF-8"
        response.content_length = len(body)
        skew_s = self._config.timings.clock_skew_s
        response.headers["Date"] = formatdate(time.time() + skew_s, usegmt=True)
        response.headers["x-fb-trace-id"] = new_trace_id()
        response.headers["x-fb-request-id"] = new_trace_id()
        response.headers["facebook-api-version"] = request.match_info.get("version", "")
        await response.prepare(request)
        part = max(1, len(body) // _SLOW_PARTS) if slow_s else len(body)
        # Whoever asked may lose patience with an answer that trickles.
        with contextlib.suppress(ConnectionResetError):
            for at in range(0, len(body), part):
                if slow_s:
                    await asyncio.sleep(slow_s / _SLOW_PARTS)
                await response.write(body[at : at + part])
            await response.write_eof()
        return response

    async def fail(self, request: web.Request, fault: FaultSpec) -> web.StreamResponse:
        """Answer with the fault instead of the truth."""
        if fault.kind is FaultKind.GRAPH_HTML:
            return web.Response(status=502, text=_HTML, content_type="text/html")
        if fault.kind is FaultKind.GRAPH_NOT_FOUND:
            return web.Response(status=404)
        if fault.kind is FaultKind.GRAPH_REDIRECT:
            return web.Response(status=302, headers={"Location": fault.to})
        error = _ordered_error(fault)
        if error is not None:
            status, body, headers = _refusal(error)
            return await self._send(request, body, status, headers)
        if fault.kind is FaultKind.GRAPH_TIME_OUT:
            await asyncio.sleep(fault.seconds)
        return _cut_off(request)


def _replaces_answer(fault: FaultSpec) -> bool:
    """A slow body is the true answer, only late."""
    return fault.kind is not FaultKind.GRAPH_SLOW_BODY


def _ordered_error(fault: FaultSpec) -> GraphError | None:
    match fault.kind:
        case FaultKind.GRAPH_SERVER_ERROR:
            return GraphError(2)
        case FaultKind.GRAPH_RATE_LIMITED:
            return GraphError(138005, retry_after_s=fault.retry_after_s)
        case FaultKind.GRAPH_EXPIRED_TOKEN:
            return _expired_token()
        case _:
            return None


def _refusal(error: GraphError) -> tuple[HTTPStatus, Json, dict[str, str]]:
    headers: dict[str, str] = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    return error.status, error.envelope(new_trace_id()), headers


def _expired_token() -> GraphError:
    message = "Error validating access token: Session has expired"
    return GraphError(190, message=message, subcode=463)


def _cut_off(request: web.Request) -> web.StreamResponse:
    """Close the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
