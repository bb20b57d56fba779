"""The Media API: where a file is, the file itself, and its deletion."""

import asyncio
from typing import NoReturn

from aiohttp import web

from sandbox.errors import GraphError
from sandbox.faults import FaultKind
from sandbox.graph_gate import VERSION_PATHS, GraphGate, Json
from sandbox.media_store import MediaFile, MediaStore

DOWNLOAD_PATH = "/whatsapp_business/attachments/"
_PARTS = 20
_POURED_BYTES = 64 * 1024
_OF_THE_BODY = frozenset(
    {FaultKind.GRAPH_SLOW_BODY, FaultKind.GRAPH_TRUNCATED, FaultKind.GRAPH_ENDLESS}
)


class GraphMedia:
    """Handlers; `base_url` is where the download links point to."""

    def __init__(self, store: MediaStore, gate: GraphGate) -> None:
        self.base_url = ""
        self._store = store
        self._gate = gate

    def routes(self) -> list[web.RouteDef]:
        """Return the routes; the download has no version in its path, as at Meta."""
        guard = self._gate.guard
        table = [
            ("GET", guard("media", self._look_up)),
            ("DELETE", guard("media", self._delete)),
        ]
        routes = [
            web.route(method, rf"{version}/{{media_id:\d+}}", handler)
            for version in VERSION_PATHS
            for method, handler in table
        ]
        return [*routes, web.get(DOWNLOAD_PATH, self._download)]

    def link(self, media_id: str) -> str:
        """Return a fresh download address."""
        return f"{self.base_url}{DOWNLOAD_PATH}?mid={self._store.new_link(media_id)}"

    async def _look_up(self, request: web.Request) -> Json:
        stored = self._store.get(request.match_info["media_id"])
        if stored is None:
            raise _missing(request.match_info["media_id"])
        return {
            "messaging_product": "whatsapp",
            "url": self.link(stored.media_id),
            "mime_type": stored.mime_type,
            "sha256": stored.sha256,
            "file_size": str(len(stored.content)),
            "id": stored.media_id,
        }

    async def _delete(self, request: web.Request) -> Json:
        if not self._store.delete(request.match_info["media_id"]):
            raise _missing(request.match_info["media_id"])
        return {"success": True}

    async def _download(self, request: web.Request) -> web.StreamResponse:
        fault = self._gate.faults.take("graph", "download")
        if fault is not None and fault.kind not in _OF_THE_BODY:
            return await self._gate.fail(request, fault)
        try:
            self._gate.check_token(request)
        except GraphError as error:
            return web.Response(status=error.status)
        stored = self._store.follow(request.query.get("mid", ""))
        if stored is None:
            return web.Response(status=404)
        content, mime_type = stored.content, _plain(stored.mime_type)
        match None if fault is None else fault.kind:
            case FaultKind.GRAPH_TRUNCATED:
                content = content[: len(content) // 2]
            case FaultKind.GRAPH_ENDLESS:
                await _pour(request)
            case FaultKind.GRAPH_SLOW_BODY:
                assert fault is not None
                return await _trickle(request, stored, fault.seconds)
            case _:
                pass
        return web.Response(body=content, content_type=mime_type)


async def _trickle(
    request: web.Request, stored: MediaFile, seconds: float
) -> web.StreamResponse:
    """Send a file little by little."""
    response = web.StreamResponse(headers={"Content-Type": stored.mime_type})
    response.content_length = len(stored.content)
    await response.prepare(request)
    part = max(1, len(stored.content) // _PARTS)
    for at in range(0, len(stored.content), part):
        await asyncio.sleep(seconds / _PARTS)
        await response.write(stored.content[at : at + part])
    await response.write_eof()
    return response


async def _pour(request: web.Request) -> NoReturn:
    """Send bytes without end, as long as somebody takes them."""
    response = web.StreamResponse(headers={"Content-Type": "audio/ogg"})
    await response.prepare(request)
    while True:
        await response.write(bytes(_POURED_BYTES))


def _plain(mime_type: str) -> str:
    """Return the type without its parameters."""
    return mime_type.partition(";")[0].strip()


def _missing(media_id: str) -> GraphError:
    message = (
        f"Unsupported get request. Object with ID '{media_id}' does not exist, cannot be "
        "loaded due to missing permissions, or does not support this operation"
    )
    return GraphError(100, message=message, subcode=33)
