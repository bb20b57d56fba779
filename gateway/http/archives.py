"""ZIP archives that are made while they are sent."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

from aiohttp import web

from gateway.core.zones import local_time
from gateway.http.routing import Ask
from gateway.http.shapes import Nothing, Shape
from gateway.http.streaming import attachment, stream

Body = TypeVar("Body", bound=Shape)


async def send_archive(
    ask: Ask[Body, Nothing], archive: AsyncGenerator[bytes], stem: str
) -> web.StreamResponse:
    """Send it under a name with the time in the account's zone; it is closed at the end."""
    now = local_time(ask.deps.clock.wall(), ask.who.account.timezone)
    async with aclosing(archive) as chunks:
        return await stream(
            ask.request,
            chunks,
            headers={
                "Content-Type": "application/zip",
                "Content-Disposition": attachment(f"{stem}_{now:%Y-%m-%d_%H-%M-%S}.zip"),
            },
            stall_max_s=ask.deps.limits.reader_stall_max_s,
        )
