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
        self._down: set[str] = set()

    async def ready(self, _request: web.Request) -> web.Response:
        """Answer 503 (`down`) if a needed part does not work, else 200: `ok`, or `degraded`
        while another part does not. The body names each part.
        """
        results = await asyncio.gather(*(self._ask(name) for name in self._checks))
        parts = dict(zip(self._checks, results, strict=True))
        missing = [self._checks[name] for name, works in parts.items() if not works]
        is_ready = not any(check.is_needed for check in missing)
        status = "down" if not is_ready else "degraded" if missing else "ok"
        told = {name: "ok" if works else "down" for name, works in parts.items()}
        return web.Response(
            status=200 if is_ready else 503,
            text=json.dumps({"status": status, "parts": told}),
            content_type="application/json",
        )

    async def _ask(self, name: str) -> bool:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                await self._checks[name].ask()
        except (CallgateError, OSError, TimeoutError) as error:
            if name not in self._down:  # Monitors ask every few seconds.
                _log.warning("a part is not ready", part=name, reason=type(error).__name__)
            self._down.add(name)
            return False
        self._down.discard(name)
        return True
