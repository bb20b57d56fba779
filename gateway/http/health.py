"""`/healthz`: the process lives. `/readyz`: it may be sent traffic."""

import asyncio
import json
from collections.abc import Mapping

import structlog
from aiohttp import web

from gateway.core.errors import CallgateError
from gateway.http.deps import Check

CHECK_TIMEOUT_S = 2.0

_log = structlog.get_logger(__name__)


async def live(_request: web.Request) -> web.Response:
    """Answer at once; touches nothing."""
    return web.json_response({"status": "ok"})


class Readiness:
    """Asks every part of the gateway whether it works."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = dict(checks)

    async def ready(self, _request: web.Request) -> web.Response:
        """Answer 200 if all parts work, else 503; the body names each part."""
        results = await asyncio.gather(*(self._ask(name) for name in self._checks))
        parts = dict(zip(self._checks, results, strict=True))
        is_ready = all(parts.values())
        told = {name: "ok" if works else "down" for name, works in parts.items()}
        body = {"status": "ok" if is_ready else "down", "parts": told}
        return web.Response(
            status=200 if is_ready else 503,
            text=json.dumps(body),
            content_type="application/json",
        )

    async def _ask(self, name: str) -> bool:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                await self._checks[name]()
        except (CallgateError, OSError, TimeoutError) as error:
            _log.warning("a part is not ready", part=name, reason=type(error).__name__)
            return False
        return True
