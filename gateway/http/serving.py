"""Serving an application the way this gateway needs it: raw bodies, bounded connections."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

KEEPALIVE_S = 75.0
GRACE_S = 10.0
BACKLOG = 1_024
"""Connections that may wait to be accepted: a burst of webhooks is not refused."""


@asynccontextmanager
async def serving(
    app: web.Application,
    *,
    host: str,
    port: int,
    tls: ssl.SSLContext | None = None,
    grace_s: float = GRACE_S,
) -> AsyncIterator[int]:
    """Serve while the context is open; yields the port (0 asks for a free one).

    At its end requests under way have `grace_s` to finish. Bodies are not decompressed: a
    webhook's signature is over the bytes that were sent.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        auto_decompress=False,
        keepalive_timeout=KEEPALIVE_S,
        shutdown_timeout=grace_s,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, ssl_context=tls, backlog=BACKLOG)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        async with asyncio.timeout(2 * grace_s):
            await runner.cleanup()
