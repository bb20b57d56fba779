"""Answers that are sent as they are made: nothing whole in memory, nobody slow for ever.

What fails before the first byte is a problem like any other. After that the connection is
broken off, so that nobody takes a part for the whole.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from urllib.parse import quote

import structlog
from aiohttp import web

from gateway.core.errors import CallgateError
from gateway.ports.library import NotTranscoded
from gateway.ports.storage import NotStored, StorageDown, Unsealable

FAULTS = (CallgateError, NotStored, NotTranscoded, OSError, StorageDown, Unsealable)
"""What reading may raise in the middle."""

_log = structlog.get_logger(__name__)


async def stream(
    request: web.Request,
    chunks: AsyncIterator[bytes],
    *,
    headers: Mapping[str, str],
    stall_max_s: float,
    status: int = 200,
    length: int | None = None,
) -> web.StreamResponse:
    """Send chunks until they end. A reader who takes none for `stall_max_s` is left.

    The caller closes `chunks`. Raises what the first of them raises.
    """
    first = await anext(chunks, b"")
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = length
    try:
        await response.prepare(request)
        chunk: bytes | None = first
        while chunk is not None:
            if chunk:
                async with asyncio.timeout(stall_max_s):
                    await response.write(chunk)
            chunk = await anext(chunks, None)
        await response.write_eof()
    except ConnectionResetError:
        # They have left; there is nobody to tell.
        pass
    except FAULTS as error:
        _log.warning("an answer was broken off", error_kind=type(error).__name__)
        if request.transport is not None:
            request.transport.abort()
    return response


async def headers_only(
    request: web.Request, *, headers: Mapping[str, str], length: int
) -> web.StreamResponse:
    """Answer `HEAD` as `GET` would, without the body."""
    response = web.StreamResponse(status=200, headers=headers)
    response.content_length = length
    await response.prepare(request)
    await response.write_eof()
    return response


def attachment(name: str) -> str:
    """Return a `Content-Disposition` that saves under a name (RFC 6266, RFC 8187).

    Only letters, digits and `._-` of it get into the part that old programs read.
    """
    plain = "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "-"
        for letter in name
    )
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
